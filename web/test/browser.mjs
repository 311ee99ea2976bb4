// Runs the browser tests: test/browser/*.test.mjs, each with a server and a browser of
// its own, two at a time, since most of their time is waiting.
//
//   npm run test:browser                                  all of them
//   npm run test:browser -- time                          those of one file
//   VITALS_BIN=/path/to/vitals npm run test:browser       with a server that is built already
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { binary } from "./server.mjs";

const tests = path.join(path.dirname(fileURLToPath(import.meta.url)), "browser");
const [only = ""] = process.argv.slice(2);
const files = readdirSync(tests).filter((name) => name.endsWith(".test.mjs") && name.startsWith(only));
const built = mkdtempSync(path.join(tmpdir(), "vitals-bin-"));
try {
  const { status } = spawnSync(
    process.execPath,
    ["--test", "--test-concurrency=2", ...files.map((name) => path.join(tests, name))],
    { stdio: "inherit", env: { ...process.env, VITALS_BIN: binary(built) } },
  );
  process.exitCode = status ?? 1;
} finally {
  rmSync(built, { recursive: true, force: true });
}
