import type { Host } from "../api/feed.js";
import { Spark } from "../charts/spark.js";
import type { Column } from "../state/columns.js";
import { fleetSpan, vitals, type Vital, type Vitals } from "../state/fleet.js";
import { addressOf } from "./address.js";
import { element, setText } from "./dom.js";
import { age, withUnit } from "./format.js";
import { fitting, widthOf } from "./tags.js";

const names: Record<Vital, string> = { cpu: "CPU", memory: "Memory", disk: "Disk", network: "Network" };
const statusWords: Record<Host["status"], string> = { up: "Up", stale: "Stale", down: "Down", unknown: "Unknown" };

const conflict = "two agents under this name";
/** What stands beside the words of the status, in pixels: its dot, and what is free around it; see the style sheet. */
const besideStatus = 26;

/** Reading is a vital of the host: its value now, and its last minutes. */
interface Reading {
  text: HTMLElement;
  spark: Spark;
}

/** HostCard is the row, or the tile, of one host in the list; of another one later, since to make one takes long. */
export class HostCard {
  readonly element: HTMLElement;
  readonly #link = element("a", "name");
  readonly #status = element("span", "status");
  readonly #tags = element("span", "tags");
  readonly #readings: Record<Vital, Reading>;
  #host: Host | undefined;
  #all: readonly string[] = [];
  #tagged = "";
  #placed = "";
  #drawn: readonly unknown[] = [];

  constructor() {
    const reading = () => ({ text: element("span", "reading", ["–"]), spark: new Spark() });
    this.#readings = { cpu: reading(), memory: reading(), disk: reading(), network: reading() };
    const cells = vitals.map((vital) => {
      const { text, spark } = this.#readings[vital];
      return element("span", "vital", [element("span", "label", [names[vital]]), text, spark.element], {
        "data-vital": vital,
      });
    });
    this.element = element("li", "card", [
      element("span", "who", [this.#link, element("span", "what", [this.#status, this.#tags])]),
      ...cells,
    ]);
  }

  /** The name of the host that is shown. */
  get name(): string | undefined {
    return this.#host?.name;
  }

  /** Whether the keyboard is on the host. */
  get focused(): boolean {
    return document.activeElement === this.#link;
  }

  /** focus puts the keyboard on the host, blur takes it away. */
  focus(): void {
    this.#link.focus({ preventScroll: true });
  }

  blur(): void {
    this.#link.blur();
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
   * the epoch, to the second: what stays the same for longer is not drawn again, and
   * false is returned.
   *
   * @param about how many pixels there are for what is said of the host
   * @param family the font of the page
   */
  draw(host: Host, measured: Vitals | undefined, time: number, about: number, family: string): boolean {
    const now = Math.ceil(time);
    const drawn = [now, host, measured, measured?.changes, about];
    if (drawn.every((part, i) => part === this.#drawn[i])) return false;
    this.#drawn = drawn;
    if (this.#host !== host) this.#describe(host);
    const late = host.status === "up" || host.seen === 0 ? "" : ` ${age((now - host.seen) * 1000)} ago`;
    const status = statusWords[host.status] + late;
    setText(this.#status, status);
    this.#tag(host, about - widthOf(status, `13px ${family}`) - besideStatus, `12px ${family}`);
    const past = measured?.kept === true;
    for (const vital of vitals) this.#draw(vital, host, measured?.columns[vital], now, past);
    return true;
  }

  #draw(vital: Vital, host: Host, column: Column | undefined, now: number, past: boolean): void {
    const { text, spark } = this.#readings[vital];
    // The last value of a host that is silent is no reading of now.
    const value = host.status === "down" ? undefined : column?.averages.at(-1);
    setText(text, value === undefined || column === undefined ? "–" : withUnit(value, column.series.unit));
    // A host that goes by has no last minutes yet, and four charts of one dot cost as much as full ones.
    spark.show(past);
    if (!past) return;
    const most = vital === "network" ? Math.max(10_000, column?.bounds(now - fleetSpan, now)?.[1] ?? 0) : 100;
    spark.draw(column, [now - fleetSpan, now], most);
  }

  #describe(host: Host): void {
    if (this.name !== host.name) {
      setText(this.#link, host.name);
      this.#link.title = host.name; // it may be cut off
      this.#link.href = addressOf(host.name);
    }
    this.#host = host;
    if (this.element.dataset["status"] !== host.status) this.element.dataset["status"] = host.status;
    const tags = Object.entries(host.tags)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `${key}=${value}`);
    this.#all = host.conflict ? [conflict, ...tags] : tags;
    if (this.#tags.title !== host.system) this.#tags.title = host.system;
  }

  /** tag shows as many tags as there is room for, and how many there are more. */
  #tag(host: Host, room: number, font: string): void {
    const all = this.#all;
    const widths = all.map((tag) => widthOf(tag, font));
    const fit = fitting(widths, room, widthOf(`+${all.length}`, font));
    const rest = all.slice(fit);
    const tagged = [fit, ...all].join("\n");
    if (tagged === this.#tagged) return;
    this.#tagged = tagged;
    const isConflict = (tag: string, i: number) => host.conflict && i === 0 && tag === conflict;
    const parts = all
      .slice(0, fit)
      .map((tag, i) => element("span", isConflict(tag, i) ? "tag conflict" : "tag", [tag]));
    if (rest.length > 0) {
      const more = fit === 0 && host.conflict ? "more conflict" : "more";
      parts.push(element("span", more, [`+${rest.length}`], { title: rest.join("\n") }));
    }
    this.#tags.replaceChildren(...parts);
  }
}
