import { createClient, type Client } from "@connectrpc/connect";
import { AccountService } from "../gen/users/v1/account_pb.js";
import { WireSwitch, type Wire } from "./wire.js";

/** accountsOf returns the client of the accounts of the server at that origin. */
export function accountsOf(origin: string, wire: Wire): Client<typeof AccountService> {
  return createClient(AccountService, new WireSwitch(origin, wire, fetch.bind(globalThis)));
}

/**
 * isSignedIn tells whether the server knows who the reader is: what asks it from
 * elsewhere then needs a token. False where the server cannot be asked.
 */
export async function isSignedIn(origin: string, wire: Wire): Promise<boolean> {
  try {
    const { by } = await accountsOf(origin, wire).whoAmI({});
    return by !== "anonymous";
  } catch {
    return false;
  }
}
