/** How far apart tags stand, in pixels, as in the style sheet. */
const gap = 8;

/** fitting returns how many of some tags fit side by side, with room for "+n" where some are left. */
export function fitting(widths: readonly number[], room: number, more: number): number {
  let used = 0;
  let fit = 0;
  for (const [i, width] of widths.entries()) {
    used += width + gap;
    const isLast = i === widths.length - 1;
    if (used + (isLast ? -gap : more) <= room) fit = i + 1;
  }
  return fit;
}

const widths = new Map<string, number>();
let measure: CanvasRenderingContext2D | null | undefined;

/** widthOf returns how wide a text is in a font, in pixels: measured aside, since to ask the page would lay it out. */
export function widthOf(text: string, font: string): number {
  const key = `${font} ${text}`;
  let width = widths.get(key);
  if (width === undefined) {
    measure ??= document.createElement("canvas").getContext("2d");
    if (measure === null) return 7 * text.length;
    measure.font = font;
    width = Math.ceil(measure.measureText(text).width);
    // Ages of silent hosts come and go.
    if (widths.size > 5_000) widths.clear();
    widths.set(key, width);
  }
  return width;
}
