// Settings, sizes, colours and what assistive technology finds.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  becomes,
  browser,
  inked,
  look,
  movesOn,
  open,
  queryBecomes,
  queryOf,
  quiet,
  text,
  until,
  violations,
} from "./harness.mjs";

test("colours, time zone and ranges can be chosen by keyboard, and the choice stays", async (t) => {
  const page = await open(t);
  await page.emulateMedia({ colorScheme: "light" });
  await becomes(page, "live");
  await page.keyboard.press("4");
  await queryBecomes(page, { last: "6h" });
  await page.keyboard.press("ArrowLeft");
  await until("a range in the address", async () => "from" in (await queryOf(page)));
  await page.keyboard.press("Escape");
  await queryBecomes(page, { last: "6h" });
  await page.keyboard.press("?");
  assert.equal(await page.locator("#help").isVisible(), true);
  assert.deepEqual(await violations(page), []);
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#help").isVisible(), false);
  await page.keyboard.press("s");
  const settings = page.locator("#settings");
  await settings.getByRole("radio", { name: "As the system" }).press("ArrowLeft");
  assert.equal((await look(page)).dark, true);
  assert.deepEqual((await look(page)).bars, ["dark"]);
  await settings.getByRole("radio", { name: "UTC" }).check();
  assert.deepEqual(await violations(page), []);
  await page.keyboard.press("Escape");
  assert.equal(await settings.isVisible(), false);
  await page.reload();
  await becomes(page, "live");
  assert.equal((await look(page)).dark, true);
  const told = /\d\d:\d\d/.exec(await text(page, "detail"))?.[0];
  const utc = (milliseconds) =>
    new Date(milliseconds)
      .toLocaleTimeString("en-US", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" })
      .slice(0, 5);
  assert.ok([utc(Date.now()), utc(Date.now() - 10_000)].includes(told), `${told} is the time in UTC`);
  await page.keyboard.press("s");
  await settings.getByRole("radio", { name: "Local" }).check();
  await settings.getByRole("radio", { name: "As the system" }).check();
  assert.deepEqual((await look(page)).bars, ["light"]);
});

test("the protocol can be chosen, takes hold at once, is remembered, and its costs are shown", async (t) => {
  const page = await open(t);
  const types = new Set();
  page.on("response", (response) => types.add(response.headers()["content-type"]));
  await becomes(page, "live");
  const listener = await open(t);
  await becomes(listener, "live");
  await page.bringToFront();
  await page.keyboard.press("s");
  const settings = page.locator("#settings");
  const row = (method, wire) => settings.locator("tbody tr").filter({ hasText: method }).filter({ hasText: wire });
  const expected = {
    "Connect JSON": ["application/json", "application/connect+json"],
    "gRPC-Web": ["application/grpc-web+proto"],
    "Connect binary": ["application/proto", "application/connect+proto"],
  };
  for (const [wire, wanted] of Object.entries(expected)) {
    types.clear();
    await settings.getByRole("radio", { name: wire }).check();
    await until(`calls over ${wire}`, () => wanted.every((type) => types.has(type)) || [...types]);
    await movesOn(page);
    for (const method of ["QueryRange", "Subscribe"])
      await until(`the cost of ${method} over ${wire}`, async () => {
        const cells = await row(method, wire).locator("td").allTextContents();
        const [, calls, last, sent, received, unpacked] = cells;
        const counted = [calls, last, sent, received, unpacked].every((cell) => /^[\d.,]*[1-9]/.test(cell ?? ""));
        // Connect's answers are packed on the way, and nothing else is.
        const packed = method === "QueryRange" && wire !== "gRPC-Web";
        return (counted && (received !== unpacked) === packed) || cells;
      });
  }
  assert.deepEqual(await violations(page), []);
  await settings.getByRole("radio", { name: "gRPC-Web" }).check();
  await page.keyboard.press("Escape");
  await movesOn(page);
  await movesOn(listener);
  await page.reload();
  types.clear();
  await becomes(page, "live");
  await until("calls as before", () => types.has("application/grpc-web+proto") || [...types]);
  await page.keyboard.press("s");
  assert.equal(await settings.getByRole("radio", { name: "gRPC-Web" }).isChecked(), true);
  await settings.getByRole("radio", { name: "Connect binary" }).check();
});

test("in both themes each chart is drawn in its colour", async (t) => {
  const page = await open(t);
  await becomes(page, "live");
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    for (const metric of ["cpu", "memory", "disk"])
      await until(`${metric} in ${colorScheme}`, async () => (await inked(page, metric)) > 20);
  }
});

test("the page can be installed, with icons for every place", async (t) => {
  const page = await open(t);
  const devtools = await browser.newCDPSession(page);
  const { installabilityErrors } = await devtools.send("Page.getInstallabilityErrors");
  // The test's own browser keeps its profile in a temporary folder, which it takes for a private one.
  assert.deepEqual(
    installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito"),
    [],
  );
  const { errors, data, url } = await devtools.send("Page.getAppManifest");
  assert.deepEqual(errors, []);
  const { icons } = JSON.parse(data);
  const sizes = await page.evaluate(
    async ([icons, base]) =>
      Promise.all(
        icons.map(async ({ src, purpose }) => {
          const image = new Image();
          image.src = new URL(src, base).href;
          await image.decode();
          return `${purpose} ${image.naturalWidth}x${image.naturalHeight}`;
        }),
      ),
    [icons.filter(({ type }) => type === "image/png"), url],
  );
  assert.deepEqual(sizes, ["any 192x192", "any 512x512", "maskable 512x512"]);
});

quiet();
