// The range of time: what a mouse, fingers and keys do to it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { becomes, drag, inked, open, quiet, rangeOf, until } from "./harness.mjs";

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

quiet();
