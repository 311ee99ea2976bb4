/** Range is the time that all charts show: up to now, or between two times in seconds since the epoch. */
export type Range = { last: number } | { from: number; to: number };

/** The ranges that have a button, by their names in the address. */
export const presets: Readonly<Record<string, number>> = {
  "5m": 300,
  "15m": 900,
  "1h": 3_600,
  "6h": 21_600,
  "24h": 86_400,
  "7d": 604_800,
  "30d": 2_592_000,
};

/** Up to so many seconds a range moves on with each sample; longer ones are asked for again now and then. */
const longestLive = 900;
const standard = { last: 900 };
const shortest = 5;
const longest = 10 * 366 * 86_400;
/** The end of the year 2200: PromQL counts in nanoseconds, and ends in 2262. */
export const latest = 7_289_654_399;

/** isLive tells whether samples are drawn as they come. */
export function isLive(range: Range): boolean {
  return "last" in range && range.last <= longestLive;
}

/** windowOf returns the first and the last second of a range. */
export function windowOf(range: Range, now: number): [from: number, to: number] {
  return "last" in range ? [now - range.last, now] : [range.from, range.to];
}

/**
 * parseRange reads a range from the query of an address; what makes no sense is the
 * last 15 minutes, and what cannot be shown is the nearest that can be.
 */
export function parseRange(query: string): Range {
  const parameters = new URLSearchParams(query);
  const last = presets[parameters.get("last") ?? ""];
  if (last !== undefined) return { last };
  const from = Number(parameters.get("from") ?? NaN);
  const to = Number(parameters.get("to") ?? NaN);
  return Number.isFinite(from) && Number.isFinite(to) && from >= 0 && from < to ? bounded({ from, to }) : standard;
}

/** formatRange writes a range into the query of an address and leaves the rest of it alone. */
export function formatRange(range: Range, query: string): string {
  const parameters = new URLSearchParams(query);
  for (const name of ["last", "from", "to"]) parameters.delete(name);
  if ("from" in range) {
    parameters.set("from", trimmed(range.from));
    parameters.set("to", trimmed(range.to));
  } else if (range.last !== standard.last) {
    parameters.set("last", Object.entries(presets).find(([, seconds]) => seconds === range.last)?.[0] ?? "15m");
  }
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}

function trimmed(seconds: number): string {
  return String(Math.round(seconds * 10) / 10);
}

/** bounded returns the range nearest to one that is neither too short nor too long, nor out of the time that can be written. */
function bounded(range: { from: number; to: number }): { from: number; to: number } {
  const { from, to } = range;
  if (from >= 0 && to <= latest && to - from >= shortest && to - from <= longest) return range;
  const span = Math.min(Math.max(to - from, shortest), longest);
  const middle = to - from < shortest ? (from + to) / 2 : to - span / 2;
  const end = Math.min(Math.max(middle + span / 2, span), latest);
  return { from: end - span, to: end };
}

/** between returns the range from one time to another, neither too short nor too long to be shown. */
export function between(from: number, to: number): Range {
  return bounded({ from: Math.min(from, to), to: Math.max(from, to) });
}

/** scaled zooms a window around a time that stays where it is: less than 1 is closer. */
export function scaled([from, to]: [number, number], around: number, factor: number): Range {
  const span = Math.min(Math.max((to - from) * factor, shortest), longest);
  const share = (around - from) / (to - from);
  return bounded({ from: around - span * share, to: around + span * (1 - share) });
}

/** Where a range can be kept so that reload and back find it. */
export interface Address {
  read(): string;
  /** way returns the ranges that were written with the entry of the history that is shown. */
  way(): readonly Range[];
  /** write sets the query and the way; a new entry of the history where the reader should find back. */
  write(query: string, entry: boolean, way: readonly Range[]): void;
}

/** TimeRange is the one range of the page, held in its address. */
export class TimeRange {
  #range: Range;
  /** The ranges that back leads through, the nearest last. */
  #way: Range[];

  /** @param changed is called whenever the range has changed, and told whether it is one to stay */
  constructor(
    private readonly address: Address,
    private readonly changed: (settled: boolean) => void,
  ) {
    this.#range = parseRange(address.read());
    this.#way = [...address.way()];
  }

  get range(): Range {
    return this.#range;
  }

  /** choose goes to a range; back returns from there. */
  choose(range: Range): void {
    if (this.#isShown(range)) return;
    this.#way.push(this.#range);
    this.#go(range, true, true);
  }

  /** move goes to a range on the way to another, as a wheel or a drag does, with an entry for the first step alone. */
  move(range: Range): void {
    const leaves = "last" in this.#range;
    if (leaves) this.#way.push(this.#range);
    this.#go("from" in range ? bounded(range) : range, leaves, false);
  }

  /** back goes to where the last choice began, in the end to the last 15 minutes. */
  back(): void {
    let range = this.#way.pop();
    while (range !== undefined && this.#isShown(range)) range = this.#way.pop();
    if (range !== undefined || !this.#isShown(standard)) this.#go(range ?? standard, true, true);
  }

  /** reread takes the range and the way to it from the address, which has changed. */
  reread(): void {
    this.#range = parseRange(this.address.read());
    this.#way = [...this.address.way()];
    this.changed(true);
  }

  /** isShown tells whether a range would be written as the one that is shown is. */
  #isShown(range: Range): boolean {
    return formatRange(range, "") === formatRange(this.#range, "");
  }

  #go(range: Range, entry: boolean, settled: boolean): void {
    this.#range = range;
    this.address.write(formatRange(range, this.address.read()), entry, this.#way);
    this.changed(settled);
  }
}
