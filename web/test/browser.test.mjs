// The page in a real browser against the real server.
//
//   VITALS_BIN=/path/to/vitals npm run test:browser
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";
import { Agent, binary, Server } from "./server.mjs";

const executablePath = "/usr/bin/chromium";
const args = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // A name that is no localhost, so that plain http there is no secure context.
  "--host-resolver-rules=MAP vitals.test localhost",
];
const hostname = "browser-test";
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let folder;
let executable;
let server;
let browser;
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
async function open(t, address = `/hosts/${hostname}`, origin = server.origin) {
  const page = await browser.newPage();
  page.streams = 0;
  page.on("request", (request) => {
    if (request.url().endsWith("/Subscribe")) page.streams++;
  });
  page.on("pageerror", (error) => complaints.push(`uncaught: ${error.message}`));
  page.on("console", (message) => {
    // Calls that fail are told by the browser itself, and no page can keep that quiet: the server
    // gone, the host unknown (404), a server just started that has no sample yet (503), a query that is wrong (400).
    const unreachable = /Failed to load resource: (net::ERR_|the server responded with a status of (400|404|503))/;
    if (["error", "warning"].includes(message.type()) && !unreachable.test(message.text()))
      complaints.push(message.text());
  });
  t.after(() => page.close());
  await page.goto(origin + address);
  return page;
}

/** until polls for a condition and fails with what it last saw. */
async function until(what, condition, { seconds = 15 } = {}) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const seen = await condition();
    if (seen === true) return;
    if (Date.now() > deadline) assert.fail(`waited ${seconds} s for ${what}; last seen: ${JSON.stringify(seen)}`);
    await sleep(50);
  }
}

const text = (page, id) => page.locator(`#${id}`).textContent();
const phase = (page) => page.locator("html").getAttribute("data-phase");
const becomes = (page, want, options) =>
  until(`phase ${want}`, async () => (await phase(page)) === want || (await text(page, "meaning")), options);
const lastSample = async (page) => /\d\d:\d\d:\d\d/.exec(await text(page, "detail"))?.[0] ?? "";

/** movesOn waits until new samples arrive. */
async function movesOn(page, options) {
  const seen = new Set();
  const more = async () => seen.add(await lastSample(page)).size >= 3 || [...seen];
  await until("new samples", more, options);
}

/** drag draws the mouse over a chart, from one share of its width to another. */
async function drag(page, chart, from, to) {
  const box = await page.locator(`${chart} .u-over`).first().boundingBox();
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * from, y);
  await page.mouse.down();
  await page.mouse.move(box.x + (box.width * (from + to)) / 2, y);
  await page.mouse.move(box.x + box.width * to, y);
  await page.mouse.up();
}

/** rangeOf returns the range in the address of a page. */
const rangeOf = (page) => Object.fromEntries(new URL(page.url()).searchParams);

/** inked counts the pixels that a metric's line covers in its trace. */
async function inked(page, metric) {
  return (await inkedColumns(page, metric)).reduce((a, b) => a + b, 0);
}

/** gap returns how many pixels wide the widest stretch is that a metric's line leaves out. */
async function gap(page, metric) {
  const columns = (await inkedColumns(page, metric)).flatMap((count, x) => (count > 0 ? [x] : []));
  return Math.max(0, ...columns.slice(1).map((x, i) => x - columns[i] - 1));
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

test("a host alone needs no list", async (t) => {
  const page = await open(t, "/");
  await until("its own page", () => page.url().endsWith(`/hosts/${hostname}`) || page.url());
  await becomes(page, "live");
});

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

test("history is there on load, and a drag zooms all charts, by an address that reload keeps", async (t) => {
  const page = await open(t);
  await becomes(page, "live");
  await until("history from before the page", async () => (await inked(page, "cpu")) > 40);
  await drag(page, "[data-metric=cpu]", 0.91, 0.999);
  await until("a range in the address", () => "from" in rangeOf(page) || page.url());
  const { from, to } = rangeOf(page);
  assert.ok(Math.abs(to - from - 81) < 15, `9 % of 15 minutes: ${to - from} s`);
  await until(
    "the other charts to follow",
    async () => (await inked(page, "memory")) > 60 || (await inked(page, "memory")),
  );
  await page.reload();
  await becomes(page, "live");
  assert.deepEqual(rangeOf(page), { from, to });
  await page.goBack();
  assert.deepEqual(rangeOf(page), {});
  await page.goForward();
  assert.deepEqual(rangeOf(page), { from, to });
  await page.locator("[data-metric=cpu] .u-over").dblclick();
  assert.deepEqual(rangeOf(page), {}, "a double click leads back out");
  await page.locator("[data-range='6h']").click();
  assert.deepEqual(rangeOf(page), { last: "6h" });
  assert.equal(await page.locator("[data-range='6h']").getAttribute("aria-pressed"), "true");
  const over = await page.locator("[data-metric=cpu] .u-over").boundingBox();
  await page.mouse.move(over.x + over.width / 2, over.y + 20);
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -100);
  await page.keyboard.up("Control");
  await until("the wheel to zoom", () => {
    const range = rangeOf(page);
    return (range.to - range.from < 21_600 * 0.8 && range.to - range.from > 1_000) || range;
  });
  const before = rangeOf(page);
  await page.keyboard.down("Shift");
  await drag(page, "[data-metric=cpu]", 0.5, 0.75);
  await page.keyboard.up("Shift");
  await until("the drag to pan", () => {
    const range = rangeOf(page);
    const span = before.to - before.from;
    return Math.abs(before.from - range.from - span / 4) < span / 20 || { before, range };
  });
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

test("the fleet lists every host, and finds, sorts and opens them by keyboard", async (t) => {
  const agent = new Agent(executable, server, "agent-test", folder);
  t.after(() => agent.stop());
  await until("both hosts", () =>
    execFileSync(executable, ["hosts", "--server", server.origin], { encoding: "utf8" }).includes("agent-test"),
  );
  const page = await open(t, "/");
  await becomes(page, "live");
  await until("the list", async () => (await text(page, "main")).includes("2 hosts"));
  const listed = (names) =>
    until(`the list ${names}`, async () => {
      const seen = await page.locator(".card .name").allTextContents();
      return seen.join() === names.join() || seen;
    });
  await listed(["agent-test", hostname]);
  for (const index of [0, 1, 2]) {
    const reading = page.locator(".card").first().locator(".reading").nth(index);
    await until(
      "a reading",
      async () => /^\d+\.\d %$/.test(await reading.textContent()) || (await reading.textContent()),
    );
  }
  assert.deepEqual(await violations(page), []);
  await page.keyboard.press("/");
  await page.keyboard.type("ROLE=te");
  await listed(["agent-test"]);
  assert.deepEqual(rangeOf(page), { q: "ROLE=te" });
  await page.reload();
  await listed(["agent-test"]);
  await page.locator(".filter").fill("down");
  await listed([]);
  assert.match(await page.locator(".count").textContent(), /No host fits/);
  await page.locator(".filter").fill("");
  await page.locator("select").selectOption("cpu");
  await page.getByRole("button", { name: "Grid" }).click();
  assert.deepEqual(rangeOf(page), { sort: "cpu", view: "grid" });
  for (const [width, colorScheme] of [
    [1440, "light"],
    [360, "dark"],
  ]) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    assert.deepEqual(await violations(page), []);
    assert.equal((await look(page)).overflow, 0);
  }
  await page.locator("select").selectOption("name");
  await page.keyboard.press("Escape");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await until("the host's page", () => page.url().endsWith("/hosts/agent-test") || page.url());
  await becomes(page, "live");
  await page.keyboard.press("g");
  await page.keyboard.press("h");
  await until("the list again", () => new URL(page.url()).pathname === "/" || page.url());
});

test("explore completes names, draws a result, and points at what is wrong", async (t) => {
  const page = await open(t, "/explore?query=cpu");
  await becomes(page, "live");
  const result = page.locator("#result");
  await until("the result", async () => (await result.locator("tbody").textContent()).includes(hostname));
  await page.keyboard.press("/");
  const box = page.getByRole("textbox", { name: "PromQL expression" });
  await box.fill("");
  await until("the names to be known", async () => {
    await box.fill("");
    await box.pressSequentially("memory_av");
    return page.getByRole("option", { name: "memory_available", exact: true }).isVisible();
  });
  await page.keyboard.press("Tab");
  assert.equal(await box.inputValue(), "memory_available");
  await page.keyboard.type(" * 2");
  await page.keyboard.press("Enter");
  assert.equal(rangeOf(page).query, "memory_available * 2");
  await until("the new result", async () =>
    (await result.locator("tbody th").first().textContent()).startsWith("{hostname="),
  );
  await box.fill("sum(cpu) by ((");
  await page.keyboard.press("Enter");
  await until("the error", async () => (await page.locator(".wrong mark").count()) === 1);
  assert.equal(await page.locator(".wrong pre").textContent(), "sum(cpu) by ((");
  assert.match(await page.locator(".wrong p").textContent(), /column 14/);
  for (const [width, colorScheme] of [
    [1440, "light"],
    [360, "dark"],
  ]) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    assert.deepEqual(await violations(page), []);
    assert.equal((await look(page)).overflow, 0);
  }
  await page.locator(".past select").selectOption("memory_available * 2");
  await until("no error", async () => (await page.locator(".wrong mark").count()) === 0);
});

test("a killed server is told honestly, and the page comes back by itself", async (t) => {
  const page = await open(t);
  await becomes(page, "live");
  await movesOn(page);
  await page.evaluate(() => (globalThis.notReloaded = true));
  await server.kill();
  await becomes(page, "reconnecting");
  assert.equal(await text(page, "word"), "Reconnecting");
  assert.equal(await text(page, "meaning"), "The server does not answer. Trying again by itself.");
  await until("the age of the last sample", async () => {
    const detail = await text(page, "detail");
    return /^Last sample \d\d:\d\d:\d\d [AP]M, \d+ sec ago$/.test(detail) || detail;
  });
  await until("the health to be unknown", async () => (await text(page, "health")) === "Health unknown");
  assert.match(await page.title(), /^Reconnecting · /);
  await sleep(5_000); // long enough for a gap
  await server.start();
  await becomes(page, "live");
  await movesOn(page);
  assert.equal(await page.evaluate(() => globalThis.notReloaded), true, "without a reload");
  await page.locator("[data-range='5m']").click();
  await until("the time without samples to be drawn as a gap", async () => (await gap(page, "cpu")) > 5);
});

test("a server that is gone for a while leaves no hole in the chart of an agent's host", async (t) => {
  const agent = new Agent(executable, server, "agent-steady", folder);
  t.after(() => agent.stop());
  await until("the agent to report", async () =>
    execFileSync(executable, ["hosts", "--server", server.origin], { encoding: "utf8" }).includes("agent-steady"),
  );
  const page = await open(t, "/hosts/agent-steady?last=5m");
  await becomes(page, "live");
  await movesOn(page);
  await server.kill();
  await becomes(page, "reconnecting");
  await sleep(6_000);
  await server.start();
  await becomes(page, "live", { seconds: 25 });
  await until(
    "the trace to be whole",
    async () => ((await inked(page, "memory")) > 20 && (await gap(page, "memory")) <= 4) || (await gap(page, "memory")),
    {
      seconds: 25,
    },
  );
});

test("a server that is silent is stale, then given up, and taken back when it speaks", async (t) => {
  const page = await open(t);
  await becomes(page, "live");
  server.signal("SIGSTOP");
  try {
    await becomes(page, "stale");
    assert.match(await text(page, "meaning"), /no new sample/);
    assert.match(await text(page, "detail"), /, \d+ sec ago$/);
    await becomes(page, "reconnecting", { seconds: 25 });
  } finally {
    server.signal("SIGCONT");
  }
  await becomes(page, "live", { seconds: 25 });
});

test("a host that is not known is an error that says what to do", async (t) => {
  const page = await open(t, "/hosts/browser-tset");
  await becomes(page, "error");
  const meaning = await text(page, "meaning");
  assert.match(meaning, /browser-tset/);
  assert.match(meaning, new RegExp(hostname), "the nearest known host is named");
  assert.match(meaning, /address/);
});

test("of two tabs one streams and both are live; the other takes over when it closes", async (t) => {
  const leader = await open(t);
  await becomes(leader, "live");
  const listener = await open(t);
  await becomes(listener, "live");
  await Promise.all([movesOn(leader), movesOn(listener)]);
  assert.equal(listener.streams, 0, "the second tab opens no stream");
  assert.ok((await inked(listener, "cpu")) > 40, "the second tab has the samples from before it opened");
  await leader.close();
  await movesOn(listener);
  await becomes(listener, "live");
  assert.ok(listener.streams > 0, "now it streams itself");
});

test("a frozen tab does not keep the others from living", async (t) => {
  const frozen = await open(t);
  await becomes(frozen, "live");
  const other = await open(t);
  await becomes(other, "live");
  assert.equal(other.streams, 0);
  // To the other tabs a thread busy for nine seconds is what a frozen tab is: no word comes from it.
  await frozen.evaluate(() => {
    const until = performance.now() + 9_000;
    setTimeout(() => {
      while (performance.now() < until);
    });
  });
  await until("the other tab to take the lead", () => other.streams > 0 || other.streams);
  await movesOn(other);
  await becomes(frozen, "live", { seconds: 20 });
  await movesOn(frozen);
});

test("the request of a chart can be copied by keyboard, and works", async (t) => {
  const page = await open(t);
  await becomes(page, "live");
  const menu = page.locator("[data-chart=cpu-core] .copy");
  await menu.locator("summary").focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await until("the menu to say so", async () => (await menu.locator(".said").textContent()) === "Copied for curl");
  const run = async () => {
    const command = await page.evaluate(() => navigator.clipboard.readText());
    const PATH = `${path.dirname(executable)}:${process.env.PATH}`;
    return execFileSync("sh", ["-c", command], {
      encoding: "utf8",
      env: { ...process.env, PATH },
      stdio: ["ignore", "pipe", "ignore"],
    });
  };
  const answer = JSON.parse(await run());
  assert.ok(answer.series.length > 0 && answer.series.every(({ series }) => series.metricType === "cpu_core"));
  if (path.basename(executable) !== "vitals") return;
  await menu.getByRole("button", { name: "vitals" }).click();
  await until("the menu to say so", async () => (await menu.locator(".said").textContent()) === "Copied for vitals");
  assert.match(await run(), /cpu_core/);
});

test("over plain http from elsewhere, where browsers withhold locks and clipboard, it is live too", async (t) => {
  const origin = `http://vitals.test:${server.port}`;
  const address = `/hosts/${hostname}`;
  const pages = [await open(t, address, origin), await open(t, address, origin), await open(t, address, origin)];
  for (const page of pages) await becomes(page, "live");
  assert.equal(await pages[0].evaluate(() => isSecureContext), false);
  await Promise.all(pages.map((page) => movesOn(page, { seconds: 25 })));
  assert.deepEqual(
    pages.map((page) => page.streams),
    [0, 0, 0],
    "nobody counts the streams of all tabs, so there are none",
  );
  const menu = pages[0].locator("[data-chart=cpu-core] .copy");
  await menu.locator("summary").click();
  await menu.getByRole("button", { name: "curl", exact: true }).click();
  await until("the command to be there to copy", async () =>
    (await menu.locator("textarea").inputValue()).startsWith("curl "),
  );
});

test("colours, time zone and ranges can be chosen by keyboard, and the choice stays", async (t) => {
  const page = await open(t);
  await page.emulateMedia({ colorScheme: "light" });
  await becomes(page, "live");
  await page.keyboard.press("4");
  assert.deepEqual(rangeOf(page), { last: "6h" });
  await page.keyboard.press("ArrowLeft");
  assert.ok("from" in rangeOf(page));
  await page.keyboard.press("Escape");
  assert.deepEqual(rangeOf(page), { last: "6h" });
  await page.keyboard.press("?");
  assert.equal(await page.locator("#help").isVisible(), true);
  assert.deepEqual(await violations(page), []);
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#help").isVisible(), false);
  for (let i = 0; i < 2; i++) await page.locator("#theme").press("Enter");
  assert.equal((await look(page)).dark, true);
  await page.locator("#zone").press("Enter");
  await page.reload();
  await becomes(page, "live");
  assert.equal((await look(page)).dark, true);
  assert.equal(await text(page, "zone"), "UTC");
  await page.locator("#zone").press("Enter");
  await page.locator("#theme").press("Enter");
});

for (const width of [1440, 360]) {
  for (const colorScheme of ["light", "dark"]) {
    test(`${width} pixels wide, ${colorScheme}: all is there, and axe finds nothing`, async (t) => {
      const page = await open(t);
      await page.setViewportSize({ width, height: width === 360 ? 740 : 900 });
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await becomes(page, "live");
      await movesOn(page);
      assert.deepEqual(await look(page), { overflow: 0, dark: colorScheme === "dark", moving: 0 });
      assert.deepEqual(await violations(page), []);
      for (const metric of ["cpu", "memory", "disk"])
        assert.ok((await inked(page, metric)) > 20, `${metric} is drawn in its colour`);
    });
  }
}

test("axe finds nothing in a page that reconnects or shows an error", async (t) => {
  const wrong = await open(t, "/hosts/nobody");
  await becomes(wrong, "error");
  const page = await open(t);
  await becomes(page, "live");
  await server.kill();
  try {
    await becomes(page, "reconnecting");
    for (const colorScheme of ["light", "dark"]) {
      for (const tab of [wrong, page]) {
        await tab.emulateMedia({ colorScheme });
        await tab.setViewportSize({ width: 360, height: 740 });
        assert.deepEqual(await violations(tab), []);
        assert.equal((await look(tab)).overflow, 0);
      }
    }
  } finally {
    await server.start();
  }
  await becomes(page, "live");
});

test("nothing was complained of in any tab", () => {
  assert.deepEqual(complaints, []);
});

/** look tells how far the page is wider than its window, whether it is dark, and how much moves by itself. */
function look(page) {
  return page.evaluate(() => {
    const [red, green, blue] = getComputedStyle(document.documentElement).backgroundColor.match(/\d+/g).map(Number);
    return {
      overflow: Math.max(0, document.documentElement.scrollWidth - innerWidth),
      dark: red + green + blue < 384,
      moving: document.getAnimations().length,
    };
  });
}

/** violations returns what axe has against the page, one line each. */
async function violations(page) {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { violations } = await globalThis.axe.run();
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
  });
}
