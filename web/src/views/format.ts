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
  /** How many decimals are worth reading; of what is less than one, as many digits as say something. */
  decimals: number;
  /** Whether the number always has its decimals, so that it stands still while it changes. */
  fixed: boolean;
}

const bytes = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte", "petabyte"];

/** bytesScale finds the power of a thousand that people would read this many bytes in. */
function bytesScale(count: number, perUnit: number, suffix: string): Scale {
  const power = count < 1 ? 0 : Math.min(Math.floor(Math.log10(count) / 3 + 1e-9), bytes.length);
  // Of hundreds of gigabytes nobody reads the second decimal.
  const isPrecise = power >= 3 && count < 100 * 1000 ** power;
  return {
    divisor: 1000 ** power / perUnit,
    // Intl knows no exabytes.
    ...(power === bytes.length ? { text: suffix === "" ? "EB" : "EB/s" } : { intl: bytes[power]! + suffix }),
    decimals: power === 0 ? 0 : isPrecise ? 2 : 1,
    fixed: power > 0,
  };
}

/** scaleOf returns the step of a unit in which values up to a magnitude are written. */
export function scaleOf(unit: string, magnitude: number): Scale {
  const size = Math.abs(magnitude);
  switch (unit) {
    case "percent":
      return { divisor: 1, intl: "percent", decimals: 1, fixed: size === 0 || size >= 0.05 };
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
      if (size >= 1 || size === 0) return { divisor: 1, intl: "second", decimals: size < 10 ? 2 : 0, fixed: false };
      if (size >= 1e-3) return { divisor: 1e-3, intl: "millisecond", decimals: size < 1e-2 ? 2 : 0, fixed: false };
      // Not all that speak Intl know what is less than a millisecond.
      if (size >= 1e-6) return { divisor: 1e-6, text: "µs", decimals: size < 1e-5 ? 2 : 0, fixed: false };
      return { divisor: 1e-9, text: "ns", decimals: 2, fixed: false };
    case "count":
    case "":
      return { divisor: 1, text: "", decimals: size < 1e5 ? 2 : 0, fixed: false };
    default:
      return { divisor: 1, text: unit, decimals: size < 1e5 ? 2 : 0, fixed: false };
  }
}

const formats = new Map<string, Intl.NumberFormat>();

function formatOf({ intl }: Scale, digits: Intl.NumberFormatOptions, locale: string | undefined): Intl.NumberFormat {
  // The short form of a byte is a word, which has no plural.
  const unit = { style: "unit", unit: intl, unitDisplay: intl === "byte" ? "narrow" : "short" } as const;
  const how = intl === undefined ? digits : { ...digits, ...unit };
  const key = `${locale ?? ""} ${JSON.stringify(how)}`;
  let format = formats.get(key);
  if (format === undefined) formats.set(key, (format = new Intl.NumberFormat(locale, how)));
  return format;
}

/** What is so large is written in millions or more, and beyond the names of numbers by powers of ten. */
const [large, huge, tiny] = [1e6, 1e15, 1e-6];

/** digitsOf says how a number of this size is written, so that neither its zeros nor its digits fill the line. */
function digitsOf(size: number, { decimals, fixed, intl }: Scale): Intl.NumberFormatOptions {
  if (size >= huge || (size > 0 && size < tiny && !fixed))
    return { notation: "scientific", maximumSignificantDigits: 3 };
  if (size >= large) return { notation: "compact", maximumSignificantDigits: 4 };
  if (size > 0 && size < 1 && !fixed) return { maximumSignificantDigits: intl === "percent" ? 2 : 3 };
  return { minimumFractionDigits: fixed ? decimals : 0, maximumFractionDigits: decimals };
}

/**
 * quantity writes a value in its unit as the locale does ("12,4" and "%", "6,21"
 * and "Go"); a unit that Intl does not know stays as the server calls it.
 */
export function quantity(value: number, unit: string, locale?: string): Quantity {
  const scale = scaleOf(unit, value);
  const exact = value / scale.divisor;
  // Nothing is written as "-0.0".
  const scaled = scale.fixed && Math.abs(exact) < 0.5 * 10 ** -scale.decimals ? 0 : exact;
  return parted(formatOf(scale, digitsOf(Math.abs(scaled), scale), locale), scaled, scale);
}

function parted(format: Intl.NumberFormat, scaled: number, scale: Scale): Quantity {
  const parts = format.formatToParts(scaled + 0);
  const isUnit = (part: Intl.NumberFormatPart) => part.type === "unit" || part.type === "percentSign";
  const text = (list: Intl.NumberFormatPart[]) => list.map((part) => part.value).join("");
  const unitText = scale.text ?? text(parts.filter(isUnit));
  return { number: text(parts.filter((part) => !isUnit(part))).trim(), unit: unitText };
}

/** withUnit writes a value and its unit in one text. */
export function withUnit(value: number, unit: string, locale?: string): string {
  return joined(quantity(value, unit, locale));
}

function joined({ number, unit }: Quantity): string {
  return unit === "" ? number : `${number} ${unit}`;
}

/**
 * ticks writes the values of an axis, all in the same step of the unit and with
 * the decimals that their distance needs, so that each is where it says. What only
 * the server knows as a unit stands in the table: an axis has no room for it.
 */
export function ticks(values: number[], step: number, unit: string, locale?: string): string[] {
  const most = Math.max(...values.map(Math.abs), step);
  const scale = scaleOf(unit, most);
  const size = most / scale.divisor;
  const decimals = decimalsOf(step / scale.divisor);
  const digits = Math.min(Math.ceil(Math.log10(most / step)) + 2, 15);
  const named = size >= large && size < huge;
  const byPowers = size >= huge || size < 1e-4;
  const format = formatOf(
    scale,
    byPowers || named
      ? { notation: named ? "compact" : "scientific", maximumSignificantDigits: digits }
      : { minimumFractionDigits: decimals, maximumFractionDigits: decimals },
    locale,
  );
  return values.map((value) => {
    const scaled = value / scale.divisor;
    if (scaled === 0 && byPowers) return "0";
    if (scale.intl === "percent") return format.format(scaled + 0);
    return joined(parted(format, scaled, { ...scale, ...(scale.text === unit ? { text: "" } : {}) }));
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
const toTheMonth = { month: "short" } as const;
const toTheYear = { year: "numeric" } as const;
const [hour, day, year] = [3_600, 86_400, 365 * 86_400];

/** clock writes a time of day to the second, in the reader's time zone or in UTC, as the settings say. */
export function clock(seconds: number, locale?: string): string {
  return timeFormat(toTheSecond, locale).format(seconds * 1000);
}

/** instant writes a time with its day and year. */
export function instant(seconds: number, locale?: string): string {
  return timeFormat({ ...toTheYear, ...toTheDay, ...toTheMinute }, locale).format(seconds * 1000);
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

/** moment writes a time for a chart that shows span seconds: with its day where the span is long, with its year where it is longer. */
export function moment(seconds: number, span: number, locale?: string): string {
  if (span > year / 2) return instant(seconds, locale);
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
  const plain = timeFormat(tickFormat(step, locale), locale);
  const [dayOf, monthOf, yearOf] = [toTheDay, toTheMonth, toTheYear].map((how) => {
    const format = timeFormat(how, locale);
    return (seconds: number) => format.format(seconds * 1000);
  }) as [(seconds: number) => string, (seconds: number) => string, (seconds: number) => string];
  return values.map((value, i) => {
    const before = values[i - 1];
    const begins = (what: (seconds: number) => string) => before !== undefined && what(value) !== what(before);
    // Where a year begins, or a day, it stands in place of its first month or hour.
    if (begins(yearOf)) return yearOf(value);
    if (step < day && (begins(dayOf) || begins(monthOf))) return dayOf(value);
    return plain.format(value * 1000);
  });
}

function tickFormat(step: number, locale: string | undefined): Intl.DateTimeFormatOptions {
  if (step >= year) return toTheYear;
  if (step >= 28 * day) return toTheMonth;
  if (step >= day) return toTheDay;
  // The first zero of an hour has no room beside AM and PM.
  if (step >= 60) return { ...toTheMinute, hour: isHalved(locale) ? "numeric" : "2-digit" };
  return toTheSecond;
}

/** isHalved tells whether the reader's hours are counted to twelve. */
function isHalved(locale: string | undefined): boolean {
  return timeFormat(toTheMinute, locale).resolvedOptions().hour12 === true;
}

/** tickLength returns how many letters the times have that stand below an axis of span seconds. */
export function tickLength(span: number, locale?: string): number {
  const step = span < 900 ? 1 : span < 3 * day ? hour : span < year ? day : 30 * day;
  const evening = Date.UTC(2026, 10, 28, 22, 58, 58) / 1000;
  return timeTicks([evening], step, locale)[0]!.length;
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
