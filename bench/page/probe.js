// Watches a page from within, before its own script runs: when charts are drawn,
// what blocks the main thread, when requests end, how frames follow one another.
// What it puts in the way of drawing is taken away by rest().
(() => {
  /** A chart counts as drawn with its history, not with the first samples of a stream. */
  const pointsOfAChart = 30;
  const canvasLine = CanvasRenderingContext2D.prototype;
  const pathLine = Path2D.prototype;
  const shape = SVGPathElement.prototype;
  const own = { stroke: canvasLine.stroke, begin: canvasLine.beginPath, line: canvasLine.lineTo, path: pathLine.lineTo };

  const probe = {
    longTasks: [],
    /** When the frame ended in which a chart, a canvas or an svg, was first drawn with its history. */
    first: new Map(),
    /** When the frame ended in which any chart was drawn last. */
    last: 0,
    /** Charts drawn since the mouse was let go. */
    redrawn: new Set(),
    released: 0,
    asked: 0,
    answered: 0,
    lastAnswer: 0,
  };

  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) probe.longTasks.push([startTime, duration]);
  }).observe({ type: "longtask", buffered: true });

  /** The task that follows a frame's begins when that frame is done on the main thread. */
  const afterFrame = (then) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => then(performance.now());
    port2.postMessage(null);
  };

  const drawn = (chart, points) => {
    if (points < pointsOfAChart) return;
    const isNew = !probe.first.has(chart);
    if (isNew) probe.first.set(chart, Infinity);
    probe.redrawn.add(chart);
    afterFrame((now) => {
      if (isNew) probe.first.set(chart, now);
      probe.last = now;
    });
  };

  /** watch counts the points of each line that is drawn. */
  probe.watch = () => {
    pathLine.lineTo = function (x, y) {
      this.probed = (this.probed | 0) + 1;
      own.path.call(this, x, y);
    };
    canvasLine.beginPath = function () {
      this.probed = 0;
      own.begin.call(this);
    };
    canvasLine.lineTo = function (x, y) {
      this.probed = (this.probed | 0) + 1;
      own.line.call(this, x, y);
    };
    canvasLine.stroke = function (path) {
      drawn(this.canvas, (path ?? this).probed | 0);
      if (path === undefined) own.stroke.call(this);
      else own.stroke.call(this, path);
    };
    shape.setAttribute = function (name, value) {
      Element.prototype.setAttribute.call(this, name, value);
      if (name === "d" && this.ownerSVGElement !== null) drawn(this.ownerSVGElement, value.split("L").length);
    };
  };

  /** rest leaves the page to itself. */
  probe.rest = () => {
    pathLine.lineTo = own.path;
    canvasLine.stroke = own.stroke;
    canvasLine.beginPath = own.begin;
    canvasLine.lineTo = own.line;
    delete shape.setAttribute;
    removeEventListener("mouseup", probe.onRelease, true);
  };

  const inSight = (chart) => {
    const { top, bottom, width } = chart.getBoundingClientRect();
    return width > 0 && bottom > 0 && top < innerHeight;
  };

  /** load tells what there is to say of the page's load by now. */
  probe.load = () => {
    const charts = [...document.querySelectorAll("main canvas, main svg")].filter(inSight);
    const times = charts.map((chart) => probe.first.get(chart) ?? Infinity).filter(Number.isFinite);
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    return {
      charts: charts.length,
      drawn: times.length,
      first: Math.min(...times, 1e9),
      last: Math.max(...times, 0),
      paint: paint?.startTime ?? 0,
      longTasks: probe.longTasks.map(([, duration]) => duration),
    };
  };

  /** zoom begins to watch for what follows when the mouse is let go. */
  probe.zoom = () => {
    probe.watch();
    probe.released = probe.asked = probe.answered = probe.lastAnswer = 0;
    probe.onRelease = ({ timeStamp }) => {
      probe.released = timeStamp;
      probe.redrawn.clear();
    };
    addEventListener("mouseup", probe.onRelease, { capture: true, once: true });
  };

  const fetched = globalThis.fetch;
  // From the start on, for a page may keep the function.
  globalThis.fetch = (input, init) => {
    const call = fetched(input, init);
    const url = input instanceof Request ? input.url : String(input);
    if (probe.released > 0 && url.includes("/QueryRange")) {
      probe.asked++;
      call.catch(() => probe.answered++);
    }
    return call;
  };

  new PerformanceObserver((list) => {
    for (const { name, startTime, responseEnd } of list.getEntries()) {
      if (probe.released === 0 || startTime < probe.released || !name.includes("/QueryRange")) continue;
      probe.answered++;
      probe.lastAnswer = Math.max(probe.lastAnswer, responseEnd);
    }
  }).observe({ type: "resource" });

  /** zoomed resolves when the charts have come to rest after the mouse was let go. */
  probe.zoomed = async () => {
    const deadline = performance.now() + 10_000;
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      const quiet = performance.now() - Math.max(probe.last, probe.lastAnswer);
      if (probe.released > 0 && probe.asked > 0 && probe.answered >= probe.asked && quiet > 400) break;
      if (performance.now() > deadline) throw new Error(`not drawn anew: ${JSON.stringify(probe)}`);
    }
    return {
      took: probe.last - probe.released,
      answer: probe.lastAnswer - probe.released,
      questions: probe.asked,
      charts: probe.redrawn.size,
    };
  };

  /** frames records when frames begin and how many rows there are, for so many milliseconds. */
  probe.frames = (length) =>
    new Promise((resolve) => {
      const times = [];
      let rows = 0;
      const list = document.querySelector("main ul, main tbody");
      const begin = performance.now();
      const frame = (now) => {
        times.push(now);
        rows = Math.max(rows, list?.childElementCount ?? 0);
        if (performance.now() - begin < length) requestAnimationFrame(frame);
        else resolve({ times, rows, top: scrollY, longTasks: probe.longTasks.filter(([at]) => at > begin).length });
      };
      requestAnimationFrame(frame);
    });

  /** steps scrolls by the same in each of so many frames. */
  probe.steps = (by, count) =>
    new Promise((resolve) => {
      const frame = () => {
        scrollBy(0, by);
        if (--count > 0) requestAnimationFrame(frame);
        else resolve();
      };
      requestAnimationFrame(frame);
    });

  probe.watch();
  globalThis.vitalsProbe = probe;
})();
