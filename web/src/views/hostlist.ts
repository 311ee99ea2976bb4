import type { Host } from "../api/feed.js";
import type { Vitals } from "../state/fleet.js";
import { element } from "./dom.js";
import { HostCard } from "./hostcard.js";

/** Rows so far out of sight, in pixels, are there already when they are scrolled into it. */
const margin = 300;
/** While the list moves, so many hosts that stand there already are drawn anew in a frame: each in a second, as in a list at rest. */
const refreshes = 1;
/** A list that is narrower than so many pixels has no room for rows. */
const narrow = 880;

/**
 * neighbour returns the index of the host that stands so many columns to the right
 * of another and so many rows below it, or where there is none the same; below a row
 * that is not the last there is always one.
 */
export function neighbour(from: number, right: number, down: number, columns: number, count: number): number {
  const column = (from % columns) + right;
  if (column < 0 || column >= columns) return from;
  const to = from + right + down * columns;
  if (to < 0) return from;
  if (to < count) return to;
  const lastRow = Math.floor((count - 1) / columns);
  return Math.floor(from / columns) < lastRow && down > 0 ? count - 1 : from;
}

/**
 * Shape is how many cards stand beside each other, how high each is, and how many
 * pixels each has for what is said of its host; the style sheet has the same widths.
 */
interface Shape {
  columns: number;
  height: number;
  about: number;
}

/**
 * HostList draws the hosts that are in sight, and no others. Its cards are made
 * once: one that is scrolled out of sight is the next host's at the other end.
 */
export class HostList {
  readonly element = element("ul", "fleet", [], { "aria-label": "Hosts" });
  /** The host at index i has the card at i modulo their number. */
  #cards: HostCard[] = [];
  #hosts: readonly Host[] = [];
  #first = 0;
  #shaped = "";
  #whole = "";
  #isGrid = false;
  /** The font of the page, by which texts are measured. */
  readonly #family = getComputedStyle(document.documentElement).fontFamily;

  /** show takes other hosts, or others first; draw draws them. */
  show(hosts: readonly Host[]): void {
    this.#hosts = hosts;
  }

  /** How many hosts stand beside each other. */
  get columns(): number {
    return this.#shape().columns;
  }

  /** Whether there is room for rows at all, or tiles are all that fits. */
  get isNarrow(): boolean {
    return this.element.clientWidth < narrow;
  }

  /** lay chooses tiles or rows. */
  lay(isGrid: boolean): void {
    this.#isGrid = isGrid;
  }

  /** The hosts that are drawn, of which some are a little out of sight. */
  get drawn(): readonly Host[] {
    return this.#hosts.slice(this.#first, this.#first + this.#cards.length);
  }

  /**
   * draw shows the hosts in sight as they are at a time by the server's clock, in
   * seconds since the epoch. While the list moves, only some of those that stand
   * there already: the frames that follow draw the others.
   */
  draw(measured: (host: string) => Vitals | undefined, now: number, moves: boolean): void {
    const { columns, height, about } = this.#shape();
    const count = this.#hosts.length;
    // Read before anything is written, so that nothing is laid out twice in a frame.
    const above = -this.element.getBoundingClientRect().top;
    const held = this.#cards.find((card) => card.focused)?.name;
    this.#stretch(Math.ceil(count / columns) * height);
    this.#provide((Math.ceil((innerHeight + 2 * margin) / height) + 1) * columns);
    const first = Math.max(0, Math.floor((above - margin) / height) * columns);
    this.#first = Math.min(first, count - this.#cards.length);
    let again = moves ? refreshes : Infinity;
    for (const [i, host] of this.drawn.entries()) {
      const index = this.#first + i;
      const card = this.#cardOf(index);
      const left = `${(100 * (index % columns)) / columns}%`;
      card.place(index, count, left, Math.floor(index / columns) * height, `${100 / columns}%`, height);
      const isOther = card.name !== host.name;
      if (!isOther && again <= 0) continue;
      if (card.draw(host, measured(host.name), now, about, this.#family) && !isOther) again--;
    }
    if (held !== undefined) this.#follow(held);
  }

  /** arrange brings the cards into the order of their hosts, which is that of the keyboard and of what is read out. */
  arrange(): void {
    const ordered = this.drawn.map((_, i) => this.#cardOf(this.#first + i));
    if (ordered.every((card, i) => this.element.children[i] === card.element)) return;
    // What is moved loses the keyboard: the card that has it stays, and the others are moved around it.
    const fixed = ordered.findIndex((card) => card.focused);
    for (const [i, card] of ordered.entries())
      if (i !== fixed) this.element.insertBefore(card.element, i < fixed ? ordered[fixed]!.element : null);
  }

  /** The index of the host that has the keyboard, or -1. */
  get focused(): number {
    const i = this.drawn.findIndex((_, place) => this.#cardOf(this.#first + place).focused);
    return i < 0 ? -1 : this.#first + i;
  }

  /** reveal scrolls until the host at an index is in sight. */
  reveal(index: number): void {
    const { columns, height } = this.#shape();
    const top = this.element.getBoundingClientRect().top + Math.floor(index / columns) * height;
    if (top < 80 || top + height > innerHeight) scrollBy(0, top - innerHeight / 2);
  }

  /** focus puts the keyboard on the host at an index, which has been drawn. */
  focus(index: number): void {
    this.#cardOf(index).focus();
  }

  #cardOf(index: number): HostCard {
    return this.#cards[index % this.#cards.length]!;
  }

  #shape(): Shape {
    const width = this.element.clientWidth;
    const tiles = this.#isGrid || width < narrow;
    const shaped = tiles ? "grid" : "table";
    if (shaped !== this.#shaped) this.element.dataset["view"] = this.#shaped = shaped;
    if (!tiles) return { columns: 1, height: 66, about: Math.floor(Math.max(176, ((width - 128) * 1.5) / 5.5)) - 6 };
    const columns = Math.max(1, Math.floor(width / 320));
    return { columns, height: 196, about: Math.floor(width / columns) - 50 };
  }

  #stretch(height: number): void {
    const whole = `${height}px`;
    if (this.#whole !== whole) this.element.style.height = this.#whole = whole;
  }

  /** provide sees to it that there are so many cards, or one for each host where those are fewer. */
  #provide(count: number): void {
    const wanted = Math.min(count, this.#hosts.length);
    for (const card of this.#cards.splice(wanted)) card.element.remove();
    while (this.#cards.length < wanted) {
      const card = new HostCard();
      this.#cards.push(card);
      this.element.append(card.element);
    }
  }

  /** follow keeps the keyboard on a host whose card has become another's. */
  #follow(held: string): void {
    const card = this.#cards.find((one) => one.focused);
    if (card?.name === held) return;
    card?.blur();
    this.#cards.find((one) => one.name === held)?.focus();
  }
}
