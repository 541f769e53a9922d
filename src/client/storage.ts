/**
 * Where messages that were not sent yet outlive the page: a port, and its implementation on the
 * browser's localStorage, an entry a message, so that tabs do not overwrite each other.
 */
import type { Outgoing } from "./state.ts";

/** May answer synchronously or later. An error goes to `onError` and has no other effect. */
export interface OutboxStorage {
  load(): readonly Outgoing[] | Promise<readonly Outgoing[]>;
  put(outgoing: Outgoing): void | Promise<void>;
  remove(clientId: string): void | Promise<void>;
}

/** The parts of localStorage and sessionStorage that are used. */
export interface WebStorage {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** A stored entry that could not be read as a message; it is dropped and reported with its text. */
export class UnreadableOutgoing extends Error {
  override readonly name = "UnreadableOutgoing";
  readonly key: string;
  readonly text: string;

  constructor(key: string, text: string) {
    super(`What is stored as ${key} is no message that waits: it is dropped.`);
    this.key = key;
    this.text = text;
  }
}

/** Null when it is not a message: an entry may come from another version or another program. */
function readOutgoing(text: string): Outgoing | null {
  let read: Partial<Outgoing> | null;
  try {
    read = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  const { clientId, conversationId, body, createdAtMs, replyToSeq = null, more } = read ?? {};
  const isWhole =
    typeof clientId === "string" &&
    typeof conversationId === "string" &&
    typeof body === "string" &&
    typeof createdAtMs === "number" &&
    (more === undefined || (typeof more === "object" && more !== null)) &&
    (replyToSeq === null || typeof replyToSeq === "number");
  if (!isWhole) return null;
  // It is stored when it is sent, so before anybody refuses it.
  return {
    clientId,
    conversationId,
    body,
    createdAtMs,
    replyToSeq,
    ...(more && { more }),
    problem: null,
  };
}

/**
 * `scope`: one for each user, for example their id, so that one user's messages are never sent as
 * another's. `onUnreadable` is called with each entry that is dropped because it cannot be read;
 * the others are sent.
 */
export function webOutbox(
  storage: WebStorage,
  scope: string,
  onUnreadable: (dropped: UnreadableOutgoing) => void = console.error,
): OutboxStorage {
  const prefix = `troupe.outbox.${scope}.`;
  return {
    load() {
      const found: Outgoing[] = [];
      // Names first: dropping one moves those after it.
      const names = Array.from({ length: storage.length }, (_, at) => storage.key(at) ?? "");
      for (const key of names.filter((name) => name.startsWith(prefix))) {
        const text = storage.getItem(key);
        // Another tab has just sent it.
        if (text === null) continue;
        const outgoing = readOutgoing(text);
        // Under another name it would never be removed.
        if (outgoing && key === prefix + outgoing.clientId) found.push(outgoing);
        else {
          storage.removeItem(key);
          onUnreadable(new UnreadableOutgoing(key, text));
        }
      }
      return found.sort((a, b) => a.createdAtMs - b.createdAtMs);
    },
    put: (outgoing) => storage.setItem(prefix + outgoing.clientId, JSON.stringify(outgoing)),
    remove: (clientId) => storage.removeItem(prefix + clientId),
  };
}
