import type { Api } from "../api/client.js";
import { askAgainAfter, type FeedEvent, type Host } from "../api/feed.js";
import { historyOf } from "../api/history.js";
import { selectorOf } from "../api/series.js";
import { filterOf, orders, sorted, type Order } from "../state/filter.js";
import { fleetSpan, vitals, vitalTypes, Vitals, type Observer, type Vital } from "../state/fleet.js";
import type { PageState } from "../state/page.js";
import { keepScroll, scrolled, write } from "./address.js";
import { copyMenu } from "./copymenu.js";
import { byId, element, setText } from "./dom.js";
import { HostList, neighbour } from "./hostlist.js";

/** How many hosts one question for history is about. */
const batch = 40;
/** How many points of history a small chart has. */
const points = 100;
/** After so many milliseconds without scrolling the list is at rest. */
const scrollRest = 150;
/** For so many milliseconds from the first samples on a list is sorted anew with each host that gets some. */
const unsorted = 3_000;

const orderNames: Record<Order, string> = {
  name: "Name",
  status: "Status",
  cpu: "CPU",
  memory: "Memory",
  disk: "Disk",
  network: "Network",
};

/** FleetView lists all hosts, or those that fit what the reader typed, in the reader's order. */
export class FleetView {
  readonly filter = element("input", "filter", [], {
    type: "search",
    placeholder: "Filter: name, tag or status",
    "aria-label": "Filter hosts by name, tag or status",
    autocomplete: "off",
    spellcheck: "false",
  });
  readonly #order = element(
    "select",
    "",
    orders.map((order) => element("option", "", [orderNames[order]], { value: order })),
    { "aria-label": "Sort by" },
  );
  readonly #grid = element("button", "", ["Grid"], { type: "button", "aria-pressed": "false" });
  readonly #count = element("p", "count", [], { role: "status" });
  readonly #list = new HostList();
  readonly #vitals = new Map<string, Vitals>();
  /** What takes in the samples of each series of the stream. */
  readonly #observers = new Map<number, Observer | undefined>();
  readonly #recalled = new Set<string>();
  #asking = false;
  /** How many seconds a point of a small chart's history stood for. */
  #step: number | undefined;
  #opened = false;
  /** Whether the list has gone to where the reader left it. */
  #returned = false;
  /** When the first samples came; not all come at once. */
  #begun = Infinity;
  /** Whether the list has hosts that could not be sorted yet. */
  #isWaiting = false;
  #shown: Host[] = [];
  #sorted = -Infinity;
  #focused = -1;
  #scrolled = -Infinity;
  #resting: ReturnType<typeof setTimeout> | undefined;

  /** @param redraw asks for a frame */
  constructor(
    private readonly state: PageState,
    private readonly api: Api,
    private readonly redraw: () => void,
  ) {
    const query = new URLSearchParams(location.search);
    this.filter.value = query.get("q") ?? "";
    const order = query.get("sort") as Order | null;
    this.#order.value = order !== null && orders.includes(order) ? order : "name";
    this.#lay(query.get("view") === "grid");
    // Where a browser empties the box itself, not all of these are heard.
    for (const heard of ["input", "search", "change"]) this.filter.addEventListener(heard, () => this.#choose());
    this.#order.addEventListener("change", () => this.#choose());
    this.#grid.addEventListener("click", () => {
      this.#lay(!this.#isGrid);
      this.#choose();
    });
    const bar = element("div", "ranges", [
      this.filter,
      element("label", "sort", ["Sort ", this.#order]),
      this.#grid,
      this.#count,
      copyMenu(
        "this list",
        { what: "Hosts", question: () => ({ hosts: "" }) },
        { what: "Small charts", question: () => this.#request(this.#inSight, this.#now()) },
      ),
    ]);
    byId("main").append(bar, this.#list.element);
    addEventListener("scroll", () => this.#scroll(), { passive: true });
    // The browser would put the page back where it was before there is a list.
    history.scrollRestoration = "manual";
    document.addEventListener("click", () => this.#keep(), { capture: true });
    addEventListener("resize", redraw);
  }

  /** apply takes in an event after the page's state has. */
  apply(event: FeedEvent): void {
    if (event.kind === "open") {
      this.#recalled.clear();
      this.#observers.clear();
      if (this.#opened) for (const seconds of askAgainAfter) setTimeout(() => this.catchUp(), seconds * 1000);
      this.#opened = true;
    }
    if (event.kind === "hosts") this.#sort();
    if (event.kind !== "samples") return;
    if (event.dropped > 0) this.#recalled.clear();
    for (const [id, series] of event.named) this.#observers.set(id, this.#vitalsOf(series.host).observer(series));
    for (const { time, ids, values } of event.rounds)
      for (let i = 0; i < ids.length; i++) this.#observers.get(ids[i]!)?.(time, values[i]!);
    if (event.rounds.length > 0) this.#begun = Math.min(this.#begun, performance.now());
    if (this.#isWaiting && performance.now() - this.#begun < unsorted) this.#sort(true);
  }

  #vitalsOf(host: string): Vitals {
    let found = this.#vitals.get(host);
    if (found === undefined) {
      this.#vitals.set(host, (found = new Vitals(host)));
      found.kept = false; // until the host is in sight, and its history asked for
    }
    return found;
  }

  /** catchUp asks for the history again, for what was missed. */
  catchUp(): void {
    this.#recalled.clear();
    this.redraw();
  }

  /** move puts the keyboard on the host that stands so many columns to the right, and so many rows below. */
  move(right: number, down: number): void {
    const count = this.#shown.length;
    if (count === 0) return;
    const from = this.#list.focused < 0 ? this.#focused : this.#list.focused;
    this.#focused = from < 0 ? 0 : neighbour(from, right, down, this.#list.columns, count);
    this.#list.reveal(this.#focused);
    this.#show(this.#now(), true);
    this.#list.focus(this.#focused);
  }

  /** draw shows the list as it is now. While it moves, scrolling draws it: twice in a frame would be laid out twice. */
  draw(): void {
    if (performance.now() - this.#scrolled >= scrollRest) this.#show(this.#now(), false);
  }

  #show(now: number, moves: boolean): void {
    // Where there is no room for rows there is nothing to choose.
    this.#grid.hidden = this.#list.isNarrow;
    this.#list.draw((host) => this.#vitals.get(host), now, moves);
    if (!this.#returned && this.#shown.length > 0) {
      this.#returned = true;
      scrollTo(0, scrolled());
    }
    if (moves) return;
    this.#list.arrange();
    // The hosts that went by are not worth a question.
    void this.#recall(now);
  }

  /** scroll draws what came into sight; scroll events come once a frame. */
  #scroll(): void {
    this.#scrolled = performance.now();
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => {
      this.#keep();
      this.redraw();
    }, scrollRest + 1); // no earlier than draw calls it rest
    this.#show(this.#now(), true);
  }

  /** keep notes where the reader is, once the list is where they were. */
  #keep(): void {
    if (this.#returned) keepScroll();
  }

  get #isGrid(): boolean {
    return this.#grid.getAttribute("aria-pressed") === "true";
  }

  #lay(isGrid: boolean): void {
    this.#grid.setAttribute("aria-pressed", String(isGrid));
    this.#list.lay(isGrid);
  }

  #choose(): void {
    const query = new URLSearchParams();
    if (this.filter.value !== "") query.set("q", this.filter.value);
    if (this.#order.value !== "name") query.set("sort", this.#order.value);
    if (this.#isGrid) query.set("view", "grid");
    const text = query.toString();
    const search = text === "" ? "" : `?${text}`;
    if (search === location.search) return; // heard twice
    write(search, false);
    this.#focused = -1;
    this.#sort(true);
  }

  /** sort orders the list anew, but not so often that nobody could read it. */
  #sort(now = false): void {
    const { hosts } = this.state;
    if (hosts === undefined) return;
    const fits = hosts.filter(filterOf(this.filter.value));
    const order = this.#order.value as Order;
    const isVital = (vitals as readonly string[]).includes(order);
    const measure = (host: Host) => this.#vitals.get(host.name)?.newest(order as Vital);
    this.#isWaiting = isVital && fits.some((host) => host.status === "up" && measure(host) === undefined);
    const rest = !now && isVital && performance.now() - this.#sorted < 4_000;
    if (!rest) this.#sorted = performance.now();
    const place = new Map(this.#shown.map((host, i) => [host.name, i]));
    this.#shown = rest
      ? fits.sort((a, b) => (place.get(a.name) ?? Infinity) - (place.get(b.name) ?? Infinity))
      : sorted(fits, order, measure);
    const of = this.#shown.length === hosts.length ? "" : ` of ${hosts.length}`;
    const late = this.#shown.filter((host) => host.status !== "up").length;
    const text = `${this.#shown.length}${of} ${hosts.length === 1 ? "host" : "hosts"}`;
    setText(
      this.#count,
      this.#shown.length === 0
        ? `No host fits${of === "" ? "" : `,${of}`}`
        : late > 0
          ? `${text}, ${late} not up`
          : text,
    );
    this.#list.show(this.#shown);
    this.redraw();
  }

  /** now returns what the server's clock says, in seconds since the epoch. */
  #now(): number {
    return this.state.serverTime(performance.now()) ?? Date.now() / 1000;
  }

  /** The hosts whose small charts are drawn. */
  get #inSight(): string[] {
    return this.#list.drawn.map((host) => host.name);
  }

  /** request is the question for what the small charts of some hosts show. */
  #request(hosts: readonly string[], now: number) {
    const each = vitalTypes.map((type) => [type, selectorOf([type], hosts)] as const);
    return { selector: selectorOf(vitalTypes, hosts), each, from: now - fleetSpan, to: now, points, step: this.#step };
  }

  /** recall asks for the last minutes of the hosts in sight, once for each. */
  async #recall(now: number): Promise<void> {
    if (this.#asking) return;
    const names = this.#inSight.filter((name) => !this.#recalled.has(name)).slice(0, batch);
    if (names.length === 0) return;
    this.#asking = true;
    for (const name of names) {
      this.#recalled.add(name);
      this.#vitalsOf(name).kept = true;
    }
    try {
      const { all, step } = await historyOf(this.api, this.#request(names, now), new AbortController().signal);
      this.#step = step;
      const byHost = grouped(all);
      for (const [name, past] of byHost) this.#vitalsOf(name).recall(past, step);
    } catch {
      // The live values stand; the next stream asks again.
    }
    this.#asking = false;
    this.redraw();
  }
}

function grouped<T extends { series: { host: string } }>(all: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) groups.set(one.series.host, [...(groups.get(one.series.host) ?? []), one]);
  return groups;
}
