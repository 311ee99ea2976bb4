// Node's own HTTP/2 client against a Vitals server: node http2_client.mjs URL
import http2 from "node:http2";

const url = process.argv[2];
const open = () => http2.connect(url, { rejectUnauthorized: false });
const service = "/monitoring.MonitoringService/";

function call(session, path, headers, parts, { cutAfter } = {}) {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":method": "POST", ":path": path, ...headers });
    const chunks = [];
    let status;
    stream.on("response", (h) => (status = h[":status"]));
    stream.on("data", (d) => {
      chunks.push(d);
      if (cutAfter && chunks.length >= cutAfter) stream.close(http2.constants.NGHTTP2_CANCEL);
    });
    stream.on("error", reject);
    stream.on("close", () => resolve({ status, body: Buffer.concat(chunks) }));
    for (const part of parts) stream.write(part);
    stream.end();
  });
}

function check(ok, what) {
  if (!ok) throw new Error(what);
}

const json = { "content-type": "application/json" };
const session = open();

let answer = await call(session, service + "GetMetric", json, ["{}"]);
check(answer.status === 200 && JSON.parse(answer.body).value === 12.5, `unary: ${answer.status} ${answer.body}`);
console.log("unary ok");

const envelope = Buffer.from([0, 0, 0, 0, 2, 0x7b, 0x7d]);
answer = await call(session, service + "StreamMetrics", { "content-type": "application/connect+json" }, [envelope], { cutAfter: 2 });
check(answer.status === 200 && answer.body.includes("12.5"), "stream");
console.log("stream ok");

const many = await Promise.all(Array.from({ length: 500 }, () => call(session, service + "GetMetric", json, ["{", '"metricType"', ':"memory"}'])));
check(many.every((a) => a.status === 200 && JSON.parse(a.body).value === 3.25), "many at once");
console.log("many ok");

const big = "x".repeat(1 << 20);
answer = await call(session, service + "CheckHealth", json, ['{"service":"', big, '"}']);
check(answer.status === 404, `upload: ${answer.status}`);
console.log("upload ok");

const cut = open();
const running = Array.from({ length: 20 }, () => {
  const stream = cut.request({ ":method": "POST", ":path": service + "StreamMetrics", "content-type": "application/connect+json" });
  stream.on("error", () => {});
  stream.end(envelope);
  return new Promise((resolve) => stream.once("data", resolve));
});
await Promise.all(running);
cut.destroy();
answer = await call(session, service + "GetMetric", json, ["{}"]);
check(answer.status === 200, "after a connection was cut");
console.log("cancel ok");
session.close();
