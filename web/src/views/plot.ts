import { Backoff, longest } from "../api/backoff.js";
import type { Api } from "../api/client.js";
import { failureOf } from "../api/failure.js";
import { historyOf } from "../api/history.js";
import { keyOf, selectorOf, type Series } from "../api/series.js";
import { byName, type ChartSpec } from "../charts/catalog.js";
import { Chart } from "../charts/chart.js";
import { fromZero } from "../charts/range.js";
import type { Gestures } from "../charts/gestures.js";
import { Column, letGo } from "../state/columns.js";
import { isLive, windowOf, type Range, latest } from "../state/range.js";
import type { Past } from "./commands.js";
import { element, setText } from "./dom.js";

/** PlotContext is what the charts of a page share. */
export interface PlotContext {
  api: Api;
  host: string;
  /** The range of the page. */
  range: () => Range;
  /** What the server's clock says, in seconds since the epoch. */
  now: () => number;
  /** How many seconds lie between two samples of the host. */
  interval: () => number;
  time: Gestures;
  /** Asks for a frame in which all that has changed is drawn. */
  redraw: () => void;
}

/** After so many milliseconds of rest, what a drag or a wheel left is asked for. */
const settle = 80;
/** Where a short range holds nothing, samples are looked for up to so many seconds away. */
const farthest = 300;

function isShort(range: Range): boolean {
  return "from" in range && range.to - range.from < farthest;
}

/** How often, in seconds, a chart that moves on lets go of what it has left behind. */
const tidyEvery = 30;

/**
 * Plot is one chart and its data: it asks for history when it is seen, takes in
 * live samples while the range is live, and draws both.
 */
export class Plot {
  readonly element = element("div", "plot", [], { role: "img" });
  readonly #note = element("p", "note", [], { hidden: "" });
  readonly #chart: Chart;
  readonly #columns = new Map<string, Column>();
  #shaped: { columns: readonly Column[]; window: string } | undefined;
  #seen = false;
  #wanted = true;
  /** The range that the last good answer was for. */
  #answered: Range | undefined;
  /** Why the last question was not answered, empty if it was. */
  #failure = "";
  #step: number | undefined;
  /** So many seconds beyond the range are asked for at least, once it is known that less holds nothing. */
  #reach = 0;
  #tidied = 0;
  #asked: { range: Range; at: number } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #backoff = new Backoff();
  #retry: ReturnType<typeof setTimeout> | undefined;
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

  /** columns returns what is drawn: of what there is, that which has something to show in the page's range. */
  columns(): readonly Column[] {
    const [from, to] = windowOf(this.context.range(), this.context.now());
    const window = `${Math.round(from)} ${Math.round(to)}`;
    if (this.#shaped?.window !== window) this.#shaped = { columns: this.#shape(from, to), window };
    return this.#shaped.columns;
  }

  #shape(from: number, to: number): readonly Column[] {
    const all = [...this.#columns.values()].filter((column) => column.times.length > 0);
    const shown = all.filter((column) => column.holds(from, to));
    // A range on its way to others keeps its rows where there is nothing to show yet.
    const columns = shown.length > 0 ? shown : all;
    const { shape } = this.spec;
    return shape?.(columns, from, to) ?? columns.sort(byName);
  }

  /**
   * The request that the chart's history comes from. It reaches a point further than
   * the range on either side, so that the line goes through.
   */
  get request(): Past {
    const { range, now, host, interval } = this.context;
    const [from, to] = windowOf(range(), now());
    const span = to - from;
    const width = Math.round(Math.min(this.#chart.width, 2000));
    // What a longer step has made of the samples does not tell how often they come.
    const cadences = [...this.#columns.values()].map(({ cadence, step }) => (cadence > 1.5 * step ? cadence : 0));
    const cadence = Math.max(interval(), isLive(range()) ? 0 : span / width, ...cadences);
    const margin = Math.max(Math.min(1.25 * cadence + 1, 3_600 + span), this.#reach);
    const whole = span + 2 * margin;
    // A live chart is of samples, so that those that follow are like those before.
    const samples = Math.ceil(whole) + 20;
    const { types } = this.spec;
    return {
      selector: selectorOf(types, [host]),
      each: types.map((type) => [type, selectorOf([type], [host])]),
      from: Math.max(0, from - margin),
      to: Math.min(latest, to + margin),
      points: isLive(range()) ? samples : Math.min(samples, Math.ceil((width * whole) / span)),
      step: this.#step,
    };
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
    this.#shaped = undefined;
    if (Math.abs(time - this.#tidied) <= tidyEvery) return;
    this.#tidied = time;
    letGo(this.#columns, windowOf(this.context.range(), this.context.now())[0] - 100);
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
    if (performance.now() - (this.#asked?.at ?? 0) > every * 1000) this.load();
  }

  /** load asks for the history of the page's range. */
  load(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#retry);
    this.#timer = undefined;
    this.#wanted = false;
    this.#call?.abort();
    const call = (this.#call = new AbortController());
    const range = this.context.range();
    if (range !== this.#asked?.range) this.#reach = 0;
    this.#asked = { range, at: performance.now() };
    historyOf(this.context.api, this.request, call.signal)
      .then(({ step, all }) => {
        if (call.signal.aborted) return;
        if (all.length === 0 && this.#reach === 0 && isShort(range)) {
          // It may lie between two samples of a series that nothing is known of yet.
          this.#reach = farthest;
          this.load();
          return;
        }
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
        this.#answered = range;
        this.#failure = "";
        this.#step = step;
        this.#backoff.reset();
      })
      .catch((error: unknown) => {
        if (call.signal.aborted) return;
        const { refused, reason } = failureOf(error);
        // What is drawn may stand for what is out of reach, but not for an answer that was refused.
        this.#failure = refused || this.#answered !== range ? reason : "";
        if (this.#failure !== "" && !isLive(range)) this.#columns.clear();
        this.#wanted = true; // asked again, at once when the stream is back or the range changes
        this.#retry = setTimeout(() => this.want(0), refused ? longest : this.#backoff.next());
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
    this.#say(columns, from, to);
    // A window that stands still over data that stand still needs no frame.
    const state = `${from} ${to} ${columns.length} ${columns[0]?.times.at(-1)} ${columns[0]?.times.length}`;
    if (state === this.#drawn) return false;
    this.#drawn = state;
    this.#chart.draw(columns, from, to);
    return true;
  }

  /** say tells why there is nothing to see: "no data" is for the server to say, and a failure is no word on that. */
  #say(columns: readonly Column[], from: number, to: number): void {
    const isEmpty = !columns.some((column) => column.holds(from, to));
    if (this.#failure !== "") this.#tell(this.#failure);
    else if (!isEmpty) this.#tell("");
    else if (this.#call === undefined && this.#answered === this.context.range()) this.#tell("No data in this range.");
    else if (this.#answered !== this.context.range()) this.#tell("");
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
