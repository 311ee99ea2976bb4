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

/** isLive tells whether samples are drawn as they come. */
export function isLive(range: Range): boolean {
  return "last" in range && range.last <= longestLive;
}

/** windowOf returns the first and the last second of a range. */
export function windowOf(range: Range, now: number): [from: number, to: number] {
  return "last" in range ? [now - range.last, now] : [range.from, range.to];
}

/** parseRange reads a range from the query of an address; what makes no sense is the last 15 minutes. */
export function parseRange(query: string): Range {
  const parameters = new URLSearchParams(query);
  const last = presets[parameters.get("last") ?? ""];
  if (last !== undefined) return { last };
  const from = Number(parameters.get("from") ?? NaN);
  const to = Number(parameters.get("to") ?? NaN);
  return Number.isFinite(from) && Number.isFinite(to) && from >= 0 && from < to ? { from, to } : standard;
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

/** between returns the range from one time to another, neither too short nor too long to be shown. */
export function between(from: number, to: number): Range {
  const span = Math.min(Math.max(Math.abs(to - from), shortest), longest);
  const middle = (from + to) / 2;
  return { from: middle - span / 2, to: middle + span / 2 };
}

/** scaled zooms a window around a time that stays where it is: less than 1 is closer. */
export function scaled([from, to]: [number, number], around: number, factor: number): Range {
  const span = Math.min(Math.max((to - from) * factor, shortest), longest);
  const share = (around - from) / (to - from);
  return { from: around - span * share, to: around + span * (1 - share) };
}

/** Where a range can be kept so that reload and back find it. */
export interface Address {
  read(): string;
  /** write sets the query; a new entry of the history where the reader should find back. */
  write(query: string, entry: boolean): void;
}

/** TimeRange is the one range of the page, held in its address. */
export class TimeRange {
  #range: Range;
  #way: Range[] = [];

  /** @param changed is called whenever the range has changed, and told whether it is one to stay */
  constructor(
    private readonly address: Address,
    private readonly changed: (settled: boolean) => void,
  ) {
    this.#range = parseRange(address.read());
  }

  get range(): Range {
    return this.#range;
  }

  /** choose goes to a range; back returns from there. */
  choose(range: Range): void {
    this.#way.push(this.#range);
    this.#go(range, true);
  }

  /** move goes to a range on the way to another, as a wheel or a drag does, without an entry for each step. */
  move(range: Range): void {
    if ("last" in this.#range) this.#way.push(this.#range);
    this.#go(range, false);
  }

  /** back goes to where the last choice began, in the end to the last 15 minutes. */
  back(): void {
    this.#go(this.#way.pop() ?? standard, true);
  }

  /** reread takes the range from the address, which has changed. */
  reread(): void {
    this.#range = parseRange(this.address.read());
    this.changed(true);
  }

  #go(range: Range, entry: boolean): void {
    this.#range = range;
    this.address.write(formatRange(range, this.address.read()), entry);
    this.changed(entry);
  }
}
