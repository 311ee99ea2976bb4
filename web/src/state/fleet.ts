import type { Past } from "../api/history.js";
import type { Series } from "../api/series.js";
import { Column } from "./columns.js";

/** Vital is one of the four that stand for a host: three shares in percent, and bytes a second. */
export type Vital = "cpu" | "memory" | "disk" | "network";
export const vitals: readonly Vital[] = ["cpu", "memory", "disk", "network"];

/** vitalTypes are the metric types that the four are made of. */
export const vitalTypes: readonly string[] = [
  "cpu",
  "memory",
  "memory_total",
  "disk",
  "disk_space_total",
  "network_receive",
  "network_transmit",
];

/** How many seconds the small charts show. */
export const fleetSpan = 300;

/** After so many seconds without a sample an interface is gone, and its last traffic with it. */
const goneAfter = 15;

/** Observer takes in a value at a time in seconds since the epoch. */
export type Observer = (time: number, value: number) => void;

/** Vitals is the four of one host over the last minutes. */
export class Vitals {
  readonly columns: Record<Vital, Column>;
  /** Whether the last minutes are kept; of a host that nobody looks at the newest values will do. */
  kept = true;
  /** How often a value has come: the same number is the same values. */
  changes = 0;
  #memoryTotal: number | undefined;
  #diskTotal: number | undefined;
  /** The newest sample of each series of traffic, by its type and interface. */
  readonly #traffic = new Map<string, { time: number; value: number }>();

  constructor(host: string) {
    const column = (vital: Vital) =>
      new Column({ type: vital, host, labels: {}, unit: vital === "network" ? "bytes_per_second" : "percent" });
    this.columns = {
      cpu: column("cpu"),
      memory: column("memory"),
      disk: column("disk"),
      network: column("network"),
    };
  }

  /** newest returns the newest value of a vital. */
  newest(vital: Vital): number | undefined {
    return this.columns[vital].averages.at(-1);
  }

  /**
   * observer returns what takes in the live samples of one of the host's series, or
   * undefined where the series is part of no vital. Of a large fleet there are many
   * samples, and what a series is about is asked here, once.
   */
  observer(series: Series): Observer | undefined {
    switch (series.type) {
      case "memory_total":
        return (_, value) => (this.#memoryTotal = value);
      case "disk_space_total":
        return isRoot(series) ? (_, value) => (this.#diskTotal = value) : undefined;
      case "cpu":
        return (time, value) => this.#append("cpu", time, value);
      case "memory":
        return (time, value) => this.#appendShare("memory", time, value, this.#memoryTotal);
      case "disk":
        return (time, value) => this.#appendShare("disk", time, value, this.#diskTotal);
      default:
        return isTraffic(series) ? this.#trafficObserver(series) : undefined;
    }
  }

  #trafficObserver({ type, labels }: Series): Observer {
    const key = `${type} ${labels["interface"] ?? ""}`;
    // A stream that begins anew names the same series again.
    const newest = this.#traffic.get(key) ?? { time: -Infinity, value: 0 };
    this.#traffic.set(key, newest);
    return (time, value) => {
      newest.time = time;
      newest.value = value;
      let sum = 0;
      for (const part of this.#traffic.values()) if (time - part.time < goneAfter) sum += part.value;
      this.#append("network", time, sum);
    };
  }

  #appendShare(vital: Vital, time: number, value: number, total: number | undefined): void {
    if (total !== undefined) this.#append(vital, time, (100 * value) / total);
  }

  #append(vital: Vital, time: number, value: number): void {
    this.changes++;
    const column = this.columns[vital];
    if (!this.kept) {
      column.hold(time, value);
      return;
    }
    column.append(time, value);
    column.forget(time - fleetSpan - 10);
  }

  /** recall takes in the history of the host's series; what is live and newer stays. */
  recall(all: readonly Past[], step: number): void {
    const newest = (type: string, fits: (series: Series) => boolean = () => true) =>
      all.find(({ series }) => series.type === type && fits(series))?.averages.at(-1);
    this.#memoryTotal ??= newest("memory_total");
    this.#diskTotal ??= newest("disk_space_total", isRoot);
    this.#replace("cpu", all, step, 1);
    if (this.#memoryTotal !== undefined) this.#replace("memory", all, step, 100 / this.#memoryTotal);
    if (this.#diskTotal !== undefined) this.#replace("disk", all, step, 100 / this.#diskTotal);
    const sums = new Map<number, number>();
    for (const { series, times, averages } of all) {
      if (isTraffic(series))
        for (const [i, time] of times.entries()) sums.set(time, (sums.get(time) ?? 0) + averages[i]!);
    }
    const times = [...sums.keys()].sort((a, b) => a - b);
    this.#recall(
      "network",
      times,
      times.map((time) => sums.get(time)!),
      step,
    );
  }

  #replace(vital: Vital, all: readonly Past[], step: number, factor: number): void {
    const past = all.find(({ series }) => series.type === vital);
    if (past !== undefined)
      this.#recall(
        vital,
        past.times,
        past.averages.map((value) => value * factor),
        step,
      );
  }

  #recall(vital: Vital, times: number[], values: number[], step: number): void {
    this.changes++;
    const column = this.columns[vital];
    column.replace({ series: column.series, times, averages: values, minima: values, maxima: values }, step, true);
  }
}

/** isRoot tells whether a file system is the one that the metric type "disk" is about. */
function isRoot({ labels }: Series): boolean {
  return labels["mount"] === "/" || labels["mount"] === "C:";
}

/** isTraffic tells whether a series is of what comes over a network: what a host says to itself does not. */
function isTraffic({ type, labels }: Series): boolean {
  return type.startsWith("network_") && !/^lo\d*$/.test(labels["interface"] ?? "");
}
