import assert from "node:assert/strict";
import { test } from "node:test";
import {
  between,
  formatRange,
  isLive,
  parseRange,
  scaled,
  TimeRange,
  windowOf,
  type Range,
} from "../../src/state/range.js";

test("a range survives the address, and the rest of the address survives the range", () => {
  for (const range of [{ last: 300 }, { last: 900 }, { last: 2_592_000 }, { from: 1_700_000_000.5, to: 1_700_000_060 }])
    assert.deepEqual(parseRange(formatRange(range, "")), range);
  assert.equal(formatRange({ last: 900 }, "?last=1h"), "", "the usual range needs no words");
  assert.equal(formatRange({ last: 3600 }, "?x=1&from=1&to=2"), "?x=1&last=1h");
});

test("an address that makes no sense shows the last 15 minutes", () => {
  for (const query of ["", "?last=2y", "?from=5", "?from=9&to=3", "?from=a&to=b", "?from=-4&to=5"])
    assert.deepEqual(parseRange(query), { last: 900 }, query);
});

test("short ranges up to now are live", () => {
  assert.equal(isLive({ last: 900 }), true);
  assert.equal(isLive({ last: 3600 }), false);
  assert.equal(isLive({ from: 1, to: 2 }), false);
  assert.deepEqual(windowOf({ last: 60 }, 100), [40, 100]);
});

test("zooming keeps the time under the pointer where it is, and has an end", () => {
  assert.deepEqual(scaled([100, 200], 150, 0.5), { from: 125, to: 175 });
  assert.deepEqual(scaled([100, 200], 100, 2), { from: 100, to: 300 });
  assert.deepEqual(between(10, 10), { from: 7.5, to: 12.5 });
  assert.deepEqual(between(20, 10), { from: 10, to: 20 });
});

test("what cannot be shown is the nearest that can be", () => {
  const f = (query: string, want: object) => assert.deepEqual(parseRange(query), want, query);
  const decade = 10 * 366 * 86_400;
  f("?from=1&to=1e300", { from: 7_289_654_399 - decade, to: 7_289_654_399 });
  f("?from=0&to=99999999999999", { from: 7_289_654_399 - decade, to: 7_289_654_399 });
  f("?from=5&to=1796000000", { from: 1_796_000_000 - decade, to: 1_796_000_000 });
  f("?from=1000&to=1001", { from: 998, to: 1003 });
  f("?from=0&to=1", { from: 0, to: 5 });
  assert.deepEqual(between(-100, -50), { from: 0, to: 50 });
});

/** browser is the history of a browser, with an address that a range can be kept in. */
function browser(query: string) {
  const entries: { query: string; way: readonly Range[] }[] = [{ query, way: [] }];
  let at = 0;
  return {
    entries,
    read: () => entries[at]!.query,
    way: () => entries[at]!.way,
    write: (query: string, entry: boolean, way: readonly Range[]) => {
      if (entry) entries.splice(++at);
      entries[at] = { query, way: [...way] };
    },
    go: (by: number) => (at += by),
  };
}

test("back leads to where a zoom began; a wheel's many steps are one", () => {
  const address = browser("?last=1h");
  let changes = 0;
  const time = new TimeRange(address, () => changes++);
  time.move({ from: 10, to: 20 });
  time.move({ from: 11, to: 19 });
  time.choose({ from: 12, to: 18 });
  assert.deepEqual(
    address.entries.map(({ query }) => query),
    ["?last=1h", "?from=11&to=19", "?from=12&to=18"],
    "what was left to begin with can be gone back to",
  );
  time.back();
  assert.deepEqual(time.range, { from: 11, to: 19 });
  time.back();
  assert.deepEqual(time.range, { last: 3600 });
  time.back();
  assert.deepEqual(time.range, { last: 900 });
  assert.equal(changes, 6);
});

test("what leads to the range that is shown is no way, and no entry", () => {
  const address = browser("");
  const time = new TimeRange(address, () => assert.fail("nothing has changed"));
  time.back();
  time.choose({ last: 900 });
  time.back();
  assert.equal(address.entries.length, 1);
});

test("the browser's back goes along with the way", () => {
  const address = browser("");
  const time = new TimeRange(address, () => undefined);
  time.choose({ from: 100, to: 200 });
  time.choose({ from: 120, to: 140 });
  address.go(-1);
  time.reread();
  assert.deepEqual(time.range, { from: 100, to: 200 });
  time.back();
  assert.deepEqual(time.range, { last: 900 });
  address.go(-1);
  const reloaded = new TimeRange(address, () => undefined);
  assert.deepEqual(reloaded.range, { from: 100, to: 200 });
  reloaded.back();
  assert.deepEqual(reloaded.range, { last: 900 });
});
