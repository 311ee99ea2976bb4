import type { Failure } from "../api/failure.js";
import type { Sample } from "../api/sample.js";
import { samplesOf, Series } from "./series.js";

/** Phase is the state of a connection, as the page shows it. */
export type Phase = "connecting" | "live" | "stale" | "reconnecting" | "error";

/** After so many milliseconds without a new sample, the last one is called stale. */
const staleAfter = 3_000;

/**
 * MetricState is what is known of one metric and of how it reaches us. Its clock
 * is the caller's: milliseconds that never run backwards (performance.now).
 */
export class MetricState {
  readonly series: Series;
  #last: Sample | undefined;
  #arrived = 0;
  #failure: Failure | undefined;

  constructor(
    readonly metricType: string,
    span: number,
  ) {
    this.series = new Series(span);
  }

  /** The newest sample, if there is one. */
  get last(): Sample | undefined {
    return this.#last;
  }

  /** Why no samples come, if the last attempt failed. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  /** observe takes in a sample that arrives now and tells whether it is a new one. */
  observe(sample: Sample, now: number): boolean {
    this.#failure = undefined;
    const isNew = this.series.add(sample.timestamp, sample.value);
    if (isNew) this.#arrived = now;
    this.#last = sample;
    return isNew;
  }

  /** fail takes in that an attempt to get samples failed. */
  fail(failure: Failure): void {
    this.#failure = failure;
  }

  /** phase tells how things stand. */
  phase(now: number): Phase {
    if (this.#failure !== undefined) return this.#failure.refused ? "error" : "reconnecting";
    if (this.#last === undefined) return "connecting";
    return this.silence(now) > staleAfter ? "stale" : "live";
  }

  /** silence returns for how many milliseconds no new sample has come; 0 before the first. */
  silence(now: number): number {
    return this.#last === undefined ? 0 : now - this.#arrived;
  }

  /** serverTime estimates what the server's clock says, in seconds since the epoch. */
  serverTime(now: number): number | undefined {
    return this.#last === undefined ? undefined : this.#last.timestamp + this.silence(now) / 1000;
  }

  /** samples returns all that is kept, to hand on to another tab. */
  samples(): Sample[] {
    return this.#last === undefined ? [] : samplesOf(this.series, this.#last);
  }
}
