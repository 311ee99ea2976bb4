import assert from "node:assert/strict";
import { test } from "node:test";
import { offers, placeOf, remembered, spotAt, averaged, type Known } from "../../src/state/expression.js";

const known: Known = {
  metrics: [
    { name: "cpu", about: "busy", labels: [] },
    { name: "cpu_core", about: "busy, by core", labels: ["core"] },
    { name: "memory", about: "in use", labels: [] },
    { name: "disk_busy", about: "", labels: ["device"] },
  ],
};
const values: Record<string, string[]> = { hostname: ["web-1", "web-2", 'odd"name'], core: ["0", "1"] };

/** offered returns what the text becomes by the offers where | stands, with the best first. */
function offered(text: string): string[] {
  const place = text.indexOf("|");
  const expression = text.slice(0, place) + text.slice(place + 1);
  const spot = spotAt(expression, place);
  if (spot === undefined) return [];
  const rest = expression.slice(place);
  const found = offers(spot, known, values[spot.label ?? ""] ?? [], rest);
  return found.map(({ insert }) => expression.slice(0, spot.start) + insert + rest);
}

test("metrics and functions are offered where a name can stand", () => {
  assert.deepEqual(offered("cpu|"), ["cpu_core"]);
  assert.equal(offered("rate(me|")[0], "rate(memory");
  assert.equal(offered("avg_ov|(cpu)")[0], "avg_over_time(cpu)");
  assert.equal(offered("avg_ov|")[0], "avg_over_time(");
  assert.equal(offered("cpu unl|")[0], "cpu unless");
  assert.equal(offered('cpu{core="0"} + me|')[0], 'cpu{core="0"} + memory');
  assert.equal(offered("|").length, 10);
});

test("labels are offered within braces and groupings, those of the metric before", () => {
  assert.deepEqual(offered("cpu_core{co|"), ['cpu_core{core="']);
  assert.deepEqual(offered("cpu_core{|"), ['cpu_core{core="', 'cpu_core{hostname="']);
  assert.deepEqual(offered("cpu_core{ho|=~"), ["cpu_core{hostname=~"]);
  assert.deepEqual(offered('{core="1", h|'), ['{core="1", hostname="']);
  assert.deepEqual(offered("sum by (ho|"), ["sum by (hostname"]);
  assert.deepEqual(offered("sum by (hostname, d|) (cpu)"), ["sum by (hostname, device) (cpu)"]);
  assert.deepEqual(offered("cpu_core{core |"), []);
});

test("values are offered within the quotes of a label, and escaped", () => {
  assert.deepEqual(offered('cpu{hostname="we|'), ['cpu{hostname="web-1"', 'cpu{hostname="web-2"']);
  assert.deepEqual(offered('cpu{hostname="|"}'), [
    'cpu{hostname="web-1"}',
    'cpu{hostname="web-2"}',
    'cpu{hostname="odd\\"name"}',
  ]);
  assert.deepEqual(offered(`cpu_core{hostname!='x', core='|`), [
    `cpu_core{hostname!='x', core='0'`,
    `cpu_core{hostname!='x', core='1'`,
  ]);
  const pattern = 'cpu{hostname=~"web-1|w';
  const spot = spotAt(pattern, pattern.length);
  assert.deepEqual(spot, {
    kind: "value",
    text: "w",
    start: pattern.length - 1,
    label: "hostname",
    metric: "cpu",
    quote: '"',
  });
});

test("durations are offered within brackets, and nothing in numbers, other quotes and comments", () => {
  assert.equal(offered("rate(cpu[|")[0], "rate(cpu[1m]");
  assert.equal(offered("rate(cpu[1|])")[0], "rate(cpu[1m])");
  assert.deepEqual(offered("cpu offset 5m|"), []);
  assert.deepEqual(offered('label_replace(cpu, "c|'), []);
  assert.deepEqual(offered("cpu # of me|"), []);
  assert.equal(offered("cpu # of\n+ me|")[0], "cpu # of\n+ memory");
});

test("an error's place is found in the expression, over its lines", () => {
  const f = (expression: string, message: string, want: [number, number] | undefined) =>
    assert.deepEqual(placeOf(expression, message), want);
  f("sum(cpu) by ((", 'the expression is wrong at line 1, column 14, near "("', [13, 14]);
  f("sum(cpu) of x", 'wrong at line 1, column 10, near "of": unexpected', [9, 11]);
  f("cpu +\n memory{a=}", "wrong at line 2, column 11", [16, 17]);
  f('"\u{1F600}" + )', 'wrong at line 1, column 7, near ")"', [7, 8]);
  f("cpu", "wrong at line 1, column 4", [3, 4]);
  f("cpu", "wrong at line 7, column 1", undefined);
  f("cpu", "it took too long", undefined);
});

test("queries are remembered once each, the newest first, and not for ever", () => {
  assert.deepEqual(remembered(["a", "b"], "b"), ["b", "a"]);
  const many = Array.from({ length: 30 }, (_, i) => String(i));
  assert.equal(remembered(many, "x").length, 20);
});

test("a plain selector is averaged from point to point, and nothing else is", () => {
  const f = (expression: string, want: string | undefined) => assert.equal(averaged(expression, 600), want, expression);
  f("cpu", "avg_over_time(cpu[600s])");
  f('cpu{hostname="a}b"}', 'avg_over_time(cpu{hostname="a}b"}[600s])');
  f("{__name__=~\"cpu|memory\", hostname!='x'}", "avg_over_time({__name__=~\"cpu|memory\", hostname!='x'}[600s])");
  for (const other of ["", "cpu + 1", "rate(cpu[5m])", "cpu offset 5m", 'cpu{a="b"} or cpu{a="c"}', "7"])
    f(other, undefined);
});
