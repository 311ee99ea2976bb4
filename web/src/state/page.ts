import type { Failure } from "../api/failure.js";
import type { FeedEvent, Health, Host } from "../api/feed.js";
import type { Series } from "../api/series.js";

/** Phase is the state of the connection, as the page shows it. */
export type Phase = "connecting" | "live" | "stale" | "down" | "reconnecting" | "error";

/** After so many milliseconds in which no new sample arrived, the last one is called stale. */
const staleAfter = 4_000;
/** So many milliseconds old is no sample when it arrives, unless the server thinks well of its host. */
const oldAfter = 10_000;

/**
 * PageState is what is known of the server and of how its samples reach us. Its
 * clock is the caller's: milliseconds that never run backwards (performance.now).
 */
export class PageState {
  /** The series of the stream by their numbers. */
  readonly series = new Map<number, Series>();
  readonly #newest = new Map<number, { time: number; value: number }>();
  hosts: Host[] | undefined;
  /** What the server says of itself; null when it could not be asked, undefined before the first answer. */
  health: Health | null | undefined;
  #failure: Failure | undefined;
  #observed: number | undefined;
  #arrived = 0;
  #clock: { server: number; at: number } | undefined;

  /** @param asked the host that the page is about, empty for all of them */
  constructor(private readonly asked = "") {}

  /** apply takes in an event that arrives now and tells whether it brought a newer sample. */
  apply(event: FeedEvent, now: number): boolean {
    switch (event.kind) {
      case "open":
        this.series.clear();
        this.#newest.clear();
        return false;
      case "clock":
        this.#clock = { server: event.server, at: now };
        return false;
      case "hosts":
        this.hosts = event.hosts;
        return false;
      case "health":
        this.health = event.health;
        return false;
      case "failure":
        this.#failure = event.failure;
        // What a server said of itself before it went out of reach is no longer known.
        if (!event.failure.refused) this.health = null;
        return false;
      case "samples":
        return this.#observe(event, now);
    }
  }

  #observe({ named, rounds }: FeedEvent & { kind: "samples" }, now: number): boolean {
    for (const [id, series] of named) this.series.set(id, series);
    let isNew = false;
    for (const { time, ids, values } of rounds) {
      for (let i = 0; i < ids.length; i++) this.#remember(ids[i]!, time, values[i]!);
      if (time <= (this.#observed ?? -Infinity)) continue;
      this.#observed = time;
      isNew = true;
    }
    // A stream that stands is no failure, though its host may be silent; a refusal stands until samples come.
    if (rounds.length > 0 || this.#failure?.refused === false) this.#failure = undefined;
    if (isNew) this.#arrived = now;
    return isNew;
  }

  #remember(id: number, time: number, value: number): void {
    const newest = this.#newest.get(id);
    if (newest === undefined) this.#newest.set(id, { time, value });
    else {
      newest.time = time;
      newest.value = value;
    }
  }

  /** events returns what brings another tab's state up to this one's. */
  events(now: number): FeedEvent[] {
    const events: FeedEvent[] = [];
    if (this.series.size > 0) {
      const rounds = [...this.#newest].map(([id, { time, value }]) => ({ time, ids: [id], values: [value] }));
      rounds.sort((a, b) => a.time - b.time);
      events.push({ kind: "open" }, { kind: "samples", named: [...this.series], rounds, dropped: 0 });
    }
    if (this.#failure !== undefined) events.push({ kind: "failure", failure: this.#failure });
    const server = this.serverTime(now);
    if (this.#clock !== undefined && server !== undefined) events.push({ kind: "clock", server });
    if (this.hosts !== undefined) events.push({ kind: "hosts", hosts: this.hosts });
    if (this.health !== undefined) events.push({ kind: "health", health: this.health });
    return events;
  }

  /** Why no samples come, if the last attempt failed. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  /** host returns what the server says of the host that the page is about. */
  get host(): Host | undefined {
    return this.asked === "" ? undefined : this.hosts?.find(({ name }) => name === this.asked);
  }

  /** observed returns when the newest sample was observed, in seconds since the epoch. */
  get observed(): number | undefined {
    const seen = this.host?.seen ?? 0;
    return seen === 0 ? this.#observed : Math.max(seen, this.#observed ?? 0);
  }

  /** phase tells how things stand. */
  phase(now: number): Phase {
    if (this.#failure !== undefined) return this.#failure.refused ? "error" : "reconnecting";
    const status = this.host?.status;
    if (this.#observed === undefined) return status === "down" || status === "stale" ? status : "connecting";
    if (this.#isLive(now)) return "live";
    return status === "down" ? "down" : "stale";
  }

  #isLive(now: number): boolean {
    // Names that begin alike, and hosts that are gone, say nothing of how often samples come.
    const hosts = this.asked === "" ? (this.hosts ?? []) : this.host === undefined ? [] : [this.host];
    const up = hosts.filter(({ status }) => status === "up");
    const least = Math.min(...(up.length > 0 ? up : hosts).map(({ interval }) => interval));
    const interval = Number.isFinite(least) ? least : 1;
    if (now - this.#arrived > Math.max(staleAfter, 2_500 * interval)) return false;
    // The clock of a host that reports may be wrong.
    return up.length > 0 || this.silence(now) <= Math.max(oldAfter, 3_500 * interval);
  }

  /** silence returns for how many milliseconds nothing newer was observed; 0 before the first sample. */
  silence(now: number): number {
    const { observed } = this;
    if (observed === undefined) return 0;
    const server = this.serverTime(now);
    const age = server === undefined ? 0 : 1000 * (server - observed);
    return Math.max(0, age, this.#observed === observed ? now - this.#arrived : 0);
  }

  /** serverTime estimates what the server's clock says, in seconds since the epoch. */
  serverTime(now: number): number | undefined {
    return this.#clock === undefined ? undefined : this.#clock.server + (now - this.#clock.at) / 1000;
  }
}
