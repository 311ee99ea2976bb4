import type { FeedEvent } from "../api/feed.js";
import type { Health } from "../api/sample.js";
import { MetricState, type Phase } from "./metric.js";

/** The phases from the one to worry about least to the worst. */
const worse: readonly Phase[] = ["live", "connecting", "stale", "reconnecting", "error"];

/** PageState is all that the page knows: its metrics, the host's name, the server's health. */
export class PageState {
  readonly metrics: readonly MetricState[];
  /** What the server says of itself; null when it could not be asked, undefined before the first answer. */
  health: Health | null | undefined;

  /** @param span how many seconds of samples are kept */
  constructor(metricTypes: readonly string[], span: number) {
    this.metrics = metricTypes.map((metricType) => new MetricState(metricType, span));
  }

  /** apply takes in an event that arrives now and tells whether it brought a new sample. */
  apply(event: FeedEvent, now: number): boolean {
    switch (event.kind) {
      case "health":
        this.health = event.health;
        return false;
      case "failure":
        this.#metric(event.metricType)?.fail(event.failure);
        return false;
      case "sample":
        return this.#metric(event.sample.metricType)?.observe(event.sample, now) ?? false;
    }
  }

  /** events returns what brings another tab's state up to this one's. */
  events(): FeedEvent[] {
    const events: FeedEvent[] = [];
    for (const metric of this.metrics) {
      for (const sample of metric.samples()) events.push({ kind: "sample", sample });
      const { metricType, failure } = metric;
      if (failure !== undefined) events.push({ kind: "failure", metricType, failure });
    }
    if (this.health !== undefined) events.push({ kind: "health", health: this.health });
    return events;
  }

  /** worst returns the metric that is off worst: it speaks for the page. */
  worst(now: number): MetricState {
    const badness = (metric: MetricState) => worse.indexOf(metric.phase(now));
    return this.metrics.reduce((a, b) => (badness(b) > badness(a) ? b : a));
  }

  /** hostname returns the host's name as the server says it, or undefined before the first sample. */
  get hostname(): string | undefined {
    return this.#newest()?.last?.hostname;
  }

  /** observed returns when the newest sample was observed, in seconds since the epoch. */
  get observed(): number | undefined {
    return this.#newest()?.last?.timestamp;
  }

  /** serverTime estimates what the server's clock says, in seconds since the epoch. */
  serverTime(now: number): number | undefined {
    return this.#newest()?.serverTime(now);
  }

  #newest(): MetricState | undefined {
    return this.metrics.reduce<MetricState | undefined>(
      (a, b) => (b.last !== undefined && b.last.timestamp > (a?.last?.timestamp ?? -Infinity) ? b : a),
      undefined,
    );
  }

  #metric(metricType: string): MetricState | undefined {
    return this.metrics.find((metric) => metric.metricType === metricType);
  }
}
