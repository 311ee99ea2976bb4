import { presets, windowOf, type TimeRange } from "../state/range.js";
import { byId } from "./dom.js";

/** Keys is what the keys of a view reach. */
export interface Keys {
  /** The view's range of time, if it has one. */
  range?: TimeRange;
  /** Where a filter is typed, if there is one. */
  filter?: HTMLInputElement | HTMLTextAreaElement;
  /** move goes to what stands so many columns to the right of what has the keyboard, and so many rows below. */
  move?: (right: number, down: number) => void;
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
    // What scrolls by the arrows is left to the browser.
    if (event.key.startsWith("Arrow") && scrolls(target, event.key)) return;
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
    else if (event.key === "ArrowDown" && move !== undefined) move(0, 1);
    else if (event.key === "ArrowUp" && move !== undefined) move(0, -1);
    else if (event.key === "ArrowLeft" && move !== undefined) move(-1, 0);
    else if (event.key === "ArrowRight" && move !== undefined) move(1, 0);
    else return;
    event.preventDefault();
  });
}

/** scrolls tells whether a key scrolls the part of the page that has the keyboard, in its direction. */
function scrolls(target: Element, key: string): boolean {
  const place = target.closest('[tabindex="0"]');
  if (place === null) return false;
  return key === "ArrowLeft" || key === "ArrowRight"
    ? place.scrollWidth > place.clientWidth
    : place.scrollHeight > place.clientHeight;
}
