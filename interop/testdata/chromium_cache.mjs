// Asks twice for each URL, and prints which answers came from the browser's cache.
import { createRequire } from "node:module";

const { chromium } = createRequire(`${process.cwd()}/`)("playwright-core");
const [closed, live] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
  const page = await browser.newPage();
  await page.goto(new URL("/healthz", closed).href);
  const twice = (url) =>
    page.evaluate(async (u) => {
      const cached = [];
      for (let i = 0; i < 2; i++) {
        performance.clearResourceTimings();
        const res = await fetch(u);
        if (!res.ok) throw new Error(`${res.status} ${await res.text()}`);
        await res.text();
        while (performance.getEntriesByName(u).length === 0) await new Promise((r) => setTimeout(r, 10));
        cached.push(performance.getEntriesByName(u)[0].transferSize === 0);
      }
      return cached;
    }, url);
  console.log(JSON.stringify({ closed: await twice(closed), live: await twice(live) }));
} finally {
  await browser.close();
}
