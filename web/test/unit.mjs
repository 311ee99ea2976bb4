// Runs the unit tests: test/unit/*.test.ts, bundled with what they test, by
// node's own test runner.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const built = mkdtempSync(path.join(tmpdir(), "vitals-unit-"));
try {
  const tests = readdirSync(path.join(here, "unit")).filter((name) => name.endsWith(".test.ts"));
  await build({
    absWorkingDir: here,
    entryPoints: tests.map((name) => path.join("unit", name)),
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    outdir: built,
    outExtension: { ".js": ".mjs" },
    sourcemap: "inline",
    logLevel: "warning",
  });
  const files = readdirSync(built).map((name) => path.join(built, name));
  const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...files], { stdio: "inherit" });
  process.exitCode = status ?? 1;
} finally {
  rmSync(built, { recursive: true, force: true });
}
