// All hosts: the list, and what can be done with it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { Agent } from "../server.mjs";
import {
  becomes,
  executable,
  folder,
  hostname,
  look,
  open,
  quiet,
  rangeOf,
  server,
  text,
  until,
  violations,
} from "./harness.mjs";

test("a host alone needs no list", async (t) => {
  const page = await open(t, "/");
  await until("its own page", () => page.url().endsWith(`/hosts/${hostname}`) || page.url());
  await becomes(page, "live");
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

quiet();
