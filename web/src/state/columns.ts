import type { Past } from "../api/history.js";
import type { Series } from "../api/series.js";

/** The seconds between two points of a series that has too few of them to tell. */
const unknownCadence = 60;

/** Column is a series in columns of equal length, times ascending in seconds since the epoch. */
export class Column {
  times: number[] = [];
  averages: number[] = [];
  /** The least and the greatest value of each point; the same arrays as averages where a point is one sample. */
  minima: number[] = [];
  maxima: number[] = [];
  /** How many seconds the points of the history stand for; 0 before there is any. */
  step = 0;
  #cadence: number | undefined;
  #appended = 0;

  constructor(readonly series: Series) {}

  /** append takes in a live sample; false where it is older than what is there. */
  append(time: number, value: number): boolean {
    const last = this.times.at(-1);
    if (last !== undefined && time <= last) {
      if (time < last) return false;
      this.#set(this.times.length - 1, value);
      return true;
    }
    this.times.push(time);
    this.#set(this.times.length - 1, value);
    // What was guessed from few samples is guessed again from more.
    if (++this.#appended % 8 === 0) this.#cadence = undefined;
    return true;
  }

  /** hold takes in a live sample and lets go of all others. */
  hold(time: number, value: number): void {
    if (!this.append(time, value) || this.times.length === 1) return;
    for (const values of [this.times, this.averages, this.minima, this.maxima]) values.splice(0, values.length - 1);
  }

  #set(i: number, value: number): void {
    this.averages[i] = value;
    this.minima[i] = value;
    this.maxima[i] = value;
  }

  /** replace takes in history; live samples that are newer than it stay. */
  replace(past: Past, step: number, keepLive: boolean): void {
    const end = (past.times.at(-1) ?? -Infinity) + Math.max(step, 1) - 1e-3;
    const from = keepLive ? this.times.findIndex((time) => time >= end) : -1;
    const kept = (values: number[]) => (from < 0 ? [] : values.slice(from));
    this.times = past.times.concat(kept(this.times));
    this.averages = past.averages.concat(kept(this.averages));
    this.minima = past.minima.concat(kept(this.minima));
    this.maxima = past.maxima.concat(kept(this.maxima));
    this.step = step;
    this.#cadence = undefined;
  }

  /** forget lets go of what is older than a time; now and then much at once, rather than little each second. */
  forget(before: number): void {
    const old = this.times.findIndex((time) => time >= before);
    if (old < 60) return;
    for (const values of [this.times, this.averages, this.minima, this.maxima]) values.splice(0, old);
  }

  /** cadence returns how many seconds lie between two points as a rule: the median, of some. */
  get cadence(): number {
    if (this.#cadence !== undefined) return this.#cadence;
    const { times } = this;
    const gaps: number[] = [];
    const stride = Math.max(1, Math.floor(times.length / 48));
    for (let i = 1; i < times.length; i += stride) gaps.push(times[i]! - times[i - 1]!);
    // Of what came once or twice nobody knows when it comes again.
    if (gaps.length < 2) return unknownCadence;
    gaps.sort((a, b) => a - b);
    return (this.#cadence = gaps[Math.floor(gaps.length / 2)]!);
  }

  /** gapAfter returns after how many seconds without a point the line ends. */
  get gapAfter(): number {
    const { cadence, step } = this;
    // A bucket without a sample is a hole. Samples themselves may be late by one or two.
    return step >= 10 && cadence <= step * 1.01 ? 1.5 * step : 2.5 * cadence + 1;
  }

  /** runs returns the stretches without a gap, by the indices of their first and last points. */
  runs(): [start: number, end: number][] {
    const { times, gapAfter } = this;
    const found: [number, number][] = [];
    for (let start = 0; start < times.length;) {
      let end = start;
      while (end + 1 < times.length && times[end + 1]! - times[end]! <= gapAfter) end++;
      found.push([start, end]);
      start = end + 1;
    }
    return found;
  }

  /** at returns the value that held at a time, or undefined where nothing was observed. */
  at(time: number): number | undefined {
    const i = lastAt(this.times, time);
    const found = this.times[i];
    return found === undefined || time - found > this.gapAfter ? undefined : this.averages[i];
  }

  /** bounds returns the least and the greatest value from one time to another, if there is any. */
  bounds(from: number, to: number): [min: number, max: number] | undefined {
    let min = Infinity;
    let max = -Infinity;
    for (let i = lastAt(this.times, from - 1e-6) + 1; i < this.times.length && this.times[i]! <= to; i++) {
      if (this.minima[i]! < min) min = this.minima[i]!;
      if (this.maxima[i]! > max) max = this.maxima[i]!;
    }
    return min <= max ? [min, max] : undefined;
  }

  /** holds tells whether there is a value at any time from one to another. */
  holds(from: number, to: number): boolean {
    return (this.times[lastAt(this.times, to)] ?? -Infinity) >= from || this.at(from) !== undefined;
  }

  /**
   * extent returns the least and the greatest value that a line from one time to
   * another has: of its points or, where there are none, of those that it goes between.
   */
  extent(from: number, to: number): [min: number, max: number] | undefined {
    const found = this.bounds(from, to);
    if (found !== undefined || this.at(from) === undefined) return found;
    const i = lastAt(this.times, from);
    const isBridged = i + 1 < this.times.length && this.times[i + 1]! - this.times[i]! <= this.gapAfter;
    return this.bounds(this.times[i]!, this.times[isBridged ? i + 1 : i]!);
  }

  /** mean returns the mean of the points from one time to another, if there are any. */
  mean(from: number, to: number): number | undefined {
    const first = lastAt(this.times, from - 1e-6) + 1;
    const values = this.averages.slice(first, lastAt(this.times, to) + 1);
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
  }
}

/** letGo takes out what is older than a time: old points, and columns that have no others and have ended. */
export function letGo(columns: Map<string, Column>, before: number): void {
  for (const [key, column] of columns) {
    const last = column.times.at(-1);
    if (last === undefined || last + column.gapAfter < before) columns.delete(key);
    else column.forget(before);
  }
}

/** lastAt returns the index of the last time that is not after one, or -1. */
export function lastAt(times: readonly number[], time: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! <= time) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** derived makes a column of others where all have a point at the same time: f gets their values in order. */
export function derived(series: Series, columns: readonly Column[], f: (values: number[]) => number): Column {
  const made = new Column(series);
  const [first, ...others] = columns;
  if (first === undefined) return made;
  made.step = first.step;
  const places = others.map(() => 0);
  for (const [i, time] of first.times.entries()) {
    const found = others.map((other, k) => {
      let place = places[k]!;
      while (place < other.times.length && other.times[place]! < time) place++;
      places[k] = place;
      return other.times[place] === time ? place : -1;
    });
    if (found.includes(-1)) continue;
    const value = (pick: (column: Column) => number[]) =>
      f([pick(first)[i]!, ...others.map((other, k) => pick(other)[found[k]!]!)]);
    made.times.push(time);
    made.averages.push(value((column) => column.averages));
    made.minima.push(value((column) => column.minima));
    made.maxima.push(value((column) => column.maxima));
  }
  return made;
}
