import assert from "node:assert/strict";
import { test } from "node:test";
import type { Host } from "../../src/api/feed.js";
import { filterOf, sorted } from "../../src/state/filter.js";
import { Vitals } from "../../src/state/fleet.js";

function host(name: string, status: Host["status"] = "up", tags: Record<string, string> = {}): Host {
  return { name, status, tags, system: "", seen: 0, interval: 1, conflict: false };
}

test("every word of a filter must fit a host's name, tags or status", () => {
  const hosts = [
    host("web-1", "up", { role: "web", env: "prod" }),
    host("web-2", "down", { env: "dev" }),
    host("db-1"),
  ];
  const f = (text: string, want: string[]) =>
    assert.deepEqual(
      hosts.filter(filterOf(text)).map(({ name }) => name),
      want,
      text,
    );
  f("", ["web-1", "web-2", "db-1"]);
  f("  WEB ", ["web-1", "web-2"]);
  f("env=prod", ["web-1"]);
  f("web down", ["web-2"]);
  f("up", ["web-1", "db-1"]);
  f("nothing", []);
  hosts.push(host("down-under", "up", { group: "x" }), host("gone", "down", { group: "x" }));
  f("down", ["web-2", "down-under", "gone"]);
  f("up", ["web-1", "db-1", "down-under"]);
});

test("hosts are sorted by name as people count, by status from the worst, by a measure from the greatest", () => {
  const hosts = [host("web-10"), host("web-2", "stale"), host("web-1", "down"), host("db")];
  const values: Record<string, number> = { "web-10": 5, "web-2": 99, db: 7 };
  const f = (order: "name" | "status" | "cpu", want: string[]) =>
    assert.deepEqual(
      sorted(hosts, order, ({ name }) => values[name]).map(({ name }) => name),
      want,
      order,
    );
  f("name", ["db", "web-1", "web-2", "web-10"]);
  f("status", ["web-1", "web-2", "db", "web-10"]);
  f("cpu", ["db", "web-10", "web-1", "web-2"]);
});

const series = (type: string, labels: Record<string, string> = {}) => ({ type, host: "a", labels, unit: "" });

function observe(vitals: Vitals, of: ReturnType<typeof series>, time: number, value: number): void {
  vitals.observer(of)?.(time, value);
}

test("the vitals of a host are shares of what it has, and the sum of its interfaces", () => {
  const vitals = new Vitals("a");
  observe(vitals, series("memory"), 1, 4);
  assert.equal(vitals.newest("memory"), undefined, "a share of what is not known is not known");
  observe(vitals, series("memory_total"), 1, 16);
  observe(vitals, series("memory"), 2, 4);
  observe(vitals, series("disk_space_total", { mount: "/data" }), 2, 1);
  observe(vitals, series("disk_space_total", { mount: "/" }), 2, 100);
  observe(vitals, series("disk"), 2, 30);
  observe(vitals, series("network_receive", { interface: "lo" }), 2, 999);
  observe(vitals, series("network_receive", { interface: "eth0" }), 2, 10);
  observe(vitals, series("network_transmit", { interface: "eth0" }), 2, 5);
  observe(vitals, series("network_receive", { interface: "eth0" }), 3, 20);
  assert.deepEqual(
    (["memory", "disk", "network"] as const).map((vital) => vitals.newest(vital)),
    [25, 30, 25],
  );
});

test("the traffic of an interface that is gone counts no longer", () => {
  const vitals = new Vitals("a");
  observe(vitals, series("network_receive", { interface: "veth1" }), 1, 100);
  observe(vitals, series("network_receive", { interface: "eth0" }), 2, 10);
  assert.equal(vitals.newest("network"), 110);
  observe(vitals, series("network_receive", { interface: "eth0" }), 60, 10);
  assert.equal(vitals.newest("network"), 10);
});

test("history goes before what is live", () => {
  const vitals = new Vitals("a");
  observe(vitals, series("cpu"), 100, 50);
  const past = (type: string, labels: Record<string, string>, values: number[]) => ({
    series: series(type, labels),
    times: [80, 90],
    averages: values,
    minima: values,
    maxima: values,
  });
  vitals.recall(
    [
      past("cpu", {}, [1, 2]),
      past("memory", {}, [4, 8]),
      past("memory_total", {}, [16, 16]),
      past("network_receive", { interface: "eth0" }, [1, 2]),
      past("network_transmit", { interface: "eth0" }, [10, 20]),
    ],
    10,
  );
  assert.deepEqual(vitals.columns.cpu.averages, [1, 2, 50]);
  assert.deepEqual(vitals.columns.memory.averages, [25, 50]);
  assert.deepEqual(vitals.columns.network.averages, [11, 22]);
});

test("of a host that nobody looks at the newest values are kept, and no others", () => {
  const vitals = new Vitals("a");
  vitals.kept = false;
  for (let time = 1; time <= 10; time++) observe(vitals, series("cpu"), time, 10 * time);
  assert.deepEqual([vitals.columns.cpu.times, vitals.columns.cpu.averages], [[10], [100]]);
  observe(vitals, series("cpu"), 9, 1);
  assert.equal(vitals.newest("cpu"), 100, "an older sample is not the newest");
  vitals.kept = true;
  observe(vitals, series("cpu"), 11, 5);
  assert.deepEqual(vitals.columns.cpu.times, [10, 11]);
});
