import "uplot/dist/uPlot.min.css";
import "./style.css";
import { monitoringAt } from "./api/client.js";
import { run, type FeedEvent } from "./api/feed.js";
import { Pauses } from "./api/pause.js";
import { Tabs } from "./api/tabs.js";
import { PageState } from "./state/page.js";
import { PageView } from "./views/page.js";

/** What the traces show, in seconds. */
const span = 3 * 60;
const metricTypes = ["cpu", "memory", "disk"];

/** The host to show; none named is the host that the server runs on. */
const hostname = new URLSearchParams(location.search).get("host") ?? "";

const state = new PageState(metricTypes, span + 10);
const view = new PageView(state, hostname, span);

/** redraw draws once in the next frame, however many samples ask for it. */
let asked = false;
function redraw(): void {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    view.draw(performance.now());
  });
}

const client = monitoringAt(location.origin);
const pauses = new Pauses();
const tabs = new Tabs<FeedEvent>({
  topic: hostname,
  lead: (publish, signal) =>
    run({ client, hostname, metricTypes, mayStream: () => tabs.mayStream, pauses }, publish, signal),
  receive(event) {
    const isNew = state.apply(event, performance.now());
    if (isNew && event.kind === "sample" && event.sample.metricType === metricTypes[0]) view.beat();
    redraw();
  },
  known: () => state.events(),
  hurry: () => pauses.hurry(),
});

// The traces move on, and silence grows older, whether samples come or not.
setInterval(redraw, 1_000);
addEventListener("online", () => tabs.hurry());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") tabs.hurry();
  redraw();
});
redraw();
tabs.start();
