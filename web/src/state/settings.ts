import { isWire, type Wire } from "../api/wire.js";

/** Theme is light, dark, or what the system has. */
export type Theme = "system" | "light" | "dark";

/** What the reader chose stays in this browser; where that may not be, for as long as the page. */
const memory = new Map<string, string>();

/** stored returns what was kept under a name. */
export function stored(name: string): string | undefined {
  try {
    return localStorage.getItem(`vitals/${name}`) ?? memory.get(name);
  } catch {
    return memory.get(name); // no storage: a private window, or none at all in tests
  }
}

/** store keeps a text under a name. */
export function store(name: string, value: string): void {
  memory.set(name, value);
  try {
    localStorage.setItem(`vitals/${name}`, value);
  } catch {
    // It holds until the page goes.
  }
}

/** theme returns what the reader chose. */
export function theme(): Theme {
  const chosen = stored("theme");
  return chosen === "light" || chosen === "dark" ? chosen : "system";
}

/** wire returns how calls are written: as binary unless the reader chose otherwise. */
export function wire(): Wire {
  const chosen = stored("wire");
  return isWire(chosen) ? chosen : "connect-binary";
}

let isUtc: boolean | undefined;

/** utc tells whether times are written in UTC rather than in the reader's time zone. */
export function utc(): boolean {
  isUtc ??= stored("utc") === "true";
  return isUtc;
}

/** setUtc chooses the time zone. */
export function setUtc(value: boolean): void {
  isUtc = value;
  store("utc", String(value));
}

/** onElsewhere calls changed when another tab has stored something, so that all tabs look and talk alike. */
export function onElsewhere(changed: () => void): void {
  addEventListener("storage", ({ key }) => {
    if (key !== null && !key.startsWith("vitals/")) return;
    isUtc = undefined;
    changed();
  });
}
