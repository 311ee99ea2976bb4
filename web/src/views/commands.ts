/**
 * Question is a request of the page, as a chart or a table asks it: for the history
 * of a selector, for an expression over a range or at one time, or for the hosts.
 * Times are seconds since the epoch.
 */
export type Question =
  | Past
  | { promql: string; from: number; to: number; step: number }
  | { promql: string; at: number }
  | { hosts: string };

/** Past is the question for history. */
export interface Past {
  selector: string;
  /** The same, as one selector for each metric type; not needed where there is one. */
  each?: readonly (readonly [type: string, selector: string])[];
  from: number;
  to: number;
  points: number;
  /** How many seconds a point stands for, where an answer has said so. */
  step?: number | undefined;
}

/** Commands are command lines that ask the same, for whoever prefers which. */
export interface Commands {
  curl: string;
  grpcurl: string;
  vitals: string;
}

/** Request is a question in the three forms that the tools take. */
interface Request {
  method: string;
  message: object;
  /** The subcommand of vitals, its flags, and what it is about. */
  vitals: [command: string, flags: string[], argument: string];
}

/** The variable that holds a token; vitals reads it by itself. */
export const tokenVariable = "VITALS_TOKEN";

/**
 * commandsOf writes a question as command lines that work when pasted into a POSIX
 * shell; with signedIn they call with the token that the shell has in VITALS_TOKEN.
 */
export function commandsOf(origin: string, question: Question, signedIn: boolean): Commands {
  const { method, message, vitals } = requestOf(question);
  const procedure = `monitoring.v1.QueryService/${method}`;
  const body = quoted(JSON.stringify(message));
  const { protocol, hostname, port } = new URL(origin);
  const isPlain = protocol === "http:";
  const address = word(`${hostname}:${port || (isPlain ? "80" : "443")}`);
  const [command, flags, argument] = vitals;
  const token = signedIn ? `-H "Authorization: Bearer $${tokenVariable}" ` : "";
  // What begins with a minus would be taken for a flag.
  const about = argument === "" ? [] : [...(argument.startsWith("-") ? ["--"] : []), quoted(argument)];
  return {
    curl: `curl ${token}-H 'Content-Type: application/json' -d ${body} ${word(`${origin}/${procedure}`)}`,
    grpcurl: `grpcurl ${isPlain ? "-plaintext " : ""}${token}-d ${body} ${address} ${procedure}`,
    vitals: ["vitals", command, ...flags, "--server", word(origin), ...about].join(" "),
  };
}

function requestOf(question: Question): Request {
  if ("hosts" in question)
    return {
      method: "ListHosts",
      message: question.hosts === "" ? {} : { hostnamePrefix: question.hosts },
      vitals: ["hosts", [], question.hosts],
    };
  if ("at" in question) {
    const time = written(question.at);
    return {
      method: "QueryPromQL",
      message: { query: question.promql, time },
      vitals: ["query", ["--time", time], question.promql],
    };
  }
  const [start, end] = [written(question.from), written(question.to)];
  const range = (step: string) => ["--start", start, "--end", end, "--step", step];
  if ("promql" in question) {
    const step = `${question.step}s`;
    return {
      method: "QueryPromQL",
      message: { query: question.promql, start, end, step },
      vitals: ["query", range(step), question.promql],
    };
  }
  const { selector, from, to, points } = question;
  const step = question.step || Math.max(1, Math.ceil((to - from) / points));
  const begin = written(Math.floor(from / step) * step);
  return {
    method: "QueryRange",
    message: { selector, start, end, maxPoints: points },
    // PromQL has no bound of points but a distance between them.
    vitals: ["query", ["--start", begin, "--end", end, "--step", `${step}s`], averaged(question, step)],
  };
}

/**
 * averaged writes in PromQL what the points of a chart are: the average of the
 * samples from each point to the next. A function leaves out the names of metrics,
 * so where there are several each gets its own as a label.
 */
function averaged({ selector, each = [] }: Past, step: number): string {
  const milliseconds = Math.round(step * 1000);
  // PromQL looks back, from a time that is part of what it looks at.
  const over = (one: string) => `avg_over_time(${one}[${lasting(milliseconds)}] offset -${lasting(milliseconds - 1)})`;
  if (each.length < 2) return over(selector);
  return each.map(([type, one]) => `label_replace(${over(one)}, "metric", "${type}", "", "")`).join(" or ");
}

/** lasting writes milliseconds as PromQL does. */
function lasting(milliseconds: number): string {
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`;
}

function written(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

/** quoted puts a text in single quotes for a POSIX shell; it may hold anything, line breaks too. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** word quotes a text where a shell would read more into it than its letters. */
function word(text: string): string {
  return /^[\w.:/@%+-]+$/.test(text) ? text : quoted(text);
}
