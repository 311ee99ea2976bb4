import uPlot from "uplot";
import type { Range } from "./range.js";

/** TraceOptions says what a trace draws and how. */
export interface TraceOptions {
  /** How many seconds the trace shows. */
  span: number;
  /** The range of the y axis for the values between min and max. */
  range: (min: number, max: number) => Range;
  /** Whether the space below the line is filled: only where the axis begins at zero. */
  area: boolean;
  /** Whether the times stand below. */
  clock: boolean;
  /** Writes a value beside the axis. */
  tick: (value: number) => string;
  /** Called when the reader points at a sample, with null when they leave. */
  onPoint: (point: { time: number; value: number } | null) => void;
}

/** The colours of a trace, from the custom properties of its element. */
interface Look {
  line: string;
  grid: string;
  text: string;
  sheet: string;
  font: string;
}

const clockHeight = 26;

/** Trace draws one metric as a line over the last minutes, by uPlot. */
export class Trace {
  readonly #plot: uPlot;
  readonly #element: HTMLElement;
  #look: Look;

  /** A trace fills its element and follows its size; `--line` of the element colours it. */
  constructor(element: HTMLElement, options: TraceOptions) {
    this.#element = element;
    this.#look = lookOf(element);
    this.#plot = new uPlot(this.#options(options), [[], []], element);
    new ResizeObserver(() => this.#plot.setSize(sizeOf(element))).observe(element);
  }

  /** draw shows the columns, the right edge being at end, in seconds since the epoch. */
  draw(times: number[], values: (number | null)[], end: number, span: number): void {
    this.#plot.batch(() => {
      this.#plot.setData([times, values], false);
      this.#plot.setScale("x", { min: end - span, max: end });
    });
  }

  /** recolour takes the colours from the style sheet again, after the scheme changed. */
  recolour(): void {
    this.#look = lookOf(this.#element);
    this.#plot.redraw(true, true);
  }

  #options({ range, area, clock, tick, onPoint }: TraceOptions): uPlot.Options {
    const look = () => this.#look;
    const grid: uPlot.Axis.Grid = { stroke: () => look().grid, width: 1 };
    const text = { stroke: () => look().text, font: look().font, ticks: { show: false } };
    return {
      ...sizeOf(this.#element),
      padding: [10, 0, clock ? 0 : 6, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: "vitals" }, points: { size: 9 } },
      scales: {
        x: { time: true, auto: false },
        y: { range: (_, min, max) => (min === null || max === null ? range(0, 0) : range(min, max)) },
      },
      axes: [
        {
          ...text,
          grid,
          // One line a half minute, and as many labels as have room.
          incrs: [30, 60],
          space: 78,
          size: clock ? clockHeight : 0,
          values: clock ? (_, splits) => splits.map(clockLabel) : () => [],
        },
        { ...text, grid, side: 1, size: 56, gap: 8, space: 34, values: (_, splits) => splits.map(tick) },
      ],
      series: [
        {},
        {
          stroke: () => look().line,
          width: 2,
          spanGaps: false,
          points: { show: false },
          ...(area ? { fill: (plot: uPlot) => wash(plot, look().line) } : {}),
        },
      ],
      hooks: {
        draw: [(plot) => drawHead(plot, look())],
        setCursor: [(plot) => onPoint(pointed(plot))],
      },
    };
  }
}

/** drawHead marks the newest sample, the point where the trace is being written. */
function drawHead(plot: uPlot, { line, sheet }: Look): void {
  const [times, values] = plot.data;
  const value = values?.at(-1);
  const time = times.at(-1);
  if (time === undefined || value === null || value === undefined) return;
  const x = plot.valToPos(time, "x", true);
  if (x < plot.bbox.left) return;
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

function pointed(plot: uPlot): { time: number; value: number } | null {
  const i = plot.cursor.idx;
  const time = typeof i === "number" ? plot.data[0][i] : undefined;
  const value = typeof i === "number" ? plot.data[1]?.[i] : undefined;
  return time === undefined || value === null || value === undefined ? null : { time, value };
}

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

function clockLabel(seconds: number): string {
  return clockFormat.format(seconds * 1000);
}

/** lookOf reads custom properties: colours there are #rrggbb, so that an alpha can be appended. */
function lookOf(element: HTMLElement): Look {
  const style = getComputedStyle(element);
  const property = (name: string) => style.getPropertyValue(name).trim();
  return {
    line: property("--line"),
    grid: property("--grid"),
    text: property("--soft"),
    sheet: property("--sheet"),
    font: `11px ${style.fontFamily}`,
  };
}

function sizeOf(element: HTMLElement): { width: number; height: number } {
  return { width: Math.max(element.clientWidth, 120), height: Math.max(element.clientHeight, 60) };
}
