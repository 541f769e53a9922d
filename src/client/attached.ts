/**
 * What the entries beside `troupe/client` share: they hang on a client from outside, one of each,
 * so that an application which does not import them does not load them.
 */
import type { Client } from "./client.ts";
import { TroupeError } from "./error.ts";

/** The same for the same client. */
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

/** Calls at the beginning of each session, once everything is here. */
export function onOnline(client: Client, call: () => void): void {
  let before = "";
  client.connection.subscribe(() => {
    const { is } = client.connection.get();
    if (is === "online" && before !== is) call();
    before = is;
  });
}

/** Whether it was done; false where it was refused or out of reach, and is to be asked again. */
export async function attempt(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof TroupeError) return false;
    throw error;
  }
}
