import assert from "node:assert/strict";
import { test } from "node:test";
import { align, alone, stacked, type Cell } from "../../src/charts/align.js";
import { Column, derived, lastAt, letGo } from "../../src/state/columns.js";

const series = { type: "cpu", host: "web-1", labels: {}, unit: "percent" };

function columnOf(...points: [time: number, value: number][]): Column {
  const column = new Column(series);
  for (const [time, value] of points) column.append(time, value);
  return column;
}

/** past is history whose points reach one below and one above their averages. */
function past(times: number[], averages: number[]) {
  return { series, times, averages, minima: averages.map((v) => v - 1), maxima: averages.map((v) => v + 1) };
}

const drawn = (...columns: Column[]) => {
  const { times, cells } = align(columns);
  return times.map((time, i) => [time, ...cells.map((row) => row[i])]);
};

test("live samples become columns; one that comes twice is one point, with the newer value", () => {
  const column = columnOf([10, 1], [11, 2]);
  assert.equal(column.append(11, 5), true);
  assert.deepEqual(
    [column.times, column.averages],
    [
      [10, 11],
      [1, 5],
    ],
  );
});

test("a sample older than the newest is not drawn out of order", () => {
  const column = columnOf([10, 1], [12, 2]);
  assert.equal(column.append(11, 9), false);
  assert.deepEqual(column.times, [10, 12]);
});

test("history goes before the live samples that are newer, and replaces the others: no hole, none twice", () => {
  const column = columnOf([100, 9], [101, 9], [105, 5], [106, 6]);
  column.replace(past([99, 100, 101, 102, 103, 104], [1, 1, 1, 1, 1, 1]), 1, true);
  assert.deepEqual(column.times, [99, 100, 101, 102, 103, 104, 105, 106]);
  assert.deepEqual(column.averages.slice(-2), [5, 6]);
  column.replace(past([50, 60], [1, 1]), 10, false);
  assert.deepEqual(column.times, [50, 60], "a range that is not live is history alone");
});

test("a second that was skipped is no gap, a longer silence is one", () => {
  const steady: [number, number][] = [1, 2, 3, 4, 5, 6].map((time) => [time, 1]);
  assert.deepEqual(drawn(columnOf(...steady, [8, 2])).slice(-2), [
    [6, 1],
    [8, 2],
  ]);
  assert.deepEqual(drawn(columnOf(...steady, [10, 2])).slice(-3), [
    [6, 1],
    [8, null],
    [10, 2],
  ]);
});

test("one bucket that is missing is a gap, as it stands for a longer time without a sample", () => {
  const column = new Column(series);
  column.replace(past([0, 60, 120, 240, 300], [1, 1, 1, 1, 1]), 60, false);
  assert.deepEqual(
    drawn(column).map(([, value]) => value),
    [1, 1, 1, null, 1, 1],
  );
});

test("series with different times share a table, and neither makes gaps in the other", () => {
  const fast = columnOf([10, 1], [11, 1], [12, 1], [13, 1], [14, 1], [15, 1]);
  const slow = columnOf([10, 7], [15, 8]);
  assert.deepEqual(drawn(fast, slow), [
    [10, 1, 7],
    [11, 1, undefined],
    [12, 1, undefined],
    [13, 1, undefined],
    [14, 1, undefined],
    [15, 1, 8],
  ]);
});

test("a stack adds up, and a part that ends is not there rather than zero", () => {
  const table = { times: [1, 2], cells: [[1, 2] as Cell[], [10, null] as Cell[]] };
  assert.deepEqual(stacked(table).cells, [
    [1, 2],
    [11, null],
  ]);
});

test("bounds are those of the least and the greatest values in the range", () => {
  const column = new Column(series);
  column.replace(past([10, 20, 30], [99, 1, 5]), 10, false);
  assert.deepEqual(column.bounds(15, 40), [0, 6]);
  assert.deepEqual(column.bounds(0, 10), [98, 100]);
  assert.equal(column.bounds(31, 50), undefined);
});

test("the value at a time is the last one before it, unless that is too long ago", () => {
  const column = columnOf([10, 1], [11, 2], [12, 3]);
  assert.equal(column.at(11.9), 2);
  assert.equal(column.at(9), undefined);
  assert.equal(column.at(60), undefined);
  assert.equal(columnOf([10, 7]).at(60), 7, "what was reported once holds for a while");
  assert.equal(lastAt([1, 2, 3], 2), 1);
});

test("what is older than the range is let go, the rest stays", () => {
  const column = new Column(series);
  for (let time = 0; time <= 1000; time++) column.append(time, time);
  column.forget(820);
  assert.deepEqual([column.times[0], column.averages[0], column.maxima.length], [820, 820, 181]);
});

test("a derived column has a point where all of its sources have", () => {
  const used = columnOf([1, 30], [2, 60], [3, 90]);
  const free = columnOf([1, 70], [3, 10]);
  const share = derived(series, [used, free], ([a, b]) => (100 * a!) / (a! + b!));
  assert.deepEqual(
    [share.times, share.averages],
    [
      [1, 3],
      [30, 90],
    ],
  );
});

test("a sample between gaps is found, so that it can be drawn", () => {
  const f = (values: Cell[], want: number[]) => assert.deepEqual(alone(values), want, JSON.stringify(values));
  f([], []);
  f([1], [0]);
  f([1, 2], []);
  f([1, null, 2, 3, null, 4, null], [0, 5]);
  f([null, 0, undefined, null], [1]);
  f([1, undefined, 2], []);
});

test("the mean is that of the points in the range", () => {
  const column = new Column({ type: "cpu", host: "a", labels: {}, unit: "percent" });
  for (const [i, value] of [1, 2, 6, 100].entries()) column.append(10 + i, value);
  assert.equal(column.mean(10, 12), 3);
  assert.equal(column.mean(12.5, 13), 100);
  assert.equal(column.mean(20, 30), undefined);
});

test("between two points a line has the values of both, and after a gap it has none", () => {
  const column = columnOf([0, 1], [30, 5], [60, 3], [90, 2]);
  assert.deepEqual(column.extent(35, 55), [3, 5]);
  assert.deepEqual(column.extent(35, 65), [3, 3], "what is in the range counts");
  assert.deepEqual(column.extent(100, 110), [2, 2], "the last value holds for a while");
  assert.equal(column.extent(300, 310), undefined);
  assert.equal(column.extent(-20, -10), undefined);
  for (const [from, to] of [
    [35, 55],
    [35, 65],
    [100, 110],
    [-20, 0],
  ] as const)
    assert.ok(column.holds(from, to), `${from} to ${to}`);
  assert.ok(!column.holds(300, 310) && !column.holds(-20, -10));
});

test("what a range that moves on has left behind is let go: old points, and series that have ended", () => {
  const steady = columnOf(...Array.from({ length: 300 }, (_, i) => [i, 1] as [number, number]));
  const died = columnOf(...Array.from({ length: 100 }, (_, i) => [i, 1] as [number, number]));
  const seldom = columnOf([0, 1], [190, 1]);
  const columns = new Map(Object.entries({ steady, died, seldom }));
  letGo(columns, 200);
  assert.deepEqual([...columns.keys()], ["steady", "seldom"]);
  assert.deepEqual([steady.times.length, seldom.times.length], [100, 2]);
});
