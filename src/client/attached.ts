/**
 * Helpers of the entries beside `troupe-client`. An entry attaches to a client from outside, once,
 * so that an application that does not import it does not load it.
 */
import type { Client } from "./client.ts";
import { TroupeError } from "./error.ts";

/** Makes one value for each client. */
export const once = <T>(make: (client: Client) => T): ((client: Client) => T) => {
  const made = new WeakMap<Client, T>();
  return (client) => {
    const before = made.get(client);
    if (before) return before;
    const fresh = make(client);
    made.set(client, fresh);
    return fresh;
  };
};

export const isOnline = ({ connection }: Client): boolean => connection.get().is === "online";

/** Calls `call` in each session once the client is online; returns the way to stop that. */
export function onOnline(client: Client, call: () => void): () => void {
  let before = "";
  return client.connection.subscribe(() => {
    const { is } = client.connection.get();
    if (is === "online" && before !== is) call();
    before = is;
  });
}

/**
 * Resolves with whether the call succeeded; false where it was refused or timed out and should be
 * tried again.
 */
export async function attempt(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof TroupeError) return false;
    throw error;
  }
}
