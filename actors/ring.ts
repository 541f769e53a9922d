/**
 * The newest messages of a conversation, kept for joins. Pure bookkeeping over plain arrays.
 *
 * [RNG1] It holds the newest messages without a hole, by rising seq, each as it is now.
 * [RNG2] It holds every message that changed after `completeAfterRev`, and says when that is
 *        not enough.
 */
import type { Message } from "../src/protocol/schemas.ts";
import { RING_MESSAGES } from "./limits.ts";

export interface Ring {
  messages: Message[];
  completeAfterRev: number;
}

/** `newest`: by rising seq, as they were at the conversation's `rev`. */
export function ringOf(newest: Message[], rev: number): Ring {
  return { messages: [...newest], completeAfterRev: rev };
}

/** Takes a new, edited or deleted message in. */
export function remember(ring: Ring, message: Message): void {
  const { messages } = ring;
  const firstSeq = messages[0]?.seq ?? message.seq;
  const at = message.seq - firstSeq;
  if (at >= 0 && at < messages.length) messages[at] = message;
  else if (at === messages.length) messages.push(message);
  // Older than the ring: a join from before this change has to read storage.
  else ring.completeAfterRev = Math.max(ring.completeAfterRev, message.rev);
  while (messages.length > RING_MESSAGES) {
    const evicted = messages.shift()!;
    ring.completeAfterRev = Math.max(ring.completeAfterRev, evicted.rev);
  }
}

/** The newest `limit`, by rising seq. */
export function newestOf(ring: Ring, limit: number): Message[] {
  return ring.messages.slice(-limit);
}

/** Messages changed after `rev` by rising rev; null when the ring may lack some. */
export function changedSince(ring: Ring, rev: number): Message[] | null {
  if (rev < ring.completeAfterRev) return null;
  return ring.messages.filter((message) => message.rev > rev).sort((a, b) => a.rev - b.rev);
}
