import assert from "node:assert/strict";
import { test } from "node:test";
import { offers, placeOf, remembered, wordAt } from "../../src/state/expression.js";

const names = { metrics: ["cpu", "cpu_core", "memory"], labels: ["hostname", "core"] };

/** offered returns what is offered where | stands. */
function offered(text: string): string[] {
  const place = text.indexOf("|");
  const word = wordAt(text.replace("|", ""), place);
  return word === undefined ? [] : offers(word, names);
}

test("metrics and functions are offered, within braces and groupings labels, within quotes nothing", () => {
  assert.deepEqual(offered("cpu|"), ["cpu_core"]);
  assert.equal(offered("rate(me|")[0], "memory");
  assert.equal(offered("avg_ov|(cpu)")[0], "avg_over_time");
  assert.deepEqual(offered("cpu{co|"), ["core"]);
  assert.deepEqual(offered("sum by (ho|"), ["hostname"]);
  assert.deepEqual(offered('cpu{core="0"} + me|')[0], "memory");
  assert.deepEqual(offered('cpu{hostname="we|'), []);
  assert.deepEqual(offered("cpu + |"), []);
});

test("an error's place is found in the expression, over its lines", () => {
  const f = (expression: string, message: string, want: number | undefined) =>
    assert.equal(placeOf(expression, message), want);
  f("sum(cpu) by ((", 'the expression is wrong at line 1, column 14, near "("', 13);
  f("cpu +\n memory{a=}", "wrong at line 2, column 11", 16);
  f("cpu", "wrong at line 1, column 4", 3);
  f("cpu", "wrong at line 7, column 1", undefined);
  f("cpu", "it took too long", undefined);
});

test("queries are remembered once each, the newest first, and not for ever", () => {
  assert.deepEqual(remembered(["a", "b"], "b"), ["b", "a"]);
  const many = Array.from({ length: 30 }, (_, i) => String(i));
  assert.equal(remembered(many, "x").length, 20);
});
