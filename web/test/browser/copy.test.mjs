// The requests of charts and tables, pasted into a shell.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import path from "node:path";
import { test } from "node:test";
import { becomes, executable, open, quiet, until } from "./harness.mjs";

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

quiet();
