const shortest = 500;
/** The longest wait, in milliseconds: also for what waiting alone will hardly mend. */
export const longest = 5_000;

/**
 * Backoff says how many milliseconds to wait before the next attempt: at least
 * half a second, at most a bound that starts at one second and doubles up to five.
 * Where in between is left to chance, so that the tabs of a whole team do not
 * come back to a restarted server at the same moment.
 */
export class Backoff {
  #bound = 2 * shortest;

  /** @param random returns a number from 0 up to, not including, 1 */
  constructor(private readonly random: () => number = Math.random) {}

  next(): number {
    const bound = this.#bound;
    this.#bound = Math.min(2 * bound, longest);
    return shortest + this.random() * (bound - shortest);
  }

  /** reset starts over, after an attempt that went well. */
  reset(): void {
    this.#bound = 2 * shortest;
  }
}
