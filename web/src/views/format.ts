/** Quantity is a value as the reader's locale writes it, in two parts to be set apart. */
export interface Quantity {
  number: string;
  unit: string;
}

/** How Intl calls the units of the built-in types, and how many decimals they get. */
const units: Record<string, { intl: string; decimals: number }> = {
  percent: { intl: "percent", decimals: 1 },
  GB: { intl: "gigabyte", decimals: 2 },
};

const formats = new Map<string, Intl.NumberFormat>();

function formatOf(unit: string, locale: string | undefined): Intl.NumberFormat {
  const key = `${locale ?? ""} ${unit}`;
  let format = formats.get(key);
  if (format === undefined) {
    const known = units[unit];
    const decimals = known?.decimals ?? 2;
    format = new Intl.NumberFormat(locale, {
      minimumFractionDigits: decimals,
      maximumFractionDigits: decimals,
      ...(known === undefined ? {} : { style: "unit", unit: known.intl, unitDisplay: "short" }),
    });
    formats.set(key, format);
  }
  return format;
}

/**
 * quantity writes a value in its unit as the locale does ("12,4" and "%", "6,21"
 * and "Go"); a unit that Intl does not know stays as the server calls it. The
 * number of decimals does not change with the value, so that it stands still.
 */
export function quantity(value: number, unit: string, locale?: string): Quantity {
  const parts = formatOf(unit, locale).formatToParts(value);
  const isUnit = (part: Intl.NumberFormatPart) => part.type === "unit" || part.type === "percentSign";
  const text = (list: Intl.NumberFormatPart[]) => list.map((part) => part.value).join("");
  const unitText = units[unit] === undefined ? unit : text(parts.filter(isUnit));
  return { number: text(parts.filter((part) => !isUnit(part))).trim(), unit: unitText };
}

/** withUnit writes a value and its unit in one text. */
export function withUnit(value: number, unit: string, locale?: string): string {
  const { number, unit: name } = quantity(value, unit, locale);
  return `${number} ${name}`;
}

/** clock writes a time of day to the second, in the reader's time zone. */
export function clock(seconds: number, locale?: string): string {
  return clockFormat(locale).format(seconds * 1000);
}

const clocks = new Map<string | undefined, Intl.DateTimeFormat>();

function clockFormat(locale: string | undefined): Intl.DateTimeFormat {
  let format = clocks.get(locale);
  if (format === undefined) {
    format = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
    clocks.set(locale, format);
  }
  return format;
}

/** age writes how long something is ago: seconds up to two minutes, then minutes, then hours. */
export function age(milliseconds: number, locale?: string): string {
  const seconds = Math.floor(milliseconds / 1000);
  const [value, unit] =
    seconds < 120
      ? [seconds, "second"]
      : seconds < 7200
        ? [Math.floor(seconds / 60), "minute"]
        : [Math.floor(seconds / 3600), "hour"];
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "short" }).format(value);
}
