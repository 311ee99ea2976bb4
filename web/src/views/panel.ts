import { keyOf } from "../api/series.js";
import { labelsOf, type ChartSpec } from "../charts/catalog.js";
import { palette } from "../charts/chart.js";
import { isLive, windowOf } from "../state/range.js";
import type { Column } from "../state/columns.js";
import { copyMenu } from "./copymenu.js";
import { element, setText } from "./dom.js";
import { moment, withUnit } from "./format.js";
import { Plot, type PlotContext } from "./plot.js";

/** Row is the cells of a series in the table below its chart. */
interface Row {
  element: HTMLTableRowElement;
  now: HTMLElement;
  least: HTMLElement;
  greatest: HTMLElement;
}

/** Panel shows a chart of some series, with a table of their values below. */
export class Panel {
  readonly element: HTMLElement;
  readonly plot: Plot;
  readonly #body = element("tbody", "");
  readonly #when = element("th", "", ["Now"], { scope: "col" });
  readonly #rows = new Map<string, Row>();
  #pointed: number | null = null;

  constructor(
    readonly spec: ChartSpec,
    private readonly context: PlotContext,
  ) {
    this.plot = new Plot(spec, context, { head: false, area: spec.range === undefined }, (time) => {
      this.#pointed = time;
      this.#fill();
    });
    const id = `chart-${spec.id}`;
    const table = element(
      "table",
      "",
      [
        element("caption", "", [`${spec.title}: values in this range`]),
        element("thead", "", [
          element("tr", "", [
            element("th", "", ["Series"], { scope: "col" }),
            this.#when,
            element("th", "", ["Least"], { scope: "col" }),
            element("th", "", ["Most"], { scope: "col" }),
          ]),
        ]),
        this.#body,
      ],
      {},
    );
    this.plot.element.setAttribute("aria-label", `${spec.title}, ${spec.help}: values in the table that follows`);
    this.element = element(
      "article",
      "panel",
      [
        element("header", "", [
          element("h3", "", [spec.title], { id }),
          element("p", "help", [spec.help], { title: spec.help }),
          copyMenu(spec.title, { what: "history", question: () => this.plot.request }),
        ]),
        this.plot.element,
        element("div", "values", [table], { tabindex: "0", role: "group", "aria-label": `${spec.title}: values` }),
      ],
      { "aria-labelledby": id, "data-chart": spec.id },
    );
  }

  /** draw shows the panel as it is now. */
  draw(): void {
    if (this.plot.draw()) this.#fill();
  }

  #fill(): void {
    const columns = this.plot.columns();
    const [from, to] = windowOf(this.context.range(), this.context.now());
    setText(
      this.#when,
      this.#pointed === null ? (isLive(this.context.range()) ? "Now" : "Last") : moment(this.#pointed, to - from),
    );
    const keys = columns.map((column) => keyOf(column.series));
    if (keys.length !== this.#rows.size || keys.some((key) => !this.#rows.has(key))) this.#rebuild(columns, keys);
    for (const [i, column] of columns.entries()) {
      const row = this.#rows.get(keys[i]!);
      if (row === undefined) continue;
      const write = (value: number | undefined) => (value === undefined ? "–" : withUnit(value, this.plot.unit));
      const bounds = column.extent(from, to);
      setText(row.now, write(column.at(this.#pointed ?? to)));
      setText(row.least, write(bounds?.[0]));
      setText(row.greatest, write(bounds?.[1]));
    }
  }

  #rebuild(columns: readonly Column[], keys: string[]): void {
    this.#rows.clear();
    const label = this.spec.label ?? labelsOf;
    for (const [i, { series }] of columns.entries()) {
      const name = this.spec.label === undefined && columns.length === 1 ? this.spec.title : label(series);
      const row: Row = {
        element: element("tr", ""),
        now: element("td", "at"),
        least: element("td", ""),
        greatest: element("td", ""),
      };
      const swatch = element("span", "swatch", [], { "data-colour": String(i % palette), "aria-hidden": "true" });
      row.element.append(
        element("th", "", [swatch, name === "" ? series.type : name], { scope: "row" }),
        row.now,
        row.least,
        row.greatest,
      );
      this.#rows.set(keys[i]!, row);
    }
    this.#body.replaceChildren(...[...this.#rows.values()].map((row) => row.element));
  }
}
