import type { Api } from "../api/client.js";
import { askAgainAfter, type FeedEvent, type Host } from "../api/feed.js";
import { historyOf } from "../api/history.js";
import { selectorOf } from "../api/series.js";
import { filterOf, orders, sorted, type Order } from "../state/filter.js";
import { fleetSpan, vitals, vitalTypes, Vitals, type Vital } from "../state/fleet.js";
import type { PageState } from "../state/page.js";
import { copyMenu } from "./copymenu.js";
import { byId, element, setText } from "./dom.js";
import { coloursOf, HostCard, type Colours, type Size } from "./hostcard.js";

/** How many hosts one question for history is about. */
const batch = 40;
/** How many points of history a small chart has. */
const points = 100;
/** Rows so far out of sight, in pixels, are there already when they are scrolled into it. */
const margin = 300;
/** After so many milliseconds without scrolling the history of the hosts in sight is asked for. */
const scrollRest = 150;

const orderNames: Record<Order, string> = {
  name: "Name",
  status: "Status",
  cpu: "CPU",
  memory: "Memory",
  disk: "Disk",
  network: "Network",
};

/** FleetView lists all hosts, and draws those that are in sight. */
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
  readonly #list = element("ul", "fleet", [], { "aria-label": "Hosts" });
  readonly #cards = new Map<string, HostCard>();
  readonly #vitals = new Map<string, Vitals>();
  readonly #recalled = new Set<string>();
  #asking = false;
  #opened = false;
  #inSight: string[] = [];
  #shown: Host[] = [];
  #sorted = 0;
  #colours: Colours = coloursOf(document.documentElement);
  #focused = -1;
  #shaped = "";
  #size: Size | undefined;
  #first: number | undefined;
  #moved = -Infinity;
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
    this.#grid.setAttribute("aria-pressed", String(query.get("view") === "grid"));
    this.filter.addEventListener("input", () => this.#choose());
    this.#order.addEventListener("change", () => this.#choose());
    this.#grid.addEventListener("click", () => {
      this.#grid.setAttribute("aria-pressed", String(!this.#isGrid));
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
    byId("main").append(bar, this.#list);
    addEventListener("scroll", redraw, { passive: true });
    addEventListener("resize", redraw);
  }

  /** apply takes in an event after the page's state has. */
  apply(event: FeedEvent): void {
    if (event.kind === "open") {
      this.#recalled.clear();
      if (this.#opened) for (const seconds of askAgainAfter) setTimeout(() => this.catchUp(), seconds * 1000);
      this.#opened = true;
    }
    if (event.kind === "hosts") this.#sort();
    if (event.kind !== "samples") return;
    if (event.dropped > 0) this.#recalled.clear();
    for (const { time, ids, values } of event.rounds) {
      for (const [i, id] of ids.entries()) {
        const series = this.state.series.get(id);
        if (series === undefined) continue;
        this.#vitalsOf(series.host).observe(series, time, values[i]!);
      }
    }
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

  /** move puts the keyboard on the next host (1) or the one before (-1). */
  move(by: 1 | -1): void {
    const count = this.#shown.length;
    if (count === 0) return;
    this.#focused = Math.min(Math.max(this.#focused + by, 0), count - 1);
    const { columns, height } = this.#shape();
    const top = this.#list.getBoundingClientRect().top + Math.floor(this.#focused / columns) * height;
    if (top < 80 || top + height > innerHeight) scrollBy(0, top - innerHeight / 2);
    this.draw();
    this.#cards.get(this.#shown[this.#focused]!.name)?.focus();
  }

  /** draw shows the list as it is now: the rows in sight, and no others. */
  draw(): void {
    const now = this.#now();
    const { columns, height } = this.#shape();
    const shown = this.#shown;
    // Read before anything is written, so that nothing is laid out twice in a frame.
    const above = -this.#list.getBoundingClientRect().top;
    const whole = `${Math.ceil(shown.length / columns) * height}px`;
    if (this.#list.style.height !== whole) this.#list.style.height = whole;
    const first = Math.max(0, Math.floor((above - margin) / height) * columns);
    const last = Math.min(shown.length, Math.ceil((above + innerHeight + margin) / height) * columns);
    const seen = shown.slice(first, Math.max(first, last));
    const names = new Set(seen.map((host) => host.name));
    const free: HostCard[] = [];
    for (const [name, card] of this.#cards) {
      if (names.has(name)) continue;
      // A card that has the keyboard must not turn into another host's.
      if (!card.element.contains(document.activeElement)) free.push(card);
      card.element.remove();
      this.#cards.delete(name);
    }
    for (const [i, host] of seen.entries()) {
      const index = first + i;
      let card = this.#cards.get(host.name);
      if (card === undefined) this.#cards.set(host.name, (card = free.pop() ?? new HostCard()));
      const share = 100 / columns;
      card.place(
        index,
        shown.length,
        `${(index % columns) * share}%`,
        Math.floor(index / columns) * height,
        `${share}%`,
        height,
      );
      // The order on the page is the order of the keyboard.
      if (this.#list.children[i] !== card.element)
        this.#list.insertBefore(card.element, this.#list.children[i] ?? null);
      card.draw(host, this.#vitals.get(host.name), now, this.#colours, this.#chartSize(card));
    }
    this.#inSight = seen.map((host) => host.name);
    if (first !== this.#first) {
      if (this.#first !== undefined) this.#moved = performance.now();
      this.#first = first;
    }
    if (performance.now() - this.#moved >= scrollRest) void this.#recall(now);
    else this.#resting ??= setTimeout(() => this.#rest(), scrollRest);
  }

  /** rest draws again after a while of scrolling: the hosts that went by are not worth a question. */
  #rest(): void {
    this.#resting = undefined;
    this.redraw();
  }

  /** chartSize returns the size of the small charts, by a card that is in its place. */
  #chartSize(card: HostCard): Size {
    if (this.#size === undefined || this.#size.width === 0) this.#size = card.chartSize;
    return this.#size;
  }

  /** recolour follows the colour scheme. */
  recolour(): void {
    this.#colours = coloursOf(document.documentElement);
    this.redraw();
  }

  get #isGrid(): boolean {
    return this.#grid.getAttribute("aria-pressed") === "true";
  }

  /** shape returns how many cards stand beside each other, and how high each is; the style sheet has the same widths. */
  #shape(): { columns: number; height: number } {
    const width = this.#list.clientWidth;
    const tiles = this.#isGrid || width < 760;
    const shape = `${tiles} ${width}`;
    if (shape !== this.#shaped) {
      this.#shaped = shape;
      this.#size = undefined;
      this.#list.dataset["view"] = tiles ? "grid" : "table";
      // Where there is no room for rows there is nothing to choose.
      this.#grid.hidden = width < 760;
    }
    return tiles ? { columns: Math.max(1, Math.floor(width / 320)), height: 196 } : { columns: 1, height: 66 };
  }

  #choose(): void {
    const query = new URLSearchParams();
    if (this.filter.value !== "") query.set("q", this.filter.value);
    if (this.#order.value !== "name") query.set("sort", this.#order.value);
    if (this.#isGrid) query.set("view", "grid");
    const text = query.toString();
    history.replaceState(null, "", location.pathname + (text === "" ? "" : `?${text}`));
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
    this.redraw();
  }

  /** now returns what the server's clock says, in seconds since the epoch. */
  #now(): number {
    return this.state.serverTime(performance.now()) ?? Date.now() / 1000;
  }

  /** request is the question for what the small charts of some hosts show. */
  #request(hosts: readonly string[], now: number) {
    return { selector: selectorOf(vitalTypes, hosts), from: now - fleetSpan, to: now, points };
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
