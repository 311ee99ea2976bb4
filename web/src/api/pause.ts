/** Pauses are waits that end early when there is reason to hurry. */
export class Pauses {
  readonly #waiting = new Set<() => void>();
  readonly #listening = new Set<() => void>();

  /** pause resolves after so many milliseconds, on hurry, or when signal aborts. */
  pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) {
        resolve();
        return;
      }
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        this.#waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      signal.addEventListener("abort", end);
      this.#waiting.add(end);
    });
  }

  /** hurry ends every pause that is under way. */
  hurry(): void {
    for (const hurried of [...this.#listening, ...this.#waiting]) hurried();
  }

  /** onHurry calls hurried on each hurry, until signal aborts. */
  onHurry(hurried: () => void, signal: AbortSignal): void {
    this.#listening.add(hurried);
    signal.addEventListener("abort", () => this.#listening.delete(hurried));
  }
}
