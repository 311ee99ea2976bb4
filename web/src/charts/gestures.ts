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

/**
 * gestures listens on a chart's element: a wheel with Ctrl (which is also what a
 * pinch on a touchpad sends) or Alt zooms and with shift pans, so that a wheel
 * alone still scrolls the page; a drag with shift pans; two fingers zoom and pan.
 *
 * @param area returns what the time stretches over, within the element
 */
export function gestures(element: HTMLElement, time: Gestures, area: () => HTMLElement | undefined): void {
  const secondAt = (x: number): number | undefined => {
    const box = area()?.getBoundingClientRect();
    if (box === undefined || box.width === 0) return undefined;
    const [from, to] = time.window();
    return from + ((x - box.left) / box.width) * (to - from);
  };
  const perPixel = () => {
    const [from, to] = time.window();
    return (to - from) / Math.max(area()?.clientWidth ?? 1, 1);
  };

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
