// Tabs that are many, hidden, frozen or from elsewhere.
import assert from "node:assert/strict";
import { test } from "node:test";
import { becomes, hostname, inked, movesOn, open, quiet, server, until } from "./harness.mjs";

test("of two tabs one streams and both are live; the other takes over when it closes", async (t) => {
  const leader = await open(t);
  await becomes(leader, "live");
  const listener = await open(t);
  await becomes(listener, "live");
  await Promise.all([movesOn(leader), movesOn(listener)]);
  assert.equal(listener.streams, 0, "the second tab opens no stream");
  await until("the samples from before the second tab", async () => (await inked(listener, "cpu")) > 40);
  await leader.close();
  await movesOn(listener);
  await becomes(listener, "live");
  await until("the second tab to stream itself", () => listener.streams > 0);
});

test("a frozen tab does not keep the others from living", async (t) => {
  const frozen = await open(t);
  await becomes(frozen, "live");
  const other = await open(t);
  await becomes(other, "live");
  assert.equal(other.streams, 0);
  // To the other tabs a thread busy for nine seconds is what a frozen tab is: no word comes from it.
  await frozen.evaluate(() => {
    const until = performance.now() + 9_000;
    setTimeout(() => {
      while (performance.now() < until);
    });
  });
  await until("the other tab to take the lead", () => other.streams > 0 || other.streams);
  await movesOn(other);
  await becomes(frozen, "live");
  await movesOn(frozen);
});

test("over plain http from elsewhere, where browsers withhold locks and clipboard, it is live too", async (t) => {
  const origin = `http://vitals.test:${server.port}`;
  const address = `/hosts/${hostname}`;
  const pages = [await open(t, address, origin), await open(t, address, origin), await open(t, address, origin)];
  for (const page of pages) await becomes(page, "live");
  assert.equal(await pages[0].evaluate(() => isSecureContext), false);
  await Promise.all(pages.map((page) => movesOn(page)));
  assert.deepEqual(
    pages.map((page) => page.streams),
    [0, 0, 0],
    "nobody counts the streams of all tabs, so there are none",
  );
  const menu = pages[0].locator("[data-chart=cpu-core] .copy");
  await menu.locator("summary").click();
  await menu.getByRole("button", { name: "curl", exact: true }).click();
  await until("the command to be there to copy", async () =>
    (await menu.locator("textarea").inputValue()).startsWith("curl "),
  );
});

quiet();
