import type { Host } from "../api/feed.js";
import { drawSpark } from "../charts/spark.js";
import { fleetSpan, vitals, type Vital, type Vitals } from "../state/fleet.js";
import { element, setText } from "./dom.js";
import { age, withUnit } from "./format.js";

const names: Record<Vital, string> = { cpu: "CPU", memory: "Memory", disk: "Disk", network: "Network" };
const statusWords: Record<Host["status"], string> = { up: "Up", stale: "Stale", down: "Down", unknown: "Unknown" };

/** Colours is what the small charts are drawn in. */
export type Colours = Record<Vital, string>;

/** coloursOf takes the colours of the vitals from the style sheet. */
export function coloursOf(root: Element): Colours {
  const style = getComputedStyle(root);
  const of = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return { cpu: of("cpu"), memory: of("memory"), disk: of("disk"), network: of("c3") };
}

/** HostCard is the row, or the tile, of one host in the list. */
export class HostCard {
  readonly element: HTMLElement;
  readonly #link: HTMLAnchorElement;
  readonly #status = element("span", "status");
  readonly #tags = element("span", "tags");
  readonly #values: Record<Vital, { text: HTMLElement; canvas: HTMLCanvasElement }>;
  #shown: Host | undefined;

  constructor(name: string) {
    this.#link = element("a", "name", [name], { href: `/hosts/${encodeURIComponent(name)}` });
    const vital = () => ({
      text: element("span", "reading", ["–"]),
      canvas: element("canvas", "", [], { "aria-hidden": "true" }),
    });
    this.#values = { cpu: vital(), memory: vital(), disk: vital(), network: vital() };
    const cells = vitals.map((one) =>
      element("span", "vital", [
        element("span", "label", [names[one]]),
        this.#values[one].text,
        this.#values[one].canvas,
      ]),
    );
    this.element = element("li", "card", [element("span", "who", [this.#link, this.#status, this.#tags]), ...cells]);
  }

  /** focus puts the keyboard on the host. */
  focus(): void {
    this.#link.focus({ preventScroll: true });
  }

  /** place says where in the list of how many the card stands. */
  place(index: number, count: number, left: string, top: number, width: string, height: number): void {
    const { style } = this.element;
    style.transform = `translateY(${top}px)`;
    style.left = left;
    style.width = width;
    style.height = `${height}px`;
    this.element.setAttribute("aria-posinset", String(index + 1));
    this.element.setAttribute("aria-setsize", String(count));
  }

  /** draw shows a host as it is at a time by the server's clock, in seconds since the epoch. */
  draw(host: Host, measured: Vitals | undefined, now: number, colours: Colours): void {
    if (this.#shown !== host) this.#describe(host);
    const late = host.status === "up" || host.seen === 0 ? "" : ` ${age((now - host.seen) * 1000)} ago`;
    setText(this.#status, statusWords[host.status] + late);
    for (const vital of vitals) {
      const { text, canvas } = this.#values[vital];
      const column = measured?.columns[vital];
      // The last value of a host that is silent is no reading of now.
      const value = host.status === "down" ? undefined : column?.averages.at(-1);
      setText(text, value === undefined || column === undefined ? "–" : withUnit(value, column.series.unit));
      if (column === undefined) continue;
      const most = vital === "network" ? Math.max(10_000, column.bounds(now - fleetSpan, now)?.[1] ?? 0) : 100;
      drawSpark(canvas, column, [now - fleetSpan, now], most, colours[vital]);
    }
  }

  #describe(host: Host): void {
    this.#shown = host;
    this.element.dataset["status"] = host.status;
    const pairs = Object.entries(host.tags).sort(([a], [b]) => (a < b ? -1 : 1));
    const tags = pairs.map(([key, value]) => element("span", "tag", [`${key}=${value}`]));
    if (host.conflict) tags.unshift(element("span", "tag conflict", ["two agents under this name"]));
    this.#tags.replaceChildren(...tags);
    this.#tags.title = host.system;
  }
}
