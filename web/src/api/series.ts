import type { Series as SeriesMessage } from "../gen/monitoring/v1/series_pb.js";

/** Series identifies what is measured, as plain data that can be posted to other tabs. */
export interface Series {
  /** The metric's name, such as "cpu". */
  type: string;
  host: string;
  labels: Record<string, string>;
  /** What the values count, such as "percent" or "GB". */
  unit: string;
}

/** seriesOf takes a series out of a message. */
export function seriesOf(message: SeriesMessage | undefined): Series {
  return {
    type: message?.metricType ?? "",
    host: message?.hostname ?? "",
    labels: { ...message?.labels },
    unit: message?.unit ?? "",
  };
}

/** seriesFrom takes a series out of the labels of a PromQL result. */
export function seriesFrom(labels: Record<string, string>): Series {
  const { __name__: type = "", hostname: host = "", ...rest } = labels;
  return { type, host, labels: rest, unit: "" };
}

/** keyOf returns a text that is the same for the same series and for no other. */
export function keyOf({ type, host, labels }: Series): string {
  const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([type, host, ...pairs.flat()]);
}

/** quoted writes a text as a PromQL string. */
export function quoted(text: string): string {
  return JSON.stringify(text);
}

/** selectorOf writes the PromQL selector of some metric types and hosts; an empty list is no condition. */
export function selectorOf(types: readonly string[], hosts: readonly string[]): string {
  const conditions = [condition("__name__", types), condition("hostname", hosts)].filter((part) => part !== "");
  return `{${conditions.join(",")}}`;
}

function condition(label: string, values: readonly string[]): string {
  if (values.length === 0) return "";
  if (values.length === 1) return `${label}=${quoted(values[0]!)}`;
  return `${label}=~${quoted(values.map(escaped).join("|"))}`;
}

/** escaped takes the meaning from what means something in a regular expression. */
function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
