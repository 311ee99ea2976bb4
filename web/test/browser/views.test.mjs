// Every view, in light and dark, wide, on a tablet and on a phone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { becomes, hostname, look, open, quiet, until, violations } from "./harness.mjs";

const widths = [
  [1440, 900],
  [768, 1024],
  [360, 740],
];

/** fits checks that a page is whole at every width and that axe finds nothing, in both themes, with what act opens. */
async function fits(page, act = async () => {}) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const [width, height] of widths) {
      await page.setViewportSize({ width, height });
      // The beat of a sample that came before may still be under way.
      const want = JSON.stringify({ overflow: 0, dark: colorScheme === "dark", bars: [colorScheme], moving: 0 });
      await until(`${page.url()} to fit ${width} pixels, ${colorScheme}`, async () => {
        const seen = JSON.stringify(await look(page));
        return seen === want || seen;
      });
    }
    await act();
    const [width, height] = colorScheme === "light" ? widths[0] : widths[2];
    await page.setViewportSize({ width, height });
    assert.deepEqual(await violations(page), [], `${page.url()} ${width} pixels wide, ${colorScheme}`);
    await page.keyboard.press("Escape");
  }
}

const shows = (page, place, want) =>
  until(`${want} in ${place}`, async () => {
    const all = await page.locator(place).allTextContents();
    return all.some((one) => want.test(one)) || all;
  });

test("the list fits, as a table, as a grid and with its menus", async (t) => {
  const page = await open(t, "/?sort=name");
  await becomes(page, "live");
  await shows(page, ".card .reading", /\d %/);
  await fits(page, () => page.locator(".copy summary").press("Enter"));
  const grid = await open(t, "/?view=grid");
  await becomes(grid, "live");
  await shows(grid, ".card .reading", /\d %/);
  await fits(grid, () => grid.keyboard.press("?"));
});

test("a host fits, with its charts, a range that is past, and the settings", async (t) => {
  const page = await open(t, `/hosts/${hostname}`);
  await becomes(page, "live");
  await shows(page, "td.at", /\d/);
  await fits(page, async () => {
    await page.keyboard.press("s");
    await shows(page, "#settings td", /Connect/);
  });
  const past = await open(t, `/hosts/${hostname}?from=1000000000&to=1000003600`);
  await becomes(past, "live");
  await shows(past, ".note", /No data in this range/);
  assert.match(await past.locator(".window").textContent(), /2001/);
  await fits(past);
  const unknown = await open(t, "/hosts/nope");
  await becomes(unknown, "error");
  await shows(unknown, ".nothing", /There (is one host|are \d+ hosts)\./);
  await fits(unknown);
});

test("explore fits, with a result, with completions, without a result and with an error", async (t) => {
  const page = await open(t, `/explore?query=${encodeURIComponent("cpu_mode")}`);
  await becomes(page, "live");
  await shows(page, "#result tbody th", /cpu_mode/);
  const box = page.getByRole("textbox", { name: "PromQL expression" });
  await fits(page, async () => {
    await box.fill("");
    await box.pressSequentially("memory_");
    await shows(page, "#offers", /memory_total/);
  });
  await box.fill("cpu > 1000");
  await box.press("Enter");
  await shows(page, ".told", /No series in this range/);
  await fits(page);
  await box.fill("rate(cpu)");
  await box.press("Enter");
  await shows(page, ".wrong p", /expected type range vector/);
  assert.equal(await page.locator(".wrong mark").textContent(), "cpu");
  await fits(page);
});

test("the keyboard reaches all that the mouse does", async (t) => {
  const page = await open(t, `/explore?query=cpu`);
  await becomes(page, "live");
  await shows(page, "#result tbody th", /cpu/);
  /** What Tab stops at, in its order. */
  const stops = [];
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const { activeElement: at } = document;
      if (at === null || at === document.body) return "";
      const outlined = getComputedStyle(at).outlineStyle !== "none" && at.matches(":focus-visible");
      return `${at.getAttribute("aria-label") ?? at.textContent.trim()}${outlined ? "" : " (not seen)"}`;
    });
    if (stop === "" || stops.includes(stop)) break;
    stops.push(stop);
  }
  for (const want of ["Explore", "Settings", "Help", "5m", "30d", "PromQL expression", "Run", "Earlier queries"])
    assert.ok(stops.includes(want), `${want} among ${stops.join(", ")}`);
  for (const want of [/request of this chart/, /request of this table/, /^Values$/])
    assert.ok(
      stops.some((stop) => want.test(stop)),
      `${want} among ${stops.join(", ")}`,
    );
  assert.deepEqual(
    stops.filter((stop) => stop.endsWith("(not seen)")),
    [],
  );
});

quiet();
