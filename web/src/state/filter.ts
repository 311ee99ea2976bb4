import type { Host } from "../api/feed.js";

/** The statuses that a word of the filter may name; tags are not looked at for these, for "up" is in every group. */
const statuses = new Set(["up", "stale", "down"]);

/**
 * filterOf makes a filter of what was typed: every word must fit. A word fits a
 * host when its name holds it, or one of its tags written key=value does; "up",
 * "stale" and "down" fit the hosts of that status too.
 */
export function filterOf(text: string): (host: Host) => boolean {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  return (host) => {
    const tags = Object.entries(host.tags).map(([key, value]) => `${key}=${value}`.toLowerCase());
    const name = host.name.toLowerCase();
    return words.every(
      (word) =>
        name.includes(word) || (statuses.has(word) ? host.status === word : tags.some((tag) => tag.includes(word))),
    );
  };
}

/** Order is what hosts are sorted by. */
export type Order = "name" | "status" | "cpu" | "memory" | "disk" | "network";
export const orders: readonly Order[] = ["name", "status", "cpu", "memory", "disk", "network"];

const worst: readonly Host["status"][] = ["down", "stale", "unknown", "up"];
const names = new Intl.Collator(undefined, { numeric: true });

/**
 * sorted orders hosts: by name, by status from the worst, or by a measure from the
 * greatest; what is equal or not known is in order of names, the unknown last.
 */
export function sorted(hosts: readonly Host[], order: Order, measure: (host: Host) => number | undefined): Host[] {
  const byName = (a: Host, b: Host) => names.compare(a.name, b.name);
  if (order === "name") return [...hosts].sort(byName);
  const rank = (host: Host) =>
    order === "status" ? -worst.indexOf(host.status) : host.status === "up" ? (measure(host) ?? -1) : -2;
  return hosts
    .map((host) => ({ host, rank: rank(host) }))
    .sort((a, b) => b.rank - a.rank || byName(a.host, b.host))
    .map(({ host }) => host);
}
