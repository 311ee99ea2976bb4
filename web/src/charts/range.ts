/** Range is the least and the greatest value that an axis shows. */
export type Range = [low: number, high: number];

/** What an axis shows beyond its ends, for the breadth of the line. */
const [below, above] = [0.01, 0.02];

/** wholePercent reaches from zero to a hundred: how much of all there is. */
export function wholePercent(): Range {
  return roomy(100);
}

/**
 * percentRange reaches from zero to the lowest of 25, 50 and 100 that has room for
 * max. It grows as soon as it has to, and shrinks only where max is far below, so
 * that what moves around a bound does not move the axis with it.
 *
 * @param before what the axis showed before
 */
export function percentRange(max: number, before?: Range): Range {
  const least = (share: number) => [25, 50].find((bound) => max <= bound * share) ?? 100;
  const was = before === undefined ? 0 : Math.round(before[1] / (1 + above));
  return roomy(Math.min(Math.max(was, least(0.96)), least(0.75)));
}

function roomy(high: number): Range {
  return [-below * high, (1 + above) * high];
}

/**
 * amountRange fits the axis to what an amount does: it is about change, since the
 * value itself stands beside the chart in large. It never shows less than a
 * fiftieth of the value or two tenths, so that a quiet host looks quiet.
 */
export function amountRange(min: number, max: number): Range {
  const span = Math.max((max - min) * 1.25, Math.max(max, -min) / 50, 0.2);
  const step = niceStep(span / 4);
  const middle = (min + max) / 2;
  let low = Math.floor((middle - span / 2) / step + 1e-9) * step;
  let high = Math.ceil((middle + span / 2) / step - 1e-9) * step;
  // What is never below zero has no axis below it either.
  if (low < 0 && min >= 0) {
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

/**
 * fromZero reaches from zero to a round number that has room for max, and below zero
 * where a value is. What comes to its very end gets room for the breadth of the line.
 */
export function fromZero(min: number, max: number): Range {
  if (min >= 0 && max <= 0) return [0, 1];
  const step = niceStep((Math.max(max, 0) - Math.min(min, 0)) / 4);
  const low = Math.floor(Math.min(min, 0) / step + 1e-9) * step;
  const high = Math.max(Math.ceil(Math.max(max, 0) / step - 1e-9) * step, 0);
  const room = (high - low) * above;
  return [min < 0 && min - low < room ? low - room : low, high - max < room ? high + room : high];
}
