// The range of time: what a mouse, fingers and keys do to it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { becomes, drag, hostname, inked, open, quiet, rangeOf, until } from "./harness.mjs";

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
});

/** spanOf returns how many seconds the range in the address is long. */
const spanOf = (page) => rangeOf(page).to - rangeOf(page).from;

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
  await until("a closer range", () => spanOf(page) < 480 || rangeOf(page));
  const at = (range) => Number(range.from) + spanOf(page) / 4;
  assert.ok(Math.abs(at(rangeOf(page)) - (from + 150)) < 3, "the time below the pointer stays where it is");
  const closer = spanOf(page);
  await page.keyboard.down("Alt");
  await page.mouse.wheel(0, 100);
  await page.keyboard.up("Alt");
  await until("a wider range", () => spanOf(page) > closer * 1.2 || rangeOf(page));
  const before = rangeOf(page);
  await page.mouse.move(middle, level);
  await page.mouse.wheel(60, 0);
  await until("a later range", () => Number(rangeOf(page).from) > Number(before.from) + 5 || rangeOf(page));
  const after = rangeOf(page);
  await page.mouse.wheel(0, 200);
  await until("the page to scroll", async () => (await page.evaluate(() => scrollY)) > 50);
  assert.deepEqual(rangeOf(page), after, "the wheel alone leaves the range alone");
});

test("a drag with shift pans, a double click leads back out, step by step", async (t) => {
  const { page, from, to } = await fixed(t);
  await drag(page, "[data-metric=cpu]", 0.25, 0.5);
  await until("a zoom", () => Math.abs(spanOf(page) - 150) < 15 || rangeOf(page));
  const zoomed = rangeOf(page);
  await page.keyboard.down("Shift");
  await drag(page, "[data-metric=memory]", 0.25, 0.5);
  await page.keyboard.up("Shift");
  await until("an earlier range", () => {
    const moved = Number(zoomed.from) - Number(rangeOf(page).from);
    return Math.abs(moved - spanOf(page) / 4) < spanOf(page) / 20 || rangeOf(page);
  });
  await page.locator("[data-metric=disk] .u-over").dblclick();
  await until("the range before", () => Math.abs(rangeOf(page).from - from) < 1 && Math.abs(rangeOf(page).to - to) < 1);
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
  const { middle, level } = await plotOf(page);
  await fingers(page, level, [middle - 60, middle + 60], [middle - 180, middle + 180]);
  await until("a closer range", () => Math.abs(spanOf(page) - 200) < 20 || rangeOf(page));
  assert.ok(Math.abs(Number(rangeOf(page).from) + 100 - (from + 300)) < 8, "around where the fingers are");
  const closer = rangeOf(page);
  await fingers(page, level, [middle - 60, middle + 60], [middle - 20, middle + 20]);
  await until("a wider range", () => spanOf(page) > 500 || rangeOf(page));
  const wider = rangeOf(page);
  await fingers(page, level, [middle - 60, middle + 60], [middle + 40, middle + 160]);
  await until("an earlier range", () => Number(rangeOf(page).from) < Number(wider.from) - 20 || rangeOf(page));
  assert.ok(Math.abs(spanOf(page) - (wider.to - wider.from)) < 5, "as long as before");
  assert.notDeepEqual(rangeOf(page), closer);
  const after = rangeOf(page);
  const devtools = await page.context().newCDPSession(page);
  const touch = (type, ...touchPoints) => devtools.send("Input.dispatchTouchEvent", { type, touchPoints });
  await touch("touchStart", { x: middle, y: level + 200 });
  for (let y = level + 180; y >= level; y -= 20) await touch("touchMove", { x: middle, y });
  await touch("touchEnd");
  await until("the page to scroll", async () => (await page.evaluate(() => scrollY)) > 50);
  assert.deepEqual(rangeOf(page), after);
});

test("the arrow keys move a range, and Escape leads back from it", async (t) => {
  const { page, from } = await fixed(t);
  await page.keyboard.press("ArrowLeft");
  assert.equal(Number(rangeOf(page).from), from - 150);
  await page.keyboard.press("ArrowRight");
  assert.equal(Number(rangeOf(page).from), from);
  await page.keyboard.press("2");
  assert.deepEqual(rangeOf(page), {});
  await page.keyboard.press("1");
  assert.deepEqual(rangeOf(page), { last: "5m" });
});

quiet();
