import "uplot/dist/uPlot.min.css";
import "./style/index.css";
import { connect } from "./api/client.js";
import { run, type Feed, type FeedEvent } from "./api/feed.js";
import { Pauses } from "./api/pause.js";
import { Tabs } from "./api/tabs.js";
import { isOtherPage } from "./api/version.js";
import { vitalTypes } from "./state/fleet.js";
import { PageState } from "./state/page.js";
import { onElsewhere, wire } from "./state/settings.js";
import { addressOf, hostAt } from "./views/address.js";
import { FleetView } from "./views/fleet.js";
import { HostView } from "./views/host.js";
import { keyboard } from "./views/keyboard.js";
import { offerReload, paint, Shell } from "./views/shell.js";

const { api, meter, use } = connect(location.origin, wire());
const host = hostAt(location);
const state = new PageState(host);

/** View is one of the things that the page can show; it shows the same for as long as it lives. */
interface View {
  apply(event: FeedEvent): void;
  draw(now: number): void;
  catchUp(): void;
}

/** redraw draws once in the next frame, however many samples ask for it. */
let asked = false;
let draw: (now: number) => void = () => undefined;
function redraw(): void {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    draw(performance.now());
  });
}

const old = "The server has another version of this page than the one that runs here.";

/** part loads a part of the page that is not in the first load; the server may have replaced it by now. */
async function part<T>(load: Promise<T>): Promise<T | undefined> {
  try {
    return await load;
  } catch {
    offerReload((await isOtherPage(fetch, script)) ? old : "A part of this page could not be loaded.");
    return undefined;
  }
}

/** The address of this script, which holds a hash of it. */
const script = new URL(import.meta.url).pathname;

/** shellOf makes the shell of a view, and lets the settings reach both. */
function shellOf(title: string, asked: string, recolour: () => void): Shell {
  const changed = () => {
    paint();
    use(wire());
    recolour();
    redraw();
  };
  paint();
  onElsewhere(changed);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  return new Shell(state, title, asked, () => {
    void part(import("./views/settings.js")).then((loaded) => loaded?.showSettings({ meter, changed }));
  });
}

/** A page that did nothing for so many milliseconds was asleep, and may have missed something. */
const asleep = 10_000;

/** live follows the server for a view, in this tab or by another that shows the same. */
function live(
  topic: string,
  what: Pick<Feed, "hostname" | "metricTypes" | "interval">,
  shell: Shell,
  view: View,
): void {
  draw = (now) => {
    shell.draw(now);
    view.draw(now);
  };
  const pauses = new Pauses();
  let opened = false;
  const tabs: Tabs<FeedEvent> = new Tabs<FeedEvent>({
    topic,
    lead: (publish, signal) => run({ ...what, api, mayStream: () => tabs.mayStream, pauses }, publish, signal),
    receive(event) {
      const isNew = state.apply(event, performance.now());
      view.apply(event);
      if (isNew) shell.beat();
      if (event.kind === "failure" && event.failure.signIn === true)
        location.replace(`/account?to=${encodeURIComponent(location.pathname + location.search)}`);
      if (event.kind === "open") {
        // A server that was away may have come back as another.
        if (opened) void isOtherPage(fetch, script).then((other) => other && offerReload(old));
        opened = true;
      }
      redraw();
    },
    known: () => state.events(performance.now()),
    hurry: () => pauses.hurry(),
  });
  const wake = () => {
    tabs.hurry();
    view.catchUp();
  };
  // Time moves on, and silence grows older, whether samples come or not.
  let ticked = Date.now();
  setInterval(() => {
    const slept = Date.now() - ticked > asleep && document.visibilityState === "visible";
    ticked = Date.now();
    if (slept) wake();
    redraw();
  }, 1_000);
  document.addEventListener("resume", wake);
  addEventListener("online", () => tabs.hurry());
  let hidden = performance.now();
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") hidden = performance.now();
    else {
      tabs.hurry();
      // A browser may have let the tab sleep, and what came meanwhile go by.
      if (performance.now() - hidden > asleep) view.catchUp();
    }
    redraw();
  });
  redraw();
  tabs.start();
}

function showHost(host: string): void {
  const shell = shellOf(host, host, () => view.recolour());
  const view = new HostView(state, api, host, redraw);
  keyboard({ range: view.range, now: view.now });
  live(`host/${host}`, { hostname: host, metricTypes: [] }, shell, view);
}

function showFleet(): void {
  const shell = shellOf("All hosts", "", () => undefined); // the style sheet has all of its colours
  const view = new FleetView(state, api, redraw);
  keyboard({ filter: view.filter, move: (right, down) => view.move(right, down) });
  const alone: View = {
    apply(event) {
      // One host alone is not worth a list.
      if (event.kind === "hosts" && event.hosts.length === 1 && location.search === "")
        location.replace(addressOf(event.hosts[0]!.name));
      view.apply(event);
    },
    draw: () => view.draw(),
    catchUp: () => view.catchUp(),
  };
  live("fleet", { metricTypes: vitalTypes, interval: 2 }, shell, alone);
}

async function showExplore(): Promise<void> {
  const loaded = await part(import("./views/explore.js"));
  if (loaded === undefined) return;
  const { ExploreView } = loaded;
  const shell = shellOf("Explore", "", () => view.recolour());
  const view = new ExploreView(state, api, redraw);
  keyboard({ range: view.range, now: view.now, filter: view.input });
  live("fleet", { metricTypes: vitalTypes, interval: 2 }, shell, {
    apply: (event) => view.apply(event),
    draw: () => view.draw(),
    catchUp: () => view.catchUp(),
  });
}

async function showAccount(): Promise<void> {
  const account = part(import("./views/account.js"));
  shellOf("Account", "", () => void account.then((loaded) => loaded?.retime()));
  await (await account)?.showAccount();
}

if (host !== undefined) {
  // The address of a host before it had one of its own.
  const own = addressOf(host);
  if (location.pathname === "/" && own.startsWith("/hosts/")) location.replace(own);
  else showHost(host);
} else if (location.pathname === "/explore") void showExplore();
else if (location.pathname === "/account") void showAccount();
else showFleet();
