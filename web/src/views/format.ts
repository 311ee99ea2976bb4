import { utc } from "../state/settings.js";

/** Quantity is a value as the reader's locale writes it, in two parts to be set apart. */
export interface Quantity {
  number: string;
  unit: string;
}

/** Scale is the step of a unit that suits a magnitude: megabytes for what is 0.02 GB. */
interface Scale {
  /** What a value is divided by. */
  divisor: number;
  /** How Intl calls the unit, or undefined where text says it. */
  intl?: string;
  text?: string;
  decimals: number;
  /** Whether the number always has its decimals, so that it stands still while it changes. */
  fixed: boolean;
}

const bytes = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte", "petabyte"];

/** bytesScale finds the power of a thousand that people would read this many bytes in. */
function bytesScale(count: number, perUnit: number, suffix: string): Scale {
  const power = count < 1 ? 0 : Math.min(Math.floor(Math.log10(count) / 3 + 1e-9), bytes.length - 1);
  // Of hundreds of gigabytes nobody reads the second decimal.
  const isPrecise = power >= 3 && count < 100 * 1000 ** power;
  return {
    divisor: 1000 ** power / perUnit,
    intl: bytes[power]! + suffix,
    decimals: power === 0 ? 0 : isPrecise ? 2 : 1,
    fixed: true,
  };
}

/** scaleOf returns the step of a unit in which values up to a magnitude are written. */
export function scaleOf(unit: string, magnitude: number): Scale {
  const size = Math.abs(magnitude);
  switch (unit) {
    case "percent":
      return { divisor: 1, intl: "percent", decimals: 1, fixed: true };
    case "GB":
      // What is counted in gigabytes is seldom less than a megabyte.
      return bytesScale(Math.max(size * 1e9, 1e6), 1e9, "");
    case "bytes":
      return bytesScale(size, 1, "");
    case "bytes_per_second":
      return bytesScale(Math.max(size, 1e3), 1, "-per-second");
    case "celsius":
      return { divisor: 1, intl: "celsius", decimals: 1, fixed: true };
    case "count_per_second":
      return { divisor: 1, text: "/s", decimals: size < 10 ? 1 : 0, fixed: false };
    case "seconds":
      if (size >= 172_800) return { divisor: 86_400, intl: "day", decimals: 1, fixed: true };
      if (size >= 7_200) return { divisor: 3_600, intl: "hour", decimals: 1, fixed: true };
      if (size >= 120) return { divisor: 60, intl: "minute", decimals: 1, fixed: true };
      return { divisor: 1, intl: "second", decimals: size < 10 ? 2 : 0, fixed: false };
    case "count":
    case "":
      return { divisor: 1, text: "", decimals: 2, fixed: false };
    default:
      return { divisor: 1, text: unit, decimals: 2, fixed: false };
  }
}

const formats = new Map<string, Intl.NumberFormat>();

function formatOf({ intl, fixed }: Scale, decimals: number, locale: string | undefined): Intl.NumberFormat {
  const key = `${locale ?? ""} ${intl ?? ""} ${decimals} ${fixed}`;
  let format = formats.get(key);
  if (format === undefined) {
    format = new Intl.NumberFormat(locale, {
      minimumFractionDigits: fixed ? decimals : 0,
      maximumFractionDigits: decimals,
      ...(intl === undefined ? {} : { style: "unit", unit: intl, unitDisplay: "short" }),
    });
    formats.set(key, format);
  }
  return format;
}

/**
 * quantity writes a value in its unit as the locale does ("12,4" and "%", "6,21"
 * and "Go"); a unit that Intl does not know stays as the server calls it.
 */
export function quantity(value: number, unit: string, locale?: string): Quantity {
  const scale = scaleOf(unit, value);
  const parts = formatOf(scale, scale.decimals, locale).formatToParts(value / scale.divisor);
  const isUnit = (part: Intl.NumberFormatPart) => part.type === "unit" || part.type === "percentSign";
  const text = (list: Intl.NumberFormatPart[]) => list.map((part) => part.value).join("");
  const unitText = scale.text ?? text(parts.filter(isUnit));
  return { number: text(parts.filter((part) => !isUnit(part))).trim(), unit: unitText };
}

/** withUnit writes a value and its unit in one text. */
export function withUnit(value: number, unit: string, locale?: string): string {
  const { number, unit: name } = quantity(value, unit, locale);
  return name === "" ? number : `${number} ${name}`;
}

/**
 * ticks writes the values of an axis, all in the same step of the unit and with
 * the decimals that their distance needs, so that each is where it says.
 */
export function ticks(values: number[], step: number, unit: string, locale?: string): string[] {
  const scale = scaleOf(unit, Math.max(...values.map(Math.abs), step));
  const decimals = decimalsOf(step / scale.divisor);
  const format = formatOf({ ...scale, fixed: true }, decimals, locale);
  return values.map((value) => {
    const text = format.format(value / scale.divisor + 0);
    return scale.text === "/s" ? `${text} /s` : text;
  });
}

/** decimalsOf returns how many decimals the multiples of step have: 2 for 0.25, 0 for 10. */
export function decimalsOf(step: number): number {
  for (let decimals = 0; decimals < 6; decimals++) {
    const scaled = step * 10 ** decimals;
    if (Math.abs(scaled - Math.round(scaled)) < 1e-6 * scaled) return decimals;
  }
  return 6;
}

const times = new Map<string, Intl.DateTimeFormat>();

function timeFormat(how: Intl.DateTimeFormatOptions, locale: string | undefined): Intl.DateTimeFormat {
  const key = `${locale ?? ""} ${utc()} ${JSON.stringify(how)}`;
  let format = times.get(key);
  if (format === undefined) {
    format = new Intl.DateTimeFormat(locale, utc() ? { ...how, timeZone: "UTC" } : how);
    times.set(key, format);
  }
  return format;
}

const toTheSecond = { hour: "2-digit", minute: "2-digit", second: "2-digit" } as const;
const toTheMinute = { hour: "2-digit", minute: "2-digit" } as const;
const toTheDay = { month: "short", day: "numeric" } as const;

/** clock writes a time of day to the second, in the reader's time zone or in UTC, as the settings say. */
export function clock(seconds: number, locale?: string): string {
  return timeFormat(toTheSecond, locale).format(seconds * 1000);
}

/** dated writes a time as clock does, with its day where that is not today's and its year where that is not this one. */
export function dated(seconds: number, now: number, locale?: string): string {
  const isAs = (how: Intl.DateTimeFormatOptions) => {
    const format = timeFormat(how, locale);
    return format.format(seconds * 1000) === format.format(now * 1000);
  };
  const year = { year: "numeric" } as const;
  if (!isAs(year)) return timeFormat({ ...year, ...toTheDay, ...toTheSecond }, locale).format(seconds * 1000);
  return isAs(toTheDay)
    ? clock(seconds, locale)
    : timeFormat({ ...toTheDay, ...toTheSecond }, locale).format(seconds * 1000);
}

/** moment writes a time for a chart that shows span seconds: with its day where the span is long. */
export function moment(seconds: number, span: number, locale?: string): string {
  const how = span <= 43_200 ? toTheSecond : { ...toTheDay, ...toTheMinute };
  return timeFormat(how, locale).format(seconds * 1000);
}

/** period writes from when to when, with the day where it is not today's and the year where it is not this one. */
export function period(from: number, to: number, now: number, locale?: string): string {
  const isAs = (how: Intl.DateTimeFormatOptions) => {
    const texts = [from, to, now].map((seconds) => timeFormat(how, locale).format(seconds * 1000));
    return texts.every((text) => text === texts[2]);
  };
  const isThisYear = isAs({ year: "numeric" });
  const how = {
    ...(isThisYear && isAs(toTheDay) ? {} : toTheDay),
    ...(isThisYear ? {} : ({ year: "numeric" } as const)),
    ...(to - from <= 7_200 ? toTheSecond : toTheMinute),
  };
  return timeFormat(how, locale).formatRange(from * 1000, to * 1000);
}

/** timeTicks writes the times below an axis whose marks are step seconds apart. */
export function timeTicks(values: number[], step: number, locale?: string): string[] {
  const how = step < 60 ? toTheSecond : step < 86_400 ? toTheMinute : toTheDay;
  const plain = timeFormat(how, locale);
  const day = timeFormat(toTheDay, locale);
  return values.map((value, i) => {
    const before = values[i - 1];
    const text = (format: Intl.DateTimeFormat) => format.format(value * 1000);
    // Where a day begins, the day stands in place of its first hour.
    if (before !== undefined && step < 86_400 && text(day) !== day.format(before * 1000)) return text(day);
    // AM and PM are left to the text beside the chart: there is little room on an axis.
    const parts = plain.formatToParts(value * 1000).filter((part) => part.type !== "dayPeriod");
    return parts
      .map((part) => part.value)
      .join("")
      .trim();
  });
}

/** age writes how long something is ago: seconds up to two minutes, then minutes, hours and days. */
export function age(milliseconds: number, locale?: string): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [value, unit] =
    seconds < 120
      ? [seconds, "second"]
      : seconds < 7200
        ? [Math.floor(seconds / 60), "minute"]
        : seconds < 172_800
          ? [Math.floor(seconds / 3600), "hour"]
          : [Math.floor(seconds / 86_400), "day"];
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "short" }).format(value);
}
