import assert from "node:assert/strict";
import { test } from "node:test";
import { between, formatRange, isLive, parseRange, scaled, TimeRange, windowOf } from "../../src/state/range.js";

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

test("back leads to where a zoom began; a wheel's many steps are one", () => {
  let query = "?last=1h";
  const entries: string[] = [];
  let changes = 0;
  const address = {
    read: () => query,
    write: (text: string, entry: boolean) => {
      query = text;
      if (entry) entries.push(text);
    },
  };
  const time = new TimeRange(address, () => changes++);
  time.move({ from: 10, to: 20 });
  time.move({ from: 11, to: 19 });
  time.choose({ from: 12, to: 18 });
  assert.deepEqual(entries, ["?from=12&to=18"]);
  time.back();
  assert.deepEqual(time.range, { from: 11, to: 19 });
  time.back();
  assert.deepEqual(time.range, { last: 3600 });
  time.back();
  assert.deepEqual(time.range, { last: 900 });
  assert.equal(changes, 6);
  query = "?last=6h";
  time.reread();
  assert.deepEqual(time.range, { last: 21_600 });
});
