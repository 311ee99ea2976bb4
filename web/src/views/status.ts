import type { PageState, Phase } from "../state/page.js";
import { age, dated } from "./format.js";

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
  down: "Down",
  reconnecting: "Reconnecting",
  error: "Error",
};

/**
 * statusOf puts the page's state into words.
 *
 * @param asked the host that was asked for, empty for all of them
 * @param now milliseconds, by the clock that the page's state was fed by
 */
export function statusOf(page: PageState, asked: string, now: number): Status {
  const phase = page.phase(now);
  const reason = page.failure?.reason ?? "";
  const stopping = phase === "reconnecting" && /\bstopping\b/i.test(reason);
  return {
    phase,
    word: stopping ? "Server stopping" : words[phase],
    meaning: meaningOf(page, phase, reason, asked, now),
    detail: detailOf(page, phase, now),
  };
}

function meaningOf(page: PageState, phase: Phase, reason: string, asked: string, now: number): string {
  switch (phase) {
    case "connecting":
      return asked === "" ? "Asking the server for its hosts." : "Asking the server for the first sample.";
    case "live":
      return "Samples as they come.";
    case "stale":
      return asked === ""
        ? "The server is connected, but no new sample comes."
        : "The server is connected, but no new sample of this host comes.";
    case "down":
      return `Down since ${lastSeen(page, now)}: the server is connected, but this host does not report.`;
    case "reconnecting":
      return `${reason} Trying again by itself.`;
    case "error":
      return asked === ""
        ? `${reason} See the server's log, then reload this page.`
        : `${reason} Correct the host in this page's address, or go to all hosts.`;
  }
}

function detailOf(page: PageState, phase: Phase, now: number): string {
  if (page.observed === undefined) return "No sample yet";
  const time = `Last sample ${lastSeen(page, now)}`;
  return phase === "live" ? time : `${time}, ${age(page.silence(now))} ago`;
}

function lastSeen(page: PageState, now: number): string {
  const { observed = 0 } = page;
  return dated(observed, page.serverTime(now) ?? observed);
}

/** healthOf puts the server's health into words. */
export function healthOf(page: PageState): { state: "good" | "bad" | "unknown"; text: string } {
  const { health } = page;
  if (health === undefined || health === null) return { state: "unknown", text: "Health unknown" };
  return health.healthy ? { state: "good", text: "Server healthy" } : { state: "bad", text: health.message };
}
