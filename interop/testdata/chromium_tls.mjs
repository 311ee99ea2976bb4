// Calls a server over TLS from a page of its own, and prints which protocol the
// browser spoke.
import { createRequire } from "node:module";

const { chromium } = createRequire(`${process.cwd()}/`)("playwright-core");
const [url] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  const response = await page.goto(`${url}/healthz`);
  const call = await page.evaluate(async () => {
    const path = "/monitoring.MonitoringService/GetMetric";
    const res = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
    const metric = await res.json();
    const entry = performance.getEntriesByType("resource").find((e) => e.name.endsWith(path));
    return { metric, protocol: entry.nextHopProtocol };
  });
  const { protocol } = await response.securityDetails();
  console.log(JSON.stringify({ ...call, security: protocol }));
} finally {
  await browser.close();
}
