import type { Meter, Usage } from "../api/meter.js";
import { isWire, wireNames } from "../api/wire.js";
import { setUtc, store, theme, utc, wire, type Theme } from "../state/settings.js";
import { byId, element, setText } from "./dom.js";
import { withUnit } from "./format.js";

/** SettingsContext is what the settings reach. */
export interface SettingsContext {
  meter: Meter;
  /** Called when a setting has changed and is stored. */
  changed: () => void;
}

const themes: Readonly<Record<Theme, string>> = { system: "As the system", light: "Light", dark: "Dark" };
const zones = { local: "Local", utc: "UTC" } as const;

/** How often the costs are shown anew, in milliseconds. */
const every = 1_000;

/** showSettings opens the settings. */
export function showSettings({ meter, changed }: SettingsContext): void {
  const dialog = byId("settings") as HTMLDialogElement;
  if (dialog.open) return;
  const costs = new Costs();
  const show = () => costs.draw(meter.usages);
  dialog.replaceChildren(
    element(
      "form",
      "",
      [
        element("h2", "", ["Settings"], { id: "settings-title" }),
        choice("theme", "Colours", themes, theme(), (chosen) => {
          store("theme", chosen);
          changed();
        }),
        choice("zone", "Times", zones, utc() ? "utc" : "local", (chosen) => {
          setUtc(chosen === "utc");
          changed();
        }),
        choice("wire", "Protocol of this page's calls", wireNames, wire(), (chosen) => {
          if (isWire(chosen)) store("wire", chosen);
          changed();
          show();
        }),
        costs.element,
        element("button", "", ["Close"], { value: "close" }),
      ],
      { method: "dialog" },
    ),
  );
  show();
  const timer = setInterval(show, every);
  dialog.addEventListener("close", () => clearInterval(timer), { once: true });
  dialog.showModal();
}

/** choice makes a group of radio buttons. */
function choice<K extends string>(
  name: string,
  title: string,
  options: Readonly<Record<K, string>>,
  chosen: K,
  choose: (option: K) => void,
): HTMLElement {
  const labels = (Object.entries(options) as [K, string][]).map(([value, text]) => {
    const input = element("input", "", [], { type: "radio", name, value });
    input.checked = value === chosen;
    input.addEventListener("change", () => choose(value));
    return element("label", "", [input, text]);
  });
  return element("fieldset", "", [element("legend", "", [title]), ...labels]);
}

/** The columns of the table of costs, and what stands in them. */
const columns: readonly (readonly [title: string, text: (usage: Usage) => string])[] = [
  ["calls", ({ calls }) => withUnit(calls, "count")],
  ["time", ({ last }) => duration(last.milliseconds)],
  ["sent", ({ last }) => withUnit(last.sent, "bytes")],
  ["received", ({ last }) => withUnit(last.received, "bytes")],
  ["unpacked", ({ last }) => withUnit(last.unpacked, "bytes")],
  ["mean time", ({ calls, total }) => duration(total.milliseconds / Math.max(calls, 1))],
  ["sent", ({ total }) => withUnit(total.sent, "bytes")],
  ["received", ({ total }) => withUnit(total.received, "bytes")],
  ["unpacked", ({ total }) => withUnit(total.unpacked, "bytes")],
];
/** What the columns are about: how many of them, and of which calls. */
const spans: readonly (readonly [count: number, title: string])[] = [
  [3, ""],
  [4, "Last call"],
  [4, "All calls"],
];

/** Costs is the table of what the calls of this tab have cost. */
class Costs {
  readonly #body = element("tbody", "");
  readonly #note = element("p", "hint");
  readonly element: HTMLElement;

  constructor() {
    const titles = ["request", "over", ...columns.map(([title]) => title)];
    const about = spans.map(([count, title]) =>
      title === ""
        ? element("td", "", [], { colspan: String(count) })
        : element("th", "", [title], { colspan: String(count), scope: "colgroup" }),
    );
    const heads = titles.map((title) => element("th", "", [title], { scope: "col" }));
    const head = [element("tr", "", about), element("tr", "", heads)];
    this.element = element("section", "costs", [
      element("h3", "", ["What this tab's calls cost"]),
      element(
        "div",
        "scroll",
        [
          element("table", "", [
            element("caption", "", ["Bytes and time by request and protocol"]),
            element("thead", "", head),
            this.#body,
          ]),
        ],
        { tabindex: "0", role: "group", "aria-label": "Costs of calls" },
      ),
      this.#note,
      element("p", "hint", [
        "Bytes of bodies, without HTTP's heads. Received is what came over the network: the answers of Connect are " +
          "compressed by gzip, those of gRPC-Web and all streams are not, since browsers offer no compression there. " +
          "Time is to the last byte; of a stream to its start.",
      ]),
    ]);
  }

  draw(usages: readonly Usage[]): void {
    this.#body.replaceChildren(
      ...usages.map((usage) =>
        element("tr", "", [
          element("th", "", [usage.method], { scope: "row" }),
          element("td", "", [wireNames[usage.wire]]),
          ...columns.map(([, text]) => element("td", "at", [text(usage)])),
        ]),
      ),
    );
    const streams = usages.some(({ open }) => open);
    setText(
      this.#note,
      streams
        ? "Live samples come by Subscribe, a stream of this tab that is still open."
        : "No stream is open in this tab: live samples come by another tab of this page, or by short calls.",
    );
  }
}

function duration(milliseconds: number): string {
  const digits = milliseconds < 10 ? 1 : 0;
  return `${milliseconds.toLocaleString(undefined, { maximumFractionDigits: digits })} ms`;
}
