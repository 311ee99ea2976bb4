// A shell into which the page's command lines are pasted, with the tools that they call.
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, symlinkSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { executable, folder, until } from "./harness.mjs";

/** Where a shell finds the tools, once a command needs them. */
let found;

/** tools returns the path of a shell that has vitals, and grpcurl, which is built where there is none. */
async function tools() {
  const bin = mkdtempSync(path.join(folder, "tools-"));
  symlinkSync(executable, path.join(bin, "vitals"));
  if (spawnSync("grpcurl", ["-version"]).error !== undefined) {
    const env = { ...process.env, GOBIN: bin, GOFLAGS: "-mod=mod" };
    await promisify(execFile)("go", ["install", "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4"], { env });
  }
  return `${bin}:${process.env.PATH}`;
}

/** run pastes a command line into a shell and returns what it prints. */
async function run(command, variables) {
  const env = { ...process.env, PATH: await (found ??= tools()), ...variables };
  return execFileSync("sh", ["-c", command], { encoding: "utf8", env, timeout: 60_000 });
}

/**
 * pasted copies the request of a chart or a table for each tool, and returns what
 * the commands print.
 *
 * @param what names the request where a menu has more than one
 * @param variables what the shell has in its environment
 * @param flags what is added to the line of a tool, by its name
 */
export async function pasted(page, place, what = "", variables = {}, flags = {}) {
  const menu = page.locator(`${place} .copy`).first();
  await menu.scrollIntoViewIfNeeded();
  await menu.locator("summary").click();
  const printed = {};
  for (const tool of ["curl", "grpcurl", "vitals"]) {
    await menu.getByRole("button", { name: what === "" ? tool : `${what} as ${tool}`, exact: true }).click();
    await until("the menu to say so", async () => (await menu.locator(".said").textContent()) === `Copied for ${tool}`);
    const line = await page.evaluate(() => navigator.clipboard.readText());
    printed[tool] = await run(`${line} ${flags[tool] ?? ""}`, variables);
  }
  await menu.locator("summary").click();
  return { curl: JSON.parse(printed.curl), grpcurl: JSON.parse(printed.grpcurl), vitals: printed.vitals };
}
