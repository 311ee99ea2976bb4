import type { Api } from "../api/client.js";
import { failureOf } from "../api/failure.js";
import { historyOf } from "../api/history.js";
import { keyOf, selectorOf, type Series } from "../api/series.js";
import { byName, type ChartSpec } from "../charts/catalog.js";
import { Chart } from "../charts/chart.js";
import { fromZero } from "../charts/range.js";
import type { Gestures } from "../charts/gestures.js";
import { Column } from "../state/columns.js";
import { isLive, windowOf, type Range } from "../state/range.js";
import { element, setText } from "./dom.js";

/** PlotContext is what the charts of a page share. */
export interface PlotContext {
  api: Api;
  host: string;
  /** The range of the page. */
  range: () => Range;
  /** What the server's clock says, in seconds since the epoch. */
  now: () => number;
  time: Gestures;
  /** Asks for a frame in which all that has changed is drawn. */
  redraw: () => void;
}

/** After so many milliseconds of rest, what a drag or a wheel left is asked for. */
const settle = 80;

/**
 * Plot is one chart and its data: it asks for history when it is seen, takes in
 * live samples while the range is live, and draws both.
 */
export class Plot {
  readonly element = element("div", "plot", [], { role: "img" });
  readonly #note = element("p", "note", [], { hidden: "" });
  readonly #chart: Chart;
  readonly #columns = new Map<string, Column>();
  #shaped: Column[] | undefined;
  #seen = false;
  #wanted = true;
  #loaded = false;
  #asked = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #call: AbortController | undefined;
  #drawn = "";

  /** @param onPoint is called with the time that the reader points at, null when they leave */
  constructor(
    readonly spec: ChartSpec,
    private readonly context: PlotContext,
    how: { head: boolean; area: boolean },
    onPoint: (time: number | null) => void,
  ) {
    const canvas = element("div", "canvas");
    this.element.append(canvas, this.#note);
    this.#chart = new Chart(canvas, {
      unit: () => this.unit,
      range: spec.range ?? fromZero,
      stack: spec.stack ?? false,
      area: how.area,
      // Of a past that is shown in averages, the last one is not the value that stands beside the chart.
      head: () => how.head && isLive(context.range()),
      onPoint,
      time: context.time,
    });
    new IntersectionObserver(
      (entries) => {
        this.#seen = entries.at(-1)?.isIntersecting ?? false;
        if (!this.#seen) return;
        if (this.#wanted) this.load();
        this.#drawn = "";
        context.redraw();
      },
      { rootMargin: "150px" },
    ).observe(this.element);
  }

  /** The unit of what is drawn, as the server says it once there are samples. */
  get unit(): string {
    const { spec } = this;
    if (spec.shape !== undefined) return spec.unit;
    const [first] = this.#columns.values();
    return first?.series.unit || spec.unit;
  }

  /** columns returns what is drawn. */
  columns(): readonly Column[] {
    const { spec } = this;
    if (this.#shaped === undefined) {
      const all = [...this.#columns.values()].filter((column) => column.times.length > 0);
      this.#shaped = spec.shape?.(all) ?? all.sort(byName);
    }
    return this.#shaped;
  }

  /** The request that the chart's history comes from. */
  get request(): { selector: string; from: number; to: number; points: number } {
    const { range, now, host } = this.context;
    const [from, to] = windowOf(range(), now());
    // A live chart is of samples, so that those that follow are like those before.
    const points = isLive(range()) ? Math.ceil(to - from) + 20 : Math.round(Math.min(this.#chart.width, 2000));
    return { selector: selectorOf(this.spec.types, [host]), from, to, points };
  }

  /** append takes in a live sample. */
  append(series: Series, key: string, time: number, value: number): void {
    if (!isLive(this.context.range())) return;
    let column = this.#columns.get(key);
    if (column === undefined) this.#columns.set(key, (column = new Column(series)));
    if (!column.append(time, value)) {
      // Samples that come late, after an outage of their host: they are in the history now.
      this.want(2_000);
      return;
    }
    column.forget(time - 1_000);
    this.#shaped = undefined;
  }

  /** want asks for the history again soon, at once if the chart is not in sight when it comes into it. */
  want(delay = settle): void {
    this.#wanted = true;
    if (!this.#seen) return;
    if (delay === 0) this.load();
    else this.#timer ??= setTimeout(() => this.load(), delay);
  }

  /** refresh asks again for a range that ends now and is too long to be followed sample by sample. */
  refresh(): void {
    const range = this.context.range();
    if (!("last" in range) || isLive(range) || !this.#seen || this.#call !== undefined) return;
    const every = Math.max(5, range.last / this.#chart.width);
    if (performance.now() - this.#asked > every * 1000) this.load();
  }

  /** load asks for the history of the page's range. */
  load(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#wanted = false;
    this.#asked = performance.now();
    this.#call?.abort();
    const call = (this.#call = new AbortController());
    historyOf(this.context.api, this.request, call.signal)
      .then(({ step, all }) => {
        if (call.signal.aborted) return;
        const live = isLive(this.context.range());
        const found = new Set<string>();
        for (const past of all) {
          const key = keyOf(past.series);
          found.add(key);
          let column = this.#columns.get(key);
          if (column === undefined) this.#columns.set(key, (column = new Column(past.series)));
          column.replace(past, step, live);
        }
        for (const key of this.#columns.keys()) if (!found.has(key) && !live) this.#columns.delete(key);
        this.#loaded = true;
        this.#tell("");
      })
      .catch((error: unknown) => {
        if (call.signal.aborted) return;
        const { refused, reason } = failureOf(error);
        this.#wanted = true; // asked again when the stream is back, or when the range changes
        if (refused || this.#columns.size === 0) this.#tell(reason);
      })
      .finally(() => {
        if (this.#call !== call) return;
        this.#call = undefined;
        this.#shaped = undefined;
        this.#drawn = "";
        this.context.redraw();
      });
  }

  /** draw shows the page's range, if the chart is in sight; false where nothing has changed. */
  draw(): boolean {
    if (!this.#seen) return false;
    const [from, to] = windowOf(this.context.range(), this.context.now());
    const columns = this.columns();
    // A window that stands still over data that stand still needs no frame.
    const state = `${from} ${to} ${columns.length} ${columns[0]?.times.at(-1)} ${columns[0]?.times.length}`;
    if (state === this.#drawn) return false;
    this.#drawn = state;
    this.#chart.draw(columns, from, to);
    const empty = this.#loaded && !columns.some((column) => column.bounds(from, to) !== undefined);
    if (this.#loaded && this.#call === undefined) this.#tell(empty ? "No data in this range." : "");
    return true;
  }

  /** emphasize sets one of the columns off from the others; null: none. */
  emphasize(i: number | null): void {
    this.#chart.emphasize(i);
  }

  /** recolour follows the colour scheme and the way in which times are written. */
  recolour(): void {
    this.#chart.recolour();
  }

  #tell(text: string): void {
    setText(this.#note, text);
    this.#note.hidden = text === "";
  }
}
