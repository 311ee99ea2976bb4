// What every browser test stands on: a real server, a real browser, and words for
// what is looked at. A file that imports it gets a server and a browser of its own.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { chromium } from "playwright-core";
import { binary, Server } from "../server.mjs";

export const executablePath = "/usr/bin/chromium";
export const args = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // A name that is no localhost, so that plain http there is no secure context.
  "--host-resolver-rules=MAP vitals.test localhost",
];
export const hostname = "browser-test";
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export let folder;
export let executable;
export let server;
export let browser;
/** What went wrong in any tab: errors in the console and breaches of the policy. */
const complaints = [];

before(async () => {
  if (!existsSync(executablePath)) {
    throw new Error(
      `There is no browser at ${executablePath}. Install it (apt-get install chromium), then run this again.`,
    );
  }
  folder = mkdtempSync(path.join(tmpdir(), "vitals-browser-"));
  executable = binary(folder);
  server = new Server(executable, hostname, folder);
  await server.start();
  browser = await chromium.launchPersistentContext(path.join(folder, "profile"), {
    executablePath,
    args,
    locale: "en-US",
  });
  await browser.grantPermissions(["clipboard-read", "clipboard-write"], { origin: server.origin });
  await browser.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) =>
      console.error(`policy violation: ${event.violatedDirective}`),
    );
  });
});

after(async () => {
  await browser?.close();
  await server?.kill();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** open opens a tab and closes it when the test ends. */
export async function open(t, address = `/hosts/${hostname}`, origin = server.origin) {
  const page = await browser.newPage();
  page.streams = 0;
  page.on("request", (request) => {
    if (request.url().endsWith("/Subscribe")) page.streams++;
  });
  page.on("pageerror", (error) => complaints.push(`uncaught: ${error.message}`));
  page.on("console", (message) => {
    // Calls that fail are told by the browser itself, and no page can keep that quiet: the server
    // gone, the host unknown (404), a server just started that has no sample yet (503), a query that is wrong (400), a reader who has to sign in (401).
    const unreachable = /Failed to load resource: (net::ERR_|the server responded with a status of (400|401|404|503))/;
    if (["error", "warning"].includes(message.type()) && !unreachable.test(message.text()))
      complaints.push(message.text());
  });
  t.after(() => page.close());
  await page.goto(origin + address);
  return page;
}

/** How long anything may take that ought to come soon; the machine may be busy with other tests. */
const patience = 30;

/** until polls for a condition and fails with what it last saw. */
export async function until(what, condition) {
  const deadline = Date.now() + patience * 1000;
  for (;;) {
    const seen = await condition();
    if (seen === true) return;
    if (Date.now() > deadline) assert.fail(`waited ${patience} s for ${what}; last seen: ${JSON.stringify(seen)}`);
    await sleep(50);
  }
}

export const text = (page, id) => page.locator(`#${id}`).textContent();
export const phase = (page) => page.locator("html").getAttribute("data-phase");
export const becomes = (page, want) =>
  until(`phase ${want}`, async () => (await phase(page)) === want || (await text(page, "meaning")));
export const lastSample = async (page) => /\d\d:\d\d:\d\d/.exec(await text(page, "detail"))?.[0] ?? "";

/** movesOn waits until new samples arrive. */
export async function movesOn(page) {
  const seen = new Set();
  const more = async () => seen.add(await lastSample(page)).size >= 3 || [...seen];
  await until("new samples", more);
}

/** drag draws the mouse over a chart, from one share of its width to another. */
export async function drag(page, chart, from, to) {
  const box = await page.locator(`${chart} .u-over`).first().boundingBox();
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * from, y);
  await page.mouse.down();
  await page.mouse.move(box.x + (box.width * (from + to)) / 2, y);
  await page.mouse.move(box.x + box.width * to, y);
  await page.mouse.up();
}

/** queryOf returns the query in the address of a page; the page's own word, for page.url() learns of it later. */
export const queryOf = async (page) =>
  Object.fromEntries(new URLSearchParams(await page.evaluate(() => location.search)));

/** queryBecomes waits until the address has just this query. */
export const queryBecomes = (page, want) =>
  until(`the query ${JSON.stringify(want)} in the address`, async () => {
    const seen = await queryOf(page);
    return isDeepStrictEqual(seen, want) || seen;
  });

/** report sends values of a host, as a script would: each with the time at which it was observed, in seconds, if that is not now. */
export async function report(host, ...samples) {
  const body = JSON.stringify({
    hostname: host,
    samples: samples.map(({ type = "cpu", value = 50, time }) => ({
      metricType: type,
      value,
      ...(time === undefined ? {} : { time: new Date(time * 1000).toISOString() }),
    })),
  });
  const headers = { "Content-Type": "application/json" };
  const address = `${server.origin}/monitoring.v1.IngestService/ReportBatch`;
  const answer = await fetch(address, { method: "POST", headers, body });
  assert.equal(answer.status, 200, await answer.text());
}

/** inked counts the pixels that a metric's line covers in its trace. */
export async function inked(page, metric) {
  return (await inkedColumns(page, metric)).reduce((a, b) => a + b, 0);
}

/** gap returns how many pixels wide the widest stretch is that a metric's line leaves out. */
export async function gap(page, metric) {
  const columns = (await inkedColumns(page, metric)).flatMap((count, x) => (count > 0 ? [x] : []));
  return Math.max(0, ...columns.slice(1).map((x, i) => x - columns[i] - 1));
}

/** blank returns how many pixels a metric's line leaves out before it begins. */
export async function blank(page, metric) {
  return (await inkedColumns(page, metric)).findIndex((count) => count > 0);
}

/** inkedColumns counts the pixels of a metric's line in each column of its trace. */
function inkedColumns(page, metric) {
  return page.evaluate((metric) => {
    const strip = document.querySelector(`[data-metric="${metric}"]`);
    const canvas = strip.querySelector("canvas");
    const colour = getComputedStyle(strip).getPropertyValue("--line").trim();
    const want = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
    // Read from a copy: reading back a canvas makes the browser warn of it in the page's name.
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    const columns = new Array(canvas.width).fill(0);
    for (let i = 0; i < data.length; i += 4) {
      if (want.every((c, k) => Math.abs(data[i + k] - c) < 12)) columns[(i / 4) % canvas.width]++;
    }
    return columns;
  }, metric);
}

/** look tells how far the page is wider than its window, whether it and the browser around it are dark, and how much moves by itself. */
export function look(page) {
  return page.evaluate(() => {
    const dark = (colour) => colour.match(/\d+/g).reduce((sum, part) => sum + Number(part), 0) < 384;
    const bars = [...document.querySelectorAll("meta[name=theme-color]")].filter(
      (bar) => matchMedia(bar.media).matches,
    );
    return {
      overflow: Math.max(0, document.documentElement.scrollWidth - innerWidth),
      dark: dark(getComputedStyle(document.documentElement).backgroundColor),
      bars: bars.map((bar) => (parseInt(bar.content.slice(1, 3), 16) < 128 ? "dark" : "light")),
      moving: document.getAnimations().length,
    };
  });
}

/** violations returns what axe has against the page, one line each. */
export async function violations(page) {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { violations } = await globalThis.axe.run();
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
  });
}

/** quiet is the last test of a file: that no tab had anything to complain of. */
export function quiet() {
  test("nothing was complained of in any tab", () => {
    assert.deepEqual(complaints, []);
  });
}
