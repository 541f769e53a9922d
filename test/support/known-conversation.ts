/** What a client of a simulated cluster knows of one conversation, and how changes become it. */
import type { ServerPayload } from "../../src/protocol/events.ts";
import type { ConversationId } from "../../src/protocol/ids.ts";
import type {
  Conversation,
  Message,
  OwnReactions,
  ReactionCount,
} from "../../src/protocol/schemas.ts";

/** What one conversation is to a client. */
export interface KnownConversation {
  rev: number;
  /** What came live before the answer of `sync`: it must not hide what came before it. */
  liveRev: number;
  /** It has all that changed after this; 0, or where it was taken in again. */
  fromRev: number;
  messages: Map<number, Message>;
  /** This user's own reactions, as a client of 1.1 receives them. */
  own: Map<number, readonly string[]>;
  /**
   * Messages from before this user was taken in again, whose own reactions nothing has named since:
   * events of messages do not, only history, `join_conversation` and `sync`.
   */
  ownUnknown: Set<number>;
  members: Set<string> | null;
  typing: Set<string>;
  /** Revs that the present session was given, by event or by ack, in order. */
  revs: number[];
  /** In a session with conversations that are not live: its own changes, by their acks. */
  ackedRevs: Set<number>;
  /** Own changes that were acknowledged while the session had left: a join may answer an older one. */
  leftRevs: Set<number>;
  /** Where the sync of the present session came to; 0 before that. */
  syncedRev: number;
  /** The present session has left it, or was put out of it: only acks come. */
  isLeft: boolean;
}

/** What the model reads of the answer of `sync`. */
export interface SyncAnswer {
  conversations: {
    conversation_id: ConversationId;
    rev: number;
    messages: Message[];
    own_reactions?: OwnReactions[];
    conversation: Conversation | null;
    has_more: boolean;
  }[];
  removed: ConversationId[];
  has_more: boolean;
}

export function nothingKnown(): KnownConversation {
  return {
    rev: 0,
    liveRev: 0,
    fromRev: 0,
    messages: new Map(),
    own: new Map(),
    ownUnknown: new Set(),
    members: null,
    typing: new Set(),
    revs: [],
    ackedRevs: new Set(),
    leftRevs: new Set(),
    syncedRev: 0,
    isLeft: false,
  };
}

export function applyReaction(
  known: KnownConversation,
  event: ServerPayload<"reaction">,
  user: string,
): void {
  const { seq, rev, changed, changes } = event;
  const own = new Set(known.own.get(seq));
  for (const { user_id, key, on } of changes) {
    if (user_id !== user) continue;
    if (on) own.add(key);
    else own.delete(key);
  }
  const before = known.messages.get(seq);
  if (before !== undefined && before.rev >= rev) return;
  // Also of a message that is not held: an update may bring it later, and names no own reactions.
  known.own.set(seq, [...own]);
  if (before === undefined) return;
  const counts = new Map(before.reactions?.map((count) => [count.key, count]));
  for (const count of changed) {
    if (count.count > 0) counts.set(count.key, count);
    else counts.delete(count.key);
  }
  take(known, withReactions({ ...before, rev }, [...counts.values()]));
}

/** Changes between the two that were acknowledged to the session do not come as events. */
export function isNext(last: number, rev: number, acked: ReadonlySet<number>): boolean {
  let next = last + 1;
  while (next < rev && acked.has(next)) next++;
  return rev === next;
}

export function takeOwn(
  known: KnownConversation,
  messages: Message[],
  own: OwnReactions[] = [],
): void {
  for (const { seq, rev } of messages) {
    if ((known.messages.get(seq)?.rev ?? 0) > rev) continue;
    knowOwn(known, seq, own.find((one) => one.seq === seq)?.keys ?? []);
  }
}

/** An answer names all of this user's reactions to a message. */
export function knowOwn(known: KnownConversation, seq: number, keys: readonly string[]): void {
  known.own.set(seq, keys);
  known.ownUnknown.delete(seq);
}

/** At the same `rev` the whole message replaces what the answer of a reaction made of an older one. */
export function take(known: KnownConversation, message: Message): void {
  const before = known.messages.get(message.seq);
  if (before !== undefined && before.rev > message.rev) return;
  known.messages.set(message.seq, message);
  if (message.deleted_at === null) return;
  known.own.delete(message.seq);
  known.ownUnknown.delete(message.seq);
}

/** This user is a member again as of `conversation`. */
export function takenInAgain(known: KnownConversation, { rev, last_seq }: Conversation): void {
  known.fromRev = rev;
  for (let seq = 1; seq <= last_seq; seq++) known.ownUnknown.add(seq);
}

export function withReactions(
  { reactions: _, ...message }: Message,
  reactions: ReactionCount[],
): Message {
  return reactions.length > 0 ? { ...message, reactions } : message;
}

/** Removed from a conversation, an application puts it away. */
export function forget(known: KnownConversation): void {
  known.messages.clear();
  known.own.clear();
  known.ownUnknown.clear();
  known.typing.clear();
  known.rev = 0;
  known.liveRev = 0;
  known.syncedRev = 0;
  known.revs.length = 0;
  known.isLeft = true;
}
