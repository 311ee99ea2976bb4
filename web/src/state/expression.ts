/** What PromQL has beside functions: they are offered as they are. */
const words = "and atan2 bool by group_left group_right ignoring offset on or unless without".split(" ");
/** Functions and aggregations of PromQL: they are offered with their parenthesis. */
const functions = [
  ..."abs absent absent_over_time acos acosh asin asinh atan atanh avg avg_over_time bottomk ceil changes clamp".split(
    " ",
  ),
  ..."clamp_max clamp_min cos cosh count count_over_time count_values day_of_month day_of_week day_of_year".split(" "),
  ..."days_in_month deg delta deriv exp floor group hour idelta increase irate label_join label_replace".split(" "),
  ..."last_over_time ln log10 log2 max max_over_time min min_over_time minute month pi predict_linear".split(" "),
  ..."present_over_time quantile quantile_over_time rad rate resets round scalar sgn sin sinh sort sort_desc".split(
    " ",
  ),
  ..."sqrt stddev stddev_over_time stdvar stdvar_over_time sum sum_over_time tan tanh time timestamp topk vector".split(
    " ",
  ),
  "year",
];
const durations = ["1m", "5m", "15m", "30m", "1h", "6h", "1d", "7d"];

/** After these, parentheses hold names of labels. */
const groupings = new Set(["by", "without", "on", "ignoring", "group_left", "group_right"]);

/** Spot is what can stand at a place of an expression, and what of it is there already. */
export interface Spot {
  kind: "name" | "label" | "grouping" | "value" | "duration";
  text: string;
  /** Where that text begins. */
  start: number;
  /** The label whose value it is, and the metric that is chosen, if it is known. */
  label?: string;
  metric?: string;
  /** The quote that ends the value. */
  quote?: string;
}

/** Opened is a bracket or a quote that has not been closed, and the word before it. */
interface Opened {
  sign: string;
  at: number;
  word: string;
}

/** spotAt tells what can stand where an expression is being typed; undefined where nothing is to be offered. */
export function spotAt(expression: string, place: number): Spot | undefined {
  const before = expression.slice(0, place);
  const open = openedIn(before);
  const inner = open.at(-1);
  if (inner !== undefined && /["'`]/.test(inner.sign)) return valueAt(before, inner, open.at(-2));
  if (inner?.sign === "#") return undefined;
  const text = /[a-zA-Z0-9_:]*$/.exec(before)![0];
  const start = place - text.length;
  if (inner?.sign === "[") return { kind: "duration", text, start };
  if (/^\d/.test(text)) return undefined;
  const last = before.slice(0, start).trimEnd().slice(-1);
  if (inner?.sign === "{") {
    if (last !== "{" && last !== ",") return undefined;
    return { kind: "label", text, start, ...(inner.word === "" ? {} : { metric: inner.word }) };
  }
  if (inner?.sign === "(" && groupings.has(inner.word)) return { kind: "grouping", text, start };
  return { kind: "name", text, start };
}

/** valueAt tells of which label a text in quotes is the value; what else is in quotes is free. */
function valueAt(before: string, quote: Opened, braces: Opened | undefined): Spot | undefined {
  if (braces?.sign !== "{") return undefined;
  const found = /([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*$/.exec(before.slice(0, quote.at));
  if (found === null) return undefined;
  const written = before.slice(quote.at + 1);
  // A pattern may name several, each after a bar.
  const from = /~/.test(found[2]!) ? written.lastIndexOf("|") + 1 : 0;
  const spot: Spot = {
    kind: "value",
    text: written.slice(from),
    start: quote.at + 1 + from,
    label: found[1]!,
    quote: quote.sign,
  };
  return braces.word === "" ? spot : { ...spot, metric: braces.word };
}

/** openedIn returns what a text has opened and not closed, the innermost last. */
function openedIn(text: string): Opened[] {
  const open: Opened[] = [];
  const word = (at: number) => /([a-zA-Z_:][\w:]*)\s*$/.exec(text.slice(0, at))?.[1] ?? "";
  for (let i = 0; i < text.length; i++) {
    const sign = text[i]!;
    const inner = open.at(-1)?.sign;
    if (inner !== undefined && /["'`#]/.test(inner)) {
      if (sign === "\\" && inner !== "`" && inner !== "#") i++;
      else if (sign === inner || (inner === "#" && sign === "\n")) open.pop();
    } else if (/["'`#]/.test(sign)) open.push({ sign, at: i, word: "" });
    else if (/[{([]/.test(sign)) open.push({ sign, at: i, word: word(i) });
    else if (/[})\]]/.test(sign)) open.pop();
  }
  // An escape at the very end leaves its quote open.
  return open;
}

/** Known is what the server has: its metrics, and the labels that each of them has. */
export interface Known {
  metrics: readonly { name: string; about: string; labels: readonly string[] }[];
}

/** Offer is something that the text at a spot could become. */
export interface Offer {
  text: string;
  /** What takes the place of the text. */
  insert: string;
  /** A few words on it. */
  about: string;
  /** Whether more is to be offered once it is taken. */
  more: boolean;
}

/** The most that is offered at once. */
const most = 10;

/**
 * offers returns what a spot could become: what begins with what is typed first,
 * then what holds it.
 *
 * @param values the values that the label of the spot has, if it is a value
 * @param rest what follows the spot in the expression
 */
export function offers(spot: Spot, known: Known, values: readonly string[], rest: string): Offer[] {
  const typed = spot.text.toLowerCase();
  const begins: Offer[] = [];
  const holds: Offer[] = [];
  for (const offer of pool(spot, known, values, rest)) {
    const text = offer.text.toLowerCase();
    if (offer.insert === spot.text) continue;
    if (text.startsWith(typed)) begins.push(offer);
    else if (text.includes(typed)) holds.push(offer);
  }
  return [...begins, ...holds].slice(0, most);
}

function pool(spot: Spot, { metrics }: Known, values: readonly string[], rest: string): Offer[] {
  const plain = (text: string, about = "") => ({ text, insert: text, about, more: false });
  switch (spot.kind) {
    case "duration":
      return durations.map((text) => ({ ...plain(text), insert: text + (rest.startsWith("]") ? "" : "]") }));
    case "value":
      return values.map((text) => {
        const escaped = spot.quote === "`" ? text : JSON.stringify(text).slice(1, -1);
        return { ...plain(text), insert: escaped + (/^["'`|]/.test(rest) ? "" : spot.quote) };
      });
    case "label":
    case "grouping": {
      const of = metrics.find(({ name }) => name === spot.metric);
      const labels = new Set(["hostname", ...(of === undefined ? metrics : [of]).flatMap((metric) => metric.labels)]);
      const isNew = spot.kind === "label" && !/^\s*[=!]/.test(rest);
      return [...labels].sort().map((text) => ({ ...plain(text), insert: text + (isNew ? '="' : ""), more: isNew }));
    }
    case "name":
      return [
        ...metrics.map(({ name, about }) => plain(name, about)),
        ...functions.map((text) => ({
          ...plain(text, "function"),
          insert: text + (rest.startsWith("(") ? "" : "("),
          more: true,
        })),
        ...words.map((text) => plain(text, "keyword")),
      ];
  }
}

/** placeOf finds in an error's words which part of an expression is wrong: from an index into it to another. */
export function placeOf(expression: string, message: string): [from: number, to: number] | undefined {
  const found = /line (\d+), column (\d+)(?:, near ("(?:[^"\\]|\\.)*"))?/.exec(message);
  if (found === null) return undefined;
  const lines = expression.split("\n");
  const line = Number(found[1]) - 1;
  if (line >= lines.length) return undefined;
  const before = lines.slice(0, line).reduce((sum, text) => sum + text.length + 1, 0);
  // The server counts characters, and some are two units here.
  const characters = [...lines[line]!].slice(0, Number(found[2]) - 1);
  if (characters.length < Number(found[2]) - 1) return undefined;
  const from = before + characters.join("").length;
  const near = unquoted(found[3]);
  return [from, near !== "" && expression.startsWith(near, from) ? from + near.length : from + 1];
}

/** unquoted reads a text in double quotes, as the server writes it; empty where it cannot. */
function unquoted(text: string | undefined): string {
  try {
    return text === undefined ? "" : (JSON.parse(text) as string);
  } catch {
    return ""; // an escape that JSON does not know
  }
}

/** How many seconds PromQL looks back for a sample, where no function says how far. */
export const lookback = 300;

/**
 * averaged writes what a plain selector means at points so many seconds apart, the
 * average from each to the next; undefined where the expression is another.
 */
export function averaged(expression: string, step: number): string | undefined {
  const plain = /^([a-zA-Z_:][\w:]*\s*)?(\{(?:[^{}"'`]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)*\})?$/;
  return expression !== "" && plain.test(expression) ? `avg_over_time(${expression}[${step}s])` : undefined;
}

/** remembered puts an expression first among those that were asked before, each once. */
export function remembered(before: readonly string[], expression: string): string[] {
  return [expression, ...before.filter((one) => one !== expression)].slice(0, 20);
}
