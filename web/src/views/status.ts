import type { PageState } from "../state/page.js";
import type { Phase } from "../state/metric.js";
import { age, clock } from "./format.js";

/** Status is the state of the page in words. */
export interface Status {
  phase: Phase;
  /** The phase in a word. */
  word: string;
  /** What that means; changes with the state only, so it can be read out. */
  meaning: string;
  /** What changes by the second: when the last sample was observed, and how long ago that is. */
  detail: string;
}

const words: Record<Phase, string> = {
  connecting: "Connecting",
  live: "Live",
  stale: "Stale",
  reconnecting: "Reconnecting",
  error: "Error",
};

/**
 * statusOf puts the page's state into words.
 *
 * @param asked the host that was asked for, empty for the server's own
 * @param now milliseconds, by the clock that the page's state was fed by
 */
export function statusOf(page: PageState, asked: string, now: number): Status {
  const worst = page.worst(now);
  const phase = worst.phase(now);
  const reason = worst.failure?.reason ?? "";
  return { phase, word: words[phase], meaning: meaningOf(phase, reason, asked), detail: detailOf(page, phase, now) };
}

function meaningOf(phase: Phase, reason: string, asked: string): string {
  switch (phase) {
    case "connecting":
      return "Asking the server for its first sample.";
    case "live":
      return "A sample every second.";
    case "stale":
      return "The server is connected, but no new sample comes.";
    case "reconnecting":
      return `${reason} Trying again by itself.`;
    case "error":
      return asked === ""
        ? `${reason} See the server's log, then reload this page.`
        : `${reason} Check the host in this page's address, or choose Vitals above for the server's own.`;
  }
}

function detailOf(page: PageState, phase: Phase, now: number): string {
  const { observed } = page;
  if (observed === undefined) return "No sample yet";
  const time = `Last sample ${clock(observed)}`;
  if (phase === "live") return time;
  const silence = Math.min(...page.metrics.filter((m) => m.last !== undefined).map((m) => m.silence(now)));
  return `${time}, ${age(silence)} ago`;
}

/** healthOf puts the server's health into words. */
export function healthOf(page: PageState): { state: "good" | "bad" | "unknown"; text: string } {
  const { health } = page;
  if (health === undefined || health === null) return { state: "unknown", text: "Health unknown" };
  return health.healthy ? { state: "good", text: "Server healthy" } : { state: "bad", text: health.message };
}
