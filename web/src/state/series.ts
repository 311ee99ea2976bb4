import type { Sample } from "../api/sample.js";

/** Samples come once a second; more than so many seconds between two are a gap. */
const gapAfter = 3;

/**
 * Series keeps the newest samples of a metric in columns, as uPlot takes them:
 * times ascending in seconds, and the value at each time, null where a gap is.
 */
export class Series {
  readonly times: number[] = [];
  readonly values: (number | null)[] = [];

  /** @param span how many seconds before the newest sample are kept */
  constructor(private readonly span: number) {}

  /** add takes in a sample and tells whether it is a new one. */
  add(time: number, value: number): boolean {
    const { times, values } = this;
    if (times.at(-1) === time) {
      // The second before and after the turn of a stream, or two observations
      // within one second: the newer value holds.
      values[values.length - 1] = value;
      return false;
    }
    // The server's clock was set back: what it called the future never was.
    while (times.length > 0 && times.at(-1)! > time) {
      times.pop();
      values.pop();
    }
    const last = times.at(-1);
    if (last !== undefined && time - last > gapAfter) {
      times.push(last + 1);
      values.push(null);
    }
    times.push(time);
    values.push(value);
    this.#forget(time - this.span);
    return true;
  }

  /** bounds returns the least and the greatest value at or after a time, or undefined if there is none. */
  bounds(since: number): [min: number, max: number] | undefined {
    let min = Infinity;
    let max = -Infinity;
    this.times.forEach((time, i) => {
      const value = this.values[i];
      if (time < since || value === null || value === undefined) return;
      min = Math.min(min, value);
      max = Math.max(max, value);
    });
    return min <= max ? [min, max] : undefined;
  }

  #forget(before: number): void {
    const old = this.times.findIndex((time) => time >= before);
    // Now and then a minute at once, rather than one each second.
    if (old < 60) return;
    this.times.splice(0, old);
    this.values.splice(0, old);
  }
}

/** samplesOf returns the samples that a series holds, without the gaps. */
export function samplesOf(series: Series, like: Omit<Sample, "timestamp" | "value">): Sample[] {
  const samples: Sample[] = [];
  series.times.forEach((timestamp, i) => {
    const value = series.values[i];
    if (value !== null && value !== undefined) samples.push({ ...like, timestamp, value });
  });
  return samples;
}
