/** Question is a request for a range of time, as a chart asks it: for the history of a selector, or for an expression. */
export type Question = ({ selector: string } | { promql: string }) & {
  /** Seconds since the epoch. */
  from: number;
  to: number;
  points: number;
};

/** Commands are command lines that ask the same, for whoever prefers which. */
export interface Commands {
  curl: string;
  grpcurl: string;
  vitals: string;
}

const service = "monitoring.v1.QueryService";

/** commandsOf writes a question as command lines that work when pasted into a POSIX shell. */
export function commandsOf(origin: string, question: Question): Commands {
  const { from, to, points } = question;
  const [start, end] = [from, to].map((seconds) => new Date(seconds * 1000).toISOString()) as [string, string];
  const step = Math.max(1, Math.ceil((to - from) / points));
  const isHistory = "selector" in question;
  const procedure = `${service}/${isHistory ? "QueryRange" : "QueryPromQL"}`;
  const message = isHistory
    ? { selector: question.selector, start, end, maxPoints: points }
    : { query: question.promql, start, end, step: `${step}s` };
  const body = quoted(JSON.stringify(message));
  const expression = quoted(isHistory ? question.selector : question.promql);
  const { protocol, host } = new URL(origin);
  const port = /:\d+$/.test(host) ? "" : protocol === "https:" ? ":443" : ":80";
  const plain = protocol === "https:" ? "" : "-plaintext ";
  return {
    curl: `curl -H 'Content-Type: application/json' -d ${body} ${origin}/${procedure}`,
    grpcurl: `grpcurl ${plain}-d ${body} ${host}${port} ${procedure}`,
    vitals: `vitals query ${expression} --start ${start} --end ${end} --step ${step}s --server ${origin}`,
  };
}

/** quoted puts a text in single quotes for a POSIX shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
