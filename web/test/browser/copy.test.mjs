// The requests of charts and tables, pasted into a shell.
import assert from "node:assert/strict";
import { test } from "node:test";
import { becomes, hostname, inked, open, quiet, report, until } from "./harness.mjs";
import { pasted } from "./shell.mjs";

test("the request of a chart can be copied by keyboard", async (t) => {
  const page = await open(t);
  await becomes(page, "live");
  const menu = page.locator("[data-chart=cpu-core] .copy");
  await menu.locator("summary").focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await until("the menu to say so", async () => (await menu.locator(".said").textContent()) === "Copied for curl");
  await page.keyboard.press("Escape");
  assert.equal(await menu.evaluate((details) => details.open), false);
});

test("every chart of a host gives command lines that bring what it shows", async (t) => {
  const page = await open(t);
  await becomes(page, "live");
  await until("history", async () => (await inked(page, "cpu")) > 20);
  const places = { "[data-metric=cpu]": "cpu", "[data-metric=memory]": "memory", "[data-metric=disk]": "disk" };
  for (const [place, type] of Object.entries({ ...places, "[data-chart=cpu-core]": "cpu_core" })) {
    const { curl, grpcurl, vitals } = await pasted(page, place);
    for (const { series } of [curl, grpcurl]) {
      assert.ok(series.length > 0, `${type} has series`);
      assert.ok(series.every((one) => one.series.metricType === type && one.series.hostname === hostname));
      assert.ok(series.every(({ times, averages }) => times.length > 0 && times.length === averages.length));
    }
    assert.match(vitals, new RegExp(hostname));
  }
  const charts = await page.locator("article").count();
  assert.equal(await page.locator("article .copy").count(), charts, "every chart has the menu");
});

test("the list of hosts gives those of the hosts, and of their small charts", async (t) => {
  const page = await open(t, "/?sort=cpu");
  await becomes(page, "live");
  await until("the list", async () => (await page.locator(".card").count()) > 0);
  const hosts = await pasted(page, "#main", "Hosts");
  for (const answer of [hosts.curl, hosts.grpcurl])
    assert.deepEqual(
      answer.hosts.map((host) => host.hostname),
      [hostname],
    );
  assert.match(hosts.vitals, new RegExp(hostname));
  const charts = await pasted(page, "#main", "Small charts");
  for (const { series } of [charts.curl, charts.grpcurl])
    assert.ok(["cpu", "memory", "disk"].every((type) => series.some((one) => one.series.metricType === type)));
});

test("explore gives those of its chart and of its table, whatever the expression holds", async (t) => {
  const query = `-sum by (hostname) (\n  {__name__=~"cpu|memory", hostname!="it's $HOME \`x\` \\\\d"}\n)`;
  const page = await open(t, `/explore?last=5m&query=${encodeURIComponent(query)}`);
  await becomes(page, "live");
  await until("the result", async () => (await page.locator("#result tbody").textContent()).includes(hostname));
  const chart = await pasted(page, "#result > header:first-child");
  const table = await pasted(page, "#result > header:nth-of-type(2)");
  for (const { resultType, series } of [chart.curl, chart.grpcurl]) {
    assert.equal(resultType, "RESULT_TYPE_MATRIX");
    assert.ok(series[0].labels.hostname === hostname && series[0].values.length > 3);
  }
  for (const { resultType, series } of [table.curl, table.grpcurl]) {
    assert.equal(resultType, "RESULT_TYPE_VECTOR");
    assert.ok(series[0].labels.hostname === hostname && series[0].values.length === 1);
  }
  for (const { vitals } of [chart, table]) assert.match(vitals, new RegExp(hostname));
});

test("the line for vitals gives the numbers of the chart, also where a point stands for a minute", async (t) => {
  const now = Math.floor(Date.now() / 1000);
  const load = (type, time, i) => ({ type, value: i % 17, time });
  for (const type of ["load1", "load5"]) {
    const times = Array.from({ length: 240 }, (_, i) => now - 2_400 + 10 * i);
    await report("copied", ...times.map((time, i) => load(type, time, i)));
  }
  const page = await open(t, "/hosts/copied?last=24h");
  await until("the chart", async () => (await page.locator("[data-chart=load] tbody tr").count()) === 2);
  const { curl, vitals } = await pasted(page, "[data-chart=load]", "", {}, { vitals: "-o json" });
  const asked = JSON.parse(vitals);
  assert.equal(curl.series.length, 2);
  for (const { series, times, averages } of curl.series) {
    const found = asked.series.find(({ labels }) => labels.metric === series.metricType);
    assert.ok(times.length > 10 && times[1] - times[0] >= 60);
    assert.deepEqual(found.times, times);
    for (const [i, value] of averages.entries())
      assert.ok(Math.abs(found.values[i] - value) < 1e-9, `${found.values[i]} is ${value}`);
  }
});

quiet();
