import { createClient, type Client } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { MonitoringService } from "../gen/monitoring/metrics_pb.js";

/** Monitoring is the generated client of the classic contract. */
export type Monitoring = Client<typeof MonitoringService>;

/**
 * monitoringAt returns a client of the server at that origin. It speaks Connect
 * with JSON, so that the network panel of the browser shows requests and answers
 * that a person can read, and repeat with curl.
 */
export function monitoringAt(origin: string): Monitoring {
  return createClient(MonitoringService, createConnectTransport({ baseUrl: origin }));
}
