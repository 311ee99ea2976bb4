import type { Address, Range } from "../state/range.js";

/** Entry is what the page keeps with an entry of the browser's history. */
interface Entry {
  /** The ranges that lead back from the one that is shown. */
  way?: readonly Range[];
  /** How far down the page was, in pixels. */
  scroll?: number;
}

function entry(): Entry {
  return (history.state ?? {}) as Entry;
}

/** write sets the page's query and keeps what its entry has, or begins another entry with that. */
export function write(query: string, isNew: boolean, changes: Entry = {}): void {
  const url = location.pathname + query + location.hash;
  const state = { ...entry(), ...changes };
  if (isNew) history.pushState(state, "", url);
  else history.replaceState(state, "", url);
}

/** address keeps the range in the query of the page's own address. */
export const address: Address = {
  read: () => location.search,
  way: () => entry().way ?? [],
  write: (query, isNew, way) => write(query, isNew, { way }),
};

/** scrolled returns how far down the page was when its entry was left. */
export function scrolled(): number {
  return entry().scroll ?? 0;
}

/** keepScroll keeps how far down the page is for who comes back to it. */
export function keepScroll(): void {
  if (scrolled() !== scrollY) write(location.search, false, { scroll: scrollY });
}

/** addressOf returns where a host is: "." and ".." are no names to a path. */
export function addressOf(host: string): string {
  return /^\.\.?$/.test(host) ? `/?host=${host}` : `/hosts/${encodeURIComponent(host)}`;
}

/** hostAt returns the host that an address names, or undefined. */
export function hostAt({ pathname, search }: { pathname: string; search: string }): string | undefined {
  const name = /^\/hosts\/([^/]+)$/.exec(pathname)?.[1];
  if (name === undefined) return (pathname === "/" && new URLSearchParams(search).get("host")) || undefined;
  try {
    return decodeURIComponent(name);
  } catch {
    return name; // percent signs that are no escapes
  }
}
