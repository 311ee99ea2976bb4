// What the page says when all is not well, and how it comes back.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent } from "../server.mjs";
import {
  becomes,
  executable,
  folder,
  gap,
  hostname,
  inked,
  look,
  movesOn,
  open,
  quiet,
  server,
  text,
  until,
  violations,
} from "./harness.mjs";

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

quiet();
