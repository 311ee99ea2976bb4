import type { Column } from "../state/columns.js";

/** Cell is a value at a time: null where the line ends, undefined where only other series have a point. */
export type Cell = number | null | undefined;

/** Table is some columns brought to common times, as uPlot takes them. */
export interface Table {
  times: number[];
  cells: Cell[][];
}

/** align brings columns to common times. Time in which a series has no points is a gap in it, never bridged. */
export function align(columns: readonly Column[]): Table {
  const times = union(columns.flatMap((column) => [column.times, endings(column)]));
  const cells = columns.map((column) => {
    const row: Cell[] = new Array<Cell>(times.length).fill(undefined);
    let place = 0;
    let last = -Infinity;
    for (let i = 0; i < column.times.length; i++) {
      const time = column.times[i]!;
      const isGap = time - last > column.gapAfter && last !== -Infinity;
      while (times[place]! < time) row[place++] = isGap ? null : undefined;
      row[place++] = column.averages[i]!;
      last = time;
    }
    while (place < times.length) row[place++] = null;
    return row;
  });
  return { times, cells };
}

/** endings returns a time within each gap of a column, so that there is a place for the gap in the table. */
function endings(column: Column): number[] {
  const { times, gapAfter } = column;
  const found: number[] = [];
  for (let i = 1; i < times.length; i++)
    if (times[i]! - times[i - 1]! > gapAfter) found.push((times[i - 1]! + times[i]!) / 2);
  return found;
}

function union(lists: number[][]): number[] {
  let all: number[] = [];
  for (const list of lists) if (!covers(all, list)) all = merged(all, list);
  return all;
}

/** covers tells whether a list is the same as another or empty, as most series of a host have the same times. */
function covers(all: number[], list: number[]): boolean {
  return list.length === 0 || (all.length === list.length && all.every((time, i) => time === list[i]));
}

function merged(a: number[], b: number[]): number[] {
  const result: number[] = [];
  for (let i = 0, k = 0; i < a.length || k < b.length;) {
    const next = Math.min(a[i] ?? Infinity, b[k] ?? Infinity);
    result.push(next);
    if (a[i] === next) i++;
    if (b[k] === next) k++;
  }
  return result;
}

/** stacked adds the values of each row to those of the rows before it. */
export function stacked({ times, cells }: Table): Table {
  let below: Cell[] = times.map(() => 0);
  const sums = cells.map((row) => {
    const sum = row.map((value, i) => (typeof value === "number" ? value + ((below[i] as number | null) ?? 0) : value));
    below = sum.map((value, i) => value ?? below[i]);
    return sum;
  });
  return { times, cells: sums };
}

/** alone returns the indices of the values that have a gap on either side. */
export function alone(values: ArrayLike<Cell>): number[] {
  const found: number[] = [];
  let before: Cell = null;
  let candidate = -1;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value === undefined) continue;
    if (value === null) {
      if (candidate >= 0) found.push(candidate);
      candidate = -1;
    } else candidate = before === null ? i : -1;
    before = value;
  }
  if (candidate >= 0) found.push(candidate);
  return found;
}
