// Explore: completion, results and errors of PromQL.
import assert from "node:assert/strict";
import { test } from "node:test";
import { becomes, hostname, look, open, quiet, rangeOf, until, violations } from "./harness.mjs";

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

quiet();
