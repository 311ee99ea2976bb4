import type { Transport } from "@connectrpc/connect";
// By its own path, as gRPC-Web's: from the package's index both would come at once.
import { createConnectTransport } from "../../node_modules/@connectrpc/connect-web/dist/esm/connect-transport.js";

/** Wire is how the page's calls are written: a protocol and an encoding. */
export type Wire = "connect-json" | "connect-binary" | "grpc-web";

/** wireNames are what there is to choose from, as people call them. */
export const wireNames: Readonly<Record<Wire, string>> = {
  "connect-json": "Connect JSON",
  "connect-binary": "Connect binary",
  "grpc-web": "gRPC-Web",
};

/** isWire tells whether a text that was kept is one of the wires. */
export function isWire(text: string | undefined): text is Wire {
  return text !== undefined && text in wireNames;
}

/** WireSwitch is a transport over the wire that was chosen last; calls that are under way end over theirs. */
export class WireSwitch implements Transport {
  #wire: Wire;
  #transport: Promise<Transport> | undefined;
  #epoch = new AbortController();

  constructor(
    private readonly origin: string,
    wire: Wire,
    private readonly fetch: typeof globalThis.fetch,
  ) {
    this.#wire = wire;
  }

  get wire(): Wire {
    return this.#wire;
  }

  /** switched aborts when another wire is chosen: what lasts is begun anew then. */
  get switched(): AbortSignal {
    return this.#epoch.signal;
  }

  /** use chooses the wire of all calls from now on. */
  use(wire: Wire): void {
    if (wire === this.#wire) return;
    this.#wire = wire;
    this.#transport = undefined;
    this.#epoch.abort();
    this.#epoch = new AbortController();
  }

  readonly unary: Transport["unary"] = async (method, signal, timeoutMs, header, message, contextValues) =>
    (await this.#open()).unary(method, signal, timeoutMs, header, message, contextValues);

  readonly stream: Transport["stream"] = async (method, signal, timeoutMs, header, input, contextValues) =>
    (await this.#open()).stream(method, signal, timeoutMs, header, input, contextValues);

  async #open(): Promise<Transport> {
    const transport = (this.#transport ??= this.#make());
    try {
      return await transport;
    } catch (error) {
      // The server was gone when its part of the page was asked for: the next call asks again.
      if (this.#transport === transport) this.#transport = undefined;
      throw error;
    }
  }

  async #make(): Promise<Transport> {
    const options = { baseUrl: this.origin, fetch: this.fetch };
    switch (this.#wire) {
      case "connect-json":
        return createConnectTransport(options);
      case "connect-binary":
        return createConnectTransport({ ...options, useBinaryFormat: true });
      case "grpc-web": {
        // Few choose it, so it is no part of the first load.
        const { createGrpcWebTransport } = await import("./grpcweb.js");
        return createGrpcWebTransport(options);
      }
    }
  }
}
