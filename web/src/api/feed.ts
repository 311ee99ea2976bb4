import { timestampMs } from "@bufbuild/protobuf/wkt";
import { HostStatus, type Host as HostMessage } from "../gen/monitoring/v1/query_pb.js";
import type { Update } from "../gen/monitoring/v1/live_pb.js";
import { Backoff, longest } from "./backoff.js";
import type { Api } from "./client.js";
import { failureOf, SilenceError, type Failure } from "./failure.js";
import { historyOf } from "./history.js";
import { nearest } from "./near.js";
import type { Pauses } from "./pause.js";
import { keyOf, selectorOf, seriesOf, type Series } from "./series.js";

/** Round is values observed at one time: values[i] is of the series with the number ids[i]. */
export interface Round {
  /** Seconds since the Unix epoch. */
  time: number;
  ids: number[];
  values: number[];
}

/** Health is the server's own word on itself. */
export interface Health {
  healthy: boolean;
  message: string;
}

/** Host is a host that has reported, as plain data. */
export interface Host {
  name: string;
  status: "up" | "stale" | "down" | "unknown";
  tags: Record<string, string>;
  /** Its operating system and architecture, in words. */
  system: string;
  /** When its newest sample was observed, in seconds since the epoch. */
  seen: number;
  /** How many seconds lie between two of its samples. */
  interval: number;
  /** Another agent reports under this name too. */
  conflict: boolean;
}

/** FeedEvent is one thing that was learnt of the server; it can be posted to other tabs. */
export type FeedEvent =
  /** A new stream began: numbers of series start over, and samples may be missing before it. */
  | { kind: "open" }
  | { kind: "samples"; named: [id: number, series: Series][]; rounds: Round[]; dropped: number }
  | { kind: "failure"; failure: Failure }
  /** What the server's clock says, in seconds since the epoch. */
  | { kind: "clock"; server: number }
  | { kind: "hosts"; hosts: Host[] }
  /** null: the server could not be asked. */
  | { kind: "health"; health: Health | null };

/** Feed is what run needs to know. */
export interface Feed {
  api: Api;
  /** The host to follow; none is every host. */
  hostname?: string | undefined;
  /** The metric types to follow; empty is all. */
  metricTypes: readonly string[];
  /** The least number of seconds between two updates of a series; default: each sample as it comes. */
  interval?: number;
  mayStream: () => boolean;
  /** The waits between attempts; hurry them when there is reason to hope. */
  pauses: Pauses;
}

/**
 * After so many seconds history is to be asked for again when a stream is back:
 * after an outage an agent sends what is new first and what it kept meanwhile
 * then, and that comes by no stream.
 */
export const askAgainAfter: readonly number[] = [3, 8, 20, 60];

/** How often the server is asked for its health and its hosts, in milliseconds. */
const askEvery = 5_000;
/** How often samples are asked for where there may be no stream. */
const pollEvery = 2_000;
/** How long a stream may be silent before a failing question, or a reason to hurry, counts as its end. */
const silentAfter = 4_000;
/** The server breaks its own silence every 15 seconds, or every 30 at most: longer is the end of the stream. */
const silentTooLong = 35_000;

/**
 * run follows the samples of the feed, the hosts and the server's health until
 * signal aborts. It never throws: what goes wrong is an event like the rest, and
 * is tried again by itself.
 */
export async function run(feed: Feed, publish: (event: FeedEvent) => void, signal: AbortSignal): Promise<void> {
  const line = new Line();
  // A tab that was frozen, or a laptop that slept, holds a stream on which nothing will ever come.
  feed.pauses.onHurry(() => {
    if (line.silence > silentAfter) line.cut?.();
  }, signal);
  await Promise.all([follow(feed, line, publish, signal), ask(feed, line, publish, signal)]);
}

/** Line is what the two sides of run know of the connection. */
class Line {
  heard = performance.now();
  /** Ends the stream that is open, if one is. */
  cut: (() => void) | undefined;

  get silence(): number {
    return performance.now() - this.heard;
  }
}

async function follow(feed: Feed, line: Line, publish: (event: FeedEvent) => void, signal: AbortSignal): Promise<void> {
  const backoff = new Backoff();
  const heard = (event: FeedEvent) => {
    line.heard = performance.now();
    if (event.kind === "samples") backoff.reset();
    publish(event);
  };
  while (!signal.aborted) {
    try {
      if (feed.mayStream()) {
        if (await stream(feed, line, heard, signal)) continue;
      } else await poll(feed, heard, signal);
      // A stream that the server ends without an error is old: the next follows, but never at once and again.
      await feed.pauses.pause(500, signal);
    } catch (error) {
      if (signal.aborted) return;
      const failure = failureOf(error);
      publish({ kind: "failure", failure });
      await feed.pauses.pause(failure.refused ? longest : backoff.next(), signal);
    }
  }
}

/** stream follows the samples by a stream until it ends; true if it ended for another wire, which takes over at once. */
async function stream(
  feed: Feed,
  line: Line,
  publish: (event: FeedEvent) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const switched = feed.api.switched();
  const silent = new AbortController();
  const watch = setInterval(() => {
    if (line.silence > silentTooLong) silent.abort();
  }, 1_000);
  line.heard = performance.now();
  line.cut = () => silent.abort();
  const { hostname, metricTypes } = feed;
  const selector = { hostnames: hostname === undefined ? [] : [hostname], metricTypes: [...metricTypes] };
  try {
    const updates = feed.api.live.subscribe(
      { selectors: [selector], interval: { seconds: BigInt(feed.interval ?? 0), nanos: 0 } },
      { signal: AbortSignal.any([signal, silent.signal, switched]) },
    );
    let first = true;
    for await (const { update } of updates) {
      if (first) publish({ kind: "open" });
      first = false;
      if (update === undefined) continue;
      if (update.serverTime !== undefined) publish({ kind: "clock", server: timestampMs(update.serverTime) / 1000 });
      publish(samplesOf(update));
    }
  } catch (error) {
    if (switched.aborted && !signal.aborted) return true;
    if (silent.signal.aborted) throw new SilenceError("the server does not answer");
    throw error;
  } finally {
    clearInterval(watch);
    line.cut = undefined;
  }
  return false;
}

function samplesOf(update: Update): FeedEvent {
  return {
    kind: "samples",
    named: update.series.map(({ id, series }) => [id, seriesOf(series)]),
    rounds: update.samples.map(({ time, seriesIds, values }) => ({
      time: time === undefined ? 0 : timestampMs(time) / 1000,
      ids: seriesIds,
      values,
    })),
    dropped: Number(update.dropped),
  };
}

/**
 * poll asks for the newest samples again and again, where the connections that a
 * browser has are not to be held by a stream; it returns once a stream may be.
 */
async function poll(feed: Feed, publish: (event: FeedEvent) => void, signal: AbortSignal): Promise<void> {
  const selector = selectorOf(feed.metricTypes, feed.hostname === undefined ? [] : [feed.hostname]);
  const ids = new Map<string, number>();
  let server = await serverTime(feed, signal);
  publish({ kind: "open" });
  // The answer to a question for the last ten seconds holds each second of two questions.
  while (!signal.aborted && !feed.mayStream()) {
    const asked = performance.now();
    const { all } = await historyOf(feed.api, { selector, from: server - 10, to: server + 5, points: 100 }, signal);
    const named: [number, Series][] = [];
    const rounds = new Map<number, Round>();
    for (const { series, times, averages } of all) {
      const key = keyOf(series);
      let id = ids.get(key);
      if (id === undefined) {
        id = ids.size;
        ids.set(key, id);
        named.push([id, series]);
      }
      for (const [i, time] of times.entries()) {
        let round = rounds.get(time);
        if (round === undefined) rounds.set(time, (round = { time, ids: [], values: [] }));
        round.ids.push(id);
        round.values.push(averages[i]!);
      }
    }
    publish({ kind: "clock", server });
    publish({ kind: "samples", named, rounds: [...rounds.values()].sort((a, b) => a.time - b.time), dropped: 0 });
    await feed.pauses.pause(Math.max(500, pollEvery - (performance.now() - asked)), signal);
    server += (performance.now() - asked) / 1000;
  }
}

/** serverTime asks for the server's clock; its answers carry it to the second. */
async function serverTime({ api }: Feed, signal: AbortSignal): Promise<number> {
  let date = "";
  const onHeader = (headers: Headers) => (date = headers.get("date") ?? "");
  await api.monitoring.checkHealth({}, { signal, timeoutMs: askEvery, onHeader });
  const parsed = Date.parse(date) / 1000;
  return Number.isNaN(parsed) ? Date.now() / 1000 : parsed + 0.5;
}

async function ask(feed: Feed, line: Line, publish: (event: FeedEvent) => void, signal: AbortSignal): Promise<void> {
  const { api, hostname } = feed;
  let refused: Failure | undefined;
  while (!signal.aborted) {
    const call = { signal, timeoutMs: askEvery };
    try {
      const [{ healthy, message }, { hosts }] = await Promise.all([
        api.monitoring.checkHealth({}, call),
        api.query.listHosts({ hostnamePrefix: hostname ?? "" }, call),
      ]);
      if (signal.aborted) return;
      publish({ kind: "health", health: { healthy, message } });
      publish({ kind: "hosts", hosts: hosts.map(hostOf) });
      if (hostname === undefined || hosts.some((host) => host.hostname === hostname)) refused = undefined;
      else if ((refused ??= await refusal(feed, hostname, signal)) !== undefined)
        publish({ kind: "failure", failure: refused });
    } catch {
      if (signal.aborted) return;
      publish({ kind: "health", health: null });
      // A network that vanished (a laptop asleep, a cable out) ends no stream by itself.
      if (line.silence > silentAfter) line.cut?.();
    }
    await feed.pauses.pause(askEvery, signal);
  }
}

/** refusal tells that the server does not know a host, and which it may have been meant to be. */
async function refusal({ api }: Feed, hostname: string, signal: AbortSignal): Promise<Failure | undefined> {
  const { hosts } = await api.query.listHosts({}, { signal, timeoutMs: askEvery });
  const names = hosts.map((host) => host.hostname);
  // It may have come meanwhile.
  if (names.includes(hostname)) return undefined;
  const unknown = { hosts: names.length, near: nearest(hostname, names) };
  return { refused: true, reason: `No host is called "${hostname}".`, unknown };
}

const statuses: Record<HostStatus, Host["status"]> = {
  [HostStatus.UNSPECIFIED]: "unknown",
  [HostStatus.UP]: "up",
  [HostStatus.STALE]: "stale",
  [HostStatus.DOWN]: "down",
};

function hostOf(host: HostMessage): Host {
  return {
    name: host.hostname,
    status: statuses[host.status] ?? "unknown",
    tags: { ...host.tags },
    system: [host.platform || host.os, host.architecture].filter((part) => part !== "").join(", "),
    seen: host.lastSeen === undefined ? 0 : timestampMs(host.lastSeen) / 1000,
    interval: Number(host.interval?.seconds ?? 1n) + (host.interval?.nanos ?? 0) / 1e9,
    conflict: host.nameConflict,
  };
}
