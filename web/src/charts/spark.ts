import type { Column } from "../state/columns.js";

/**
 * drawSpark draws a column small: a line from zero up to top, filled below, with
 * gaps where nothing was observed. The size is in CSS pixels; it is the caller's
 * to know, since to ask an element for it lays out the whole page.
 */
export function drawSpark(
  canvas: HTMLCanvasElement,
  size: { width: number; height: number },
  column: Column | undefined,
  [from, to]: [number, number],
  top: number,
  colour: string,
): void {
  const ratio = devicePixelRatio;
  const width = Math.round(size.width * ratio);
  const height = Math.round(size.height * ratio);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const ctx = canvas.getContext("2d");
  if (ctx === null || width === 0) return;
  ctx.clearRect(0, 0, width, height);
  if (column === undefined) return;
  const { times, averages, gapAfter } = column;
  const x = (i: number) => ((times[i]! - from) / (to - from)) * width;
  const y = (i: number) => height - ratio - Math.min(averages[i]! / top, 1) * (height - 3 * ratio);
  ctx.lineWidth = 1.5 * ratio;
  ctx.lineJoin = "round";
  ctx.strokeStyle = colour;
  ctx.fillStyle = colour + "26";
  for (let start = 0; start < times.length;) {
    let end = start;
    while (end + 1 < times.length && times[end + 1]! - times[end]! <= gapAfter) end++;
    ctx.beginPath();
    for (let i = start; i <= end; i++) ctx.lineTo(x(i), y(i));
    ctx.stroke();
    ctx.lineTo(x(end), height);
    ctx.lineTo(x(start), height);
    ctx.fill();
    start = end + 1;
  }
}
