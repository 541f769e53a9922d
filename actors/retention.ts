/**
 * How long a conversation keeps its messages: what is older is not served from that second on.
 * Storage judges what it reads itself; this is for the messages that the actor keeps. Pure.
 */
import type { Conversation, Message } from "../src/protocol/schemas.ts";
import { epochMsOf, type WallTime } from "../src/protocol/time.ts";
import { RING_MESSAGES } from "./limits.ts";
import type { Ring } from "./ring.ts";

/** The first seq that is served; `capS`: how long messages are kept at most, null: for ever. */
export function keptFrom(
  { settings, first_seq = 1, last_seq }: Conversation,
  { messages }: Ring,
  capS: number | null,
  wallMs: WallTime,
): number {
  const keptS = Math.min(settings?.retention_s ?? Infinity, capS ?? Infinity);
  if (keptS === Infinity) return first_seq;
  const untilMs = epochMsOf(wallMs) - keptS * 1000;
  const isKept = ({ created_at }: Message) => Date.parse(created_at) > untilMs;
  const oldest = messages[0];
  if (oldest === undefined) return first_seq;
  // A ring that is not full was read with everything that was kept.
  const isWhole = messages.length < RING_MESSAGES;
  if (isKept(oldest)) return isWhole ? Math.max(first_seq, oldest.seq) : first_seq;
  return Math.max(first_seq, messages.find(isKept)?.seq ?? last_seq + 1);
}

/** Drops what retention has taken from the messages that are kept for joins. */
export function dropOld(ring: Ring, { first_seq = 1 }: Conversation): void {
  while (ring.messages.length > 0 && ring.messages[0]!.seq < first_seq) ring.messages.shift();
}
