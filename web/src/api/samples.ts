import type { MetricResponse } from "../gen/monitoring/metrics_pb.js";
import type { Monitoring } from "./client.js";
import { SilenceError } from "./failure.js";
import type { Pauses } from "./pause.js";
import type { Sample, SampleRequest } from "./sample.js";

/** How long a call may be silent before it is given up, in milliseconds. */
const patience = 5_000;
const second = 1_000;

/**
 * samples yields the samples of one metric as they come, about one a second, and
 * ends only when signal aborts; it throws what the call throws. The newest sample
 * comes first, so after a reconnect one may come that was seen before.
 *
 * A call of StreamMetrics gives ten samples; the next call follows at once. Where
 * mayStream says no, the samples are asked for one by one instead: it is asked
 * before each call.
 */
export async function* samples(
  client: Monitoring,
  request: SampleRequest,
  mayStream: () => boolean,
  pauses: Pauses,
  signal: AbortSignal,
): AsyncGenerator<Sample, void, undefined> {
  while (!signal.aborted) {
    const began = performance.now();
    if (mayStream()) yield* streamed(client, request, signal);
    else yield await polled(client, request, signal);
    // A full stream takes nine seconds. What ends sooner must not be asked
    // again as fast as the server can answer.
    const rest = second - (performance.now() - began);
    if (rest > 0) await pauses.pause(rest, signal);
  }
}

async function* streamed(
  client: Monitoring,
  request: SampleRequest,
  signal: AbortSignal,
): AsyncGenerator<Sample, void, undefined> {
  // A network that vanished (a laptop asleep, a cable out) ends no stream by
  // itself: silence is the only sign.
  const silence = new AbortController();
  const listen = () => setTimeout(() => silence.abort(), patience);
  let timer = listen();
  try {
    const stream = client.streamMetrics(request, { signal: AbortSignal.any([signal, silence.signal]) });
    for await (const message of stream) {
      clearTimeout(timer);
      yield sampleOf(message);
      timer = listen();
    }
  } catch (error) {
    if (silence.signal.aborted) throw new SilenceError("the connection stands, but no samples come over it");
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function polled(client: Monitoring, request: SampleRequest, signal: AbortSignal): Promise<Sample> {
  return sampleOf(await client.getMetric(request, { signal, timeoutMs: patience }));
}

function sampleOf(message: MetricResponse): Sample {
  const { hostname, metricType, value, unit } = message;
  return { hostname, metricType, value, unit, timestamp: Number(message.timestamp) };
}
