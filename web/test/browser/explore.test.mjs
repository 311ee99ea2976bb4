// Explore: completion, results and errors of PromQL.
import assert from "node:assert/strict";
import { test } from "node:test";
import { becomes, hostname, look, open, queryBecomes, queryOf, quiet, until, violations } from "./harness.mjs";

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

/** boxOf opens explore with a query and waits for its result. */
async function boxOf(t, query) {
  const page = await open(t, `/explore?query=${encodeURIComponent(query)}`);
  await becomes(page, "live");
  await answered(page);
  const box = page.getByRole("textbox", { name: "PromQL expression" });
  const run = async (text) => {
    await box.fill(text);
    await box.press("Enter");
  };
  return { page, box, run };
}

const answered = (page) => until("a result", async () => (await page.locator("#result tbody tr").count()) > 0);

test("a completion is for where it was offered", async (t) => {
  const { page, box } = await boxOf(t, "cpu");
  await until("an offer", async () => {
    await box.fill("");
    await box.pressSequentially("cpu + memo");
    return page
      .getByRole("option", { name: /^memory/ })
      .first()
      .isVisible();
  });
  for (let i = 0; i < 7; i++) await box.press("ArrowLeft");
  await until("no offers", async () => (await page.locator("#offers li").count()) === 0);
  await box.press("Tab");
  assert.equal(await box.inputValue(), "cpu + memo");
});

test("back leads to the query before, and the same query again is no entry", async (t) => {
  const { page, box, run } = await boxOf(t, "cpu");
  const entries = () => page.evaluate(() => history.length);
  const before = await entries();
  await box.press("Enter");
  await run("memory");
  await queryBecomes(page, { query: "memory" });
  assert.equal(await entries(), before + 1);
  await page.goBack();
  await queryBecomes(page, { query: "cpu" });
  await until("the box", async () => (await box.inputValue()) === "cpu" || box.inputValue());
  await until("its result", async () => /^cpu/.test(await page.locator("#result tbody th").first().textContent()));
  const bare = await open(t, "/explore");
  await becomes(bare, "live");
  await answered(bare);
  const began = (await queryOf(bare)).query;
  const other = bare.getByRole("textbox", { name: "PromQL expression" });
  await other.fill("load1");
  await other.press("Enter");
  await queryBecomes(bare, { query: "load1" });
  await bare.goBack();
  await until("what it began with", async () => (await other.inputValue()) === began || other.inputValue());
});

test("any query that had an answer can be picked again, and none that was refused", async (t) => {
  const { page, box, run } = await boxOf(t, "cpu * 3");
  await run("cpu *");
  await until("the refusal", async () => (await page.locator(".wrong p").count()) === 1);
  const past = page.locator(".past select");
  const kept = await past.locator("option").allTextContents();
  assert.ok(kept.includes("cpu * 3") && !kept.includes("cpu *"), kept.join());
  for (let i = 0; i < 2; i++) {
    await box.fill("");
    await past.selectOption("cpu * 3");
    await until("the query in the box", async () => (await box.inputValue()) === "cpu * 3");
  }
  await answered(page);
});

test("what is left of another query does not stand for one that had no answer", async (t) => {
  const { page, run } = await boxOf(t, "cpu");
  await page.route("**/QueryPromQL", (route) => route.abort());
  await run("memory");
  await until("no result", async () => (await page.locator("#result tbody tr").count()) === 0);
  assert.match(await page.locator(".wrong").textContent(), /does not answer/);
  await page.unroute("**/QueryPromQL");
  await until("its own", async () =>
    /^memory/.test((await page.locator("#result tbody th").allTextContents())[0] ?? ""),
  );
});

test("points that are far apart may have no value, and what has one is offered", async (t) => {
  const now = Math.floor(Date.now() / 1000);
  const page = await open(t, `/explore?query=cpu&from=${now - 10 * 365 * 86_400}&to=${now + 40 * 86_400}`);
  await until("the hint", async () => /5 minutes before it/.test(await page.locator(".hint").allTextContents()));
  assert.deepEqual(await violations(page), []);
  await page.locator(".hint button").filter({ hasText: "avg_over_time" }).click();
  await answered(page);
  assert.match((await queryOf(page)).query, /^avg_over_time\(cpu\[\d+s\]\)$/);
});

quiet();
