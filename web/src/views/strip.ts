import { amountRange, percentRange } from "../charts/range.js";
import { Trace } from "../charts/trace.js";
import type { MetricState } from "../state/metric.js";
import { element, setText } from "./dom.js";
import { clock, quantity, withUnit } from "./format.js";

/** StripOptions describes a metric to the reader. */
export interface StripOptions {
  title: string;
  help: string;
  /** The unit until the first sample tells. */
  unit: string;
  /** How many seconds the trace shows. */
  span: number;
  /** Whether the times stand below the trace. */
  clock: boolean;
}

/** Strip shows one metric: its name, its trace and its value in large. */
export class Strip {
  readonly element: HTMLElement;
  readonly #trace: Trace;
  readonly #chart = element("div", "trace", [], { role: "img" });
  readonly #value = element("span", "value", ["–"]);
  readonly #unit = element("span", "unit");
  readonly #range = element("p", "range");
  #pointed: { time: number; value: number } | null = null;

  constructor(
    parent: HTMLElement,
    private readonly metric: MetricState,
    private readonly options: StripOptions,
  ) {
    const { title, help, unit, span } = options;
    const id = `metric-${metric.metricType}`;
    const about = element("div", "about", [element("h2", "", [title], { id }), element("p", "help", [help]), this.#range]);
    const now = element("p", "now", [this.#value, " ", this.#unit]);
    this.element = element("article", "strip", [about, this.#chart, now], {
      "aria-labelledby": id,
      "data-metric": metric.metricType,
    });
    parent.append(this.element);
    this.#unit.textContent = quantity(0, unit).unit;
    const percent = unit === "percent";
    this.#trace = new Trace(this.#chart, {
      span,
      area: percent,
      clock: options.clock,
      range: percent ? (_, max) => percentRange(max) : amountRange,
      tick: (value) => tickOf(value, percent),
      onPoint: (point) => {
        this.#pointed = point;
        this.#describe();
      },
    });
  }

  /** draw shows the metric as it is now, the trace ending at end (seconds, the server's clock). */
  draw(now: number, end: number): void {
    const { metric, options } = this;
    this.element.dataset["phase"] = metric.phase(now);
    if (metric.last !== undefined) {
      const { number, unit } = quantity(metric.last.value, metric.last.unit);
      setText(this.#value, number);
      setText(this.#unit, unit);
    }
    this.#trace.draw(metric.series.times, metric.series.values, end, options.span);
    this.#describe(end);
  }

  /** recolour follows the colour scheme. */
  recolour(): void {
    this.#trace.recolour();
  }

  /** describe says in words what the trace shows, or the sample that the reader points at. */
  #describe(end?: number): void {
    const { metric, options } = this;
    const unit = metric.last?.unit ?? options.unit;
    if (this.#pointed !== null) {
      setText(this.#range, `${clock(this.#pointed.time)}  ${withUnit(this.#pointed.value, unit)}`);
      return;
    }
    if (end === undefined) return;
    const bounds = metric.series.bounds(end - options.span);
    const minutes = Math.round(options.span / 60);
    if (bounds === undefined) {
      setText(this.#range, "");
      this.#chart.setAttribute("aria-label", `${options.title}: no samples in the last ${minutes} minutes`);
      return;
    }
    const [low, high] = bounds.map((value) => quantity(value, unit).number) as [string, string];
    setText(this.#range, low === high ? `steady at ${low}` : `${low} to ${high}`);
    const label = `${options.title} over the last ${minutes} minutes: ${low} to ${withUnit(bounds[1], unit)}`;
    this.#chart.setAttribute("aria-label", label);
  }
}

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });

function tickOf(value: number, percent: boolean): string {
  return percent ? `${whole.format(value)} %` : fine.format(value);
}
