/**
 * The views of the state that applications read: pure, and the same object until something in it
 * has changed.
 */
import type { Message } from "../protocol/schemas.ts";
import type { AppTypes, ConversationOf, MessageOf } from "./app-data.ts";
import { memberOf } from "./held.ts";
import { unreadOf } from "./held-unread.ts";
import type { Outgoing, OwnKeys, State } from "./state.ts";

export interface ConversationView<A extends AppTypes = AppTypes> {
  id: string;
  /**
   * Members with their cursors, title, kind; `rev` and `last_seq` as far as they are here. A group
   * of more than 100 has `members_partial`: `members` then has only the members known here, and
   * `loadMembers` reads the others.
   */
  conversation: ConversationOf<A>;
  memberCount: number;
  /** Whether this user is among them: threads and channels may be read by others, too. */
  isMember: boolean;
  /** The newest run of messages without a hole, by rising seq; older ones with `loadOlder`. */
  messages: readonly MessageOf<A>[];
  /** This user's own reactions to messages, by seq. */
  ownReactions: OwnKeys;
  /** Messages sent here that are not committed yet or were refused, in the order of sending. */
  outgoing: readonly Outgoing[];
  lastMessage: MessageOf<A> | null;
  /** The other users who are typing. */
  typing: readonly string[];
  /** How many messages are unread; see protocol/unread.ts. */
  unread: number;
  readSeq: number;
  /** Whether there are messages before the first of `messages`. */
  hasOlder: boolean;
  /** The newest page is here; until then `messages` is at most the last one. */
  isLoaded: boolean;
}

/** By what it is made of: the value, and what else it was made with. */
const made = new WeakMap<object, { withs: readonly unknown[]; value: unknown }>();

/** Remembers `make`'s value for `of` until one of `withs` differs from before. */
function remembered<T>(of: object, withs: readonly unknown[], make: () => T): T {
  const before = made.get(of);
  if (before?.withs.length === withs.length && withs.every((one, at) => one === before.withs[at])) {
    // For each kind of key only one function makes values.
    return before.value as T;
  }
  const value = make();
  made.set(of, { withs, value });
  return value;
}

/** The newest unbroken run. */
const runOf = (messages: ReadonlyMap<number, Message>): readonly Message[] =>
  remembered(messages, [], () => {
    const run: Message[] = [];
    let seq = 0;
    for (const one of messages.keys()) seq = Math.max(seq, one);
    for (let one = messages.get(seq); one; one = messages.get(--seq)) run.push(one);
    return run.reverse();
  });

export function viewOf({ conversations, outbox, me }: State, id: string): ConversationView | null {
  const held = conversations.get(id);
  if (!held) return null;
  const outgoing = outbox.filter(({ conversationId }) => conversationId === id);
  return remembered(held, [me, ...outgoing], () => {
    const messages = runOf(held.messages);
    const { last_seq, members, member_count } = held.conversation;
    const own = me ? memberOf(held, me.id) : undefined;
    const readSeq = Math.max(own?.read_seq ?? 0, held.point.seq);
    return {
      id,
      conversation: { ...held.conversation, rev: held.rev },
      memberCount: member_count ?? members.length,
      messages,
      ownReactions: held.own,
      outgoing,
      lastMessage: messages.at(-1) ?? null,
      typing: held.typing,
      // Nothing is unread in a thread or a channel whose member the user is not.
      unread: own ? unreadOf(held, readSeq) : 0,
      isMember: !!own,
      readSeq,
      hasOlder: (messages[0]?.seq ?? last_seq + 1) > (held.point.cleared ?? 1),
      isLoaded: held.isLoaded,
    };
  });
}

/** A message that waits here is activity. */
const activityMs = ({ lastMessage, outgoing, conversation }: ConversationView): number =>
  Math.max(Date.parse((lastMessage ?? conversation).created_at), outgoing.at(-1)?.createdAtMs ?? 0);

/** Threads stand in no list, see threads.ts, and channels in the lists of their members. */
const isListed = ({ conversation: { kind }, isMember }: ConversationView) =>
  kind !== "thread" && (isMember || kind !== "channel");

/** Newest activity first; of two at the same time the younger. */
export const viewsOf = (state: State): readonly ConversationView[] =>
  remembered(state.conversations, [state.outbox, state.me], () =>
    [...state.conversations.keys()]
      .map((id) => viewOf(state, id)!)
      .filter(isListed)
      .sort((a, b) => activityMs(b) - activityMs(a) || Number(b.id) - Number(a.id)),
  );

/** The other one of a direct conversation; null in a group. */
export function peerOf({ conversation }: ConversationView, meId: string): string | null {
  if (conversation.kind !== "direct") return null;
  return conversation.members.find(({ user_id }) => user_id !== meId)?.user_id ?? null;
}

/**
 * How far a message has come: with every other member, that is. Where not all members are known
 * here it is `sent`.
 */
export function progressOf(
  { conversation }: ConversationView,
  message: Message,
): "sent" | "delivered" | "read" {
  const others = conversation.members.filter(({ user_id }) => user_id !== message.sender_id);
  if (others.length === 0 || conversation.members_partial) return "sent";
  if (others.every(({ read_seq }) => read_seq >= message.seq)) return "read";
  return others.every(({ delivered_seq }) => delivered_seq >= message.seq) ? "delivered" : "sent";
}
