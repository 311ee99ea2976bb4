/** Gestures is what can be done to the range of time on any chart. */
export interface Gestures {
  /** window returns the first and the last second that are shown. */
  window: () => [from: number, to: number];
  /** zoom goes to a part of the time. */
  zoom: (from: number, to: number) => void;
  /** scale zooms around a time, by less than 1 for closer. */
  scale: (around: number, factor: number) => void;
  /** pan moves the window so many seconds later. */
  pan: (seconds: number) => void;
  /** back goes to the range before. */
  back: () => void;
}

/** Surface is what gestures are made on. */
export interface Surface {
  /** area returns what the time stretches over, within the element. */
  area: () => HTMLElement | undefined;
  /** mark shows what is being chosen, in pixels from the left of the area; 0 wide: nothing. */
  mark: (left: number, width: number) => void;
}

/** A finger that rests for so many milliseconds begins to mark a range. */
const hold = 450;
/** A finger that moved so many pixels means to. */
const slack = 8;

/** Scale tells where in time a place on the screen is. */
interface Scale {
  secondAt: (x: number) => number | undefined;
  perPixel: () => number;
}

/**
 * gestures listens on a chart's element: a wheel with Ctrl (which is also what a
 * pinch on a touchpad sends) or Alt zooms and with shift pans, so that a wheel
 * alone still scrolls the page; a drag with shift pans. One finger sideways pans,
 * after a rest it marks a range to zoom into, up and down it scrolls the page; two
 * fingers zoom and pan.
 */
export function gestures(element: HTMLElement, time: Gestures, surface: Surface): void {
  const scale: Scale = {
    secondAt(x) {
      const box = surface.area()?.getBoundingClientRect();
      if (box === undefined || box.width === 0) return undefined;
      const [from, to] = time.window();
      return from + ((x - box.left) / box.width) * (to - from);
    },
    perPixel() {
      const [from, to] = time.window();
      return (to - from) / Math.max(surface.area()?.clientWidth ?? 1, 1);
    },
  };
  wheel(element, time, scale);
  drag(element, time, scale);
  oneFinger(element, time, scale, surface);
  twoFingers(element, time, scale);
}

function wheel(element: HTMLElement, time: Gestures, { secondAt, perPixel }: Scale): void {
  element.addEventListener(
    "wheel",
    (event) => {
      const around = secondAt(event.clientX);
      if (around === undefined) return;
      // Some browsers turn the wheel sideways themselves while shift is held.
      const sideways =
        Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : event.shiftKey ? event.deltaY : 0;
      if (event.ctrlKey || event.altKey || event.metaKey) time.scale(around, Math.exp(clamped(event.deltaY) * 0.004));
      else if (sideways !== 0) time.pan(sideways * perPixel());
      else return;
      event.preventDefault();
    },
    { passive: false },
  );
}

function drag(element: HTMLElement, time: Gestures, { perPixel }: Scale): void {
  element.addEventListener("mousedown", (event) => {
    if (!event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    let x = event.clientX;
    const move = (moved: MouseEvent) => {
      time.pan((x - moved.clientX) * perPixel());
      x = moved.clientX;
    };
    const end = () => removeEventListener("mousemove", move);
    addEventListener("mousemove", move);
    addEventListener("mouseup", end, { once: true });
  });
}

/** Finger is one that is on a chart: where it began, where it is, and what it means to do. */
interface Finger {
  x: number;
  y: number;
  at: number;
  does: "rest" | "pan" | "mark";
}

function oneFinger(element: HTMLElement, time: Gestures, { secondAt, perPixel }: Scale, surface: Surface): void {
  let finger: Finger | undefined;
  let held: ReturnType<typeof setTimeout> | undefined;
  /** within returns a place in the chart, or the nearest there is. */
  const within = (x: number) => {
    const box = surface.area()!.getBoundingClientRect();
    return Math.min(Math.max(x, box.left), box.right);
  };
  const mark = (from: number, to: number) => {
    const left = Math.min(from, to);
    surface.mark(left - surface.area()!.getBoundingClientRect().left, Math.abs(to - from));
  };
  const end = () => {
    clearTimeout(held);
    if (finger?.does === "mark") surface.mark(0, 0);
    finger = undefined;
  };
  element.addEventListener(
    "touchstart",
    ({ touches }) => {
      end();
      if (touches.length !== 1 || surface.area() === undefined) return;
      const { clientX: x, clientY: y } = touches[0]!;
      const begun: Finger = { x, y, at: x, does: "rest" };
      finger = begun;
      held = setTimeout(() => {
        begun.does = "mark";
        mark(x, x + 2);
      }, hold);
    },
    { passive: true },
  );
  element.addEventListener(
    "touchmove",
    (event) => {
      if (finger === undefined) return;
      const { clientY: y } = event.touches[0]!;
      const x = within(event.touches[0]!.clientX);
      if (finger.does === "rest") {
        const [sideways, upright] = [Math.abs(x - finger.x), Math.abs(y - finger.y)];
        if (Math.max(sideways, upright) < slack) return;
        clearTimeout(held);
        // Up and down is the browser's, which scrolls the page.
        if (upright >= sideways) return end();
        finger.does = "pan";
      }
      if (event.cancelable) event.preventDefault();
      if (finger.does === "pan") time.pan((finger.at - x) * perPixel());
      else mark(finger.x, x);
      finger.at = x;
    },
    { passive: false },
  );
  element.addEventListener("touchend", () => {
    const chosen = finger?.does === "mark" ? finger : undefined;
    end();
    if (chosen === undefined || Math.abs(chosen.at - chosen.x) < slack) return;
    const [from, to] = [Math.min(chosen.x, chosen.at), Math.max(chosen.x, chosen.at)].map(secondAt);
    if (from !== undefined && to !== undefined) time.zoom(from, to);
  });
  element.addEventListener("touchcancel", end);
  // A finger that rests has a menu of the browser's as well.
  element.addEventListener("contextmenu", (event) => finger !== undefined && event.preventDefault());
}

function twoFingers(element: HTMLElement, time: Gestures, { secondAt, perPixel }: Scale): void {
  let fingers: [number, number] | undefined;
  const spread = (touches: TouchList): [number, number] => [touches[0]!.clientX, touches[1]!.clientX];
  element.addEventListener("touchstart", (event) => {
    fingers = event.touches.length === 2 ? spread(event.touches) : undefined;
  });
  element.addEventListener(
    "touchmove",
    (event) => {
      if (fingers === undefined || event.touches.length !== 2) return;
      event.preventDefault();
      const now = spread(event.touches);
      const width = (pair: [number, number]) => Math.max(Math.abs(pair[1] - pair[0]), 20);
      const middle = (pair: [number, number]) => (pair[0] + pair[1]) / 2;
      const around = secondAt(middle(fingers));
      if (around !== undefined) time.scale(around, width(fingers) / width(now));
      time.pan((middle(fingers) - middle(now)) * perPixel());
      fingers = now;
    },
    { passive: false },
  );
  element.addEventListener("touchend", () => (fingers = undefined));
}

function clamped(delta: number): number {
  return Math.max(-100, Math.min(100, delta));
}
