/**
 * `onMessage`: which messages an application has not been told of yet: each once, by rising seq,
 * those that came while the connection was away included; not those that were there before.
 */
import type { Message } from "../protocol/schemas.ts";
import type { Client } from "./client.ts";
import { memberOf } from "./held.ts";
import type { State } from "./state.ts";
import { createListeners } from "./store.ts";

const TOLD_MAX = 2_000;

/** Each new message once and in order, also those that came while the connection was away. */
export function onMessage(client: Client, listener: (message: Message) => void): () => void {
  const fresh = createFresh();
  return client.onStep((before, after) => {
    const faults: unknown[] = [];
    const { add, tell } = createListeners<[Message]>((fault) => faults.push(fault));
    add(listener);
    fresh(before, after).forEach((message) => void tell(message));
    // The client's `onError` is told.
    if (faults.length > 0) throw faults.length > 1 ? new AggregateError(faults) : faults[0];
  });
}

function createFresh(): (before: State, after: State) => Message[] {
  /** By conversation: the last seq told, or not to be told. */
  const told = new Map<string, number>();

  return (before, after) => {
    const fresh: Message[] = [];
    if (before.conversations === after.conversations) return fresh;
    for (const [id, held] of after.conversations) {
      if (before.conversations.get(id) === held) continue;
      const { last_seq } = held.conversation;
      // One that begins later is news from where this user has read.
      const ownSeq = memberOf(held, after.me?.id ?? "")?.read_seq ?? 0;
      const heldSeq = before.conversations.get(id)?.conversation.last_seq;
      const toldSeq = told.get(id) ?? heldSeq ?? (after.isListed ? ownSeq : last_seq);
      let seq = Math.min(toldSeq, last_seq);
      // A page of history may reach beyond what has come so far.
      const news = [...held.messages.values()].filter(
        (message) => message.seq > seq && message.seq <= last_seq,
      );
      for (const message of news.sort((a, b) => a.seq - b.seq)) {
        // Changed later than those after it, it comes later.
        if (held.rev < held.heardRev && message.seq > seq + 1) break;
        fresh.push(message);
        seq = message.seq;
      }
      told.set(id, seq);
    }
    // Kept of those that were left, for one may come back.
    for (const id of told.keys()) {
      if (told.size > TOLD_MAX && !after.conversations.has(id)) told.delete(id);
    }
    return fresh;
  };
}
