// A tab that is hidden, frozen and woken, as a browser does it to tabs in the
// background and a lid to all of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Devtools } from "./devtools.mjs";
import { args, executablePath, folder, hostname, quiet, server, until } from "./harness.mjs";

/** Starts to count what a page asks for, from now on. */
const count = `globalThis.asked = [];
  new PerformanceObserver((list) => {
    for (const { name } of list.getEntries()) asked.push(name.split("/").pop());
  }).observe({ type: "resource" }); true`;

/** The longest time, in seconds, between two samples in the last half minute of the chart of the memory. */
const widest = `(() => {
  const canvas = document.querySelector('[data-metric="memory"] canvas');
  const line = getComputedStyle(canvas.closest(".strip")).getPropertyValue("--line").trim();
  const want = [1, 3, 5].map((i) => parseInt(line.slice(i, i + 2), 16));
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  const inked = new Set();
  for (let i = 0; i < data.length; i += 4)
    if (want.every((c, k) => Math.abs(data[i + k] - c) < 12)) inked.add((i / 4) % canvas.width);
  const columns = [...inked].sort((a, b) => a - b);
  return Math.max(0, ...columns.slice(1).map((x, i) => x - columns[i] - 1));
})()`;

/** live waits until a page has samples that are newer than three seconds. */
const live = (page, what) =>
  until(what, async () => {
    const [phase, detail] = await page.evaluate(
      `[document.documentElement?.dataset.phase, document.getElementById("detail")?.textContent]`,
    );
    return phase === "live" || `${phase}: ${detail}`;
  });

test("a tab that was frozen is live again at once, and has no hole", async (t) => {
  const browser = new Devtools(executablePath, args, folder);
  t.after(() => browser.close());
  const page = await browser.open(`${server.origin}/hosts/${hostname}?last=5m`);
  await live(page, "the first samples");
  await sleep(3_000);
  const other = await browser.open("about:blank");
  await other.toFront();
  await until("the tab to be hidden", () => page.evaluate(`document.visibilityState === "hidden"`));
  await page.send("Page.setWebLifecycleState", { state: "frozen" });
  await sleep(12_000);
  await page.send("Page.setWebLifecycleState", { state: "active" });
  await page.evaluate(count);
  await page.toFront();
  const woken = Date.now();
  await live(page, "samples after the tab was woken");
  assert.ok(Date.now() - woken < 10_000, `live again after ${Date.now() - woken} ms`);
  await until("the missing time to be asked for", async () => (await page.evaluate("asked")).includes("QueryRange"));
  // Twelve seconds of five minutes are 30 pixels or so.
  await until("the trace to be whole", async () => (await page.evaluate(widest)) <= 4 || page.evaluate(widest));
});

test("a hidden tab goes on, and what it leads another tab shows", async (t) => {
  const browser = new Devtools(executablePath, args, folder);
  t.after(() => browser.close());
  const hidden = await browser.open(`${server.origin}/hosts/${hostname}?last=5m`);
  await live(hidden, "the first samples");
  const seen = await browser.open(`${server.origin}/hosts/${hostname}?last=5m`);
  await live(seen, "the second tab");
  await until("the first to be hidden", () => hidden.evaluate(`document.visibilityState === "hidden"`));
  await hidden.evaluate(count);
  await sleep(3_000);
  await live(seen, "the second tab, some seconds later");
  await hidden.send("Page.setWebLifecycleState", { state: "frozen" });
  await sleep(6_000);
  await live(seen, "the second tab on its own");
  await hidden.send("Page.setWebLifecycleState", { state: "active" });
  await hidden.toFront();
  await live(hidden, "the first tab again");
  await until("its trace to be whole", async () => (await hidden.evaluate(widest)) <= 4 || hidden.evaluate(widest));
});

quiet();
