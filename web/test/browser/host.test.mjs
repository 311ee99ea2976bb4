// One host: its charts, their values and what is not known.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { becomes, executable, hostname, inked, open, quiet, server, text, until } from "./harness.mjs";

test("a host shows live values of this machine, and they change", async (t) => {
  const page = await open(t);
  await becomes(page, "live");
  assert.equal(await text(page, "host"), hostname);
  await until("the server's health", async () => (await text(page, "health")) === "Server healthy");
  const value = async (metric) => Number(await page.locator(`[data-metric=${metric}] .value`).textContent());
  await until("all three values", async () => {
    const [cpu, memory, disk] = await Promise.all(["cpu", "memory", "disk"].map(value));
    return (cpu >= 0 && cpu <= 100 && memory > 0 && disk > 0) || { cpu, memory, disk };
  });
  assert.equal(await page.locator(".unit").first().textContent(), "%");
  // Of all three together: on a machine with every core busy the cpu may well stand at 100.
  const seen = new Set();
  await until("the values to change", async () => {
    seen.add((await page.locator(".value").allTextContents()).join(" "));
    return seen.size >= 3 || [...seen];
  });
  for (const metric of ["cpu", "memory", "disk"])
    await until(`the trace of ${metric}`, async () => (await inked(page, metric)) > 20);
  assert.equal(page.streams, 1, "one stream for all of the page");
});

test("every group of the catalog has its charts, and a custom metric has one of its own", async (t) => {
  execFileSync(executable, [
    "report",
    "queue_depth",
    "7",
    "--unit",
    "jobs",
    "--label",
    "queue=mail",
    "--server",
    server.origin,
  ]);
  const page = await open(t);
  const headings = () => page.locator(".group > h2").allTextContents();
  const want = ["CPU", "Memory", "Disks", "Network", "Processes", "System", "Custom metrics"];
  await until("the groups", async () => (await headings()).join() === want.join() || (await headings()));
  for (const chart of [
    "cpu-mode",
    "cpu-core",
    "load",
    "memory-stack",
    "disk-space",
    "network-bytes",
    "custom-queue_depth",
  ]) {
    const panel = page.locator(`[data-chart="${chart}"]`);
    await panel.scrollIntoViewIfNeeded();
    await until(`values of ${chart}`, async () => /\d/.test((await panel.locator("td.at").allTextContents())[0] ?? ""));
  }
  const row = await page.locator('[data-chart="custom-queue_depth"] tbody tr').first().textContent();
  assert.match(row, /mail.*7 jobs/);
});

test("a range without samples says so, and one cursor stands in all charts", async (t) => {
  const empty = await open(t, `/hosts/${hostname}?from=1000000000&to=1000000600`);
  await until(
    "the note",
    async () => (await empty.locator("[data-metric=cpu] .note").textContent()) === "No data in this range.",
  );
  const page = await open(t);
  await becomes(page, "live");
  await until("history", async () => (await inked(page, "cpu")) > 40);
  const box = await page.locator("[data-metric=cpu] .u-over").boundingBox();
  await page.mouse.move(box.x + box.width - 10, box.y + 20);
  const pointed = /\d\d:\d\d:\d\d/;
  await until("the time in all strips", async () => {
    const texts = await page.locator(".extent").allTextContents();
    return texts.every((one) => pointed.test(one)) || texts;
  });
});

quiet();
