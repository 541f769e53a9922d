/**
 * `onMessage`: calls the application for each new message once, by rising seq, including messages
 * that came while the connection was away and excluding those that existed before.
 */
import type { Message } from "../protocol/schemas.ts";
import type { Client } from "./client.ts";
import { memberOf } from "./held.ts";
import type { State } from "./state.ts";
import { createListeners } from "./store.ts";

const TOLD_MAX = 2_000;

/** Calls `listener` once for each new message, in order. */
export function onMessage(client: Client, listener: (message: Message) => void): () => void {
  const fresh = createFresh();
  return client.onStep((before, after) => {
    const faults: unknown[] = [];
    const { add, tell } = createListeners<[Message]>((fault) => faults.push(fault));
    add(listener);
    fresh(before, after).forEach((message) => void tell(message));
    // The client passes it to `onError`.
    if (faults.length > 0) throw faults.length > 1 ? new AggregateError(faults) : faults[0];
  });
}

function createFresh(): (before: State, after: State) => Message[] {
  /** By conversation: the last seq that was passed on or must not be. */
  const told = new Map<string, number>();

  return (before, after) => {
    const fresh: Message[] = [];
    if (before.conversations === after.conversations) return fresh;
    for (const [id, held] of after.conversations) {
      if (before.conversations.get(id) === held) continue;
      const { last_seq } = held.conversation;
      // In a conversation that appears later, messages are new from where this user has read.
      const ownSeq = memberOf(held, after.me?.id ?? "")?.read_seq ?? 0;
      const heldSeq = before.conversations.get(id)?.conversation.last_seq;
      const toldSeq = told.get(id) ?? heldSeq ?? (after.isListed ? ownSeq : last_seq);
      let seq = Math.min(toldSeq, last_seq);
      // A page of history may reach beyond the messages received so far.
      const news = [...held.messages.values()].filter(
        (message) => message.seq > seq && message.seq <= last_seq,
      );
      for (const message of news.sort((a, b) => a.seq - b.seq)) {
        // A gap before this message is still open; it follows when the gap is filled.
        if (held.rev < held.latestRev && message.seq > seq + 1) break;
        fresh.push(message);
        seq = message.seq;
      }
      told.set(id, seq);
    }
    // Entries of conversations that the user left are kept for a while: they may come back.
    for (const id of told.keys()) {
      if (told.size > TOLD_MAX && !after.conversations.has(id)) told.delete(id);
    }
    return fresh;
  };
}
