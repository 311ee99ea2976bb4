// Signing in, and the tokens of a reader.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { becomes, executable, hostname, open, quiet, server, until, violations } from "./harness.mjs";
import { pasted } from "./shell.mjs";

const password = "correct horse battery";

test("an open page asks for a sign-in as soon as there are accounts, and comes back to where it was", async (t) => {
  const page = await open(t);
  await becomes(page, "live");
  const here = new URL(page.url()).pathname;
  const before = await page.evaluate(() => history.length);
  execFileSync(executable, ["user", "add", "alice", "--role", "admin", "--password", "--data-dir", server.data], {
    input: `${password}\n`,
    stdio: ["pipe", "ignore", "ignore"],
  });
  await page.waitForURL((url) => url.pathname === "/account");
  assert.deepEqual(await violations(page), []);

  await page.getByLabel("Name").fill("alice");
  await page.getByLabel("Password").fill("wrong horse battery");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText(/^The name or the password is wrong\.$/).waitFor();
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL((url) => url.pathname === here);
  await becomes(page, "live");
  const [cookie] = await page.context().cookies();
  assert.equal(cookie.httpOnly, true);
  assert.equal(cookie.sameSite, "Strict");
  assert.equal(await page.evaluate(() => document.cookie), "");

  const entries = await page.evaluate(() => history.length);
  assert.equal(entries, before, "the sign-in is not what one goes back to");

  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Emulation.setTimezoneOverride", { timezoneId: "Asia/Kathmandu" });
  await page.getByRole("link", { name: "Account" }).click();
  await page.getByRole("heading", { name: "alice" }).waitFor();
  const about = page.locator("section.account p").first();
  assert.match(await about.textContent(), /^Role admin, signed in with a password, until .*\d{4}.*\.$/);
  const choose = async (zone) => {
    await page.getByRole("button", { name: "Settings" }).click();
    await page.getByRole("radio", { name: zone }).check();
    await page.keyboard.press("Escape");
    return /\d:(\d\d)/.exec(await about.textContent())[1];
  };
  const [utc, local] = [await choose("UTC"), await choose("Local")];
  assert.equal((Number(local) - Number(utc) + 60) % 60, 45, "the switch of the settings holds here too");
  const edges = await page.evaluate(() =>
    [".links", "main"].map((place) => document.querySelector(place).getBoundingClientRect().right),
  );
  assert.ok(Math.abs(edges[0] - edges[1]) < 1, `the buttons end at ${edges[0]}, the page at ${edges[1]}`);
  await page.getByLabel("Name").fill("shell");
  await page.getByRole("button", { name: "Make it" }).click();
  const mine = await page.locator(".secret code").textContent();
  await page.goBack();
  await becomes(page, "live");
  const printed = await pasted(page, "[data-metric=cpu]", "", { VITALS_TOKEN: mine });
  for (const { series } of [printed.curl, printed.grpcurl])
    assert.deepEqual([series.length, series[0].series.hostname], [1, hostname]);
  assert.match(printed.vitals, new RegExp(hostname));

  await page.getByRole("link", { name: "Account" }).click();
  await page.getByRole("heading", { name: "alice" }).waitFor();
  await page.getByLabel("Name").fill("fleet");
  await page.getByLabel("What it is for").selectOption("enrolment");
  await page.getByRole("button", { name: "Make it" }).click();
  const secret = await page.locator(".secret code").textContent();
  assert.match(secret, /^vitals_enrol_[a-z2-7]{59}$/);
  assert.deepEqual(await violations(page), []);
  page.on("dialog", (dialog) => void dialog.accept());
  const revoke = page.getByRole("button", { name: "Revoke token fleet" });
  await page.setViewportSize({ width: 360, height: 740 });
  const { x, width } = await revoke.boundingBox();
  assert.ok(x + width <= 360, "it is in sight on a phone");
  await revoke.click();
  await until("the token to be gone", async () => (await revoke.count()) === 0);

  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await until("the cookie to be gone", async () => (await page.context().cookies()).length === 0);
});

quiet();
