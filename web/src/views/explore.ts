import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Api } from "../api/client.js";
import { Backoff } from "../api/backoff.js";
import { failureOf } from "../api/failure.js";
import type { FeedEvent } from "../api/feed.js";
import { selectorOf, seriesFrom } from "../api/series.js";
import { byName } from "../charts/catalog.js";
import { Chart } from "../charts/chart.js";
import { fromZero } from "../charts/range.js";
import { Column } from "../state/columns.js";
import { averaged, lookback, placeOf, remembered, type Known } from "../state/expression.js";
import { between, scaled, TimeRange, windowOf } from "../state/range.js";
import { store, stored } from "../state/settings.js";
import type { PageState } from "../state/page.js";
import { address, write } from "./address.js";
import { Completion } from "./completion.js";
import { copyMenu } from "./copymenu.js";
import { byId, element, setText } from "./dom.js";
import { age, moment, withUnit } from "./format.js";
import { emphasis, named } from "./legend.js";
import { RangeBar } from "./rangebar.js";

/** How long an answer may take, in milliseconds. */
const patience = 30_000;
/** The most series that are drawn and listed. */
const most = 100;
const first = "cpu";
/** After so many milliseconds of rest, what a drag or a wheel left is asked for. */
const settle = 80;

/** ExploreView asks any PromQL expression, and shows its value as a chart and a table. */
export class ExploreView {
  readonly range: TimeRange;
  /** What the server's clock says, in seconds since the epoch. */
  readonly now = (): number => this.state.serverTime(performance.now()) ?? Date.now() / 1000;
  readonly input = element("textarea", "", [], {
    rows: "2",
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    "aria-label": "PromQL expression",
    "aria-describedby": "query-hint",
  });
  readonly #wrong = element("div", "wrong", [], { role: "alert" });
  /** What would have a value where the result has none. */
  readonly #better = element("div", "hint", [], { role: "status", hidden: "" });
  readonly #told = element("span", "", [], { role: "status" });
  /** How long the answer took, which differs each time: nobody wants it read out. */
  readonly #took = element("span", "");
  readonly #past = element("select", "", [], { "aria-label": "Earlier queries" });
  readonly #body = element("tbody", "");
  readonly #when = element("th", "", ["Last"], { scope: "col" });
  readonly #chart: Chart;
  readonly #bar: RangeBar;
  readonly #completion: Completion;
  #known: Known = { metrics: [] };
  readonly #values = new Map<string, Promise<string[]>>();
  #columns: Column[] = [];
  #pointed: number | null = null;
  #call: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;
  /** What is shown; the box may hold what is being typed. */
  #expression = "";
  /** What the columns are the value of. */
  #answered = "";
  #failed = false;
  readonly #backoff = new Backoff();

  /** @param redraw asks for a frame */
  constructor(
    private readonly state: PageState,
    private readonly api: Api,
    private readonly redraw: () => void,
  ) {
    this.range = new TimeRange(address, () => this.#soon());
    this.#bar = new RangeBar(this.range, this.now);
    const canvas = element("div", "canvas");
    this.#chart = new Chart(canvas, {
      unit: () => "",
      range: fromZero,
      stack: false,
      area: true,
      head: () => false,
      onPoint: (time) => {
        this.#pointed = time;
        this.#fill();
      },
      time: {
        window: () => this.#window(),
        zoom: (from, to) => this.range.choose(between(from, to)),
        scale: (around, factor) => this.range.move(scaled(this.#window(), around, factor)),
        pan: (seconds) => {
          const [from, to] = this.#window();
          this.range.move({ from: from + seconds, to: to + seconds });
        },
        back: () => this.range.back(),
      },
    });
    this.#completion = new Completion(this.input, {
      known: () => this.#known,
      values: (label, metric) => this.#valuesOf(label, metric),
    });
    this.#build(canvas);
    this.input.value = new URLSearchParams(location.search).get("query") ?? this.#history()[0] ?? first;
    this.#expression = this.input.value.trim();
    // The address says what is shown, from the first on: back leads there.
    this.#write(false);
    addEventListener("popstate", () => {
      this.#completion.close();
      this.input.value = new URLSearchParams(location.search).get("query") ?? first;
      this.#expression = this.input.value.trim();
      this.range.reread();
    });
    void this.#learn();
    this.#soon();
  }

  /** apply asks again when the server is back. */
  apply(event: FeedEvent): void {
    if (event.kind === "open") this.catchUp();
  }

  /** catchUp asks again. */
  catchUp(): void {
    this.#soon();
  }

  /** draw shows the value as it is now, and asks for it anew where the range ends now. */
  draw(): void {
    this.#bar.draw();
    const [from, to] = this.#window();
    this.#chart.draw(this.#columns, from, to);
    const { range } = this.range;
    const every = "last" in range ? Math.max(2_000, (range.last * 1000) / 250) : Infinity;
    if (!this.#failed && this.#call === undefined && performance.now() - this.#asked > every) void this.#ask();
  }

  /** recolour follows the colour scheme and the way in which times are written. */
  recolour(): void {
    this.#chart.recolour();
    this.redraw();
  }

  #window(): [number, number] {
    return windowOf(this.range.range, this.now());
  }

  #build(canvas: HTMLElement): void {
    const run = element("button", "", ["Run"], { type: "submit" });
    const form = element("form", "query", [
      element("div", "box", [this.input, this.#completion.list]),
      run,
      element(
        "p",
        "unseen",
        ["Enter runs it, Shift and Enter begins a line, Tab takes a completion, Control and Space offers some."],
        {
          id: "query-hint",
        },
      ),
    ]);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#run();
    });
    this.input.addEventListener("keydown", (event) => {
      if (this.#completion.key(event)) event.preventDefault();
      else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.#run();
      }
    });
    this.#past.addEventListener("change", () => {
      this.input.value = this.#past.value;
      this.#past.value = "";
      this.#run();
    });
    this.#remember();
    const head = ["Series"].map((text) => element("th", "", [text], { scope: "col" }));
    const table = element("table", "", [
      element("caption", "", ["The value of each series"]),
      element("thead", "", [element("tr", "", [...head, this.#when])]),
      this.#body,
    ]);
    const copy = copyMenu("this chart", {
      what: "chart",
      question: () => ({ promql: this.#expression, ...this.#request() }),
    });
    const copyTable = copyMenu("this table", {
      what: "values",
      question: () => ({ promql: this.#expression, at: this.#pointed ?? this.#window()[1] }),
    });
    const values = element("div", "values", [table], { tabindex: "0", role: "group", "aria-label": "Values" });
    emphasis(values, this.#body, (i) => this.#chart.emphasize(i));
    const result = element("article", "panel", [
      element("header", "", [element("h2", "", ["Result"]), element("p", "told", [this.#told, this.#took]), copy]),
      element("div", "plot", [canvas], {
        role: "img",
        "aria-label": "The result over time: values in the table that follows",
      }),
      element("header", "", [element("h3", "", ["Values"]), element("span", "told", []), copyTable]),
      values,
    ]);
    byId("main").append(
      this.#bar.element,
      form,
      this.#wrong,
      this.#better,
      element("p", "past", ["Earlier ", this.#past]),
      result,
    );
    this.#bar.element.classList.add("still");
    result.id = "result";
  }

  #run(): void {
    this.#completion.close();
    const expression = this.input.value.trim();
    if (expression === "") return;
    const isOther = expression !== this.#expression;
    this.#expression = expression;
    this.#write(isOther);
    void this.#ask();
  }

  /** write puts the expression into the address, as another entry of the history or into the one that is shown. */
  #write(isNew: boolean): void {
    if (this.#expression === "") return;
    const query = new URLSearchParams(location.search);
    query.set("query", this.#expression);
    write(`?${query.toString()}`, isNew);
  }

  #history(): string[] {
    try {
      const kept: unknown = JSON.parse(stored("queries") ?? "[]");
      return Array.isArray(kept) ? kept.filter((one): one is string => typeof one === "string") : [];
    } catch {
      return []; // not what this page has written
    }
  }

  /** remember lists the queries that had an answer, of which any can be picked: none is, so far. */
  #remember(): void {
    const kept = this.#history();
    this.#past.replaceChildren(
      element("option", "", ["queries …"], { value: "", hidden: "" }),
      ...(kept.length === 0 ? [first] : kept).map((one) => element("option", "", [one], { value: one })),
    );
  }

  #soon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), settle);
    this.redraw();
  }

  /** request returns the range that is asked for: a step a pixel, at times that stay the same as time goes on. */
  #request(): { from: number; to: number; step: number } {
    const [from, to] = this.#window();
    const step = Math.max(1, Math.ceil((to - from) / Math.min(this.#chart.width, 1000)));
    return { from: Math.floor(from / step) * step, to, step };
  }

  async #ask(): Promise<void> {
    const expression = this.#expression;
    if (expression === "") return;
    clearTimeout(this.#timer);
    this.#asked = performance.now();
    this.#call?.abort();
    const call = (this.#call = new AbortController());
    const { from, to, step } = this.#request();
    try {
      const answer = await this.api.query.queryPromQL(
        {
          query: expression,
          start: timestampFromMs(from * 1000),
          end: timestampFromMs(Math.round(to * 1000)),
          step: { seconds: BigInt(step), nanos: 0 },
        },
        { signal: call.signal, timeoutMs: patience },
      );
      if (call.signal.aborted) return;
      this.#failed = false;
      this.#backoff.reset();
      if (expression !== this.#answered) {
        this.#answered = expression;
        // What was wrong is not worth to be asked again.
        if (expression !== this.#history()[0]) {
          store("queries", JSON.stringify(remembered(this.#history(), expression)));
          this.#remember();
        }
      }
      this.#columns = answer.series.slice(0, most).map(({ labels, times, values }) => {
        const column = new Column(seriesFrom(labels));
        column.replace({ series: column.series, times, averages: values, minima: values, maxima: values }, step, false);
        return column;
      });
      this.#columns.sort(byName);
      const took = Math.round(performance.now() - this.#asked);
      const left = answer.series.length - this.#columns.length;
      const count = `${answer.series.length} series, ${step} s apart${left > 0 ? `; the first ${most} are shown` : ""}`;
      setText(
        this.#told,
        [answer.series.length === 0 ? "No series in this range" : count, ...answer.warnings].join(". "),
      );
      setText(this.#took, answer.series.length === 0 ? "" : `, ${took} ms`);
      this.#wrong.replaceChildren();
      this.#hint(answer.series.length === 0 && step > lookback ? this.#whyNone(step) : []);
      this.#list();
    } catch (error) {
      if (call.signal.aborted) return;
      this.#failed = true; // asked again when it is changed, or when the server is back
      const { refused, reason } = failureOf(error);
      this.#point(expression, reason);
      this.#hint([]);
      if (!refused) this.#timer = setTimeout(() => void this.#ask(), this.#backoff.next());
      if (refused || expression !== this.#answered) {
        // What is left of another query would be taken for the answer to this one.
        this.#columns = [];
        this.#answered = "";
        setText(this.#told, "");
        setText(this.#took, "");
        this.#list();
      }
    }
    if (this.#call === call) this.#call = undefined;
    this.redraw();
  }

  #hint(words: (Node | string)[]): void {
    this.#better.hidden = words.length === 0;
    this.#better.replaceChildren(...words);
  }

  /** whyNone says why points that are far apart may have no value, and what has one. */
  #whyNone(step: number): (Node | string)[] {
    const why = `Each point is the newest sample of the ${lookback / 60} minutes before it, and the points are ${age(step * 1000)} apart.`;
    const better = averaged(this.#expression, step);
    if (better === undefined) return [`${why} Functions over a range, such as avg_over_time, see what lies between.`];
    const button = element("button", "", [better], { type: "button" });
    button.addEventListener("click", () => {
      this.input.value = better;
      this.#run();
    });
    return [`${why} This sees what lies between: `, button];
  }

  /** point says what is wrong, and where in the expression. */
  #point(expression: string, reason: string): void {
    const place = placeOf(expression, reason);
    const parts: Node[] = [element("p", "", [reason])];
    if (place !== undefined) {
      const [from, to] = place;
      const at = element("mark", "", [expression.slice(from, to) || " "]);
      parts.push(element("pre", "", [expression.slice(0, from), at, expression.slice(to)]));
    }
    this.#wrong.replaceChildren(...parts);
  }

  #list(): void {
    this.#body.replaceChildren(
      ...this.#columns.map(({ series }, i) => {
        const pairs = Object.entries({ ...(series.host === "" ? {} : { hostname: series.host }), ...series.labels });
        const labels = pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(", ");
        const name = series.type + (labels === "" && series.type !== "" ? "" : `{${labels}}`);
        return element("tr", "", [named(i, name), element("td", "at")]);
      }),
    );
    this.#fill();
  }

  #fill(): void {
    const [from, to] = this.#window();
    setText(this.#when, this.#pointed === null ? "Last" : moment(this.#pointed, to - from));
    for (const [i, column] of this.#columns.entries()) {
      const cell = this.#body.children[i]?.lastElementChild;
      const value = this.#pointed === null ? column.averages.at(-1) : column.at(this.#pointed);
      if (cell !== null && cell !== undefined) setText(cell, value === undefined ? "–" : withUnit(value, "count"));
    }
  }

  async #learn(): Promise<void> {
    try {
      const { metrics } = await this.api.query.listMetrics({});
      const about = (unit: string, help: string) => [unit, help].filter((part) => part !== "").join(", ");
      this.#known = {
        metrics: metrics
          .map(({ name, unit, help, labels }) => ({ name, about: about(unit, help), labels }))
          .sort((a, b) => (a.name < b.name ? -1 : 1)),
      };
    } catch {
      // The language alone is offered.
    }
  }

  /** valuesOf returns the values that a label has at the end of the range, asked for once. */
  #valuesOf(label: string, metric: string | undefined): Promise<string[]> {
    const key = `${label} ${metric ?? ""}`;
    let values = this.#values.get(key);
    if (values === undefined) {
      values = this.#askValues(label, metric).catch(() => {
        this.#values.delete(key);
        return [];
      });
      this.#values.set(key, values);
      // Hosts come and go.
      setTimeout(() => this.#values.delete(key), 60_000);
    }
    return values;
  }

  async #askValues(label: string, metric: string | undefined): Promise<string[]> {
    if (label === "hostname" && metric === undefined) {
      const { hosts } = await this.api.query.listHosts({});
      return hosts.map((host) => host.hostname);
    }
    if (label === "__name__") return this.#known.metrics.map(({ name }) => name);
    // Of all metrics only those are asked that have the label.
    const having = this.#known.metrics.filter(({ labels }) => labels.includes(label)).map(({ name }) => name);
    const selector = metric ?? selectorOf(having, []);
    const { series } = await this.api.query.queryPromQL({
      query: `group by (${label}) (${selector})`,
      time: timestampFromMs(Math.round(this.#window()[1] * 1000)),
    });
    const names = new Intl.Collator(undefined, { numeric: true });
    return series.flatMap(({ labels }) => labels[label] ?? []).sort(names.compare);
  }
}
