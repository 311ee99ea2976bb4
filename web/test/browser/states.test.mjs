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
  report,
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
  await becomes(page, "live");
  await until(
    "the trace to be whole",
    async () => ((await inked(page, "memory")) > 20 && (await gap(page, "memory")) <= 4) || (await gap(page, "memory")),
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
    await becomes(page, "reconnecting");
  } finally {
    server.signal("SIGCONT");
  }
  await becomes(page, "live");
});

test("a host that is not known is an error that says what to do", async (t) => {
  const page = await open(t, "/hosts/browser-tset");
  await becomes(page, "error");
  const meaning = await text(page, "meaning");
  assert.match(meaning, /browser-tset/);
  assert.match(meaning, /address/);
  await until("the nearest host", async () => (await page.locator(".nothing").getByRole("link").count()) === 2);
  assert.match(await page.locator(".nothing").textContent(), /Did you mean browser-test/);
  assert.equal(await page.locator("#monitor").isVisible(), false, "no charts that wait for ever");
  assert.deepEqual(await violations(page), []);
  const other = await open(t, "/hosts/nosuch");
  await becomes(other, "error");
  await until("what there is instead", async () =>
    /There (is one host|are \d+ hosts)\./.test(await text(other, "main")),
  );
  await page.locator(".nothing").getByRole("link", { name: hostname }).click();
  await becomes(page, "live");
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

test("a server that is shut down says so before it goes, and the page comes back with the next one", async (t) => {
  const page = await open(t);
  await becomes(page, "live");
  await page.evaluate(() => {
    globalThis.said = [];
    const read = () => said.push(["word", "meaning"].map((id) => document.getElementById(id).textContent).join(": "));
    new MutationObserver(read).observe(document.querySelector(".pill"), {
      subtree: true,
      childList: true,
      characterData: true,
    });
  });
  await server.stop();
  await becomes(page, "reconnecting");
  await until("the last words of the server", async () => {
    const said = await page.evaluate(() => globalThis.said);
    return said.some((one) => /^Server stopping: .*stopping.* Trying again by itself\.$/.test(one)) || said;
  });
  await server.start();
  await becomes(page, "live");
});

test("a page that is not the server's own any more offers to be loaded again", async (t) => {
  const page = await open(t);
  await becomes(page, "live");
  await server.kill();
  await becomes(page, "reconnecting");
  await server.start();
  await becomes(page, "live");
  assert.equal(await page.locator(".renewed").count(), 0, "it is the same");
  // Of the next server only the page is another: its script has another hash.
  await page.route("**/", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({
      response: answer,
      body: (await answer.text()).replace(/vitals-\w+\.js/g, "vitals-ANOTHER1.js"),
    });
  });
  await server.kill();
  await becomes(page, "reconnecting");
  await server.start();
  await until("the offer", async () => (await page.locator(".renewed").count()) === 1);
  assert.match(await page.locator(".renewed").textContent(), /another version of this page/);
  assert.deepEqual(await violations(page), []);
  await page.unroute("**/");
  await page.getByRole("button", { name: "Reload" }).click();
  await until("the page anew", async () => (await page.locator(".renewed").count()) === 0);
  await becomes(page, "live");
});

test("a host that went silent is stale, and what it last said has its time", async (t) => {
  const agent = new Agent(executable, server, "agent-silent", folder);
  t.after(() => agent.stop());
  await until("the agent to report", async () =>
    execFileSync(executable, ["hosts", "--server", server.origin], { encoding: "utf8" }).includes("agent-silent"),
  );
  const page = await open(t, "/hosts/agent-silent");
  await becomes(page, "live");
  await movesOn(page);
  await agent.stop();
  await becomes(page, "stale");
  assert.match(await text(page, "meaning"), /connected, but no new sample of this host/);
  assert.match(await text(page, "detail"), /^Last sample .*, \d+ sec ago$/);
  assert.deepEqual(await violations(page), []);
  const fleet = await open(t, "/");
  await becomes(fleet, "live");
  const card = fleet.locator(".card").filter({ hasText: "agent-silent" });
  await until("its status in the list", async () => {
    const status = await card.locator(".status").textContent();
    return /^(Stale|Down) \d+ sec ago$/.test(status) || status;
  });
});

test("what is old when it comes is told to be, and a restart of the server does not forget a host that is down", async (t) => {
  const time = Date.now() / 1000 - 18 * 60;
  await report("long-dead", { time });
  const page = await open(t, "/hosts/long-dead");
  await becomes(page, "stale");
  await until("its age", async () => /, 18 min ago$/.test(await text(page, "detail")) || text(page, "detail"));
  await server.stop();
  await server.start();
  const anew = await open(t, "/hosts/long-dead");
  await becomes(anew, "down");
  assert.match(await text(anew, "meaning"), /^Down since .*\d:\d\d:\d\d/);
  assert.deepEqual(await violations(anew), []);
});

test("a question that is refused says why, whatever was drawn, and is asked again until it is answered", async (t) => {
  const page = await open(t);
  await becomes(page, "live");
  await until("the chart", async () => (await inked(page, "cpu")) > 20);
  const note = page.locator("[data-metric=cpu] .note");
  const says = (words) => until(words, async () => (await note.textContent()) === words || note.textContent());
  let answer = { status: 400, code: "invalid_argument", message: "the query would read too much" };
  await page.route("**/QueryRange", (route) => {
    const { status, code, message } = answer;
    return route.fulfill({ status, contentType: "application/json", body: JSON.stringify({ code, message }) });
  });
  await page.locator("[data-range='24h']").click();
  await says("The query would read too much.");
  assert.equal(await inked(page, "cpu"), 0, "nothing is left of the range before");
  // Too many at once is no word on the data either.
  answer = { status: 503, code: "unavailable", message: "too many questions" };
  await page.locator("[data-range='6h']").click();
  await says("Too many questions.");
  await page.unroute("**/QueryRange");
  await says("");
  await until("the chart again", async () => (await inked(page, "cpu")) > 0);
});

quiet();
