import { lastAt, type Column } from "../state/columns.js";

const namespace = "http://www.w3.org/2000/svg";
/** A small chart is so many units wide and high, whatever its size on the page. */
const extent = 1000;
/** What is left free above and below, for the breadth of the line. */
const margin = 40;

/**
 * Spark is a small chart: a line from zero up to top, filled below, with gaps where
 * nothing was observed. Its colour is the style sheet's. It is no canvas, since a
 * browser puts each canvas together with the page anew in each frame, and of these
 * there are many.
 */
export class Spark {
  readonly element = shape("svg");
  readonly #area = shape("path");
  readonly #line = shape("path");
  #shown = true;

  constructor() {
    const attributes = { class: "spark", viewBox: `0 0 ${extent} ${extent}`, preserveAspectRatio: "none" };
    for (const [name, value] of Object.entries(attributes)) this.element.setAttribute(name, value);
    this.element.setAttribute("aria-hidden", "true"); // its value stands beside it
    this.#area.setAttribute("class", "area");
    this.#line.setAttribute("class", "line");
    this.element.append(this.#area, this.#line);
  }

  /** show shows the chart, or takes it off the page for as long as there is nothing to see. */
  show(shown: boolean): void {
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.element.toggleAttribute("hidden", !shown);
  }

  /** draw shows a column from one time to another, in seconds since the epoch, and nothing beyond: no style clips it. */
  draw(column: Column | undefined, [from, to]: [number, number], top: number): void {
    const line: string[] = [];
    const area: string[] = [];
    const oldest = column === undefined ? 0 : lastAt(column.times, from - 1e-6) + 1;
    const newest = column === undefined ? 0 : lastAt(column.times, to);
    for (const [first, last] of column?.runs() ?? []) {
      const start = Math.max(first, oldest);
      const end = Math.min(last, newest);
      if (start > end) continue;
      const { times, averages } = column!;
      const x = (time: number) => Math.round(((time - from) / (to - from)) * extent);
      const y = (value: number) => extent - margin - Math.round(Math.min(value / top, 1) * (extent - 2 * margin));
      let left = x(times[start]!);
      let run = `M${left} ${y(averages[start]!)}`;
      if (start > first) {
        // The line comes in from before the time that is shown.
        const part = (from - times[start - 1]!) / (times[start]! - times[start - 1]!);
        const value = averages[start - 1]! + part * (averages[start]! - averages[start - 1]!);
        run = `M0 ${y(value)}L${run.slice(1)}`;
        left = 0;
      }
      for (let i = start + 1; i <= end; i++) run += `L${x(times[i]!)} ${y(averages[i]!)}`;
      line.push(run, "h0"); // a sample alone has no line to be part of: it is a dot
      area.push(run, `V${extent}H${left}Z`);
    }
    this.#line.setAttribute("d", line.join(""));
    this.#area.setAttribute("d", area.join(""));
  }
}

function shape<K extends "svg" | "path">(tag: K): SVGElementTagNameMap[K] {
  return document.createElementNS(namespace, tag);
}
