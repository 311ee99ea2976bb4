import type { ChartSpec } from "../charts/catalog.js";
import { windowOf } from "../state/range.js";
import type { Phase } from "../state/page.js";
import { copyMenu } from "./copymenu.js";
import { element, setText } from "./dom.js";
import { moment, period, quantity, withUnit } from "./format.js";
import { Plot, type PlotContext } from "./plot.js";

/** Strip shows one metric in large: its name, its trace and its value now. */
export class Strip {
  readonly element: HTMLElement;
  readonly plot: Plot;
  readonly #value = element("span", "value", ["–"]);
  readonly #unit = element("span", "unit");
  readonly #range = element("p", "extent");
  /** What the chart shows, for those who do not see it: in this range the last, least, greatest and mean value. */
  readonly #cells = [0, 1, 2, 3].map(() => element("td", ""));
  #pointed: number | null = null;
  #last: { value: number; unit: string } | undefined;

  constructor(
    private readonly spec: ChartSpec,
    private readonly context: PlotContext,
  ) {
    this.plot = new Plot(spec, context, { head: true, area: spec.unit === "percent" }, (time) => {
      this.#pointed = time;
      this.#describe();
    });
    const id = `metric-${spec.id}`;
    const about = element("div", "about", [
      element("div", "title", [
        element("h2", "", [spec.title], { id }),
        copyMenu(spec.title, { what: "history", question: () => this.plot.request }),
      ]),
      element("p", "help", [spec.help]),
      this.#range,
    ]);
    const now = element("p", "now", [this.#value, " ", this.#unit]);
    const heads = ["Last", "Least", "Most", "Mean"].map((text) => element("th", "", [text], { scope: "col" }));
    const table = element("table", "unseen", [
      element("caption", "", [`${spec.title}: values in this range`]),
      element("thead", "", [element("tr", "", heads)]),
      element("tbody", "", [element("tr", "", this.#cells)]),
    ]);
    this.element = element("article", "strip", [about, this.plot.element, now, table], {
      "aria-labelledby": id,
      "data-metric": spec.id,
    });
  }

  /** observe takes in the newest value, whatever range the chart shows. */
  observe(value: number, unit: string): void {
    this.#last = { value, unit };
  }

  /** draw shows the metric as it is now. */
  draw(phase: Phase): void {
    if (this.element.dataset["phase"] !== phase) {
      // Only what is live has its colour: see the style sheet.
      this.element.dataset["phase"] = phase;
      this.plot.recolour();
    }
    if (this.#last !== undefined) {
      const { number, unit } = quantity(this.#last.value, this.#last.unit);
      setText(this.#value, number);
      setText(this.#unit, unit);
    }
    this.plot.draw();
    this.#describe();
  }

  /** describe says in words what the trace shows, or the value that the reader points at. */
  #describe(): void {
    const { plot, spec } = this;
    const [from, to] = windowOf(this.context.range(), this.context.now());
    const [column] = plot.columns();
    const bounds = column?.extent(from, to);
    const mean = column?.mean(from, to);
    for (const [i, value] of [
      column?.at(to) ?? column?.averages.at(-1),
      ...(bounds ?? [undefined, undefined]),
      mean,
    ].entries())
      setText(this.#cells[i]!, value === undefined || bounds === undefined ? "–" : withUnit(value, plot.unit));
    if (bounds === undefined) {
      setText(this.#range, "");
      plot.element.setAttribute("aria-label", `${spec.title}: no samples`);
      return;
    }
    const [low, high] = bounds.map((value) => withUnit(value, plot.unit)) as [string, string];
    plot.element.setAttribute(
      "aria-label",
      `${spec.title}, ${period(from, to, this.context.now())}: ${low} to ${high}`,
    );
    if (this.#pointed !== null) {
      const value = column?.at(this.#pointed);
      const text = value === undefined ? "no data" : withUnit(value, plot.unit);
      setText(this.#range, `${moment(this.#pointed, to - from)}  ${text}`);
    } else setText(this.#range, low === high ? `steady at ${low}` : `${low} to ${high}`);
  }
}
