import { markOf } from "../charts/chart.js";
import { element } from "./dom.js";

/** swatch shows the colour and the dashes of a series by its place in the chart. */
export function swatch(i: number): HTMLElement {
  const { colour, dash } = markOf(i);
  return element("span", "swatch", [], {
    "data-colour": String(colour),
    "data-dash": String(dash),
    "aria-hidden": "true",
  });
}

/**
 * emphasis sets the series of a row off in the chart while the mouse or the keyboard
 * is on the row: the arrows go from row to row once the keyboard is in the table.
 *
 * @param place what scrolls and has the keyboard
 * @param body the rows, one for each series
 * @param set is called with the place of the series, null when none is meant
 */
export function emphasis(place: HTMLElement, body: HTMLElement, set: (i: number | null) => void): void {
  const indexOf = (target: EventTarget | null) => {
    const row = (target as Element | null)?.closest("tr");
    const i = row?.parentElement === body ? [...body.children].indexOf(row) : -1;
    // A series alone has no others to be told from.
    return i < 0 || body.children.length < 2 ? null : i;
  };
  const rest = () => set(indexOf(document.activeElement));
  body.addEventListener("mouseover", (event) => set(indexOf(event.target)));
  body.addEventListener("mouseleave", rest);
  body.addEventListener("focusin", (event) => set(indexOf(event.target)));
  body.addEventListener("focusout", () => set(null));
  place.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by === undefined || body.children.length < 2) return;
    const i = indexOf(document.activeElement);
    const row = body.children[i === null ? 0 : i + by];
    if (!(row instanceof HTMLElement)) return;
    row.tabIndex = -1;
    row.focus();
    event.preventDefault();
    event.stopPropagation();
  });
}

/** named makes the cell that names a series: what does not fit in it is there to be pointed at. */
export function named(i: number, name: string): HTMLElement {
  return element("th", "", [swatch(i), name], { scope: "row", title: name });
}
