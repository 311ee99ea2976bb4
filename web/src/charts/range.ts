/** Range is the least and the greatest value that an axis shows. */
export type Range = [low: number, high: number];

/**
 * percentRange reaches from zero to the lowest of 25, 50 and 100 that has room for
 * max, and a little beyond both, for the breadth of the line.
 */
export function percentRange(max: number): Range {
  const high = [25, 50].find((bound) => max <= bound * 0.96) ?? 100;
  return [-0.01 * high, 1.02 * high];
}

/**
 * amountRange fits the axis to what an amount does: it is about change, since the
 * value itself stands beside the chart in large. It never shows less than a
 * fiftieth of the value or two tenths, so that a quiet host looks quiet.
 */
export function amountRange(min: number, max: number): Range {
  const span = Math.max((max - min) * 1.25, max / 50, 0.2);
  const step = niceStep(span / 4);
  const middle = (min + max) / 2;
  let low = Math.floor((middle - span / 2) / step + 1e-9) * step;
  let high = Math.ceil((middle + span / 2) / step - 1e-9) * step;
  if (low < 0) {
    high -= low;
    low = 0;
  }
  return [low, high];
}

/** niceStep returns the least of 1, 2 and 5 times a power of ten that is not below step. */
function niceStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  const factor = [1, 2, 5].find((f) => f * power >= step * (1 - 1e-9)) ?? 10;
  return factor * power;
}

/** fromZero reaches from zero to a round number that has room for max; below zero where a value is. */
export function fromZero(min: number, max: number): Range {
  if (min >= 0 && max <= 0) return [0, 1];
  const high = Math.max(max, 0);
  const low = Math.min(min, 0);
  const step = niceStep((high - low) / 4);
  return [Math.floor(low / step + 1e-9) * step, Math.ceil((high * 1.02) / step - 1e-9) * step];
}
