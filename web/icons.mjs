// Draws the icons of the installed page, src/icons/*.png, from src/logo.svg. Run
// it after the logo has changed, and commit what it made:
//
//   node icons.mjs
import { readFile, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = path.dirname(fileURLToPath(import.meta.url));
const svg = await readFile(path.join(root, "src/logo.svg"), "utf8");
const ground = /<rect [^>]*fill="(#\w+)"/.exec(svg)[1];

// Of a maskable icon a system may cut away all but the middle 80 %, and iOS
// rounds the corners itself: those two have a ground that reaches the edges.
const icons = [
  { name: "icon-192.png", size: 192, share: 1, filled: false },
  { name: "icon-512.png", size: 512, share: 1, filled: false },
  { name: "maskable-512.png", size: 512, share: 0.8, filled: true },
  { name: "apple-touch.png", size: 180, share: 0.92, filled: true },
];

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
await mkdir(path.join(root, "src/icons"), { recursive: true });
for (const { name, size, share, filled } of icons) {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  await page.setContent(
    `<style>html{background:${filled ? ground : "transparent"}}body{margin:0;height:100vh;display:grid;place-items:center}` +
      `svg{width:${share * 100}vw;height:${share * 100}vw}</style>${svg}`,
  );
  await writeFile(path.join(root, "src/icons", name), await page.screenshot({ omitBackground: true }));
  await page.close();
}
await browser.close();
