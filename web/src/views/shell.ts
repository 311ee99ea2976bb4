import type { PageState } from "../state/page.js";
import { theme } from "../state/settings.js";
import { byId, element, setText } from "./dom.js";
import { healthOf, statusOf } from "./status.js";

/** Shell is what stands above every view: whose signs these are, and whether they can be believed. */
export class Shell {
  readonly #pulse = byId("pulse");
  /** What beats out of sight would cost frames, and nobody sees it. */
  #inSight = true;
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)");

  /**
   * @param title what the view shows: a host's name, or "All hosts"
   * @param asked the host that was asked for, empty for all of them
   * @param settings opens the settings
   */
  constructor(
    private readonly state: PageState,
    private readonly title: string,
    private readonly asked: string,
    settings: () => void,
  ) {
    setText(byId("host"), title);
    new IntersectionObserver((seen) => (this.#inSight = seen.at(-1)!.isIntersecting)).observe(this.#pulse);
    byId("show-settings").addEventListener("click", settings);
    const help = byId("help") as HTMLDialogElement;
    byId("show-help").addEventListener("click", () => help.showModal());
    for (const dialog of [help, byId("settings") as HTMLDialogElement])
      dialog.addEventListener("click", (event) => {
        if (event.target === dialog) dialog.close(); // the backdrop
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
    if (this.#calm.matches || !this.#inSight) return;
    this.#pulse.animate(
      [
        { transform: "scale(1)", opacity: 0.55 },
        { transform: "scale(2.6)", opacity: 0 },
      ],
      { duration: 800, easing: "ease-out" },
    );
  }
}

/** paint takes the colours that the reader chose, for the page and for what the browser draws around it. */
export function paint(): void {
  const chosen = theme();
  if (chosen === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = chosen;
  for (const bar of document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]')) {
    const own = bar.dataset["theme"] ?? "";
    bar.media = chosen === "system" ? `(prefers-color-scheme: ${own})` : own === chosen ? "all" : "not all";
  }
}

/** offerReload says that the page is not the one that the server has now, once. */
export function offerReload(why: string): void {
  if (document.querySelector(".renewed") !== null) return;
  const button = element("button", "", ["Reload"], { type: "button" });
  button.addEventListener("click", () => location.reload());
  byId("main").before(element("p", "renewed", [why, " ", button], { role: "status" }));
}
