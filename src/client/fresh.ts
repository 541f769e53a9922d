/**
 * Which messages an application has not been told of yet: each once, by rising seq, those that
 * came while the connection was away included; not those that were there before the client.
 */
import type { Message } from "../protocol/schemas.ts";
import { memberOf } from "./held.ts";
import type { State } from "./state.ts";

export type Fresh = (before: State, after: State) => Message[];

const TOLD_MAX = 2_000;

export function createFresh(): Fresh {
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
      let seq = Math.min(told.get(id) ?? (after.isListed ? ownSeq : last_seq), last_seq);
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
