import { presets, windowOf, type TimeRange } from "../state/range.js";
import { element, setText } from "./dom.js";
import { period } from "./format.js";

/** RangeBar is the buttons that choose how much time is shown. */
export class RangeBar {
  readonly element: HTMLElement;
  readonly #buttons: readonly (readonly [number, HTMLButtonElement])[];
  readonly #text = element("span", "window");
  readonly #back = element("button", "back", ["Back"], {
    type: "button",
    title: "Back to the range before (or double click)",
  });

  constructor(
    private readonly time: TimeRange,
    private readonly now: () => number,
  ) {
    this.#buttons = Object.entries(presets).map(([name, seconds]) => {
      const button = element("button", "", [name], { type: "button", "data-range": name });
      if (seconds <= 900) button.title = "Live, moving with each sample";
      button.addEventListener("click", () => time.choose({ last: seconds }));
      return [seconds, button] as const;
    });
    this.#back.addEventListener("click", () => time.back());
    const buttons = this.#buttons.map(([, button]) => button);
    this.element = element(
      "div",
      "ranges",
      [element("div", "presets", buttons, { role: "group", "aria-label": "Range of time" }), this.#text, this.#back],
      {},
    );
  }

  /** draw marks the range that is shown. */
  draw(): void {
    const { range } = this.time;
    for (const [seconds, button] of this.#buttons)
      button.setAttribute("aria-pressed", String("last" in range && range.last === seconds));
    const [from, to] = windowOf(range, this.now());
    const fixed = !("last" in range);
    this.#back.hidden = !fixed;
    setText(this.#text, fixed ? period(from, to, this.now()) : "");
  }
}
