import { presets, windowOf, type TimeRange } from "../state/range.js";
import { byId } from "./dom.js";

/** Keys is what the keys of a view reach. */
export interface Keys {
  /** The view's range of time, if it has one. */
  range?: TimeRange;
  /** Where a filter is typed, if there is one. */
  filter?: HTMLInputElement | HTMLTextAreaElement;
  /** move goes to the next (1) or the one before (-1) of what the view lists. */
  move?: (by: 1 | -1) => void;
}

/** keyboard makes the page usable without a mouse: see the help that ? shows. */
export function keyboard({ range, filter, move }: Keys): void {
  let going = 0;
  const shift = (seconds: (span: number) => number) => {
    if (range === undefined) return;
    const [from, to] = windowOf(range.range, Date.now() / 1000);
    const by = seconds(to - from);
    range.move({ from: from + by, to: to + by });
  };
  document.addEventListener("keydown", (event) => {
    const target = event.target as HTMLElement;
    const typing = target.matches("input, textarea, select");
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") !== null) return;
    if (typing) {
      if (event.key === "Escape") target.blur();
      return;
    }
    const went = performance.now() - going < 1_500;
    going = 0;
    const number = Number(event.key);
    const preset = Object.values(presets)[number - 1];
    if (went && event.key === "h") location.assign("/");
    else if (went && event.key === "e") location.assign("/explore");
    else if (event.key === "g") going = performance.now();
    else if (event.key === "?") byId("show-help").click();
    else if (event.key === "s") byId("show-settings").click();
    else if (event.key === "/" && filter !== undefined) filter.focus();
    else if (event.key === "Escape" && range !== undefined && "from" in range.range) range.back();
    else if (range !== undefined && preset !== undefined) range.choose({ last: preset });
    else if (event.key === "ArrowLeft" && range !== undefined) shift((span) => -span / 4);
    else if (event.key === "ArrowRight" && range !== undefined) shift((span) => span / 4);
    else if (event.key === "ArrowDown" && move !== undefined) move(1);
    else if (event.key === "ArrowUp" && move !== undefined) move(-1);
    else return;
    event.preventDefault();
  });
}
