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
  queryBecomes,
  report,
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
  await queryBecomes(page, { q: "ROLE=te" });
  await page.reload();
  await listed(["agent-test"]);
  await page.locator(".filter").fill("down");
  await listed([]);
  assert.match(await page.locator(".count").textContent(), /No host fits/);
  await page.locator(".filter").fill("");
  await page.locator("select").selectOption("cpu");
  await page.getByRole("button", { name: "Grid" }).click();
  await queryBecomes(page, { sort: "cpu", view: "grid" });
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
  await listed(["agent-test", hostname]);
  await page.keyboard.press("Escape");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await until("the host's page", () => page.url().endsWith("/hosts/agent-test") || page.url());
  await becomes(page, "live");
  await page.keyboard.press("g");
  await page.keyboard.press("h");
  await until("the list again", () => new URL(page.url()).pathname === "/" || page.url());
});

/** many lets 80 hosts report, and returns their names. */
async function many() {
  const all = Array.from({ length: 80 }, (_, i) => `many-${String(i).padStart(2, "0")}`);
  for (const host of all) await report(host, {});
  return all;
}

test("of many hosts those in sight are drawn, in order, and the keyboard stays on its host", async (t) => {
  const all = await many();
  const page = await open(t, "/?q=many-");
  await until("the list", async () => (await text(page, "main")).includes("80 of"));
  const drawn = () => page.locator(".card .name").allTextContents();
  const focused = () => page.evaluate(() => document.activeElement.textContent);
  const inOrder = async () => {
    const seen = await drawn();
    const from = all.indexOf(seen[0]);
    return seen.length < 40 && (seen.join() === all.slice(from, from + seen.length).join() || seen);
  };
  await until("the first hosts", async () => (await drawn())[0] === "many-00" && inOrder());
  await page.keyboard.press("ArrowDown");
  assert.equal(await focused(), "many-00");
  await page.mouse.move(700, 400);
  await page.mouse.wheel(0, 3_000);
  await until("the hosts further down", async () => (await drawn()).includes("many-50") && inOrder());
  await until("their charts", async () => {
    const missing = await page.locator(".spark[hidden]").count();
    return missing === 0 || `${missing} are missing`;
  });
  const [top, name] = await page.evaluate(() => {
    const card = document.elementFromPoint(700, 400).closest(".card");
    return [card.ariaPosInSet, card.querySelector("a").textContent];
  });
  assert.equal(name, all[Number(top) - 1]);
  assert.ok(
    !(await focused()).startsWith("many-"),
    "a card that became another host's has not taken the keyboard along",
  );
  await page.keyboard.press("ArrowDown");
  assert.equal(await focused(), "many-01");
  // Another host comes before it, so that it moves on to the next card.
  await report("many--first", {});
  await until("the new host", async () => (await drawn()).includes("many--first"));
  assert.equal(await focused(), "many-01");
});

test("in the grid the arrows go to what stands beside, above and below", async (t) => {
  const page = await open(t, "/?q=many-&view=grid");
  const names = () => page.locator(".card .name").allTextContents();
  await until("the tiles", async () => (await names()).length > 8);
  const columns = await page.evaluate(
    () => new Set([...document.querySelectorAll(".card")].map((card) => card.getBoundingClientRect().left)).size,
  );
  assert.ok(columns > 1, `${columns} columns`);
  const all = await names();
  const goes = (key, want) =>
    until(`${key} to reach ${all[want]}`, async () => {
      const seen = await page.evaluate(() => document.activeElement.textContent);
      return seen === all[want] || seen;
    });
  for (const [key, want] of [
    ["ArrowDown", 0],
    ["ArrowDown", columns],
    ["ArrowRight", columns + 1],
    ["ArrowUp", 1],
    ["ArrowLeft", 0],
    ["ArrowLeft", 0],
  ]) {
    await page.keyboard.press(key);
    await goes(key, want);
  }
});

test("a long name and many tags leave the status in sight, and say what is left out", async (t) => {
  const long = "kube-node-pool-a-7f9c6d5b8-xk2lp.prod.fra1.example-cloud.internal";
  const tags = Array.from({ length: 24 }, (_, i) => `tag-${String(i).padStart(2, "0")}=value`);
  const agent = new Agent(executable, server, long, folder, tags);
  t.after(() => agent.stop());
  const page = await open(t, `/?q=${long}`);
  const card = page.locator(".card");
  for (const width of [1440, 820, 360]) {
    await page.setViewportSize({ width, height: 800 });
    await until(`all to be told at ${width} pixels`, async () => {
      if ((await card.count()) !== 1) return "no card";
      const seen = await card.evaluate((card) => {
        const box = card.getBoundingClientRect();
        const holds = (inner) => inner.left >= box.left && inner.right <= box.right && inner.bottom <= box.bottom;
        const name = card.querySelector(".name");
        const status = card.querySelector(".status");
        const shown = card.querySelectorAll(".tags .tag");
        const more = card.querySelector(".tags .more");
        const tags = card.querySelector(".tags");
        return {
          name: name.title === name.textContent && name.getBoundingClientRect().height < 30,
          status: status.textContent === "Up" && status.scrollWidth <= status.clientWidth + 1,
          within: [name, status, ...shown, more].every((part) => part !== null && holds(part.getBoundingClientRect())),
          whole: tags.scrollWidth <= tags.clientWidth,
          count: shown.length > 0 && shown.length + Number(more?.textContent) === 24,
        };
      });
      return Object.values(seen).every(Boolean) || seen;
    });
  }
});

test("who comes back from a host finds the list where it was", async (t) => {
  await many();
  const page = await open(t, "/?q=many-");
  await until("the list", async () => (await page.locator(".card").count()) > 5);
  await page.mouse.move(700, 400);
  await page.mouse.wheel(0, 2_500);
  const place = () => page.evaluate(() => Math.round(scrollY));
  await until("the list further down", async () => (await place()) === 2_500 || place());
  const link = page.locator(".card .name").filter({ hasText: "many-40" });
  await until("a host there", async () => (await link.count()) === 1);
  await link.click();
  await page.waitForURL("**/hosts/many-40");
  await page.goBack();
  await until("the same place", async () => Math.abs((await place()) - 2_500) < 5 || place());
});

test("Escape empties the filter, and the list has all hosts again", async (t) => {
  await many();
  const page = await open(t, "/?q=many-4");
  await until("the list", async () => /\b10 of/.test(await page.locator(".count").textContent()));
  await page.keyboard.press("/");
  await page.keyboard.press("Escape");
  await queryBecomes(page, {});
  await until("all hosts", async () => !/ of /.test(await page.locator(".count").textContent()));
  assert.equal(await page.locator(".filter").inputValue(), "");
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "BODY");
});

test("a list that is sorted by a measure is, as soon as there are samples", async (t) => {
  const busy = setInterval(() => void report("zz-busy", { value: 400 }), 500);
  t.after(() => clearInterval(busy));
  await report("zz-busy", { value: 400 });
  const page = await open(t, "/licenses.txt");
  // Of the list's later answers there is none to be sorted by.
  let asked = 0;
  await page.route("**/ListHosts", (route) => (asked++ === 0 ? route.continue() : route.abort()));
  await page.goto(new URL("/?sort=cpu", page.url()).href);
  await until("the busiest first", async () => {
    const [first] = await page.locator(".card .name").allTextContents();
    return first === "zz-busy" || first;
  });
});

test("a host can be reached whatever it is called", async (t) => {
  for (const name of ["odd/one", "..", "100%"]) {
    await report(name, {});
    const page = await open(t, `/?q=${encodeURIComponent(name)}`);
    const link = page.locator(".card .name").filter({ hasText: name });
    await until(`${name} in the list`, async () => (await link.count()) === 1);
    await link.click();
    await until(`the page of ${name}`, async () => (await text(page, "host")) === name || page.url());
    await page.reload();
    await until(`the page of ${name}, again`, async () => (await text(page, "host")) === name || page.url());
  }
});

test("a host's name stands on one line at every width", async (t) => {
  const page = await open(t, "/hosts/many-00");
  for (const width of [1440, 1101, 1100, 820, 761, 760, 360]) {
    await page.setViewportSize({ width, height: 800 });
    const { height } = await page.locator("h1").boundingBox();
    assert.ok(height < 40, `${height} pixels high at a width of ${width}`);
    assert.equal((await look(page)).overflow, 0, `wider than a window of ${width}`);
  }
});

quiet();
