/**
 * Over HTTP/1.1 a browser opens six connections to a server, for all its tabs
 * together, and a stream holds one for as long as it lasts. Six tabs with a stream
 * each would leave none for a seventh, nor for a single unary call. So of the tabs
 * that show the same one leads, by a Web Lock: it alone follows the server and
 * passes on what it hears over a BroadcastChannel.
 *
 * Tabs that show different hosts have a leader each; of these leaders those that
 * hold one of three further locks may stream, the others ask every other second by
 * short calls. So there are never more than three lasting connections.
 *
 * Hiding is no reason to stop: a leader in a hidden tab goes on, so that its chart
 * has no hole when the reader comes back. But a browser may freeze a hidden tab
 * together with its lock. A visible tab that has heard nothing for a while
 * therefore takes the locks by force; the old leader, if it wakes, listens.
 *
 * Browsers have Web Locks in secure contexts only: https, or localhost. Elsewhere
 * each tab is on its own and may not stream.
 */

type Message<E> =
  | { kind: "event"; event: E }
  /** A new tab asks what is known so far, and gets it. */
  | { kind: "hello"; from: string }
  | { kind: "known"; to: string; events: E[] }
  | { kind: "beat" }
  | { kind: "hurry" };

/** TabsOptions is what a tab brings. E must be able to pass through a BroadcastChannel. */
export interface TabsOptions<E> {
  /** Names what is shared: tabs with the same topic show the same. */
  topic: string;
  /** lead talks to the server until signal aborts and publishes what it learns. */
  lead: (publish: (event: E) => void, signal: AbortSignal) => Promise<void>;
  /** receive gets each event once, from this tab's leading or from another tab's. */
  receive: (event: E) => void;
  /** known returns the events that bring a new tab up to what this one knows. */
  known: () => E[];
  /** hurry is called in the leading tab when any tab has reason to hope for better. */
  hurry: () => void;
}

/** One lock for each connection that may be held for long, by all tabs together. */
const streamLocks = ["vitals/stream/1", "vitals/stream/2", "vitals/stream/3"];
const beatEvery = 1_000;
/** After so many milliseconds without a word, a visible tab no longer waits for the leader. */
const patience = 4_000;

/** Tabs is this tab's part among all tabs of the origin. */
export class Tabs<E> {
  readonly #options: TabsOptions<E>;
  readonly #name: string;
  readonly #channel: BroadcastChannel;
  /** Random, for other tabs to answer to; crypto.randomUUID is for secure contexts only. */
  readonly #self = String(Math.random());
  #leading = false;
  #mayStream = false;
  #heard = performance.now();
  #force: AbortController | undefined;

  constructor(options: TabsOptions<E>) {
    this.#options = options;
    this.#name = `vitals/live/${options.topic}`;
    this.#channel = new BroadcastChannel(this.#name);
  }

  /** Whether this tab is the one that talks to the server. */
  get leading(): boolean {
    return this.#leading;
  }

  /** Whether this tab may hold connections for long. */
  get mayStream(): boolean {
    return this.#mayStream;
  }

  /** start takes part for as long as the page lives. */
  start(): void {
    const locks = (navigator as { locks?: LockManager }).locks;
    if (locks === undefined) {
      void this.#lead(undefined);
      return;
    }
    this.#channel.addEventListener("message", ({ data }) => this.#hear(data as Message<E>));
    this.#post({ kind: "hello", from: this.#self });
    void this.#compete(locks);
    setInterval(() => this.#beat(), beatEvery);
  }

  /** hurry asks whoever leads to try again now, where it waits to. */
  hurry(): void {
    if (this.#leading) this.#options.hurry();
    else this.#post({ kind: "hurry" });
  }

  #post(message: Message<E>): void {
    this.#channel.postMessage(message);
  }

  #publish = (event: E): void => {
    this.#options.receive(event);
    this.#post({ kind: "event", event });
  };

  #hear(message: Message<E>): void {
    switch (message.kind) {
      case "hello":
        if (this.#leading) this.#post({ kind: "known", to: message.from, events: this.#options.known() });
        return;
      case "known":
        if (message.to === this.#self && !this.#leading)
          for (const event of message.events) this.#options.receive(event);
        return;
      case "hurry":
        if (this.#leading) this.#options.hurry();
        return;
      case "beat":
        this.#heard = performance.now();
        return;
      case "event":
        this.#heard = performance.now();
        // Between being robbed of the lock and hearing of it, a tab could get
        // what it has itself.
        if (!this.#leading) this.#options.receive(message.event);
    }
  }

  #beat(): void {
    if (this.#leading) this.#post({ kind: "beat" });
    else if (document.visibilityState === "visible" && performance.now() - this.#heard > patience) this.#force?.abort();
  }

  /** compete queues for the lead, and again whenever it is lost. */
  async #compete(locks: LockManager): Promise<void> {
    let steal = false;
    for (;;) {
      const robbed = new AbortController();
      const force = new AbortController();
      this.#force = force;
      this.#heard = performance.now();
      // The API allows no signal beside steal: a theft does not wait.
      const how: LockOptions = steal ? { steal: true } : { signal: force.signal };
      try {
        await locks.request(this.#name, how, () => this.#lead(locks, robbed.signal));
      } catch {
        // Robbed while leading, or out of patience while waiting.
      }
      robbed.abort();
      this.#leading = false;
      this.#mayStream = false;
      steal = force.signal.aborted;
    }
  }

  async #lead(locks: LockManager | undefined, signal = new AbortController().signal): Promise<void> {
    this.#leading = true;
    if (locks !== undefined) await this.#holdStream(locks, signal);
    await this.#options.lead(this.#publish, signal);
  }

  /**
   * holdStream allows streaming while this tab holds one of the locks for it. It
   * resolves when one is held, or when none seems to be free.
   */
  #holdStream(locks: LockManager, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      setTimeout(resolve, 150);
      for (const name of streamLocks) {
        const hold = () => {
          if (this.#mayStream || signal.aborted) return undefined; // one is enough
          this.#mayStream = true;
          resolve();
          return new Promise<void>((release) => signal.addEventListener("abort", () => release()));
        };
        locks.request(name, { signal }, hold).catch(() => undefined); // no longer leading
      }
    });
  }
}
