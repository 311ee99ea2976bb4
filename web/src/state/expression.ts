/** Functions and words of PromQL that are offered while an expression is typed. */
const language = [
  ..."abs absent absent_over_time avg avg_over_time bottomk by ceil changes clamp clamp_max clamp_min count".split(" "),
  ..."count_over_time count_values delta deriv exp floor group_left group_right histogram_quantile idelta".split(" "),
  ..."ignoring increase irate label_join label_replace last_over_time ln log10 log2 max max_over_time min".split(" "),
  ..."min_over_time offset on predict_linear present_over_time quantile quantile_over_time rate resets round".split(
    " ",
  ),
  ..."scalar sgn sort sort_desc sqrt stddev stddev_over_time sum sum_over_time time timestamp topk unless".split(" "),
  ..."vector without".split(" "),
];

/** Word is the name that is being typed, and where it begins. */
export interface Word {
  text: string;
  start: number;
  /** Whether it stands within braces, where labels are named. */
  label: boolean;
}

/** wordAt returns the name that ends at a place of an expression; nothing is offered within quotes. */
export function wordAt(expression: string, place: number): Word | undefined {
  const before = expression.slice(0, place);
  if ((before.match(/(?<!\\)"/g)?.length ?? 0) % 2 === 1) return undefined;
  const text = /[a-zA-Z_][a-zA-Z0-9_]*$/.exec(before)?.[0] ?? "";
  if (text === "") return undefined;
  const start = place - text.length;
  const label =
    before.lastIndexOf("{") > before.lastIndexOf("}") || /\b(by|without|on|ignoring)\s*\([^)]*$/.test(before);
  return { text, start, label };
}

/** Names is what the server has. */
export interface Names {
  metrics: readonly string[];
  labels: readonly string[];
}

/** The most that is offered at once. */
const most = 8;

/** offers returns what a word could become: what begins so first, then what holds it. */
export function offers(word: Word, { metrics, labels }: Names): string[] {
  const typed = word.text.toLowerCase();
  const pool = word.label ? labels : [...metrics, ...language];
  const begins = pool.filter((name) => name.startsWith(typed) && name !== typed);
  const holds = pool.filter((name) => name.includes(typed) && !name.startsWith(typed));
  return [...new Set([...begins, ...holds])].slice(0, most);
}

/** placeOf finds in an error's words where in an expression it is wrong, as an index into it. */
export function placeOf(expression: string, message: string): number | undefined {
  const found = /line (\d+), column (\d+)/.exec(message);
  if (found === null) return undefined;
  const lines = expression.split("\n");
  const line = Number(found[1]) - 1;
  const before = lines.slice(0, line).reduce((sum, text) => sum + text.length + 1, 0);
  const place = before + Number(found[2]) - 1;
  return line < lines.length && place <= expression.length ? place : undefined;
}

/** remembered puts an expression first among those that were asked before, each once. */
export function remembered(before: readonly string[], expression: string): string[] {
  return [expression, ...before.filter((one) => one !== expression)].slice(0, 20);
}
