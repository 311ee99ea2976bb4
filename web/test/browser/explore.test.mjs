// Explore: completion, results and errors of PromQL.
import assert from "node:assert/strict";
import { test } from "node:test";
import { becomes, hostname, look, open, queryOf, quiet, until, violations } from "./harness.mjs";

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
    return page.getByRole("option", { name: /^memory_available/ }).isVisible();
  });
  await page.keyboard.press("Tab");
  assert.equal(await box.inputValue(), "memory_available");
  const offered = () => page.getByRole("option").locator("span:first-child").allTextContents();
  await box.pressSequentially(" + cpu_core{");
  await until("the labels of the metric", async () => (await offered()).join() === "core,hostname" || offered());
  await page.keyboard.press("Tab");
  await until("the values of the label", async () => (await offered())[0] === "0" || offered());
  await page.keyboard.press("Escape");
  await box.pressSequentially('0", ho');
  await page.keyboard.press("Tab");
  await until("the hosts", async () => (await offered()).join() === hostname || offered());
  await page.keyboard.press("Tab");
  assert.equal(await box.inputValue(), `memory_available + cpu_core{core="0", hostname="${hostname}"`);
  await box.fill("");
  await page.keyboard.press("Control+Space");
  await until(
    "the metrics, before a letter is typed",
    async () => (await offered())[0]?.startsWith("agent_") || offered(),
  );
  await box.pressSequentially("memory_available");
  await page.keyboard.type(" * 2");
  await page.keyboard.press("Enter");
  await until("the query in the address", async () => {
    const { query } = await queryOf(page);
    return query === "memory_available * 2" || query;
  });
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
  await box.fill("(cpu))");
  await page.keyboard.press("Enter");
  await until(
    "the bracket that is one too many",
    async () => (await page.locator(".wrong mark").textContent()) === ")",
  );
  assert.equal(await result.locator("tbody tr").count(), 0, "nothing is left of the result before");
});

quiet();
