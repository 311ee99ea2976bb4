import type { PageState } from "../state/page.js";
import { setUtc, store, theme, utc, type Theme } from "../state/settings.js";
import { byId, setText } from "./dom.js";
import { healthOf, statusOf } from "./status.js";

/** Shell is what stands above every view: whose signs these are, and whether they can be believed. */
export class Shell {
  readonly #pulse = byId("pulse");
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)");

  /**
   * @param title what the view shows: a host's name, or "All hosts"
   * @param asked the host that was asked for, empty for all of them
   * @param changed is called when colours or the way to write times have changed
   */
  constructor(
    private readonly state: PageState,
    private readonly title: string,
    private readonly asked: string,
    changed: () => void,
  ) {
    setText(byId("host"), title);
    themeSwitch(changed);
    zoneSwitch(changed);
    const help = byId("help") as HTMLDialogElement;
    byId("show-help").addEventListener("click", () => help.showModal());
    help.addEventListener("click", (event) => {
      if (event.target === help) help.close(); // the backdrop
    });
  }

  /** draw shows the state as it is at now, by the clock that the state was fed by. */
  draw(now: number): void {
    const { state, title } = this;
    const status = statusOf(state, this.asked, now);
    document.documentElement.dataset["phase"] = status.phase;
    setText(byId("word"), status.word);
    setText(byId("meaning"), status.meaning);
    setText(byId("detail"), status.detail);
    const health = healthOf(state);
    byId("health").dataset["health"] = health.state;
    setText(byId("health"), health.text);
    const place = `${title} · Vitals`;
    const text = status.phase === "live" ? place : `${status.word} · ${place}`;
    if (document.title !== text) document.title = text;
  }

  /** beat moves the pulse once, for a new sample. */
  beat(): void {
    if (this.#calm.matches) return;
    this.#pulse.animate(
      [
        { transform: "scale(1)", opacity: 0.55 },
        { transform: "scale(2.6)", opacity: 0 },
      ],
      { duration: 800, easing: "ease-out" },
    );
  }
}

const themes: readonly Theme[] = ["system", "light", "dark"];
const themeNames: Record<Theme, string> = { system: "Auto", light: "Light", dark: "Dark" };

function themeSwitch(changed: () => void): void {
  const button = byId("theme");
  const show = () => {
    const chosen = theme();
    if (chosen === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = chosen;
    setText(button, themeNames[chosen]);
    button.setAttribute("aria-label", `Colours: ${themeNames[chosen]}`);
  };
  button.addEventListener("click", () => {
    store("theme", themes[(themes.indexOf(theme()) + 1) % themes.length]!);
    show();
    changed();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  show();
}

function zoneSwitch(changed: () => void): void {
  const button = byId("zone");
  const show = () => {
    setText(button, utc() ? "UTC" : "Local");
    button.setAttribute("aria-label", `Times: ${utc() ? "UTC" : "local"}`);
  };
  button.addEventListener("click", () => {
    setUtc(!utc());
    show();
    changed();
  });
  show();
}
