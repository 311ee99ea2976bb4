// The range of time: what a mouse, fingers and keys do to it.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  becomes,
  blank,
  drag,
  gap,
  hostname,
  inked,
  open,
  queryBecomes,
  queryOf,
  quiet,
  report,
  until,
} from "./harness.mjs";

test("history is there on load, and a drag zooms all charts, by an address that reload keeps", async (t) => {
  const page = await open(t);
  await becomes(page, "live");
  await until("history from before the page", async () => (await inked(page, "cpu")) > 40);
  await drag(page, "[data-metric=cpu]", 0.91, 0.999);
  await until("a range in the address", async () => "from" in (await queryOf(page)));
  const { from, to } = await queryOf(page);
  assert.ok(Math.abs(to - from - 81) < 15, `9 % of 15 minutes: ${to - from} s`);
  await until(
    "the other charts to follow",
    async () => (await inked(page, "memory")) > 60 || (await inked(page, "memory")),
  );
  await page.reload();
  await becomes(page, "live");
  await queryBecomes(page, { from, to });
  await page.goBack();
  await queryBecomes(page, {});
  await page.goForward();
  await queryBecomes(page, { from, to });
  await page.locator("[data-metric=cpu] .u-over").dblclick();
  await queryBecomes(page, {});
  await page.locator("[data-range='6h']").click();
  await queryBecomes(page, { last: "6h" });
  await page.locator("[data-range='6h'][aria-pressed=true]").waitFor();
});

/** rangeOf returns the range in the address of a page, in seconds, and how long it is. */
async function rangeOf(page) {
  const { from, to } = await queryOf(page);
  return { from: Number(from), to: Number(to), span: to - from };
}

/** rangeBecomes waits until the range in the address is as wanted, and returns it. */
async function rangeBecomes(page, what, wanted) {
  let range;
  await until(what, async () => {
    range = await rangeOf(page);
    return wanted(range) || range;
  });
  return range;
}

/** plotOf returns where the chart of the processor stands, and its middle. */
async function plotOf(page) {
  const box = await page.locator("[data-metric=cpu] .u-over").boundingBox();
  return { ...box, middle: box.x + box.width / 2, level: box.y + box.height / 2 };
}

/** fixed opens a host over ten minutes that are past, and waits until they are drawn. */
async function fixed(t) {
  const to = Math.floor(Date.now() / 1000) - 5;
  const page = await open(t, `/hosts/${hostname}?from=${to - 600}&to=${to}`);
  await becomes(page, "live");
  await until("the chart", async () => (await page.locator("[data-metric=cpu] .u-over").count()) === 1);
  return { page, from: to - 600, to };
}

test("a wheel zooms around the pointer, and sideways it pans; alone it scrolls the page", async (t) => {
  const { page, from } = await fixed(t);
  const { x, width, level, middle } = await plotOf(page);
  const quarter = x + width / 4;
  await page.mouse.move(quarter, level);
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -100);
  await page.keyboard.up("Control");
  const closer = await rangeBecomes(page, "a closer range", ({ span }) => span < 480);
  const below = closer.from + closer.span / 4;
  assert.ok(Math.abs(below - (from + 150)) < 3, "the time below the pointer stays where it is");
  await page.keyboard.down("Alt");
  await page.mouse.wheel(0, 100);
  await page.keyboard.up("Alt");
  const wider = await rangeBecomes(page, "a wider range", ({ span }) => span > closer.span * 1.2);
  await page.mouse.move(middle, level);
  await page.mouse.wheel(60, 0);
  const later = await rangeBecomes(page, "a later range", (range) => range.from > wider.from + 5);
  await page.mouse.wheel(0, 200);
  await until("the page to scroll", async () => (await page.evaluate(() => scrollY)) > 50);
  assert.deepEqual(await rangeOf(page), later, "the wheel alone leaves the range alone");
});

test("a drag with shift pans, a double click leads back out, step by step", async (t) => {
  const { page, from, to } = await fixed(t);
  await drag(page, "[data-metric=cpu]", 0.25, 0.5);
  const zoomed = await rangeBecomes(page, "a zoom", ({ span }) => Math.abs(span - 150) < 15);
  await page.keyboard.down("Shift");
  await drag(page, "[data-metric=memory]", 0.25, 0.5);
  await page.keyboard.up("Shift");
  await rangeBecomes(
    page,
    "an earlier range",
    (range) => Math.abs(zoomed.from - range.from - range.span / 4) < range.span / 20,
  );
  await page.locator("[data-metric=disk] .u-over").dblclick();
  await rangeBecomes(
    page,
    "the range before",
    (range) => Math.abs(range.from - from) < 1 && Math.abs(range.to - to) < 1,
  );
});

/** fingers begins a touch by two fingers at x, moves them in steps to other places, and lifts them. */
async function fingers(page, y, start, end) {
  const devtools = await page.context().newCDPSession(page);
  const touch = (type, xs) =>
    devtools.send("Input.dispatchTouchEvent", { type, touchPoints: xs.map((x, id) => ({ x, y, id })) });
  await touch("touchStart", start);
  for (let step = 1; step <= 5; step++)
    await touch(
      "touchMove",
      start.map((x, i) => x + ((end[i] - x) * step) / 5),
    );
  await touch("touchEnd", []);
}

test("two fingers zoom and pan a chart, and one finger scrolls the page", async (t) => {
  const { page, from } = await fixed(t);
  const { width, middle, level } = await plotOf(page);
  await fingers(page, level, [middle - 60, middle + 60], [middle - 180, middle + 180]);
  const closer = await rangeBecomes(page, "a closer range", ({ span }) => Math.abs(span - 200) < 20);
  assert.ok(Math.abs(closer.from + 100 - (from + 300)) < 8, "around where the fingers are");
  await fingers(page, level, [middle - 60, middle + 60], [middle - 20, middle + 20]);
  const wider = await rangeBecomes(page, "a wider range", ({ span }) => span > 500);
  await fingers(page, level, [middle - 60, middle + 60], [middle + 40, middle + 160]);
  const by = (100 / width) * wider.span;
  const earlier = await rangeBecomes(page, "an earlier range", (range) => Math.abs(wider.from - range.from - by) < 5);
  assert.ok(Math.abs(earlier.span - wider.span) < 5, "as long as before");
  const devtools = await page.context().newCDPSession(page);
  const touch = (type, ...touchPoints) => devtools.send("Input.dispatchTouchEvent", { type, touchPoints });
  await touch("touchStart", { x: middle, y: level + 200 });
  for (let y = level + 180; y >= level; y -= 20) await touch("touchMove", { x: middle, y });
  await touch("touchEnd");
  await until("the page to scroll", async () => (await page.evaluate(() => scrollY)) > 50);
  assert.deepEqual(await rangeOf(page), earlier);
});

test("one finger sideways moves through time, and after a rest marks a range", async (t) => {
  const { page, from } = await fixed(t);
  const { width, middle, level } = await plotOf(page);
  await fingers(page, level, [middle], [middle + 100]);
  const by = (100 / width) * 600;
  const earlier = await rangeBecomes(page, "an earlier range", (range) => Math.abs(from - range.from - by) < 5);
  assert.ok(Math.abs(earlier.span - 600) < 1, "as long as before");
  const devtools = await page.context().newCDPSession(page);
  const touch = (type, ...touchPoints) => devtools.send("Input.dispatchTouchEvent", { type, touchPoints });
  const marked = () => page.locator("[data-metric=cpu] .u-select").evaluate((mark) => mark.clientWidth);
  await touch("touchStart", { x: middle, y: level });
  await until("the rest to be noticed", async () => (await marked()) > 0);
  for (let x = middle; x <= middle + 120; x += 20) await touch("touchMove", { x, y: level });
  await until("the mark to follow", async () => Math.abs((await marked()) - 120) < 3 || marked());
  await touch("touchEnd");
  await rangeBecomes(page, "what was marked", ({ span }) => Math.abs(span - (120 / width) * 600) < 5);
  assert.equal(await marked(), 0);
});

test("the arrow keys move a range, and Escape leads back from it", async (t) => {
  const { page, from } = await fixed(t);
  await page.keyboard.press("ArrowLeft");
  await rangeBecomes(page, "the range a quarter earlier", (range) => range.from === from - 150);
  await page.keyboard.press("ArrowRight");
  await rangeBecomes(page, "the range as it was", (range) => range.from === from);
  await page.keyboard.press("2");
  await queryBecomes(page, {});
  await page.keyboard.press("1");
  await queryBecomes(page, { last: "5m" });
});

test("the arrow keys scroll the table that has the keyboard, and leave the range alone", async (t) => {
  const { page, from } = await fixed(t);
  const values = page.locator("[data-chart=cpu-mode] .values");
  await values.locator("table").evaluate((table) => (table.style.width = "2000px"));
  await values.focus();
  await page.keyboard.press("ArrowRight");
  await until("the table to scroll", async () => (await values.evaluate(({ scrollLeft }) => scrollLeft)) > 0);
  assert.equal((await rangeOf(page)).from, from);
});

test("the browser's back and Escape agree on where they lead", async (t) => {
  const page = await open(t);
  await becomes(page, "live");
  await until("the chart", async () => (await inked(page, "cpu")) > 20);
  await drag(page, "[data-metric=cpu]", 0.5, 0.999);
  const once = await rangeBecomes(page, "a zoom", ({ span }) => span > 60);
  await drag(page, "[data-metric=cpu]", 0.5, 0.8);
  await rangeBecomes(page, "a closer one", ({ span }) => span < once.span / 2);
  await page.goBack();
  await rangeBecomes(page, "the first zoom", (range) => range.from === once.from);
  await page.keyboard.press("Escape");
  await queryBecomes(page, {});
});

test("a wheel leads out of live time by an entry, and what changes nothing adds none", async (t) => {
  const page = await open(t);
  await becomes(page, "live");
  await until("the chart", async () => (await page.locator("[data-metric=cpu] .u-over").count()) === 1);
  const entries = () => page.evaluate(() => history.length);
  const before = await entries();
  await page.locator("[data-range='15m']").click();
  await page.locator("[data-metric=cpu] .u-over").dblclick();
  const { middle, level } = await plotOf(page);
  await page.mouse.move(middle, level);
  await page.keyboard.down("Control");
  for (let i = 0; i < 3; i++) await page.mouse.wheel(0, -100);
  await page.keyboard.up("Control");
  await rangeBecomes(page, "a closer range", ({ span }) => span < 400);
  assert.equal(await entries(), before + 1);
  await page.goBack();
  await queryBecomes(page, {});
  assert.match(page.url(), /\/hosts\//);
});

test("the arrow keys go by the server's clock", async (t) => {
  const page = await open(t, "/explore");
  await page.addInitScript(() => {
    const { now } = Date;
    Date.now = () => now() + 3 * 3_600_000;
  });
  await page.goto(new URL(`/hosts/${hostname}`, page.url()).href);
  await becomes(page, "live");
  await page.keyboard.press("ArrowLeft");
  const { to } = await rangeBecomes(page, "a range", ({ span }) => span > 800);
  assert.ok(Math.abs(Date.now() / 1000 - 225 - to) < 30, `${to - Date.now() / 1000} s from now`);
});

test("between two samples the line goes through, from edge to edge", async (t) => {
  const now = Math.floor(Date.now() / 1000);
  const times = Array.from({ length: 20 }, (_, i) => now - 900 + 30 * i);
  await report("seldom", ...times.map((time, i) => ({ value: 40 + i, time })));
  const page = await open(t, `/hosts/seldom?from=${times[10] + 5}&to=${times[10] + 25}`);
  await until("the line", async () => (await inked(page, "cpu")) > 100 || (await inked(page, "cpu")));
  await until("all of it", async () => {
    const seen = [await blank(page, "cpu"), await gap(page, "cpu")];
    return seen.every((pixels) => pixels >= 0 && pixels < 5) || seen;
  });
  assert.equal(await page.locator("[data-metric=cpu] .note").isVisible(), false);
  const apart = await open(t, `/hosts/seldom?from=${times[19] + 230}&to=${times[19] + 250}`);
  await until(
    "the note",
    async () => (await apart.locator("[data-metric=cpu] .note").textContent()) === "No data in this range.",
  );
});

test("what an address asks for in vain is shown as near as can be", async (t) => {
  for (const query of ["?from=1&to=1e300", "?from=0&to=99999999999999", "?from=1000&to=1000.0000001"]) {
    const page = await open(t, `/hosts/${hostname}${query}`);
    await until(`the note of ${query}`, async () =>
      /No data/.test(await page.locator("[data-metric=cpu] .note").textContent()),
    );
    assert.match(await page.locator(".window").textContent(), /\d/);
    await page.goto(new URL(`/explore${query}&query=cpu`, page.url()).href);
    await until(`explore with ${query}`, async () =>
      /No series/.test(await page.locator(".told").first().textContent()),
    );
  }
});

quiet();
