import { createClient, type Client } from "@connectrpc/connect";
import { MonitoringService } from "../gen/monitoring/metrics_pb.js";
import { LiveService } from "../gen/monitoring/v1/live_pb.js";
import { QueryService } from "../gen/monitoring/v1/query_pb.js";
import { Meter } from "./meter.js";
import { WireSwitch, type Wire } from "./wire.js";

/** Api is the generated clients of all that the page asks for. */
export interface Api {
  /** The classic contract, for the server's word on its own health. */
  monitoring: Client<typeof MonitoringService>;
  live: Client<typeof LiveService>;
  query: Client<typeof QueryService>;
  /** switched returns a signal that aborts when calls take another wire, so that streams follow. */
  switched: () => AbortSignal;
}

/** Connection is the clients, the wire that they take and what they cost. */
export interface Connection {
  api: Api;
  meter: Meter;
  /** use takes another wire at once, for all calls to come and the stream that is open. */
  use: (wire: Wire) => void;
}

/** connect returns the clients of the server at that origin. */
export function connect(origin: string, wire: Wire): Connection {
  const meter = new Meter(wire, () => performance.now());
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) meter.finished(entry as PerformanceResourceTiming);
  });
  observer.observe({ type: "resource", buffered: true });
  const transport = new WireSwitch(origin, wire, meter.wrap(globalThis.fetch.bind(globalThis)));
  return {
    api: {
      monitoring: createClient(MonitoringService, transport),
      live: createClient(LiveService, transport),
      query: createClient(QueryService, transport),
      switched: () => transport.switched,
    },
    meter,
    use(wire) {
      if (wire === transport.wire) return;
      meter.use(wire);
      transport.use(wire);
    },
  };
}
