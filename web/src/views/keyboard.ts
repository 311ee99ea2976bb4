import { presets, windowOf, type TimeRange } from "../state/range.js";
import { byId } from "./dom.js";

/** Keys is what the keys of a view reach. */
export interface Keys {
  /** The view's range of time, if it has one. */
  range?: TimeRange;
  /** What the view takes for now, in seconds since the epoch. */
  now?: () => number;
  /** Where a filter is typed, if there is one. */
  filter?: HTMLInputElement | HTMLTextAreaElement;
  /** move goes to what stands so many columns to the right of what has the keyboard, and so many rows below. */
  move?: (right: number, down: number) => void;
}

/** leave takes the keyboard from a box; one to search by is emptied, as browsers do, but so that it is heard. */
function leave(target: HTMLElement): void {
  if (target instanceof HTMLInputElement && target.type === "search" && target.value !== "") {
    target.value = "";
    target.dispatchEvent(new Event("input", { bubbles: true }));
  }
  target.blur();
}

/** keyboard makes the page usable without a mouse: see the help that ? shows. */
export function keyboard({ range, now = () => Date.now() / 1000, filter, move }: Keys): void {
  let going = 0;
  const shift = (seconds: (span: number) => number) => {
    if (range === undefined) return;
    const [from, to] = windowOf(range.range, now());
    const by = seconds(to - from);
    range.move({ from: from + by, to: to + by });
  };
  document.addEventListener("keydown", (event) => {
    const target = event.target as HTMLElement;
    const typing = target.matches("input, textarea, select");
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") !== null) return;
    if (typing) {
      if (event.key === "Escape") leave(target);
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
