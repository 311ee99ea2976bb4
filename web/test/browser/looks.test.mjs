// What values, names and charts look like where they are out of the ordinary.
import assert from "node:assert/strict";
import { test } from "node:test";
import { becomes, hostname, open, quiet, server, until } from "./harness.mjs";

/** report sends samples of a host, as a script would. */
async function report(host, samples) {
  const headers = { "Content-Type": "application/json" };
  const address = `${server.origin}/monitoring.v1.IngestService/ReportBatch`;
  const answer = await fetch(address, { method: "POST", headers, body: JSON.stringify({ hostname: host, samples }) });
  assert.equal(answer.status, 200, await answer.text());
}

/** reporting sends the same samples every second until the test ends. */
async function reporting(t, host, samples) {
  await report(host, samples);
  const timer = setInterval(() => void report(host, samples).catch(() => undefined), 1_000);
  t.after(() => clearInterval(timer));
}

/**
 * painted counts the pixels of a chart that are not empty, or only those of a colour.
 *
 * @param from where to begin, in pixels to the right of what is drawn over time; less than 0: within it
 */
function painted(page, place, { from, width, colour = "" }) {
  return page.locator(place).evaluate(
    (place, { from, width, colour }) => {
      const canvas = place.querySelector("canvas");
      if (canvas === null) return 0;
      const over = place.querySelector(".u-over").getBoundingClientRect();
      const box = canvas.getBoundingClientRect();
      const scale = canvas.width / box.width;
      const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
      copy.drawImage(canvas, 0, 0);
      const left = Math.round((over.right - box.left + from) * scale);
      const { data } = copy.getImageData(left, 0, Math.round(width * scale), canvas.height);
      const hex = getComputedStyle(place).getPropertyValue(colour).trim();
      const want = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
      let count = 0;
      for (let i = 0; i < data.length; i += 4)
        if (
          colour === "" ? data[i + 3] > 0 : data[i + 3] > 128 && want.every((c, k) => Math.abs(data[i + k] - c) < 8) // what stands back is thin
        )
          count++;
      return count;
    },
    { from, width, colour },
  );
}

test("beside an empty chart stands no scale, and the newest value is marked where it is live only", async (t) => {
  const live = await open(t);
  await becomes(live, "live");
  const cpu = "[data-metric=cpu] .plot";
  await until("numbers beside the chart", async () => (await painted(live, cpu, { from: 8, width: 50 })) > 20);
  await until("the mark at its end", async () => (await painted(live, cpu, { from: 4, width: 3 })) > 10);
  const empty = await open(t, `/hosts/${hostname}?from=1000000000&to=1000000600`);
  await until("the note", async () => (await empty.locator(`${cpu} .note`).textContent()) !== "");
  await until("no number", async () => (await painted(empty, cpu, { from: 8, width: 50 })) === 0);
  const day = await open(t, `/hosts/${hostname}?last=24h`);
  await until("numbers beside the day", async () => (await painted(day, cpu, { from: 8, width: 50 })) > 20);
  await until("no mark", async () => (await painted(day, cpu, { from: 4, width: 3 })) === 0);
});

test("what a chart shows is said by its day where the range is long", async (t) => {
  const page = await open(t, `/hosts/${hostname}?last=30d`);
  const plot = page.locator("[data-metric=cpu] .plot");
  await until("the label", async () => {
    const label = await plot.getAttribute("aria-label");
    return /^CPU, [A-Z][a-z]{2} \d+, .*: [\d.]+ % to [\d.]+ %$/.test(label) || label;
  });
});

test("a name stays in sight beside values and units of any length", async (t) => {
  const unit = "furlongs per fortnight, measured with care";
  await reporting(t, "odd", [
    { metricType: "huge", value: 1e300 },
    { metricType: "long", value: 123_456.5, unit },
    { metricType: "small", value: 0.0004, unit: "seconds" },
    { metricType: "told", value: 1, unit: "jobs", help: "How many jobs wait for a worker that takes them up." },
  ]);
  const page = await open(t, "/hosts/odd");
  await becomes(page, "live");
  for (const width of [1440, 360]) {
    await page.setViewportSize({ width, height: 800 });
    for (const [name, want] of [
      ["huge", /1E300/],
      ["long", /123,457 furlongs/],
      ["small", /400 µs/],
    ]) {
      const panel = page.locator(`[data-chart=custom-${name}]`);
      await until(`the panel of ${name}`, async () => (await panel.count()) === 1);
      await panel.scrollIntoViewIfNeeded();
      await until(`${name} at ${width}`, async () => {
        if ((await panel.locator("tbody tr").count()) !== 1) return "no row";
        const seen = await panel.locator("tbody tr").evaluate((row) => ({
          text: row.textContent,
          name: row.firstElementChild.clientWidth,
          over: row.closest(".values").scrollWidth - row.closest(".values").clientWidth,
        }));
        return (want.test(seen.text) && seen.name > 60 && seen.over <= 0) || seen;
      });
    }
    const help = page.locator("[data-chart=custom-told] .help");
    await until(`the help at ${width}`, async () => {
      if ((await help.count()) !== 1) return "no help";
      const seen = await help.evaluate((help) => ({
        text: help.textContent,
        hidden: help.scrollHeight - help.clientHeight + help.scrollWidth - help.clientWidth,
        height: help.clientHeight,
      }));
      return (/takes them up/.test(seen.text) && seen.hidden <= 1 && seen.height > 10) || seen;
    });
  }
});

test("series of one colour differ in their dashes, and a row sets its series off", async (t) => {
  const many = Array.from({ length: 20 }, (_, i) => ({ metricType: "many", value: i, labels: { shard: `s${i}` } }));
  await reporting(t, "shards", many);
  const page = await open(t, "/hosts/shards?last=5m");
  await becomes(page, "live");
  const panel = page.locator("[data-chart=custom-many]");
  await until("the panel", async () => (await panel.count()) === 1);
  await panel.scrollIntoViewIfNeeded();
  const names = () => panel.locator("tbody th").allTextContents();
  await until("its rows", async () => (await names()).join() === many.map((_, i) => `s${i}`).join() || names());
  const dashes = await panel
    .locator(".swatch")
    .evaluateAll((all) => all.map(({ dataset }) => `${dataset.colour} ${dataset.dash}`));
  assert.equal(new Set(dashes).size, 20, dashes.join(", "));
  // The first two are drawn whole, and their lines are of their colours.
  const plot = "[data-chart=custom-many] .plot";
  const inked = (i) => painted(page, plot, { from: -200, width: 200, colour: `--c${i}` });
  await until("both lines", async () => (await inked(0)) > 4 && (await inked(1)) > 4);
  const alone = async (what, shown, hidden) =>
    until(what, async () => {
      const seen = [await inked(shown), await inked(hidden)];
      return (seen[0] > 4 && seen[1] === 0) || seen;
    });
  await panel.locator("tbody tr").nth(1).hover();
  await alone("the line of the row below the mouse", 1, 0);
  await page.mouse.move(1, 1);
  await until("both lines again", async () => (await inked(0)) > 4 && (await inked(1)) > 4);
  await panel.locator(".values").focus();
  await page.keyboard.press("ArrowDown");
  await alone("the line of the row with the keyboard", 0, 1);
  await page.keyboard.press("ArrowDown");
  await alone("the next one", 1, 0);
});

test("what is read out of a query's result is what changes only with it", async (t) => {
  const page = await open(t, "/explore?query=cpu");
  await until("the result", async () => /\d ms$/.test((await page.locator(".told").first().textContent()).trim()));
  for (const told of await page.locator("[role=status]").allTextContents()) assert.doesNotMatch(told, /\d ms/);
});

test("with the reader's own colours the range is told, and so is the status", async (t) => {
  const page = await open(t);
  await becomes(page, "live");
  await page.emulateMedia({ forcedColors: "active" });
  const ground = (place) =>
    page
      .locator(place)
      .first()
      .evaluate((at) => getComputedStyle(at).backgroundColor);
  assert.notEqual(await ground("[aria-pressed=true]"), await ground("[aria-pressed=false]"));
  assert.equal(await ground(".dot"), "rgb(0, 0, 0)");
});

test("a finger finds what it presses", async (t) => {
  const page = await open(t);
  await page.setViewportSize({ width: 360, height: 740 });
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Emulation.setTouchEmulationEnabled", { enabled: true, maxTouchPoints: 1 });
  await becomes(page, "live");
  await until("a coarse pointer", () => page.evaluate(() => matchMedia("(pointer: coarse)").matches));
  for (const place of [".brand", "#explore", "#show-help", "[data-range='1h']", "[data-metric=cpu] summary"]) {
    const reach = await page.locator(place).evaluate((at) => {
      at.scrollIntoView({ block: "center" });
      const { left, top, width, height } = at.getBoundingClientRect();
      const hit = (y) => at.contains(document.elementFromPoint(left + width / 2, y));
      let reach = 0;
      for (let y = top + height / 2 - 40; y < top + height / 2 + 40; y++) if (hit(y)) reach++;
      return reach;
    });
    assert.ok(reach >= 40, `${place} is ${reach} pixels high to a finger`);
  }
});

quiet();
