import { Backoff } from "./backoff.js";
import type { Monitoring } from "./client.js";
import { failureOf, type Failure } from "./failure.js";
import type { Pauses } from "./pause.js";
import type { Health, Sample } from "./sample.js";
import { samples } from "./samples.js";

/** FeedEvent is one thing that was learnt of the server; it can be posted to other tabs. */
export type FeedEvent =
  | { kind: "sample"; sample: Sample }
  | { kind: "failure"; metricType: string; failure: Failure }
  /** null: the server could not be asked. */
  | { kind: "health"; health: Health | null };

/** Feed is what run needs to know. */
export interface Feed {
  client: Monitoring;
  /** The host to follow; empty is the server's own. */
  hostname: string;
  metricTypes: readonly string[];
  mayStream: () => boolean;
  /** The waits between attempts; hurry them when there is reason to hope. */
  pauses: Pauses;
}

const healthEvery = 5_000;

/**
 * run follows all metric types of the feed and the server's health until signal
 * aborts. It never throws: what goes wrong is an event like the rest, and is tried
 * again by itself.
 */
export async function run(feed: Feed, publish: (event: FeedEvent) => void, signal: AbortSignal): Promise<void> {
  const follow = feed.metricTypes.map((metricType) => followMetric(feed, metricType, publish, signal));
  await Promise.all([...follow, followHealth(feed, publish, signal)]);
}

async function followMetric(
  feed: Feed,
  metricType: string,
  publish: (event: FeedEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const { client, hostname, mayStream, pauses } = feed;
  const backoff = new Backoff();
  while (!signal.aborted) {
    try {
      for await (const sample of samples(client, { hostname, metricType }, mayStream, pauses, signal)) {
        backoff.reset();
        publish({ kind: "sample", sample });
      }
    } catch (error) {
      if (signal.aborted) return;
      publish({ kind: "failure", metricType, failure: failureOf(error) });
      await pauses.pause(backoff.next(), signal);
    }
  }
}

async function followHealth(feed: Feed, publish: (event: FeedEvent) => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    let health: Health | null = null;
    try {
      const answer = await feed.client.checkHealth({}, { signal, timeoutMs: healthEvery });
      health = { healthy: answer.healthy, message: answer.message };
    } catch {
      // The streams fail for the same reason and tell it; here it is unknown.
    }
    if (signal.aborted) return;
    publish({ kind: "health", health });
    await feed.pauses.pause(healthEvery, signal);
  }
}
