import { keyOf } from "../api/series.js";
import { labelsOf, type ChartSpec } from "../charts/catalog.js";
import { isLive, windowOf } from "../state/range.js";
import type { Column } from "../state/columns.js";
import { copyMenu } from "./copymenu.js";
import { element, setText } from "./dom.js";
import { moment, quantity } from "./format.js";
import { emphasis, named } from "./legend.js";
import { Plot, type PlotContext } from "./plot.js";

/** Row is the cells of a series in the table below its chart. */
interface Row {
  element: HTMLTableRowElement;
  now: HTMLElement;
  least: HTMLElement;
  greatest: HTMLElement;
}

/** With texts of more letters a narrow table has no room for all of its columns, and of even more for their units. */
const [short, long] = [8, 12];

/** Panel shows a chart of some series, with a table of their values below. */
export class Panel {
  readonly element: HTMLElement;
  readonly plot: Plot;
  readonly #help = element("p", "help");
  readonly #body = element("tbody", "");
  readonly #when = element("th", "", ["Now"], { scope: "col" });
  readonly #rows = new Map<string, Row>();
  readonly #table: HTMLTableElement;
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
    this.#table = element(
      "table",
      "",
      [
        element("caption", "", [`${spec.title}: values in this range`]),
        element("thead", "", [
          element("tr", "", [
            element("th", "", ["Series"], { scope: "col" }),
            this.#when,
            element("th", "least", ["Least"], { scope: "col" }),
            element("th", "", ["Most"], { scope: "col" }),
          ]),
        ]),
        this.#body,
      ],
      {},
    );
    this.explain(spec.help);
    const values = element("div", "values", [this.#table], {
      tabindex: "0",
      role: "group",
      "aria-label": `${spec.title}: values`,
    });
    emphasis(values, this.#body, (i) => this.plot.emphasize(i));
    this.element = element(
      "article",
      "panel",
      [
        element("header", "", [
          element("h3", "", [spec.title], { id, title: spec.title }),
          copyMenu(spec.title, { what: "history", question: () => this.plot.request }),
          this.#help,
        ]),
        this.plot.element,
        values,
      ],
      { "aria-labelledby": id, "data-chart": spec.id },
    );
  }

  /** explain says what is shown, as soon as that is known. */
  explain(help: string): void {
    setText(this.#help, help);
    this.#help.title = help;
    const name = help === "" ? this.spec.title : `${this.spec.title}, ${help}`;
    this.plot.element.setAttribute("aria-label", `${name}: values in the table that follows`);
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
      const bounds = column.extent(from, to);
      this.#write(row.now, column.at(this.#pointed ?? to));
      this.#write(row.least, bounds?.[0]);
      this.#write(row.greatest, bounds?.[1]);
    }
  }

  /** write writes a value into a cell. A unit that has no room is cut off; the number never is. */
  #write(cell: HTMLElement, value: number | undefined): void {
    const { number, unit } = value === undefined ? { number: "–", unit: "" } : quantity(value, this.plot.unit);
    const text = unit === "" ? number : `${number} ${unit}`;
    if (cell.textContent === text) return;
    cell.replaceChildren(number, ...(unit === "" ? [] : [" ", element("span", "of", [unit], { title: unit })]));
    if (text.length > short) this.#table.classList.add("wide");
    if (text.length > long) this.#table.classList.add("wider");
  }

  #rebuild(columns: readonly Column[], keys: string[]): void {
    this.#rows.clear();
    this.#table.classList.remove("wide", "wider");
    const label = this.spec.label ?? labelsOf;
    for (const [i, { series }] of columns.entries()) {
      const name = this.spec.label === undefined && columns.length === 1 ? this.spec.title : label(series);
      const row: Row = {
        element: element("tr", ""),
        now: element("td", "at"),
        least: element("td", "least"),
        greatest: element("td", ""),
      };
      row.element.append(named(i, name.trim() === "" ? series.type : name), row.now, row.least, row.greatest);
      this.#rows.set(keys[i]!, row);
    }
    this.#body.replaceChildren(...[...this.#rows.values()].map((row) => row.element));
  }
}
