/**
 * Where messages that were not sent yet outlive the page: a port, and its implementation on the
 * browser's localStorage, an entry a message, so that tabs do not overwrite each other.
 */
import type { Outgoing } from "./state.ts";

/** May answer at once or later. A fault is told to `onError` and otherwise costs nothing. */
export interface OutboxStorage {
  load(): readonly Outgoing[] | Promise<readonly Outgoing[]>;
  put(outgoing: Outgoing): void | Promise<void>;
  remove(clientId: string): void | Promise<void>;
}

/** What is used of localStorage or sessionStorage. */
export interface WebStorage {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** `scope`: one for each user, for example their id; another user's must not be sent. */
export function webOutbox(storage: WebStorage, scope: string): OutboxStorage {
  const prefix = `troupe.outbox.${scope}.`;
  return {
    load() {
      const found: Outgoing[] = [];
      for (let at = 0; at < storage.length; at++) {
        const key = storage.key(at) ?? "";
        if (key.startsWith(prefix)) found.push(JSON.parse(storage.getItem(key) ?? "null"));
      }
      return found.sort((a, b) => a.createdAtMs - b.createdAtMs);
    },
    put: (outgoing) => storage.setItem(prefix + outgoing.clientId, JSON.stringify(outgoing)),
    remove: (clientId) => storage.removeItem(prefix + clientId),
  };
}
