/** Sample is one observation: what the charts draw, whatever brought it here. */
export interface Sample {
  /** The host that was measured; never empty. */
  hostname: string;
  /** What was measured, such as "cpu". */
  metricType: string;
  value: number;
  /** When it was observed, in seconds since the Unix epoch, by the server's clock. */
  timestamp: number;
  /** What the value counts, such as "percent" or "GB". */
  unit: string;
}

/** SampleRequest names a metric type on a host; an empty host is the server's own. */
export interface SampleRequest {
  hostname: string;
  metricType: string;
}

/** Health is the server's own word on itself. */
export interface Health {
  healthy: boolean;
  message: string;
}
