import assert from "node:assert/strict";
import { test } from "node:test";
import type { FeedEvent, Host } from "../../src/api/feed.js";
import { PageState } from "../../src/state/page.js";
import { healthOf, statusOf } from "../../src/views/status.js";

const series = { type: "cpu", host: "web-1", labels: {}, unit: "percent" };

function samples(time: number, value = 1): FeedEvent {
  return { kind: "samples", named: [[0, series]], rounds: [{ time, ids: [0], values: [value] }], dropped: 0 };
}

function host(name: string, status: Host["status"], seen: number, interval = 1): Host {
  return { name, status, tags: {}, system: "", seen, interval, conflict: false };
}

const heartbeat: FeedEvent = { kind: "samples", named: [], rounds: [], dropped: 0 };
const unreachable: FeedEvent = { kind: "failure", failure: { refused: false, reason: "The server does not answer." } };
const refused: FeedEvent = { kind: "failure", failure: { refused: true, reason: 'Host "x" is not known.' } };

test("a page goes from connecting to live to stale and back", () => {
  const page = new PageState();
  assert.equal(page.phase(0), "connecting");
  assert.equal(page.apply(samples(100), 1_000), true);
  assert.equal(page.phase(5_000), "live");
  assert.equal(page.phase(5_001), "stale");
  page.apply(samples(101), 6_000);
  assert.equal(page.phase(6_000), "live");
});

test("a sample that was seen before does not hide that none is new", () => {
  const page = new PageState();
  page.apply(samples(100), 0);
  assert.equal(page.apply(samples(100), 4_500), false);
  assert.equal(page.phase(4_500), "stale");
});

test("a host that is measured seldom is not stale between its samples", () => {
  for (const page of [new PageState(), new PageState("web-1")]) {
    page.apply({ kind: "hosts", hosts: [host("web-1", "up", 100, 10)] }, 0);
    page.apply(samples(100), 0);
    assert.equal(page.phase(20_000), "live");
    assert.equal(page.phase(26_000), "stale");
  }
});

test("hosts whose names begin alike do not hurry one", () => {
  const page = new PageState("web-1");
  page.apply({ kind: "hosts", hosts: [host("web-1", "up", 100, 30), host("web-10", "up", 100, 1)] }, 0);
  page.apply(samples(100), 0);
  assert.equal(page.phase(30_000), "live");
  assert.equal(page.phase(76_000), "stale");
});

test("what is old when it comes is not live: the sample's own time counts", () => {
  const page = new PageState("web-1");
  page.apply({ kind: "clock", server: 1_180 }, 0);
  page.apply(samples(100), 0);
  assert.equal(page.phase(0), "stale");
  assert.match(statusOf(page, "web-1", 5_000).detail, /, 18 min ago$/);
  page.apply({ kind: "hosts", hosts: [host("web-1", "down", 100)] }, 0);
  assert.equal(page.phase(0), "down");
  const { word, meaning, detail } = statusOf(page, "web-1", 0);
  assert.equal(word, "Down");
  assert.match(meaning, /^Down since .*\d:\d\d:\d\d.*: .* does not report\.$/);
  assert.match(detail, /, 18 min ago$/);
  page.apply({ kind: "clock", server: 1_181 }, 1_000);
  page.apply(samples(1_181), 1_000);
  assert.equal(page.phase(1_000), "live", "the list of hosts is behind");
});

test("a host whose clock is behind is live while the server hears of it", () => {
  const page = new PageState("web-1");
  page.apply({ kind: "clock", server: 1_000 }, 0);
  page.apply({ kind: "hosts", hosts: [host("web-1", "up", 400)] }, 0);
  page.apply(samples(400), 0);
  assert.equal(page.phase(0), "live");
});

test("of a host without samples since a restart the list says what is known", () => {
  const page = new PageState("web-1");
  page.apply({ kind: "clock", server: 200_000 }, 0);
  page.apply(heartbeat, 0);
  assert.equal(page.phase(0), "connecting");
  page.apply({ kind: "hosts", hosts: [host("web-1", "down", 100_000)] }, 0);
  assert.equal(page.phase(0), "down");
  assert.match(statusOf(page, "web-1", 0).detail, /^Last sample Jan \d.*\d:\d\d:\d\d.*, 27 hr ago$/);
});

test("a failure is told until samples come; a refusal is an error, and silence is no answer to it", () => {
  const page = new PageState();
  page.apply(unreachable, 0);
  assert.equal(page.phase(0), "reconnecting");
  page.apply(heartbeat, 0);
  assert.equal(page.phase(0), "connecting");
  page.apply(refused, 0);
  page.apply(heartbeat, 0);
  assert.equal(page.phase(0), "error");
  page.apply(samples(100), 10);
  assert.equal(page.phase(10), "live");
});

test("the server's time goes on between its words", () => {
  const page = new PageState();
  assert.equal(page.serverTime(0), undefined);
  page.apply({ kind: "clock", server: 100 }, 1_000);
  assert.equal(page.serverTime(3_500), 102.5);
});

test("the words say when the last sample was and how long ago", () => {
  const page = new PageState();
  assert.equal(statusOf(page, "", 0).detail, "No sample yet");
  page.apply(samples(100), 0);
  assert.doesNotMatch(statusOf(page, "", 1_000).detail, /ago/);
  page.apply(unreachable, 2_000);
  const status = statusOf(page, "", 12_000);
  assert.equal(status.word, "Reconnecting");
  assert.equal(status.meaning, "The server does not answer. Trying again by itself.");
  assert.match(status.detail, /12 sec ago$/);
  page.apply({ kind: "failure", failure: { refused: false, reason: "The server is stopping." } }, 0);
  assert.equal(statusOf(page, "", 12_000).word, "Server stopping");
  page.apply(refused, 0);
  assert.match(statusOf(page, "x", 0).meaning, /^Host "x" is not known\. Correct the host/);
});

test("the meaning does not change from second to second: it is read out", () => {
  const page = new PageState();
  page.apply(samples(100), 0);
  assert.equal(statusOf(page, "", 5_000).meaning, statusOf(page, "", 9_000).meaning);
});

test("health is what the server says, or unknown", () => {
  const page = new PageState();
  assert.equal(healthOf(page).state, "unknown");
  page.apply({ kind: "health", health: { healthy: false, message: "Service store is full" } }, 0);
  assert.deepEqual(healthOf(page), { state: "bad", text: "Service store is full" });
  page.apply(refused, 0);
  assert.equal(healthOf(page).state, "bad", "a server that refuses is still there");
  page.apply(unreachable, 0);
  assert.equal(healthOf(page).state, "unknown");
});

test("the events of one tab bring another to the same state", () => {
  const one = new PageState();
  const all: FeedEvent[] = [
    { kind: "open" },
    { kind: "clock", server: 111 },
    samples(100, 1),
    samples(110, 3),
    { kind: "health", health: { healthy: true, message: "" } },
    { kind: "hosts", hosts: [] },
    unreachable,
  ];
  for (const event of all) one.apply(event, 0);
  const other = new PageState();
  for (const event of structuredClone(one.events(0))) other.apply(event, 0);
  assert.deepEqual(other, one);
  assert.deepEqual(other.events(0), one.events(0));
});
