import type { PageState } from "../state/page.js";
import { answerOf, curlOf } from "./curl.js";
import { copyOnClick } from "./copy.js";
import { byId, setText } from "./dom.js";
import { healthOf, statusOf } from "./status.js";
import { Strip } from "./strip.js";

/** PageView draws the state of the page into index.html. */
export class PageView {
  readonly #strips: Strip[];
  readonly #pulse = byId("pulse");
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)");

  /**
   * @param asked the host that was asked for, empty for the server's own
   * @param span how many seconds the traces show
   */
  constructor(
    private readonly state: PageState,
    private readonly asked: string,
    private readonly span: number,
  ) {
    const monitor = byId("monitor");
    this.#strips = state.metrics.map((metric, i) => {
      const words = wordsOf[metric.metricType] ?? { title: metric.metricType, help: "", unit: "" };
      return new Strip(monitor, metric, { ...words, span, clock: i === state.metrics.length - 1 });
    });
    copyOnClick(byId("copy"), byId("curl"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      for (const strip of this.#strips) strip.recolour();
    });
  }

  /** draw shows the state as it is at now, by the clock that the state was fed by. */
  draw(now: number): void {
    const { state } = this;
    // With no sample yet the traces are empty, and their clock is the browser's.
    const end = state.serverTime(now) ?? Date.now() / 1000;
    for (const strip of this.#strips) strip.draw(now, end);
    this.#drawStatus(now);
    this.#drawLesson();
  }

  /** beat moves the pulse once, for a new sample. */
  beat(): void {
    if (this.#calm.matches) return;
    this.#pulse.animate(
      [{ transform: "scale(1)", opacity: 0.55 }, { transform: "scale(2.6)", opacity: 0 }],
      { duration: 800, easing: "ease-out" },
    );
  }

  #drawStatus(now: number): void {
    const { state, asked } = this;
    const status = statusOf(state, asked, now);
    const host = state.hostname ?? asked;
    document.documentElement.dataset["phase"] = status.phase;
    setText(byId("host"), host === "" ? "This host" : host);
    setText(byId("word"), status.word);
    setText(byId("meaning"), status.meaning);
    setText(byId("detail"), status.detail);
    const health = healthOf(state);
    byId("health").dataset["health"] = health.state;
    setText(byId("health"), health.text);
    const place = host === "" ? "Vitals" : `${host} · Vitals`;
    const title = status.phase === "live" ? place : `${status.word} · ${place}`;
    if (document.title !== title) document.title = title;
  }

  /** drawLesson shows how to ask for the first number on this page without it. */
  #drawLesson(): void {
    const first = this.state.metrics[0];
    if (first === undefined) return;
    const hostname = first.last?.hostname ?? this.asked;
    setText(byId("curl"), curlOf(location.origin, { hostname, metricType: first.metricType }));
    if (first.last !== undefined) setText(byId("answer"), answerOf(first.last));
  }
}

/** wordsOf describes the types of the classic contract to the reader. */
const wordsOf: Record<string, { title: string; help: string; unit: string }> = {
  cpu: { title: "CPU", help: "busy, all cores", unit: "percent" },
  memory: { title: "Memory", help: "in use", unit: "GB" },
  disk: { title: "Disk", help: "used, root file system", unit: "GB" },
};
