import type { Sample, SampleRequest } from "../api/sample.js";

const procedure = "/monitoring.MonitoringService/GetMetric";

/** curlOf returns the command line that asks the server at origin for the same number. */
export function curlOf(origin: string, { hostname, metricType }: SampleRequest): string {
  const body = JSON.stringify({ hostname, metricType });
  return `curl -H 'Content-Type: application/json' -d ${quoted(body)} ${origin}${procedure}`;
}

/** answerOf writes a sample as that command prints it. */
export function answerOf({ hostname, metricType, value, timestamp, unit }: Sample): string {
  // An int64 is a string in the JSON of protobuf.
  return JSON.stringify({ hostname, metricType, value, timestamp: String(timestamp), unit });
}

/** quoted puts a text in single quotes for a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
