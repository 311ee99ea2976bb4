import uPlot from "uplot";
import type { Column } from "../state/columns.js";
import { tickLength, timeTicks, ticks } from "../views/format.js";
import { utc } from "../state/settings.js";
import { align, alone, stacked, type Table } from "./align.js";
import { gestures, type Gestures } from "./gestures.js";
import type { Range } from "./range.js";

/** ChartOptions says what a chart draws and how. */
export interface ChartOptions {
  unit: () => string;
  /** The range of the y axis for values between min and max, where before was shown so far. */
  range: (min: number, max: number, before?: Range) => Range;
  /** Whether the series lie upon one another. */
  stack: boolean;
  /** Whether the space below a single line is filled: only where the axis begins at zero. */
  area: boolean;
  /** Whether the newest value is marked, the point where the trace is being written. */
  head: () => boolean;
  /** Called when the reader points at a time, with null when they leave. */
  onPoint: (time: number | null) => void;
  time: Gestures;
}

/** The colours of a chart, from the custom properties of its element. */
interface Look {
  lines: string[];
  grid: string;
  text: string;
  sheet: string;
  font: string;
}

/** How many colours the style sheet has for the series of one chart: --c0 to --c7. */
const palette = 8;

/** How the lines of the first series are drawn, of those that have the same colours again, and so on. */
const dashes: readonly (readonly number[])[] = [[], [7, 4], [2, 3], [9, 3, 2, 3]];

/** markOf returns the colour and the dashes of a series by its place among the columns. */
export function markOf(i: number): { colour: number; dash: number } {
  return { colour: i % palette, dash: Math.min(Math.floor(i / palette), dashes.length - 1) };
}

const noTable: Table = { times: [], cells: [] };

/** Chart draws some series over time, by uPlot. */
export class Chart {
  readonly #element: HTMLElement;
  readonly #options: ChartOptions;
  #plot: uPlot | undefined;
  #count = -1;
  #look: Look;
  #columns: readonly Column[] = [];
  #window: [number, number] = [0, 1];
  /** Whether any column has a point in the window: without one there is no scale either. */
  #isEmpty = true;
  #range: Range | undefined;
  #axis = axisWidth;
  #emphasized: number | null = null;

  /** A chart fills its element and follows its size; `--line` of the element colours a single series. */
  constructor(element: HTMLElement, options: ChartOptions) {
    this.#element = element;
    this.#options = options;
    this.#look = lookOf(element);
    new ResizeObserver(() => this.#plot?.setSize(sizeOf(element))).observe(element);
    gestures(element, options.time, {
      area: () => this.#plot?.over,
      mark: (left, width) =>
        this.#plot?.setSelect({ left, width, top: 0, height: this.#plot.over.clientHeight }, false),
    });
  }

  /** The width of what is drawn, in CSS pixels. */
  get width(): number {
    return Math.max(this.#element.clientWidth - this.#axis, 100);
  }

  /** draw shows the columns from one time to another, in seconds since the epoch. */
  draw(columns: readonly Column[], from: number, to: number): void {
    this.#columns = columns;
    // What was shown of another stretch of time is no reason to show as much of this one.
    if (Math.abs(this.#window[1] - this.#window[0] - (to - from)) > 1) this.#range = undefined;
    this.#window = [from, to];
    this.#isEmpty = !columns.some((column) => column.holds(from, to));
    const table = this.#options.stack ? stacked(align(columns)) : align(columns);
    // What has no data yet, or none in this range, keeps the chart that it has.
    const count = columns.length || Math.max(this.#count, 1);
    const cells = columns.length === 0 ? Array.from({ length: count }, () => []) : table.cells;
    // Of a stack the highest is drawn first, and each lower one over it.
    const rows = this.#options.stack ? [...cells].reverse() : cells;
    const data = [table.times, ...rows] as unknown as uPlot.AlignedData;
    if (this.#plot === undefined || this.#count !== count) this.#make(count);
    const plot = this.#plot!;
    plot.batch(() => {
      plot.setData(data, false);
      plot.setScale("x", { min: from, max: to });
    });
  }

  /** recolour takes the colours from the style sheet again, after the scheme changed. */
  recolour(): void {
    this.#look = lookOf(this.#element);
    this.#plot?.redraw(true, true);
  }

  /** emphasize sets one series off from the others, by its place among the columns; null: none. */
  emphasize(i: number | null): void {
    this.#emphasized = i;
    const row = i === null || i >= this.#count ? null : this.#rowOf(i);
    // uPlot takes null for all of them, though its types do not say so.
    this.#plot?.setSeries(row as number, { focus: true }, false);
  }

  /** rowOf returns the row of uPlot's data that a column is in: of a stack the highest is drawn first. */
  #rowOf(i: number): number {
    return this.#options.stack ? this.#count - i : i + 1;
  }

  #make(count: number): void {
    this.#plot?.destroy();
    this.#count = count;
    // Not before: an element that is not on the page yet has no style.
    this.#look = lookOf(this.#element);
    const data = [noTable.times, ...Array.from({ length: count }, () => [])] as uPlot.AlignedData;
    this.#plot = new uPlot(this.#plotOptions(count), data, this.#element);
    if (this.#emphasized !== null) this.emphasize(this.#emphasized);
  }

  /** colour returns the colour of a series by its place among the columns. */
  #colour(i: number): string {
    const { lines } = this.#look;
    return lines[i % lines.length] || "#888888";
  }

  #bounds(): Range {
    const { stack, range } = this.#options;
    const [from, to] = this.#window;
    let min = Infinity;
    let max = -Infinity;
    let sum = 0;
    for (const column of this.#columns) {
      const [low, high] = column.extent(from, to) ?? [Infinity, -Infinity];
      min = Math.min(min, low);
      max = Math.max(max, high);
    }
    if (stack && this.#plot !== undefined) {
      const top = this.#plot.data[1] ?? [];
      for (const value of top) sum = Math.max(sum, value ?? 0);
      return range(0, sum);
    }
    return (this.#range = min <= max ? range(min, max, this.#range) : range(0, 0));
  }

  /** axisOf returns how wide the axis of values is: all charts the same, where its texts have room. */
  #axisOf(plot: uPlot, texts: readonly string[] | null): number {
    plot.ctx.save();
    plot.ctx.font = this.#look.font;
    const widest = Math.max(0, ...(texts ?? []).map((text) => plot.ctx.measureText(text).width));
    plot.ctx.restore();
    return (this.#axis = Math.max(axisWidth, Math.ceil(widest) + axisGap + 2));
  }

  #plotOptions(count: number): uPlot.Options {
    const { stack, area, head, onPoint, time, unit } = this.#options;
    const look = () => this.#look;
    const grid: uPlot.Axis.Grid = { stroke: () => look().grid, width: 1 };
    const text = { stroke: () => look().text, font: look().font, ticks: { show: false } };
    const placeOf = (row: number) => (stack ? count - row : row - 1);
    return {
      ...sizeOf(this.#element),
      padding: [10, 0, 0, 0],
      legend: { show: false },
      tzDate: (seconds) => (utc() ? uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC") : new Date(seconds * 1000)),
      cursor: {
        y: false,
        drag: { x: true, y: false, setScale: false },
        sync: {
          key: "vitals",
          scales: ["x", null],
          // The cursor is one for all charts; a drag or a double click means the range, which is one already.
          filters: { pub: (type) => type === "mousemove" || type === "mouseleave", sub: () => true },
        },
        points: { show: !stack && count <= palette, size: 7 },
        bind: {
          dblclick: () => () => {
            time.back();
            return null;
          },
          // With shift a drag pans; see gestures.
          mousedown: (_plot, _target, handler) => (event: MouseEvent) => {
            if (!event.shiftKey) handler(event);
            return null;
          },
        },
      },
      focus: { alpha: 0.2 },
      scales: {
        x: { time: true, auto: false },
        y: { range: () => this.#bounds() },
      },
      axes: [
        {
          ...text,
          grid,
          incrs: increments,
          space: (_plot, _axis, from, to) => Math.max(64, 7 * tickLength(to - from) + 12),
          size: 26,
          // A label at the very edge would be cut off.
          values: (plot, splits, _axis, _space, step) =>
            timeTicks(splits, step).map((text, i) => (plot.valToPos(splits[i]!, "x") < 3.5 * text.length ? "" : text)),
        },
        {
          ...text,
          grid,
          side: 1,
          size: (plot, texts) => this.#axisOf(plot, texts),
          gap: axisGap,
          incrs: (_plot, _axis, from, to) => (to - from < 1e30 ? numberIncrements : hugeIncrements(to - from)),
          space: 36,
          values: (_, splits, _axis, _space, step) =>
            this.#isEmpty ? splits.map(() => "") : ticks(splits, step, unit()),
        },
      ],
      series: [
        {},
        ...Array.from({ length: count }, (_, k) => {
          const row = k + 1;
          const line = () => this.#colour(placeOf(row));
          return {
            stroke: line,
            width: count > 1 ? 1.5 : 2,
            dash: [...dashes[markOf(placeOf(row)).dash]!],
            spanGaps: false,
            // A sample between two gaps has no line to be part of: it gets a dot.
            points: { show: false, size: 4, filter: (plot: uPlot) => alone(plot.data[row] ?? []) },
            ...(stack ? { fill: () => mixed(line(), look().sheet, 0.45) } : {}),
            ...(!stack && area && count === 1 ? { fill: (plot: uPlot) => wash(plot, line()) } : {}),
          } satisfies uPlot.Series;
        }),
      ],
      hooks: {
        drawAxes: stack ? [] : [(plot) => this.#drawBands(plot)],
        draw: [(plot) => head() && drawHead(plot, this.#colour(0), look().sheet)],
        setCursor: [(plot) => onPoint(pointed(plot))],
        setSelect: [
          (plot) => {
            const { left, width } = plot.select;
            if (width < 4) return;
            time.zoom(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          },
        ],
      },
    };
  }

  /** drawBands fills from the least to the greatest value of each point, behind the line of the averages. */
  #drawBands(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const [from, to] = this.#window;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const [i, column] of this.#columns.entries()) {
      const { times, minima, maxima, averages } = column;
      if (this.#emphasized !== null && this.#emphasized !== i) continue;
      ctx.fillStyle = this.#colour(i) + (this.#columns.length > 3 ? "1f" : "33");
      for (const [start, end] of column.runs()) {
        const seen = times[end]! >= from && times[start]! <= to;
        let differs = false;
        for (let k = start; seen && k <= end && !differs; k++) differs = minima[k] !== averages[k];
        if (differs) band(plot, times, minima, maxima, start, end);
      }
    }
    ctx.restore();
  }
}

const axisWidth = 68;
const axisGap = 8;

const [minute, hour, day, year] = [60, 3_600, 86_400, 365 * 86_400];
/** The distances that the marks below a chart may have, in seconds. */
const increments = [
  ...[1, 2, 5, 10, 15, 30],
  ...[1, 2, 5, 10, 15, 30].map((count) => count * minute),
  ...[1, 2, 3, 6, 12].map((count) => count * hour),
  ...[1, 2, 5, 10, 30, 90].map((count) => count * day),
  ...[1, 2, 5].map((count) => count * year),
];

/** The distances that the marks beside a chart may have. uPlot counts the decimals of its own ones, which are these. */
const numberIncrements = Array.from({ length: 64 }, (_, i) => i - 32).flatMap((power) =>
  [1, 2, 2.5, 5].map((factor) => Number(`${factor}e${power}`)),
);

/** hugeIncrements returns those of an axis for which uPlot has none. */
function hugeIncrements(span: number): number[] {
  const power = Math.floor(Math.log10(span)) - 1;
  return [1, 2, 5, 10, 20, 50, 100].map((factor) => factor * 10 ** power);
}

function band(plot: uPlot, times: number[], minima: number[], maxima: number[], start: number, end: number): void {
  const { ctx } = plot;
  const x = (k: number) => plot.valToPos(times[k]!, "x", true);
  ctx.beginPath();
  for (let k = start; k <= end; k++) ctx.lineTo(x(k), plot.valToPos(maxima[k]!, "y", true));
  for (let k = end; k >= start; k--) ctx.lineTo(x(k), plot.valToPos(minima[k]!, "y", true));
  ctx.closePath();
  ctx.fill();
}

/** drawHead marks the newest sample, if it is in sight. */
function drawHead(plot: uPlot, line: string, sheet: string): void {
  const [times, values] = plot.data;
  const value = values?.at(-1);
  const time = times.at(-1);
  if (time === undefined || value === null || value === undefined) return;
  const x = plot.valToPos(time, "x", true);
  if (x < plot.bbox.left || x > plot.bbox.left + plot.bbox.width + 1) return;
  const y = plot.valToPos(value, "y", true);
  const { ctx } = plot;
  const disc = (radius: number, colour: string) => {
    ctx.beginPath();
    ctx.arc(x, y, radius * uPlot.pxRatio, 0, 2 * Math.PI);
    ctx.fillStyle = colour;
    ctx.fill();
  };
  ctx.save();
  disc(9, line + "2e");
  disc(5.5, sheet);
  disc(3.5, line);
  ctx.restore();
}

/** wash fills from the line's colour down to nothing. */
function wash(plot: uPlot, line: string): CanvasGradient | string {
  const { top, height } = plot.bbox;
  if (!Number.isFinite(top + height) || height <= 0) return "transparent";
  const gradient = plot.ctx.createLinearGradient(0, top, 0, top + height);
  gradient.addColorStop(0, line + "4d");
  gradient.addColorStop(1, line + "08");
  return gradient;
}

/** mixed lays a share of one colour over another; both are #rrggbb. */
function mixed(over: string, under: string, share: number): string {
  const part = (colour: string, i: number) => parseInt(colour.slice(i, i + 2), 16);
  const mix = (i: number) => Math.round(part(over, i) * share + part(under, i) * (1 - share));
  return "#" + [1, 3, 5].map((i) => mix(i).toString(16).padStart(2, "0")).join("");
}

function pointed(plot: uPlot): number | null {
  const { left } = plot.cursor;
  return left === undefined || left === null || left < 0 ? null : plot.posToVal(left, "x");
}

/** lookOf reads custom properties: colours there are #rrggbb, so that an alpha can be appended. */
function lookOf(element: HTMLElement): Look {
  const style = getComputedStyle(element);
  const property = (name: string) => style.getPropertyValue(name).trim();
  const line = property("--line");
  return {
    lines: line === "" ? Array.from({ length: palette }, (_, i) => property(`--c${i}`)) : [line],
    grid: property("--grid"),
    text: property("--soft"),
    sheet: property("--sheet"),
    font: `11px ${style.fontFamily}`,
  };
}

function sizeOf(element: HTMLElement): { width: number; height: number } {
  return { width: Math.max(element.clientWidth, 120), height: Math.max(element.clientHeight, 60) };
}
