// Builds the page: bundles and minifies src/ into dist/, which is committed and
// embedded in the binary. The same sources give the same bytes, wherever they
// are built. Fails when the first load weighs more than its budget.
//
//   node build.mjs            builds into dist/
//   node build.mjs --check    fails unless dist/ is what the sources give
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const budget = 100_000; // bytes by gzip: index.html and all that it names
const root = path.dirname(fileURLToPath(import.meta.url));
const dist = path.join(root, "dist");

const icons = (await readdir(path.join(root, "src/icons"))).sort().map((name) => `icons/${name}`);

const files = await bundle();
const again = await bundle();
if (digest(files) !== digest(again))
  throw new Error("two builds of the same sources differ: the build must be deterministic");

if (process.argv.includes("--check")) {
  if (digest(await readBuild(dist)) !== digest(files)) {
    console.error("web/dist is not what the sources give: run `npm run build` in web/ and commit the result.");
    process.exit(1);
  }
} else {
  await rm(dist, { recursive: true, force: true });
  for (const [name, content] of files) {
    await mkdir(path.dirname(path.join(dist, name)), { recursive: true });
    await writeFile(path.join(dist, name), content);
  }
}
weigh(files);

/** bundle returns the files of the build by their names in dist/, sorted. */
async function bundle() {
  const result = await build({
    absWorkingDir: root,
    entryPoints: { vitals: "src/main.ts" },
    bundle: true,
    minify: true,
    format: "esm",
    target: ["es2022", "chrome116", "firefox124", "safari17.4"],
    legalComments: "none", // they go to licenses.txt, in full
    charset: "utf8",
    outdir: "dist/assets",
    // What few need, or only later, is in files of its own: see import() in the sources.
    splitting: true,
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    write: false,
    metafile: true,
    logLevel: "warning",
  });
  const built = new Map();
  const addresses = new Map();
  const addressed = (text) => [...addresses].reduce((done, [key, url]) => done.replaceAll(`{{${key}}}`, url), text);
  for (const file of result.outputFiles) built.set(nameOf(file.path), Buffer.from(file.contents));
  const entry = Object.entries(result.metafile.outputs).find(([, { entryPoint }]) => entryPoint === "src/main.ts");
  addresses.set("script", `/${nameOf(entry[0])}`);
  addresses.set("style", `/${nameOf(entry[1].cssBundle)}`);
  // What the entry imports is asked for together with it, not after it.
  const parts = importsOf(result.metafile, entry[0]).map(nameOf);
  addresses.set("parts", parts.map((part) => `<link rel="modulepreload" href="/${part}" />`).join("\n"));
  // The manifest comes last, since it holds the addresses of others.
  for (const name of [...icons, "logo.svg", "manifest.webmanifest"]) {
    const source = await readFile(path.join(root, "src", name));
    const content = name.endsWith(".webmanifest") ? Buffer.from(addressed(source.toString())) : source;
    const { name: stem, ext } = path.parse(name);
    const url = `assets/${stem}-${createHash("sha256").update(content).digest("hex").slice(0, 10)}${ext}`;
    built.set(url, content);
    addresses.set(stem, `/${url}`);
  }
  const html = addressed(await readFile(path.join(root, "src/index.html"), "utf8"));
  built.set("index.html", Buffer.from(html.replace(/\n\s*/g, "\n")));
  built.set("licenses.txt", Buffer.from(await licenses(Object.keys(result.metafile.inputs))));
  return new Map([...built].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** nameOf returns the name in dist/ of a file that esbuild has made. */
function nameOf(file) {
  return path.relative(dist, path.resolve(root, file)).split(path.sep).join("/");
}

/** importsOf returns what a script needs before it can run, and what those need. */
function importsOf({ outputs }, script, found = new Set()) {
  for (const { path: file, kind, external } of outputs[script].imports) {
    if (kind !== "import-statement" || external || found.has(file)) continue;
    found.add(file);
    importsOf({ outputs }, file, found);
  }
  return [...found];
}

/** licenses collects what the bundled packages ask to be kept with copies of them. */
async function licenses(inputs) {
  const packages = new Map();
  for (const input of inputs.filter((name) => name.startsWith("node_modules/")).sort()) {
    const [, name] = /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input);
    if (!packages.has(name)) packages.set(name, new Set());
    const source = await readFile(path.join(root, input), "utf8");
    // uPlot's header names what its LICENSE file says in full.
    const header = /^(?:\/\/.*\n)+/
      .exec(source)?.[0]
      .replace(/^\/\/ ?/gm, "")
      .trim();
    if (header !== undefined && header.includes("Copyright")) packages.get(name).add(header);
  }
  const sections = [];
  for (const [name, texts] of packages) {
    const folder = path.join(root, "node_modules", name);
    const { version, license } = JSON.parse(await readFile(path.join(folder, "package.json"), "utf8"));
    const file = await readFile(path.join(folder, "LICENSE"), "utf8").catch(() => undefined);
    if (file !== undefined) texts.add(file.trim());
    if (texts.size === 0)
      throw new Error(`${name} has neither a LICENSE file nor a copyright header: its terms must be added by hand`);
    sections.push([`${name} ${version} (${license})`, ...texts].join("\n\n"));
  }
  const rule = `\n\n${"-".repeat(72)}\n\n`;
  return ["The page of Vitals contains the following software.", ...sections].join(rule) + "\n";
}

/** weigh prints what the files weigh, and fails over the budget of the first load. */
function weigh(files) {
  const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} KB`.padStart(10);
  const index = files.get("index.html").toString();
  let first = 0;
  let all = 0;
  console.log(`${"file".padEnd(36)}${"raw".padStart(10)}${"gzip".padStart(10)}`);
  for (const [name, content] of files) {
    const compressed = gzipSync(content, { level: 9 }).length;
    // A browser loads all that the index names, but for the icon of a phone's home screen.
    const isFirst = name === "index.html" || (index.includes(name) && !name.endsWith(".png"));
    console.log(name.padEnd(36) + kilobytes(content.length) + kilobytes(compressed) + (isFirst ? "" : "  later"));
    if (isFirst) first += compressed;
    if (/\.(js|css|html)$/.test(name)) all += compressed;
  }
  console.log(`first load: ${first} bytes by gzip of a budget of ${budget}; with every part of the page: ${all}`);
  if (first > budget) {
    console.error(`The page is ${first - budget} bytes over its budget: leave something out before raising it.`);
    process.exitCode = 1;
  }
}

async function readBuild(folder) {
  const names = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const found = new Map();
  for (const entry of names.filter((one) => one.isFile())) {
    const file = path.join(entry.parentPath ?? entry.path, entry.name);
    found.set(path.relative(folder, file).split(path.sep).join("/"), await readFile(file));
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function digest(files) {
  const hash = createHash("sha256");
  for (const [name, content] of files) hash.update(`${name}\0${content.length}\0`).update(content);
  return hash.digest("hex");
}
