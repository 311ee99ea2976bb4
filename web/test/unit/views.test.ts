import assert from "node:assert/strict";
import { test } from "node:test";
import { byName, groups, heroes, isCustom, labelsOf, largest } from "../../src/charts/catalog.js";
import { amountRange, fromZero, percentRange, wholePercent, type Range } from "../../src/charts/range.js";
import { Column } from "../../src/state/columns.js";
import { addressOf, hostAt } from "../../src/views/address.js";
import { commandsOf, type Commands, type Question } from "../../src/views/commands.js";
import {
  age,
  clock,
  dated,
  decimalsOf,
  instant,
  moment,
  period,
  quantity,
  tickLength,
  ticks,
  timeTicks,
  withUnit,
} from "../../src/views/format.js";
import { neighbour } from "../../src/views/hostlist.js";
import { fitting } from "../../src/views/tags.js";

test("quantities are written as the locale does", () => {
  const f = (value: number, unit: string, locale: string, want: [string, string]) => {
    const { number, unit: name } = quantity(value, unit, locale);
    assert.deepEqual([number, name], want, `${value} ${unit} in ${locale}`);
  };
  f(12.345, "percent", "en", ["12.3", "%"]);
  f(12.345, "percent", "de", ["12,3", "%"]);
  f(100, "percent", "en", ["100.0", "%"]);
  f(6.2, "GB", "en", ["6.20", "GB"]);
  f(6.2, "GB", "fr", ["6,20", "Go"]);
  f(1234.5, "GB", "en", ["1.23", "TB"]);
  f(0.5, "GB", "en", ["500.0", "MB"]);
  f(0, "GB", "en", ["0.0", "MB"]);
  f(1_250_000, "bytes_per_second", "en", ["1.3", "MB/s"]);
  f(12, "bytes_per_second", "en", ["0.0", "kB/s"]);
  f(31.25, "count_per_second", "en", ["31", "/s"]);
  f(3.641, "count", "en", ["3.64", ""]);
  f(41, "celsius", "en", ["41.0", "°C"]);
  f(200_000, "seconds", "en", ["2.3", "days"]);
  f(3, "bananas", "en", ["3", "bananas"]);
  assert.equal(withUnit(6.2, "GB", "en"), "6.20 GB");
});

test("what is small keeps the digits that say something, and what is large keeps its size", () => {
  const f = (value: number, unit: string, want: string) => assert.equal(withUnit(value, unit, "en"), want);
  f(0.0004, "seconds", "400 µs");
  f(0.00123, "seconds", "1.23 ms");
  f(0.35, "seconds", "350 ms");
  f(3e-8, "seconds", "30 ns");
  f(0, "seconds", "0 sec");
  f(1.5, "seconds", "1.5 sec");
  f(0.001, "", "0.001");
  f(0.0123456, "count", "0.0123");
  f(0.04, "percent", "0.04 %");
  f(0, "percent", "0.0 %");
  f(-0.04, "celsius", "0.0 °C");
  f(1e-9, "", "1E-9");
  f(0.004, "count_per_second", "0.004 /s");
  f(1.2e12, "widgets", "1.2T widgets");
  f(-1_234_567, "", "-1.235M");
  f(999_999, "", "999,999");
  f(123_456.5, "EUR", "123,457 EUR");
  f(1e300, "", "1E300");
  f(3e18, "bytes", "3.00 EB");
  f(5e15, "bytes", "5.00 PB");
  f(59, "bytes", "59 B");
  f(0, "bytes", "0 B");
});

test("times of day have seconds, ages have one unit", () => {
  assert.match(clock(0, "de"), /^\d\d:\d\d:00$/);
  const f = (milliseconds: number, want: string) => assert.equal(age(milliseconds, "en"), want);
  f(3_999, "3 sec");
  f(119_999, "119 sec");
  f(120_000, "2 min");
  f(7_200_000, "2 hr");
  f(172_800_000, "2 days");
});

test("a time has its day where that is not today's, and its year where that is not this one", () => {
  const now = Date.UTC(2026, 6, 15, 12) / 1000;
  assert.equal(dated(now - 60, now, "en"), clock(now - 60, "en"));
  assert.match(dated(now - 5 * 86_400, now, "en"), /^Jul 10, \d\d:00:00/);
  assert.match(dated(now - 400 * 86_400, now, "en"), /^Jun 10, 2025, \d\d:00:00/);
});

test("a period names the day and the year where they are not today's", () => {
  const now = Date.UTC(2026, 6, 15, 12) / 1000;
  const f = (from: number, to: number, has: RegExp, not: RegExp) => {
    const text = period(from, to, now, "en");
    assert.match(text, has);
    assert.doesNotMatch(text, not);
  };
  f(now - 600, now - 300, /:\d\d:\d\d/, /Jul|2026/);
  f(now - 9_000, now - 300, /\d:\d\d/, /Jul|2026|:\d\d:\d\d/);
  f(now - 5 * 86_400, now, /Jul.*Jul/, /2026/);
  f(now - 400 * 86_400, now, /2025.*2026/, /:\d\d:\d\d/);
  f(1e9, 1e9 + 60, /Sep.*2001.*:\d\d:\d\d/, /2026/);
});

test("an axis is written in one step of its unit", () => {
  const f = (values: number[], step: number, unit: string, want: string[]) =>
    assert.deepEqual(ticks(values, step, unit, "en"), want);
  f([0, 0.5, 1], 0.5, "GB", ["0.0 GB", "0.5 GB", "1.0 GB"]);
  f([0, 500, 1000], 500, "bytes_per_second", ["0.0 kB/s", "0.5 kB/s", "1.0 kB/s"]);
  f([0, 50, 100], 50, "percent", ["0%", "50%", "100%"]);
  f([0, 2], 2, "count", ["0", "2"]);
  f([0, 2e-4, 4e-4], 2e-4, "seconds", ["0 µs", "200 µs", "400 µs"]);
  f([0, 5e11, 1e12, 1.5e12], 5e11, "widgets", ["0", "500B", "1T", "1.5T"]);
  f([0, 5e299, 1e300], 5e299, "", ["0", "5E299", "1E300"]);
  f([0, 1e18, 2e18], 1e18, "bytes", ["0 EB", "1 EB", "2 EB"]);
  f([0, 5e-10, 1e-9], 5e-10, "", ["0", "5E-10", "1E-9"]);
  f([0, 0.5], 0.5, "count_per_second", ["0.0 /s", "0.5 /s"]);
  f([0, 200], 200, "bytes", ["0 B", "200 B"]);
});

test("below an axis a day begins with its name", () => {
  const noon = Date.UTC(2026, 0, 1, 12) / 1000;
  const labels = timeTicks([noon, noon + 86_400, noon + 90_000], 3600, "en");
  assert.match(labels[1]!, /Jan/);
  assert.doesNotMatch(labels[2]!, /Jan/);
});

test("below an axis morning and evening differ, and so do the years", () => {
  const at = (...parts: [number, number, number?]) => Date.UTC(...parts) / 1000;
  const hours = [3, 15].map((hour) => new Date(2026, 4, 5, hour).getTime() / 1000);
  const [morning, evening] = timeTicks(hours, 3600, "en-US");
  assert.equal(morning, "3:00 AM");
  assert.equal(evening, "3:00 PM");
  assert.deepEqual(timeTicks(hours, 3600, "de"), ["03:00", "15:00"]);
  const years = [2024, 2025, 2026].map((year) => new Date(year, 0, 1).getTime() / 1000);
  assert.deepEqual(timeTicks(years, 365 * 86_400, "en"), ["2024", "2025", "2026"]);
  const months = [
    [2025, 9],
    [2026, 0],
    [2026, 3],
  ].map(([year, month]) => new Date(year!, month!, 1).getTime() / 1000);
  assert.deepEqual(timeTicks(months, 90 * 86_400, "en"), ["Oct", "2026", "Apr"]);
  assert.match(moment(at(2020, 5, 15), 9 * 365 * 86_400, "en"), /Jun 15, 2020/);
  assert.doesNotMatch(moment(at(2020, 5, 15), 30 * 86_400, "en"), /2020/);
  assert.match(instant(at(2020, 5, 15), "en"), /Jun 15, 2020.*\d:\d\d/);
  assert.ok(tickLength(300, "en-US") >= "10:58:58 PM".length);
  assert.ok(tickLength(7_200, "de") <= "22:58".length);
});

test("the percent axis shows zero and has room, and does not leap about", () => {
  const room = (high: number): Range => [-0.01 * high, 1.02 * high];
  const f = (max: number, high: number, before?: number) =>
    assert.deepEqual(percentRange(max, before === undefined ? undefined : room(before)), room(high), String(max));
  f(0, 25);
  f(24, 25);
  f(24.5, 50);
  f(48, 50);
  f(49, 100);
  f(100, 100);
  f(26, 50, 25);
  f(23, 50, 50);
  f(18, 25, 50);
  f(23, 50, 100);
  f(45, 100, 100);
  assert.deepEqual(wholePercent(), room(100));
  for (const { id, unit, range } of [...heroes, ...groups.flatMap((group) => group.charts)])
    if (["cpu", "cpu-core", "disk-space"].includes(id)) {
      assert.equal(unit, "percent");
      assert.deepEqual(range?.(0, 20), room(100), `${id} reaches to a hundred`);
    }
});

test("the axis of an amount holds its values, shows small changes small and is not negative where they are not", () => {
  for (const [min, max] of [
    [0, 0],
    [0.05, 0.06],
    [6.1, 6.4],
    [18.48, 18.49],
    [900, 1800],
  ] as const) {
    const [low, high] = amountRange(min, max);
    assert.ok(low <= min && high >= max, `[${low}, ${high}] holds ${min} to ${max}`);
    assert.ok(low >= 0, `${low} is not negative`);
    assert.ok(high - low >= Math.max(0.2, max / 50) - 1e-9, `[${low}, ${high}] does not magnify noise`);
  }
  for (const [min, max] of [
    [-13, -11],
    [-12, -12],
    [-3, 4],
  ] as const) {
    const [low, high] = amountRange(min, max);
    assert.ok(low <= min && high >= max, `[${low}, ${high}] holds ${min} to ${max}`);
  }
});

test("labels of an axis have the decimals of its step", () => {
  const f = (step: number, want: number) => assert.equal(decimalsOf(step), want, String(step));
  f(25, 0);
  f(2.5, 1);
  f(0.25, 2);
  f(0.2, 1);
  f(0.05, 2);
  f(0.025, 3);
});

test("an axis from zero holds what it shows", () => {
  const f = (min: number, max: number, want: [number, number]) => assert.deepEqual(fromZero(min, max), want);
  f(0, 0, [0, 1]);
  f(0, 3.64, [0, 4]);
  f(3, 970, [0, 1000]);
  f(-5, 5, [-5.2, 5.2]);
  f(0, 100, [0, 102]);
  f(0, 99, [0, 102]);
  f(-5200, -5000, [-6000, 0]);
  assert.ok(fromZero(0, 1e300)[1] >= 1e300);
});

test("the command lines survive a shell, whatever the host is called", () => {
  const question = { selector: '{hostname="o\'x"}', from: 0, to: 600, points: 100 };
  const commands = commandsOf("http://localhost:50051", question, false);
  const body = `'{"selector":"{hostname=\\"o'\\''x\\"}","start":"1970-01-01T00:00:00.000Z","end":"1970-01-01T00:10:00.000Z","maxPoints":100}'`;
  const procedure = "monitoring.v1.QueryService/QueryRange";
  assert.deepEqual(commands, {
    curl: `curl -H 'Content-Type: application/json' -d ${body} http://localhost:50051/${procedure}`,
    grpcurl: `grpcurl -plaintext -d ${body} localhost:50051 ${procedure}`,
    vitals: `vitals query --start 1970-01-01T00:00:00.000Z --end 1970-01-01T00:10:00.000Z --step 6s --server http://localhost:50051 'avg_over_time({hostname="o'\\''x"}[6s] offset -5999ms)'`,
  });
});

test("the command lines of a reader who is signed in take the token of the shell", () => {
  const { curl, grpcurl, vitals } = commandsOf("https://h", { hosts: "" }, true);
  assert.match(curl, /^curl -H "Authorization: Bearer \$VITALS_TOKEN" -H 'Content-Type/);
  assert.match(grpcurl, /^grpcurl -H "Authorization: Bearer \$VITALS_TOKEN" -d /);
  assert.equal(vitals, "vitals hosts --server https://h", "it reads the variable by itself");
});

test("the command lines fit each request, and the address of the page", () => {
  const f = (origin: string, question: Question, tool: keyof Commands, want: RegExp) =>
    assert.match(commandsOf(origin, question, false)[tool], want);
  const selector = { selector: "cpu", from: 0, to: 1, points: 1 };
  f("https://vitals.example.com", selector, "grpcurl", /^grpcurl -d .* vitals\.example\.com:443 /);
  f("https://vitals.example.com:8443", selector, "grpcurl", /^grpcurl -d .* vitals\.example\.com:8443 /);
  f("http://vitals.example.com", selector, "grpcurl", /^grpcurl -plaintext -d .* vitals\.example\.com:80 /);
  // Brackets are a pattern to a shell.
  f("http://[::1]:50051", selector, "grpcurl", / '\[::1\]:50051' /);
  f("http://[::1]:50051", selector, "curl", / 'http:\/\/\[::1\]:50051\/monitoring\.v1\.QueryService\/QueryRange'$/);
  f("https://h", selector, "curl", / https:\/\/h\/monitoring/);
  f("https://h", selector, "vitals", / --server https:\/\/h 'avg_over_time\(cpu\[1s\] offset -999ms\)'$/);
  f(
    "http://h",
    { promql: "-cpu", at: 1 },
    "vitals",
    /^vitals query --time 1970-01-01T00:00:01\.000Z --server \S+ -- '-cpu'$/,
  );
  f("http://h", { promql: "cpu\n+ 1", at: 1 }, "vitals", / 'cpu\n\+ 1'$/);
  f("http://h", { promql: "cpu\n+ 1", at: 1 }, "curl", /'\{"query":"cpu\\n\+ 1","time":/);
  f("http://h", { promql: "cpu", from: 0, to: 60, step: 5 }, "grpcurl", /"step":"5s"\}' \S+ \S+\/QueryPromQL$/);
  f("http://h", { hosts: "" }, "vitals", /^vitals hosts --server http:\/\/h$/);
  f("http://h", { hosts: "web-" }, "vitals", /^vitals hosts --server http:\/\/h 'web-'$/);
  f("http://h", { hosts: "" }, "curl", / -d '\{\}' \S+ListHosts$/);
});

test("a chart's history is asked of PromQL point by point, each type under its name", () => {
  const each = [["load1", 'load1{hostname="a"}'] as const, ["load5", 'load5{hostname="a"}'] as const];
  const question = { selector: "both", each, from: 130, to: 3_610, points: 60, step: 60 };
  assert.equal(
    commandsOf("http://h", question, false).vitals,
    "vitals query --start 1970-01-01T00:02:00.000Z --end 1970-01-01T01:00:10.000Z --step 60s --server http://h " +
      `'label_replace(avg_over_time(load1{hostname="a"}[60s] offset -59999ms), "metric", "load1", "", "") or ` +
      `label_replace(avg_over_time(load5{hostname="a"}[60s] offset -59999ms), "metric", "load5", "", "")'`,
  );
});

test("a host has an address, whatever it is called, and the address has the host", () => {
  const f = (host: string, want: string) => {
    assert.equal(addressOf(host), want);
    const { pathname, search } = new URL(want, "http://h");
    assert.equal(hostAt({ pathname, search }), host);
  };
  f("web-1", "/hosts/web-1");
  f("a/b?c#d %", "/hosts/a%2Fb%3Fc%23d%20%25");
  f(".", "/?host=.");
  f("..", "/?host=..");
  f("...", "/hosts/...");
  assert.equal(hostAt({ pathname: "/hosts/%E0%A4", search: "" }), "%E0%A4");
  assert.equal(hostAt({ pathname: "/explore", search: "?host=a" }), undefined);
  assert.equal(hostAt({ pathname: "/", search: "?host=" }), undefined);
});

test("the busiest are those of the time that is shown", () => {
  const column = (process: string, ...points: [number, number][]) => {
    const made = new Column({ type: "process_cpu", host: "a", labels: { process }, unit: "percent" });
    for (const [time, value] of points) made.append(time, value);
    return made;
  };
  const all = Array.from({ length: 8 }, (_, i) => column(`p${i}`, [100, 5], [200, 5]));
  const died = column("died", [1, 900], [2, 900], [100, 1]);
  const busy = column("q", [100, 1], [200, 90]);
  const names = largest([died, ...all, busy], 100, 300).map(({ series }) => series.labels["process"]);
  assert.equal(names.length, 8);
  assert.ok(names.includes("q") && !names.includes("died"), names.join());
});

test("every built-in type has its place, and custom ones are told apart", () => {
  const types = [...heroes, ...groups.flatMap((group) => group.charts)].flatMap((chart) => chart.types);
  assert.ok(types.every((type) => !isCustom(type)));
  assert.equal(isCustom("memory_total"), false);
  assert.equal(isCustom("queue_depth"), true);
  assert.equal(labelsOf({ type: "q", host: "h", labels: {}, unit: "" }), "q");
  assert.equal(labelsOf({ type: "q", host: "h", labels: { queue: "mail" }, unit: "" }), "mail");
  assert.equal(labelsOf({ type: "q", host: "h", labels: { b: "2", a: "1" }, unit: "" }), "a=1, b=2");
});

test("series are in the order in which people count", () => {
  const named = (shard: string) => new Column({ type: "many", host: "h", labels: { shard }, unit: "" });
  const columns = ["s10", "s2", "s1", "s0"].map(named).sort(byName);
  assert.deepEqual(
    columns.map((column) => column.series.labels["shard"]),
    ["s0", "s1", "s2", "s10"],
  );
});

test("what differs in a name comes first", () => {
  const spec = groups.flatMap((group) => group.charts).find(({ id }) => id === "disk-bytes");
  assert.equal(spec?.label?.({ type: "disk_read", host: "h", labels: { device: "vda" }, unit: "" }), "read vda");
});

test("tags are shown as far as there is room, with how many there are more", () => {
  const f = (widths: number[], room: number, want: number) => assert.equal(fitting(widths, room, 20), want);
  f([], 100, 0);
  f([100], 100, 1);
  f([101], 100, 0);
  f([40, 40], 88, 2);
  f([40, 40], 87, 1);
  f([40, 40, 40], 115, 1);
  f([40, 40, 40], 116, 2);
  f([40], -5, 0);
});

test("arrows go by the columns of the grid", () => {
  const f = (from: number, right: number, down: number, want: number) =>
    assert.equal(neighbour(from, right, down, 3, 8), want, `from ${from} by ${right}, ${down}`);
  f(0, 0, 1, 3);
  f(4, 0, -1, 1);
  f(1, 0, -1, 1);
  f(0, 1, 0, 1);
  f(0, -1, 0, 0);
  f(2, 1, 0, 2);
  f(5, 0, 1, 7); // the last row is not full
  f(7, 0, 1, 7);
  f(7, 1, 0, 7);
  assert.equal(neighbour(3, 0, 1, 1, 8), 4);
  assert.equal(neighbour(3, 1, 0, 1, 8), 3);
});
