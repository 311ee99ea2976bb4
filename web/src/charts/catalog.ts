import { keyOf, type Series } from "../api/series.js";
import { derived, lastAt, type Column } from "../state/columns.js";
import { amountRange, fromZero, percentRange, wholePercent, type Range } from "./range.js";

/** ChartSpec describes a chart of a host: which metric types it shows, and how. */
export interface ChartSpec {
  id: string;
  title: string;
  /** What is shown, in a few words. */
  help: string;
  types: readonly string[];
  unit: string;
  stack?: boolean;
  /** label names a series in the legend. */
  label?: (series: Series) => string;
  /** shape makes what is drawn, from one time to another, of what is measured; default: the same. */
  shape?: (columns: Column[], from: number, to: number) => Column[];
  range?: (min: number, max: number, before?: Range) => Range;
}

/** Group is charts that belong together, under one heading. */
export interface Group {
  id: string;
  title: string;
  charts: readonly ChartSpec[];
}

const by = (label: string) => (series: Series) => series.labels[label] ?? "";
const directions: Record<string, string> = {
  disk_read: "read",
  disk_write: "write",
  disk_read_operations: "read",
  disk_write_operations: "write",
  network_receive: "in",
  network_transmit: "out",
  network_receive_packets: "in",
  network_transmit_packets: "out",
  network_receive_errors: "in",
  network_transmit_errors: "out",
};
/** both names a direction and a device: the direction first, since a narrow table cuts what is last. */
const both = (label: string) => (series: Series) =>
  `${directions[series.type] ?? series.type} ${series.labels[label] ?? ""}`;
const minutes: Record<string, string> = { load1: "1 min", load5: "5 min", load15: "15 min" };
/** The parts of a stack come to the whole. */
const full = () => [0, 100] as Range;
const upToPercent = (_: number, max: number, before?: Range) => percentRange(max, before);

/** heroes are the three of the classic contract, in large at the top of a host. */
export const heroes: readonly ChartSpec[] = [
  {
    id: "cpu",
    title: "CPU",
    help: "busy, all cores",
    types: ["cpu"],
    unit: "percent",
    range: wholePercent,
  },
  { id: "memory", title: "Memory", help: "in use", types: ["memory"], unit: "GB", range: amountRange },
  { id: "disk", title: "Disk", help: "used, root file system", types: ["disk"], unit: "GB", range: amountRange },
];

/** groups are all other built-in types, in the order in which people look for them. */
export const groups: readonly Group[] = [
  {
    id: "cpu",
    title: "CPU",
    charts: [
      {
        id: "cpu-mode",
        title: "CPU by mode",
        help: "share of all cores",
        types: ["cpu_mode"],
        unit: "percent",
        stack: true,
        label: by("mode"),
        shape: (columns) => ordered(columns, by("mode"), ["user", "system", "iowait", "nice", "irq", "steal"]),
        range: full,
      },
      {
        id: "cpu-core",
        title: "CPU by core",
        help: "busy",
        types: ["cpu_core"],
        unit: "percent",
        label: (series) => `core ${series.labels["core"] ?? ""}`,
        shape: (columns) => columns.sort((a, b) => Number(by("core")(a.series)) - Number(by("core")(b.series))),
        range: wholePercent,
      },
      {
        id: "load",
        title: "Load",
        help: "tasks that run or wait to",
        types: ["load1", "load5", "load15"],
        unit: "count",
        label: (series) => minutes[series.type] ?? series.type,
        shape: (columns) => ordered(columns, (series) => series.type, ["load1", "load5", "load15"]),
      },
      {
        id: "pressure",
        title: "Pressure",
        help: "time in which tasks waited",
        types: ["pressure"],
        unit: "percent",
        label: (series) => `${series.labels["resource"] ?? ""} ${series.labels["kind"] ?? ""}`,
        range: upToPercent,
      },
    ],
  },
  {
    id: "memory",
    title: "Memory",
    charts: [
      {
        id: "memory-stack",
        title: "Memory",
        help: "all that there is",
        types: ["memory", "memory_available", "memory_cached"],
        unit: "GB",
        stack: true,
        label: by("part"),
        shape: memoryParts,
      },
      {
        id: "swap",
        title: "Swap",
        help: "in use, and in all",
        types: ["swap_used", "swap_total"],
        unit: "GB",
        label: (series) => (series.type === "swap_used" ? "used" : "total"),
        shape: (columns) => ordered(columns, (series) => series.type, ["swap_used", "swap_total"]),
      },
    ],
  },
  {
    id: "disks",
    title: "Disks",
    charts: [
      {
        id: "disk-space",
        title: "Space used",
        help: "of what users can take, by mount",
        types: ["disk_space_used", "disk_space_free"],
        unit: "percent",
        label: by("mount"),
        shape: spaceUsed,
        range: wholePercent,
      },
      {
        id: "disk-bytes",
        title: "Reads and writes",
        help: "by device",
        types: ["disk_read", "disk_write"],
        unit: "bytes_per_second",
        label: both("device"),
      },
      {
        id: "disk-operations",
        title: "Operations",
        help: "completed, by device",
        types: ["disk_read_operations", "disk_write_operations"],
        unit: "count_per_second",
        label: both("device"),
      },
      {
        id: "disk-busy",
        title: "Busy",
        help: "time with a request in hand, by device",
        types: ["disk_busy"],
        unit: "percent",
        label: by("device"),
        range: upToPercent,
      },
    ],
  },
  {
    id: "network",
    title: "Network",
    charts: [
      {
        id: "network-bytes",
        title: "Traffic",
        help: "by interface",
        types: ["network_receive", "network_transmit"],
        unit: "bytes_per_second",
        label: both("interface"),
      },
      {
        id: "network-packets",
        title: "Packets",
        help: "by interface",
        types: ["network_receive_packets", "network_transmit_packets"],
        unit: "count_per_second",
        label: both("interface"),
      },
      {
        id: "network-errors",
        title: "Errors",
        help: "packets damaged or not sent, by interface",
        types: ["network_receive_errors", "network_transmit_errors"],
        unit: "count_per_second",
        label: both("interface"),
      },
    ],
  },
  {
    id: "processes",
    title: "Processes",
    charts: [
      {
        id: "process-cpu",
        title: "Busiest",
        help: "share of all cores, by name",
        types: ["process_cpu"],
        unit: "percent",
        label: by("process"),
        shape: largest,
        range: upToPercent,
      },
      {
        id: "process-memory",
        title: "Largest",
        help: "resident memory, by name",
        types: ["process_memory"],
        unit: "GB",
        label: by("process"),
        shape: largest,
      },
      { id: "processes", title: "Count", help: "processes that exist", types: ["processes"], unit: "count" },
    ],
  },
  {
    id: "system",
    title: "System",
    charts: [
      {
        id: "temperature",
        title: "Temperature",
        help: "by sensor",
        types: ["temperature"],
        unit: "celsius",
        label: by("sensor"),
        range: amountRange,
      },
      { id: "uptime", title: "Uptime", help: "since the system started", types: ["uptime"], unit: "seconds" },
      {
        id: "agent-cpu",
        title: "Vitals itself, CPU",
        help: "share of all cores",
        types: ["agent_cpu"],
        unit: "percent",
        range: fromZero,
      },
      {
        id: "agent-memory",
        title: "Vitals itself, memory",
        help: "resident",
        types: ["agent_memory"],
        unit: "GB",
      },
    ],
  },
];

/** Types that are shown as a part of another chart, or say what a chart's axis says. */
const covered = new Set([
  ...[...heroes, ...groups.flatMap((group) => group.charts)].flatMap((chart) => chart.types),
  "memory_total",
  "disk_space_total",
]);

/** isCustom tells whether a metric type is none of the built-in ones, so that it needs a chart of its own. */
export function isCustom(type: string): boolean {
  return !covered.has(type);
}

/** customChart makes the chart of a metric type that somebody reports. */
export function customChart(type: string, unit: string, help: string): ChartSpec {
  return { id: `custom-${type}`, title: type, help, types: [type], unit, label: labelsOf };
}

/** labelsOf names a series by its labels: by the value of a single one, else by all. */
export function labelsOf({ type, labels }: Series): string {
  const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  if (pairs.length === 0) return type;
  return pairs.length === 1 ? pairs[0]![1] : pairs.map(([name, value]) => `${name}=${value}`).join(", ");
}

function ordered(columns: Column[], name: (series: Series) => string, order: readonly string[]): Column[] {
  const rank = (column: Column) => (order.indexOf(name(column.series)) + 1 || order.length + 1) - 1;
  return columns.sort((a, b) => rank(a) - rank(b));
}

/** The most series of which each gets a colour of its own. */
const most = 8;

/** largest keeps those of most consequence in the time that is shown: a chart of every process of the day is none. */
export function largest(columns: readonly Column[], from: number, to: number): Column[] {
  const weight = ({ times, averages }: Column) => {
    let sum = 0;
    for (let i = lastAt(times, from - 1e-6) + 1; i < times.length && times[i]! <= to; i++) sum += averages[i]!;
    return sum;
  };
  return columns
    .map((column) => ({ column, weight: weight(column) }))
    .sort((a, b) => b.weight - a.weight)
    .slice(0, most)
    .map(({ column }) => column)
    .sort(byName);
}

const names = new Intl.Collator(undefined, { numeric: true });

/** byName orders columns as people count: s2 before s10. */
export function byName(a: Column, b: Column): number {
  return names.compare(keyOf(a.series), keyOf(b.series));
}

/** memoryParts divides the memory into what is in use, what holds files, and what is free. */
function memoryParts(columns: Column[]): Column[] {
  const of = (type: string) => columns.find((column) => column.series.type === type);
  const [used, available, cached] = [of("memory"), of("memory_available"), of("memory_cached")];
  if (used === undefined || available === undefined || cached === undefined) return [];
  const part = (name: string) => ({ ...used.series, labels: { part: name } });
  // Some of what is cached may be in use: only what could be given back is counted here.
  const givesBack = ([total, holds]: number[]) => Math.min(total!, holds!);
  return [
    derived(part("used"), [used], ([value]) => value!),
    derived(part("cached"), [available, cached], givesBack),
    derived(part("free"), [available, cached], ([total, holds]) => Math.max(total! - holds!, 0)),
  ];
}

/** spaceUsed tells how full each file system is, as df does: a reserve that users cannot take is left out. */
function spaceUsed(columns: Column[]): Column[] {
  const mountOf = by("mount");
  const isOf = (type: string) => (column: Column) => column.series.type === type;
  return columns.filter(isOf("disk_space_used")).flatMap((used) => {
    const free = columns.find(
      (column) => isOf("disk_space_free")(column) && mountOf(column.series) === mountOf(used.series),
    );
    if (free === undefined) return [];
    const share = ([taken, left]: number[]) => (100 * taken!) / Math.max(taken! + left!, 1e-9);
    return [derived({ ...used.series, unit: "percent" }, [used, free], share)];
  });
}
