import type { Wire } from "./wire.js";

/** Cost is what one call cost, or some in sum: bodies in bytes, without HTTP's heads. */
export interface Cost {
  sent: number;
  /** What came over the network, compressed where it was. */
  received: number;
  /** The same as the page reads it. */
  unpacked: number;
  /** From the call to the last byte of its answer; of a stream to the first of its head. */
  milliseconds: number;
}

/** Usage is what the calls of one method over one wire have cost this tab. */
export interface Usage {
  method: string;
  wire: Wire;
  calls: number;
  /** A stream that is open: its last cost is its own so far. */
  open: boolean;
  last: Cost;
  total: Cost;
}

/** Finished is what the browser tells of a fetch that has ended: the part of PerformanceResourceTiming that is read. */
export interface Finished {
  name: string;
  startTime: number;
  duration: number;
  encodedBodySize: number;
  decodedBodySize: number;
  responseStatus: number;
}

const free = (): Cost => ({ sent: 0, received: 0, unpacked: 0, milliseconds: 0 });

/**
 * Meter measures the page's calls. What a unary call brought is the browser's own
 * word, which alone knows what was compressed; a stream is counted as it comes,
 * since the browser tells of it only when it ends.
 */
export class Meter {
  readonly #usages = new Map<string, Usage>();
  readonly #wires: { since: number; wire: Wire }[] = [];

  /** @param now milliseconds, by the clock of Finished.startTime */
  constructor(
    wire: Wire,
    private readonly now: () => number,
  ) {
    this.#wires.push({ since: -Infinity, wire });
  }

  /** use tells that calls go over another wire from now on. */
  use(wire: Wire): void {
    this.#wires.push({ since: this.now(), wire });
  }

  /** usages returns what has been measured, a copy, in order of methods and of their first call. */
  get usages(): Usage[] {
    const all = [...this.#usages.values()].map((usage) => ({ ...usage }));
    return all.sort((a, b) => (a.method < b.method ? -1 : a.method > b.method ? 1 : 0));
  }

  /** finished takes in what the browser tells of a fetch; what is no call, or never got an answer, is left out. */
  finished(entry: Finished): void {
    const method = methodOf(entry.name);
    if (method === undefined || isStream(method) || entry.responseStatus === 0) return;
    const usage = this.#usageOf(method, entry.startTime);
    usage.calls++;
    const { encodedBodySize: received, decodedBodySize: unpacked, duration: milliseconds } = entry;
    usage.last = { ...usage.last, received, unpacked, milliseconds };
    usage.total.received += received;
    usage.total.unpacked += unpacked;
    usage.total.milliseconds += milliseconds;
  }

  /** wrap returns a fetch that counts what is sent, and what streams bring. */
  wrap(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
    return async (input, init) => {
      const address = String(input);
      const method = methodOf(address);
      if (method === undefined) return fetch(address, init);
      const began = this.now();
      const usage = this.#usageOf(method, began);
      const sent = sizeOf(init?.body);
      usage.total.sent += sent;
      usage.last = { ...usage.last, sent };
      const response = await fetch(address, init);
      if (!isStream(method) || response.body === null) return response;
      return new Response(this.#counted(response.body, usage, sent, this.now() - began), response);
    };
  }

  #counted(body: ReadableStream<Uint8Array>, usage: Usage, sent: number, milliseconds: number) {
    const reader = body.getReader();
    const cost = { ...free(), sent, milliseconds };
    usage.calls++;
    usage.open = true;
    usage.last = cost;
    usage.total.milliseconds += milliseconds;
    const end = () => {
      if (usage.last === cost) usage.open = false;
    };
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
      try {
        const { done, value } = await reader.read();
        if (done) {
          end();
          controller.close();
          return;
        }
        for (const counter of [cost, usage.total]) {
          counter.received += value.byteLength;
          // Browsers read no compressed messages, so a stream comes as it is.
          counter.unpacked += value.byteLength;
        }
        controller.enqueue(value);
      } catch (error) {
        end();
        throw error;
      }
    };
    const cancel = (reason: unknown) => {
      end();
      return reader.cancel(reason);
    };
    return new ReadableStream<Uint8Array>({ pull, cancel }, { highWaterMark: 0 });
  }

  #usageOf(method: string, at: number): Usage {
    const wire = this.#wires.findLast(({ since }) => since <= at)!.wire;
    const key = `${method} ${wire}`;
    let usage = this.#usages.get(key);
    if (usage === undefined) {
      usage = { method, wire, calls: 0, open: false, last: free(), total: free() };
      this.#usages.set(key, usage);
    }
    return usage;
  }
}

/** methodOf returns the name of the RPC that an address calls, or undefined where it is none. */
function methodOf(address: string): string | undefined {
  return /\/[\w.]+Service\/(\w+)(?:[?#]|$)/.exec(address)?.[1];
}

/** isStream tells whether a method answers by a stream. */
function isStream(method: string): boolean {
  return method === "Subscribe";
}

function sizeOf(body: BodyInit | null | undefined): number {
  if (typeof body === "string") return new TextEncoder().encode(body).length;
  return body instanceof ArrayBuffer || ArrayBuffer.isView(body) ? body.byteLength : 0;
}
