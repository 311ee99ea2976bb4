import type { Host } from "../api/feed.js";
import { drawSpark } from "../charts/spark.js";
import type { Column } from "../state/columns.js";
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

/** Size is how large a small chart is, in CSS pixels. */
export interface Size {
  width: number;
  height: number;
}

/** HostCard is the row, or the tile, of one host in the list; of another one later, since to make one takes long. */
export class HostCard {
  readonly element: HTMLElement;
  readonly #link = element("a", "name");
  readonly #status = element("span", "status");
  readonly #tags = element("span", "tags");
  readonly #values: Record<Vital, { text: HTMLElement; canvas: HTMLCanvasElement }>;
  #shown: Host | undefined;
  #placed = "";
  #drawn = "";

  constructor() {
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

  /** The size of its small charts, which is the same for all cards of a list. To ask lays the page out. */
  get chartSize(): Size {
    const { clientWidth: width, clientHeight: height } = this.#values.cpu.canvas;
    return { width, height };
  }

  /** place says where in the list of how many the card stands. */
  place(index: number, count: number, left: string, top: number, width: string, height: number): void {
    const place = `${index} ${count} ${left} ${top} ${width} ${height}`;
    if (place === this.#placed) return;
    this.#placed = place;
    const { style } = this.element;
    style.transform = `translateY(${top}px)`;
    style.left = left;
    style.width = width;
    style.height = `${height}px`;
    this.element.setAttribute("aria-posinset", String(index + 1));
    this.element.setAttribute("aria-setsize", String(count));
  }

  /**
   * draw shows a host as it is at a time by the server's clock, in seconds since
   * the epoch, to the second: what stays the same for longer is not drawn again.
   */
  draw(host: Host, measured: Vitals | undefined, time: number, colours: Colours, size: Size): void {
    const now = Math.ceil(time);
    const newest = vitals.map((vital) => {
      const times = measured?.columns[vital].times;
      return `${times?.[0]} ${times?.at(-1)} ${times?.length}`;
    });
    const drawn = [now, host.name, size.width, size.height, ...Object.values(colours), ...newest].join(" ");
    if (drawn === this.#drawn && host === this.#shown) return;
    this.#drawn = drawn;
    if (this.#shown !== host) this.#describe(host);
    const late = host.status === "up" || host.seen === 0 ? "" : ` ${age((now - host.seen) * 1000)} ago`;
    setText(this.#status, statusWords[host.status] + late);
    for (const vital of vitals) this.#draw(vital, host, measured?.columns[vital], now, colours[vital], size);
  }

  #draw(vital: Vital, host: Host, column: Column | undefined, now: number, colour: string, size: Size): void {
    const { text, canvas } = this.#values[vital];
    // The last value of a host that is silent is no reading of now.
    const value = host.status === "down" ? undefined : column?.averages.at(-1);
    setText(text, value === undefined || column === undefined ? "–" : withUnit(value, column.series.unit));
    const most = vital === "network" ? Math.max(10_000, column?.bounds(now - fleetSpan, now)?.[1] ?? 0) : 100;
    drawSpark(canvas, size, column, [now - fleetSpan, now], most, colour);
  }

  #describe(host: Host): void {
    if (this.#shown?.name !== host.name) {
      setText(this.#link, host.name);
      this.#link.href = `/hosts/${encodeURIComponent(host.name)}`;
    }
    this.#shown = host;
    this.element.dataset["status"] = host.status;
    const pairs = Object.entries(host.tags).sort(([a], [b]) => (a < b ? -1 : 1));
    const tags = pairs.map(([key, value]) => element("span", "tag", [`${key}=${value}`]));
    if (host.conflict) tags.unshift(element("span", "tag conflict", ["two agents under this name"]));
    this.#tags.replaceChildren(...tags);
    this.#tags.title = host.system;
  }
}
