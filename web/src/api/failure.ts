import { Code, ConnectError } from "@connectrpc/connect";

/** Failure tells why no samples come. */
export interface Failure {
  /**
   * Whether the server understood and said no, so that trying again will hardly
   * help: somebody has to do something. Else it is out of reach for now.
   */
  refused: boolean;
  /** A sentence for the reader. */
  reason: string;
  /** Set where the reader has to sign in first. */
  signIn?: true;
  /** Set where the server does not know the host: how many it knows, and the names of those that are almost the same. */
  unknown?: { hosts: number; near: string[] };
}

const refusals = new Set([
  Code.InvalidArgument,
  Code.NotFound,
  Code.PermissionDenied,
  Code.FailedPrecondition,
  Code.OutOfRange,
  Code.Unimplemented,
]);

/** SilenceError is thrown where a connection stands and nothing comes over it. */
export class SilenceError extends Error {
  override name = "SilenceError";
}

/** failureOf tells what an error of a call means to the reader. */
export function failureOf(error: unknown): Failure {
  if (error instanceof SilenceError) return { refused: false, reason: sentence(error.message) };
  const failed = ConnectError.from(error);
  if (failed.code === Code.Unauthenticated) return { refused: true, reason: sentence(failed.rawMessage), signIn: true };
  if (refusals.has(failed.code)) return { refused: true, reason: sentence(failed.rawMessage) };
  if (failed.cause instanceof TypeError || failed.rawMessage === "") {
    // fetch has no more to say than "Failed to fetch" or "network error".
    return { refused: false, reason: "The server does not answer." };
  }
  return { refused: false, reason: sentence(failed.rawMessage) };
}

/** sentence writes an error's message as a person would: a capital and a full stop. */
export function sentence(message: string): string {
  const text = message.trim();
  if (text === "") return "The server gave no reason.";
  const capital = text.charAt(0).toLocaleUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : capital + ".";
}
