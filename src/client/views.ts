/**
 * What applications see of the state: pure, and the same object as long as nothing of it has
 * changed.
 */
import type { Conversation, Message } from "../protocol/schemas.ts";
import { memberOf } from "./held.ts";
import type { Held, Outgoing, State } from "./state.ts";

export interface ConversationView {
  id: string;
  /** Members with their cursors, title, kind; `rev` and `last_seq` as far as they are here. */
  conversation: Conversation;
  /** The newest run of messages without a hole, by rising seq; older ones with `loadOlder`. */
  messages: readonly Message[];
  /** What was sent here and is not committed yet, or was refused; in its order. */
  outgoing: readonly Outgoing[];
  lastMessage: Message | null;
  /** Who types, without oneself. */
  typing: readonly string[];
  /** `last_seq − read_seq`. */
  unread: number;
  readSeq: number;
  /** Whether there are messages before the first of `messages`. */
  hasOlder: boolean;
  /** The newest page is here; until then `messages` is at most the last one. */
  isLoaded: boolean;
}

interface Seen {
  outbox: State["outbox"];
  me: State["me"];
  view: ConversationView;
}

const seen = new WeakMap<Held, Seen>();
const runs = new WeakMap<ReadonlyMap<number, Message>, readonly Message[]>();

/** The newest unbroken run. */
function runOf(messages: ReadonlyMap<number, Message>): readonly Message[] {
  const before = runs.get(messages);
  if (before) return before;
  let seq = 0;
  for (const one of messages.keys()) seq = Math.max(seq, one);
  const run: Message[] = [];
  for (let one = messages.get(seq); one; one = messages.get(--seq)) run.push(one);
  run.reverse();
  runs.set(messages, run);
  return run;
}

export function viewOf({ conversations, outbox, me }: State, id: string): ConversationView | null {
  const held = conversations.get(id);
  if (!held) return null;
  const before = seen.get(held);
  const isSameUser = before?.me === me;
  if (before && isSameUser && before.outbox === outbox) return before.view;
  const outgoing = outbox.filter(({ conversationId }) => conversationId === id);
  if (before && isSameUser && before.view.outgoing.length + outgoing.length === 0) {
    return before.view;
  }
  const messages = runOf(held.messages);
  const { last_seq } = held.conversation;
  const readSeq = (me && memberOf(held, me.id)?.read_seq) ?? 0;
  const view = {
    id,
    conversation: { ...held.conversation, rev: held.rev },
    messages,
    outgoing,
    lastMessage: messages.at(-1) ?? null,
    typing: held.typing,
    unread: last_seq - readSeq,
    readSeq,
    hasOlder: last_seq > 0 && messages[0]?.seq !== 1,
    isLoaded: held.isLoaded,
  };
  seen.set(held, { outbox, me, view });
  return view;
}

interface Listed {
  outbox: State["outbox"];
  me: State["me"];
  views: readonly ConversationView[];
}

const listed = new WeakMap<State["conversations"], Listed>();

/** Newest activity first; a message that waits here is activity. */
export function viewsOf(state: State): readonly ConversationView[] {
  const { conversations, outbox, me } = state;
  const before = listed.get(conversations);
  if (before && before.outbox === outbox && before.me === me) return before.views;
  const activityMs = ({ lastMessage, outgoing, conversation }: ConversationView): number =>
    Math.max(
      Date.parse((lastMessage ?? conversation).created_at),
      outgoing.at(-1)?.createdAtMs ?? 0,
    );
  const views = [...conversations.keys()]
    .map((id) => viewOf(state, id)!)
    .map((view) => ({ view, atMs: activityMs(view) }))
    .sort((a, b) => b.atMs - a.atMs || (BigInt(b.view.id) > BigInt(a.view.id) ? 1 : -1))
    .map(({ view }) => view);
  listed.set(conversations, { outbox, me, views });
  return views;
}

/** The other one of a direct conversation; null in a group. */
export function peerOf({ conversation }: ConversationView, meId: string): string | null {
  if (conversation.kind !== "direct") return null;
  return conversation.members.find(({ user_id }) => user_id !== meId)?.user_id ?? null;
}

/** How far a message has come: with every other member, that is. */
export function progressOf(
  { conversation }: ConversationView,
  message: Message,
): "sent" | "delivered" | "read" {
  const others = conversation.members.filter(({ user_id }) => user_id !== message.sender_id);
  if (others.length === 0) return "sent";
  if (others.every(({ read_seq }) => read_seq >= message.seq)) return "read";
  return others.every(({ delivered_seq }) => delivered_seq >= message.seq) ? "delivered" : "sent";
}
