import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError, createClient, createRouterTransport, type ServiceImpl } from "@connectrpc/connect";
import { nearest } from "../../src/api/near.js";
import { Backoff } from "../../src/api/backoff.js";
import { failureOf, SilenceError } from "../../src/api/failure.js";
import { Pauses } from "../../src/api/pause.js";
import type { Api } from "../../src/api/client.js";
import { run, type FeedEvent } from "../../src/api/feed.js";
import { Meter } from "../../src/api/meter.js";
import { historyOf } from "../../src/api/history.js";
import { keyOf, selectorOf } from "../../src/api/series.js";
import { MonitoringService } from "../../src/gen/monitoring/metrics_pb.js";
import { LiveService } from "../../src/gen/monitoring/v1/live_pb.js";
import { QueryService } from "../../src/gen/monitoring/v1/query_pb.js";

test("the backoff doubles from half a second up to five, and starts over", () => {
  const all = (random: number, attempts: number) => {
    const backoff = new Backoff(() => random);
    return Array.from({ length: attempts }, () => backoff.next());
  };
  assert.deepEqual(all(0, 3), [500, 500, 500]);
  assert.deepEqual(all(1, 5), [1000, 2000, 4000, 5000, 5000]);
  const backoff = new Backoff(() => 1);
  backoff.next();
  backoff.next();
  backoff.reset();
  assert.equal(backoff.next(), 1000);
});

test("a pause ends by its time, by hurry and by abort", { timeout: 5_000 }, async () => {
  const pauses = new Pauses();
  const controller = new AbortController();
  await pauses.pause(1, controller.signal);
  const hurried = pauses.pause(60_000, controller.signal);
  pauses.hurry();
  await hurried;
  const aborted = pauses.pause(60_000, controller.signal);
  controller.abort();
  await aborted;
  await pauses.pause(60_000, controller.signal);
});

test("a listener hears of each hurry until it is told not to", () => {
  const pauses = new Pauses();
  const controller = new AbortController();
  let heard = 0;
  pauses.onHurry(() => heard++, controller.signal);
  pauses.hurry();
  pauses.hurry();
  controller.abort();
  pauses.hurry();
  assert.equal(heard, 2);
});

test("failures tell a refusal from a server out of reach", () => {
  const f = (error: unknown, refused: boolean, reason: string) =>
    assert.deepEqual(failureOf(error), { refused, reason }, String(error));
  f(new ConnectError('host "x" is not known', Code.NotFound), true, 'Host "x" is not known.');
  assert.deepEqual(failureOf(new ConnectError("sign in first!", Code.Unauthenticated)), {
    refused: true,
    reason: "Sign in first!",
    signIn: true,
  });
  f(new ConnectError("the server is stopping", Code.Unavailable), false, "The server is stopping.");
  f(new ConnectError("", Code.Unavailable), false, "The server does not answer.");
  f(new TypeError("Failed to fetch"), false, "The server does not answer.");
  f(new SilenceError("nothing comes"), false, "Nothing comes.");
});

/** A server whose stream says what it is told to, and then fails or ends. */
function serverOf(
  live: Partial<ServiceImpl<typeof LiveService>>,
  query: Partial<ServiceImpl<typeof QueryService>> = {},
) {
  const transport = createRouterTransport(({ service }) => {
    service(LiveService, live);
    service(QueryService, { listHosts: () => ({ hosts: [{ hostname: "web-1" }] }), ...query });
    service(MonitoringService, { checkHealth: () => ({ healthy: true, message: "well" }) });
  });
  const api: Api = {
    monitoring: createClient(MonitoringService, transport),
    live: createClient(LiveService, transport),
    query: createClient(QueryService, transport),
    switched: () => new AbortController().signal,
  };
  return api;
}

/** eventsOf follows a server until it has said enough. */
async function eventsOf(api: Api, mayStream: () => boolean, enough: (events: FeedEvent[]) => boolean) {
  const events: FeedEvent[] = [];
  const pauses = new Pauses();
  const controller = new AbortController();
  const hurry = setInterval(() => pauses.hurry(), 5);
  const feed = { api, hostname: "web-1", metricTypes: [], mayStream, pauses };
  await run(
    feed,
    (event) => {
      events.push(event);
      if (enough(events)) controller.abort();
    },
    controller.signal,
  );
  clearInterval(hurry);
  return events;
}

const cpu = { metricType: "cpu", hostname: "web-1", labels: {}, unit: "percent" };
const kinds = (events: FeedEvent[], ...wanted: string[]) => events.filter(({ kind }) => wanted.includes(kind));

test(
  "a stream opens, names its series once and sends rounds; a broken one is told and opened again",
  {
    timeout: 10_000,
  },
  async () => {
    let calls = 0;
    const api = serverOf({
      async *subscribe({ selectors }) {
        assert.deepEqual(selectors[0]?.hostnames, ["web-1"]);
        calls++;
        yield {
          update: {
            series: [{ id: 0, series: cpu }],
            samples: [{ time: { seconds: 100n, nanos: 0 }, seriesIds: [0], values: [42] }],
            snapshotComplete: true,
          },
        };
        throw new ConnectError("the server is stopping", Code.Unavailable);
      },
    });
    const events = await eventsOf(
      api,
      () => true,
      (all) => kinds(all, "failure").length === 2,
    );
    const samples = {
      kind: "samples",
      named: [[0, { type: "cpu", host: "web-1", labels: {}, unit: "percent" }]],
      rounds: [{ time: 100, ids: [0], values: [42] }],
      dropped: 0,
    };
    const failure = { kind: "failure", failure: { refused: false, reason: "The server is stopping." } };
    const once = [{ kind: "open" }, samples, failure];
    assert.deepEqual(structuredClone(kinds(events, "open", "samples", "failure")), [...once, ...once]);
    assert.equal(calls, 2);
    assert.deepEqual(kinds(events, "health")[0], { kind: "health", health: { healthy: true, message: "well" } });
  },
);

test(
  "a host that the server does not know is refused, and told are those that may have been meant",
  { timeout: 10_000 },
  async () => {
    const api = serverOf(
      {
        async *subscribe(_, { signal }) {
          yield { update: { snapshotComplete: true } };
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        },
      },
      {
        listHosts: ({ hostnamePrefix }) => ({
          hosts: ["-dash", "web-10", "wbe-1"]
            .filter((hostname) => hostname.startsWith(hostnamePrefix))
            .map((hostname) => ({ hostname })),
        }),
      },
    );
    const events = await eventsOf(
      api,
      () => true,
      (all) => kinds(all, "failure").length === 1,
    );
    const unknown = { hosts: 3, near: ["web-10"] };
    assert.deepEqual(kinds(events, "failure"), [
      { kind: "failure", failure: { refused: true, reason: 'No host is called "web-1".', unknown } },
    ]);
  },
);

test("names are near that one could have mistyped, and none is near that is merely there", () => {
  const f = (name: string, want: string[]) =>
    assert.deepEqual(
      nearest(name, ["-dash", "a?b#c", "churn", "hub", "web-1", "web-2", "Web-11", "browser-test"]),
      want,
    );
  f("nosuch", []);
  f("browser-tset", ["browser-test"]);
  f("web-12", ["web-1", "web-2", "Web-11"]);
  f("HUB", ["hub"]);
  f("x", []);
});

test("where it may not stream it asks for the newest again and again", { timeout: 10_000 }, async () => {
  let asked = 0;
  const api = serverOf(
    {
      subscribe: () => assert.fail("no stream"),
    },
    {
      queryRange: ({ selector }) => {
        assert.equal(selector, '{hostname="web-1"}');
        asked++;
        return {
          series: [{ series: cpu, times: [100, 100 + asked], averages: [1, 2], minima: [1, 2], maxima: [1, 2] }],
        };
      },
    },
  );
  const events = await eventsOf(
    api,
    () => false,
    (all) => kinds(all, "samples").length === 2,
  );
  const [first, second] = kinds(events, "samples") as (FeedEvent & { kind: "samples" })[];
  assert.equal(first!.named.length, 1);
  assert.equal(second!.named.length, 0, "a series is named once");
  assert.deepEqual(second!.rounds, [
    { time: 100, ids: [0], values: [1] },
    { time: 102, ids: [0], values: [2] },
  ]);
});

test("history comes in columns, with the time that a point stands for", async () => {
  const api = serverOf(
    {},
    {
      queryRange: ({ start, end, maxPoints }) => {
        assert.deepEqual([start?.seconds, end?.seconds, maxPoints], [100n, 200n, 7]);
        return {
          step: { seconds: 2n, nanos: 500_000_000 },
          series: [{ series: cpu, times: [100], averages: [2], minima: [1], maxima: [3] }],
        };
      },
    },
  );
  const request = { selector: "cpu", from: 100, to: 200, points: 7 };
  const history = await historyOf(api, request, new AbortController().signal);
  assert.equal(history.step, 2.5);
  assert.deepEqual(history.all[0]?.maxima, [3]);
});

test("selectors are PromQL, whatever the names are", () => {
  const f = (types: string[], hosts: string[], want: string) => assert.equal(selectorOf(types, hosts), want);
  f([], ["web-1"], '{hostname="web-1"}');
  f(["cpu"], ['a"b'], '{__name__="cpu",hostname="a\\"b"}');
  f(["a", "b"], ["x.y", "z"], '{__name__=~"a|b",hostname=~"x\\\\.y|z"}');
});

test("a series has one key, however its labels are ordered", () => {
  const series = { type: "a", host: "h", unit: "", labels: { x: "1", y: "2" } };
  assert.equal(keyOf(series), keyOf({ ...series, labels: { y: "2", x: "1" } }));
  assert.notEqual(keyOf(series), keyOf({ ...series, labels: { x: "1", y: "3" } }));
});

test(
  "another wire ends the stream and begins the next at once, and neither is told as a failure",
  { timeout: 10_000 },
  async () => {
    let epoch = new AbortController();
    let calls = 0;
    const api = serverOf({
      async *subscribe(_, { signal }) {
        calls++;
        yield { update: { samples: [{ time: { seconds: 100n, nanos: 0 }, seriesIds: [], values: [] }] } };
        if (calls === 1) {
          const old = epoch;
          epoch = new AbortController();
          old.abort();
        }
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    });
    const events = await eventsOf(
      { ...api, switched: () => epoch.signal },
      () => true,
      (all) => kinds(all, "open").length === 2,
    );
    assert.equal(calls, 2);
    assert.deepEqual(kinds(events, "failure"), []);
  },
);

test("the meter tells what was sent, received and unpacked, by method and wire", async () => {
  let now = 0;
  const meter = new Meter("connect-binary", () => now);
  const url = "http://localhost:1/monitoring.v1.QueryService/QueryRange";
  const finished = (startTime: number, encodedBodySize: number, decodedBodySize: number, responseStatus = 200) =>
    meter.finished({ name: url, startTime, duration: 5, encodedBodySize, decodedBodySize, responseStatus });
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array(30));
      controller.enqueue(new Uint8Array(12));
      controller.close();
    },
  });
  const fetch = meter.wrap((async (address: string) =>
    address.endsWith("Subscribe") ? new Response(body) : new Response("")) as typeof globalThis.fetch);
  await fetch(url, { method: "POST", body: new Uint8Array(7) });
  finished(0, 100, 300);
  finished(1, 50, 60);
  finished(2, 0, 0, 0); // never answered
  now = 10;
  meter.use("grpc-web");
  finished(9, 1, 1); // begun before
  finished(11, 400, 400);
  const stream = await fetch("http://localhost:1/monitoring.v1.LiveService/Subscribe", { method: "POST", body: "é" });
  assert.equal(meter.usages[2]?.open, true);
  assert.equal((await stream.arrayBuffer()).byteLength, 42);
  assert.deepEqual(
    meter.usages.map(({ method, wire, calls, open, last, total }) => [method, wire, calls, open, last, total]),
    [
      [
        "QueryRange",
        "connect-binary",
        3,
        false,
        { sent: 7, received: 1, unpacked: 1, milliseconds: 5 },
        { sent: 7, received: 151, unpacked: 361, milliseconds: 15 },
      ],
      [
        "QueryRange",
        "grpc-web",
        1,
        false,
        { sent: 0, received: 400, unpacked: 400, milliseconds: 5 },
        { sent: 0, received: 400, unpacked: 400, milliseconds: 5 },
      ],
      [
        "Subscribe",
        "grpc-web",
        1,
        false,
        { sent: 2, received: 42, unpacked: 42, milliseconds: 0 },
        { sent: 2, received: 42, unpacked: 42, milliseconds: 0 },
      ],
    ],
  );
});
