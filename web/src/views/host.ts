import type { Api } from "../api/client.js";
import { askAgainAfter, type FeedEvent, type Host } from "../api/feed.js";
import type { Failure } from "../api/failure.js";
import { keyOf, type Series } from "../api/series.js";
import { customChart, groups, heroes, isCustom, type ChartSpec } from "../charts/catalog.js";
import { between, scaled, TimeRange, windowOf } from "../state/range.js";
import type { PageState } from "../state/page.js";
import { address, addressOf } from "./address.js";
import { byId, element } from "./dom.js";
import { Panel } from "./panel.js";
import type { PlotContext } from "./plot.js";
import { RangeBar } from "./rangebar.js";
import { Strip } from "./strip.js";

/** HostView shows everything of one host. */
export class HostView {
  readonly range: TimeRange;
  /** What the server's clock says, in seconds since the epoch. */
  readonly now = (): number => this.state.serverTime(performance.now()) ?? Date.now() / 1000;
  readonly #context: PlotContext;
  readonly #bar: RangeBar;
  readonly #strips: readonly Strip[];
  readonly #panels = new Map<string, Panel>();
  readonly #byType = new Map<string, (Strip | Panel)[]>();
  readonly #known = new Set<string>();
  readonly #keys = new WeakMap<Series, string>();
  readonly #groups = element("div", "groups");
  /** What stands in the place of the charts where there are none. */
  readonly #nothing = element("section", "nothing", [], { hidden: "", "aria-label": "Nothing to show" });
  readonly #shown: readonly HTMLElement[];
  #about = new Map<string, { unit: string; help: string }>();
  #described = false;
  #missed: ReturnType<typeof setTimeout> | undefined;
  #opened = false;
  #status: Host["status"] | undefined;

  /**
   * @param host the host's name
   * @param redraw asks for a frame
   */
  constructor(
    private readonly state: PageState,
    private readonly api: Api,
    private readonly host: string,
    private readonly redraw: () => void,
  ) {
    this.range = new TimeRange(address, (settled) => this.#moved(settled));
    const { now } = this;
    this.#context = {
      api,
      host,
      range: () => this.range.range,
      now,
      interval: () => state.host?.interval ?? 1,
      redraw,
      time: {
        window: () => windowOf(this.range.range, now()),
        zoom: (from, to) => this.range.choose(between(from, to)),
        scale: (around, factor) => this.range.move(scaled(windowOf(this.range.range, now()), around, factor)),
        pan: (seconds) => {
          const [from, to] = windowOf(this.range.range, now());
          this.range.move({ from: from + seconds, to: to + seconds });
        },
        back: () => this.range.back(),
      },
    };
    this.#bar = new RangeBar(this.range, now);
    this.#strips = heroes.map((spec) => new Strip(spec, this.#context));
    for (const strip of this.#strips) this.#listen(strip);
    const monitor = element(
      "section",
      "",
      this.#strips.map((strip) => strip.element),
      {
        id: "monitor",
        "aria-label": "Vital signs",
      },
    );
    this.#shown = [this.#bar.element, monitor, this.#groups];
    byId("main").append(this.#nothing, ...this.#shown);
    addEventListener("popstate", () => this.range.reread());
  }

  /** apply takes in an event after the page's state has. */
  apply(event: FeedEvent): void {
    if (event.kind === "open") {
      if (this.#opened) {
        this.catchUp();
        this.#catchUpLater();
      } else {
        // The first history is on its way; what came between it and the stream is asked for once all is drawn.
        void this.#describe();
        setTimeout(() => this.catchUp(), 3_000);
      }
      this.#opened = true;
    }
    if (event.kind === "hosts") this.#follow(event.hosts);
    if (event.kind !== "samples") return;
    // What the server left out, since this page read too slowly, is in the history.
    if (event.dropped > 0)
      this.#missed ??= setTimeout(() => {
        this.#missed = undefined;
        this.catchUp();
      }, 3_000);
    for (const { time, ids, values } of event.rounds) {
      for (const [i, id] of ids.entries()) {
        const series = this.state.series.get(id);
        if (series !== undefined && series.host === this.host) this.#observe(series, time, values[i]!);
      }
    }
  }

  /** catchUp asks for the history again, for what was missed. */
  catchUp(): void {
    for (const shown of this.#all()) shown.plot.want();
    void this.#describe();
  }

  /** catchUpLater asks again in a while, for what was kept somewhere in an outage. */
  #catchUpLater(): void {
    for (const seconds of askAgainAfter) setTimeout(() => this.catchUp(), seconds * 1000);
  }

  #follow(hosts: readonly Host[]): void {
    const status = hosts.find((one) => one.name === this.host)?.status;
    if (status === "up" && this.#status !== undefined && this.#status !== "up") this.#catchUpLater();
    this.#status = status;
  }

  /** draw shows the view as it is now. */
  draw(now: number): void {
    const phase = this.state.phase(now);
    this.#refuse(phase === "error" && this.state.observed === undefined ? this.state.failure : undefined);
    this.#bar.draw();
    for (const strip of this.#strips) strip.draw(phase);
    for (const panel of this.#panels.values()) panel.draw();
    for (const shown of this.#all()) shown.plot.refresh();
  }

  /** refuse shows why there is nothing to draw, instead of charts without an end to wait for. */
  #refuse(why: Failure | undefined): void {
    if (this.#nothing.hidden === (why === undefined)) return;
    this.#nothing.hidden = why === undefined;
    for (const part of this.#shown) part.hidden = why !== undefined;
    if (why === undefined) return;
    this.#nothing.replaceChildren(
      element("h2", "", ["Nothing to show"]),
      element("p", "", wordsOn(why)),
      element("p", "", [element("a", "button", ["All hosts"], { href: "/" })]),
    );
  }

  /** recolour follows the colour scheme and the way in which times are written. */
  recolour(): void {
    for (const shown of this.#all()) shown.plot.recolour();
    this.redraw();
  }

  #all(): (Strip | Panel)[] {
    return [...this.#strips, ...this.#panels.values()];
  }

  #moved(settled: boolean): void {
    for (const shown of this.#all()) shown.plot.want(settled ? 0 : undefined);
    this.redraw();
  }

  #listen(shown: Strip | Panel): void {
    for (const type of shown.plot.spec.types) {
      const listeners = this.#byType.get(type) ?? [];
      this.#byType.set(type, [...listeners, shown]);
    }
  }

  #observe(series: Series, time: number, value: number): void {
    if (!this.#known.has(series.type)) this.#show(series.type, series.unit);
    let key = this.#keys.get(series);
    if (key === undefined) this.#keys.set(series, (key = keyOf(series)));
    for (const shown of this.#byType.get(series.type) ?? []) {
      shown.plot.append(series, key, time, value);
      if (shown instanceof Strip) shown.observe(value, series.unit);
    }
  }

  /** describe learns which metric types the host had in the last day, and what is known of each. */
  async #describe(): Promise<void> {
    if (this.#described) return;
    this.#described = true;
    try {
      const { metrics } = await this.api.query.listMetrics({ hostname: this.host });
      this.#about = new Map(metrics.map(({ name, unit, help }) => [name, { unit, help }]));
      for (const { name, unit, help } of metrics) {
        if (!this.#known.has(name)) this.#show(name, unit);
        // A sample may have come before what it is about.
        else if (isCustom(name)) this.#panels.get(customChart(name, unit, help).id)?.explain(help);
      }
    } catch {
      this.#described = false; // asked again with the next stream; what is streamed is shown anyway
    }
  }

  /** show makes the chart that a metric type belongs to, in its place among the others. */
  #show(type: string, unit: string): void {
    this.#known.add(type);
    for (const group of groups) {
      const spec = group.charts.find((chart) => chart.types.includes(type));
      if (spec !== undefined) this.#place(group.id, group.title, group.charts, spec);
    }
    if (!isCustom(type)) return;
    const about = this.#about.get(type);
    // A name that nobody explained needs no explanation that says so.
    this.#place("custom", "Custom metrics", [], customChart(type, about?.unit ?? unit, about?.help ?? ""));
  }

  #place(id: string, title: string, order: readonly ChartSpec[], spec: ChartSpec): void {
    if (this.#panels.has(spec.id)) return;
    const panel = new Panel(spec, this.#context);
    this.#panels.set(spec.id, panel);
    this.#listen(panel);
    const grid = this.#grid(id, title);
    const after = order.slice(order.indexOf(spec) + 1).flatMap((chart) => this.#panels.get(chart.id)?.element ?? []);
    grid.insertBefore(panel.element, after[0] ?? null);
  }

  #grid(id: string, title: string): HTMLElement {
    const found = this.#groups.querySelector<HTMLElement>(`[data-group="${id}"] .grid`);
    if (found !== null) return found;
    const grid = element("div", "grid");
    const section = element("section", "group", [element("h2", "", [title], { id: `group-${id}` }), grid], {
      "data-group": id,
      "aria-labelledby": `group-${id}`,
    });
    const order = [...groups.map((group) => group.id), "custom"];
    const after = [...this.#groups.children].find(
      (other) => order.indexOf((other as HTMLElement).dataset["group"] ?? "") > order.indexOf(id),
    );
    this.#groups.insertBefore(section, after ?? null);
    return grid;
  }
}

/** wordsOn says what can be done about a failure: of a host that is not known, which it may have been meant to be. */
function wordsOn({ reason, unknown }: Failure): (Node | string)[] {
  if (unknown === undefined) return [reason];
  const { near, hosts } = unknown;
  if (near.length === 0) return [hosts === 1 ? "There is one host." : `There are ${hosts} hosts.`];
  const links = near.flatMap((name) => [" ", element("a", "button", [name], { href: addressOf(name) })]);
  return ["Did you mean", ...links];
}
