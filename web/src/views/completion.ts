import { offers, spotAt, type Known, type Offer } from "../state/expression.js";
import { element } from "./dom.js";

/** Source is where completion learns what there is. */
export interface Source {
  /** What is known so far. */
  known: () => Known;
  /** values returns the values of a label, of a metric if one is named. */
  values: (label: string, metric: string | undefined) => Promise<readonly string[]>;
}

/** Completion offers what can stand where an expression is being typed. */
export class Completion {
  /** Goes beside the box, in an element that is placed. */
  readonly list = element("ul", "offers", [], {
    id: "offers",
    role: "listbox",
    "aria-label": "Completions",
    hidden: "",
  });
  #offered: Offer[] = [];
  #chosen = 0;
  #turn = 0;
  /** What the box held, and where its caret was, when the offers were made: they are for nowhere else. */
  #for = { value: "", place: 0 };

  constructor(
    private readonly box: HTMLTextAreaElement,
    private readonly source: Source,
  ) {
    for (const [name, value] of [
      ["aria-haspopup", "listbox"],
      ["aria-controls", "offers"],
      ["aria-autocomplete", "list"],
    ] as const)
      box.setAttribute(name, value);
    box.addEventListener("input", () => void this.#offer(false));
    box.addEventListener("blur", () => this.close());
    document.addEventListener("selectionchange", () => {
      if (this.#offered.length > 0 && this.#for.value === box.value && !this.#isThere) this.close();
    });
  }

  /** Whether the box and its caret are as they were when the offers were made. */
  get #isThere(): boolean {
    const { value, selectionStart, selectionEnd } = this.box;
    return this.#for.value === value && this.#for.place === selectionStart && selectionStart === selectionEnd;
  }

  /** close takes the offers away. */
  close(): void {
    this.#turn++;
    this.#show([]);
  }

  /** key takes a key that is meant for the offers, and tells whether it was. */
  key(event: KeyboardEvent): boolean {
    if (event.key === " " && event.ctrlKey) {
      void this.#offer(true);
      return true;
    }
    if (this.#offered.length > 0 && !this.#isThere) this.close();
    const count = this.#offered.length;
    if (count === 0) return false;
    if (event.key === "Tab" && !event.shiftKey) this.#take(this.#chosen);
    else if (event.key === "ArrowDown") this.#choose((this.#chosen + 1) % count);
    else if (event.key === "ArrowUp") this.#choose((this.#chosen + count - 1) % count);
    else if (event.key === "Escape") {
      this.close();
      event.stopPropagation();
    } else return false;
    return true;
  }

  /** offer shows what could be meant; without a letter typed only where few things can stand, or when asked to. */
  async #offer(asked: boolean): Promise<void> {
    const turn = ++this.#turn;
    const { value, selectionStart: place, selectionEnd } = this.box;
    const spot = place === selectionEnd ? spotAt(value, place) : undefined;
    this.#for = { value, place };
    if (spot === undefined || (spot.text === "" && spot.kind === "name" && !asked)) {
      this.#show([]);
      return;
    }
    const values = spot.kind === "value" ? await this.source.values(spot.label ?? "", spot.metric) : [];
    if (turn === this.#turn && this.#isThere) this.#show(offers(spot, this.source.known(), values, value.slice(place)));
  }

  #show(offered: Offer[]): void {
    this.#offered = offered;
    this.list.replaceChildren(
      ...offered.map(({ text, about }, i) => {
        const words = about === "" ? [] : [element("span", "about", [about])];
        const item = element("li", "", [element("span", "", [text]), ...words], { role: "option", id: `offer-${i}` });
        item.addEventListener("mousedown", (event) => {
          event.preventDefault(); // the box keeps the keyboard
          this.#take(i);
        });
        return item;
      }),
    );
    this.list.hidden = offered.length === 0;
    this.#choose(0);
  }

  #choose(i: number): void {
    this.#chosen = i;
    for (const [k, item] of [...this.list.children].entries()) item.setAttribute("aria-selected", String(k === i));
    if (this.list.hidden) this.box.removeAttribute("aria-activedescendant");
    else this.box.setAttribute("aria-activedescendant", `offer-${i}`);
  }

  #take(i: number): void {
    const offer = this.#isThere ? this.#offered[i] : undefined;
    const { value, selectionStart: place } = this.box;
    const spot = spotAt(value, place);
    this.close();
    if (offer === undefined || spot === undefined) return;
    this.box.setRangeText(offer.insert, spot.start, place, "end");
    if (offer.more) void this.#offer(false);
  }
}
