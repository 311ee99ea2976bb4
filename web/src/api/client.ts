import { createClient, type Client } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { MonitoringService } from "../gen/monitoring/metrics_pb.js";
import { LiveService } from "../gen/monitoring/v1/live_pb.js";
import { QueryService } from "../gen/monitoring/v1/query_pb.js";

/** Api is the generated clients of all that the page asks for. */
export interface Api {
  /** The classic contract, for the server's word on its own health. */
  monitoring: Client<typeof MonitoringService>;
  live: Client<typeof LiveService>;
  query: Client<typeof QueryService>;
}

/**
 * apiAt returns the clients of the server at that origin. Live samples and health
 * come as JSON, which a person can read in the browser's network panel and repeat
 * with curl; queries, thousands of numbers at once, come as binary.
 */
export function apiAt(origin: string): Api {
  const readable = createConnectTransport({ baseUrl: origin });
  const compact = createConnectTransport({ baseUrl: origin, useBinaryFormat: true });
  return {
    monitoring: createClient(MonitoringService, readable),
    live: createClient(LiveService, readable),
    query: createClient(QueryService, compact),
  };
}
