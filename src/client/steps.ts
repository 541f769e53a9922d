/**
 * Every change of the client's state, as a step from one to the next. Pure: no clock, timer or
 * network; client.ts takes the steps, for what the server says and what the application does.
 * Repetition and order of arrival are harmless: held.ts has the rules of a conversation.
 */

import type { ConversationSummary } from "../protocol/conversation-list.ts";
import type { ErrorObject } from "../protocol/errors.ts";
import type { ClientAck, ServerPayload } from "../protocol/events.ts";
import type { Prefs } from "../protocol/prefs.ts";
import type { Conversation, Member, Message, OwnReactions, Receipt } from "../protocol/schemas.ts";
import { countsAsUnread } from "../protocol/unread.ts";
import {
  memberOf,
  mergeMessages,
  newHeld,
  takeChange,
  takeJoined,
  takeMembers,
  takeReceipts,
  takeSynced,
  withLast,
  withMembers,
} from "./held.ts";
import { mergeOwn } from "./held-reactions.ts";
import { countTo, takePoint, takePrefs } from "./held-unread.ts";
import type {
  Checkpoint,
  ConnectionState,
  Erased,
  Held,
  Outgoing,
  Skipped,
  State,
} from "./state.ts";

export type Step = (state: State) => State;

const LEFT_MAX = 1_000;

const mapHeld = (state: State, change: (held: Held) => Held): State => ({
  ...state,
  conversations: new Map([...state.conversations].map(([id, held]) => [id, change(held)])),
});

/** A message that has arrived is removed from the outbox, however it arrived. */
function putHeld(state: State, id: string, held: Held): State {
  const next = { ...state, conversations: new Map(state.conversations).set(id, held) };
  const { outbox, me } = state;
  if (held.messages === state.conversations.get(id)?.messages || outbox.length === 0) return next;
  const own = [...held.messages.values()].filter(({ sender_id }) => sender_id === me?.id);
  const arrived = new Set(own.map(({ client_id }) => client_id));
  return {
    ...next,
    outbox: outbox.filter(
      ({ conversationId, clientId }) => conversationId !== id || !arrived.has(clientId),
    ),
  };
}

const onHeld =
  (id: string, change: (held: Held) => Held): Step =>
  (state) => {
    const held = state.conversations.get(id);
    const next = held && change(held);
    return !next || next === held ? state : putHeld(state, id, next);
  };

const of = (receipts: readonly Receipt[], id: string): Receipt[] =>
  receipts.filter(({ conversation_id }) => conversation_id === id);

/**
 * A change of the conversation took this rev, and is hidden from this user, or is nothing but a
 * checkpoint; or erased messages.
 */
export const takeSkipped = (skipped: Skipped | Erased | Checkpoint): Step =>
  onHeld(skipped.conversation_id, (held) => takeChange(held, skipped));

/** The conversation is gone for all its members. */
export const takeDeleted =
  ({ conversation_id, rev }: ServerPayload<"conversation_deleted">): Step =>
  (state) =>
    isLeft(state, conversation_id, rev) ? state : leave(state, conversation_id, rev);

/** Whether a change of this rev was made before this user left. */
const isLeft = ({ left }: State, id: string, rev: number): boolean => rev <= (left.get(id) ?? 0);

export const takeConnection =
  (connection: ConnectionState): Step =>
  (state) => {
    const isUp = "sessionId" in connection;
    // Without a connection nobody can say who types.
    const next = isUp
      ? state
      : mapHeld(state, (held) => (held.typing.length > 0 ? { ...held, typing: [] } : held));
    return { ...next, connection };
  };

/** A session begins. Of users who are not watched nobody tells what happened meanwhile. */
export const takeReady =
  ({ user }: ServerPayload<"ready">): Step =>
  (state) => ({
    ...mapHeld(state, (held) => ({
      ...held,
      seqAtReady: held.conversation.last_seq,
      point: { ...held.point, rev: 0 },
    })),
    me: user,
    left: new Map(),
  });

export const takeMessage = (message: Message): Step =>
  onHeld(message.conversation_id, (held) => takeChange(held, message));

/** `conversation_updated`, and answers of calls that made or changed it. */
export const takeConversation =
  (conversation: Conversation): Step =>
  (state) => {
    const { id, kind, rev, members, members_partial, removed_user_ids } = conversation;
    if (isLeft(state, id, rev)) return state;
    const held = state.conversations.get(id);
    const isMember =
      kind === "thread" ||
      members.some(({ user_id }) => user_id === state.me?.id) ||
      (members_partial && !removed_user_ids?.includes(state.me?.id ?? ""));
    if (isMember) {
      const next = held
        ? takeChange(held, conversation)
        : newHeld(withOwn(state, undefined, conversation));
      return putHeld(state, id, next);
    }
    // An older answer that comes late must not end a membership that began since.
    return held && rev <= held.rev ? state : leave(state, id, rev);
  };

/**
 * The members that are shown first of a large group may be without this user, who is one all the
 * same. A thread or channel without this user is one that they do not follow.
 */
function withOwn({ me }: State, held: Held | undefined, conversation: Conversation): Conversation {
  const { kind, members, member_count } = conversation;
  const user_id = me?.id ?? "";
  if (
    /^(thread|channel)$/.test(kind) ||
    !member_count ||
    members.some((member) => member.user_id === user_id)
  )
    return conversation;
  const own = held && memberOf(held, user_id);
  return withMembers(conversation, [...members, own ?? { user_id, delivered_seq: 0, read_seq: 0 }]);
}

function leave(state: State, id: string, rev: number): State {
  return {
    ...state,
    left: new Map([...state.left, [id, rev] as const].slice(-LEFT_MAX)),
    conversations: new Map([...state.conversations].filter(([held]) => held !== id)),
    outbox: state.outbox.filter(({ conversationId }) => conversationId !== id),
  };
}

/** The server says that this user is not in it. */
export const takeLeft =
  (id: string): Step =>
  (state) => {
    const held = state.conversations.get(id);
    return held ? leave(state, id, held.rev + 1) : state;
  };

/** Something changed that does not come by itself: until it is fetched, only the count is shown. */
export const takeActivity = (activity: ServerPayload<"conversation_activity">): Step =>
  onHeld(activity.conversation_id, (held) => {
    const { last_seq, last_n, rev } = activity;
    const { conversation } = held;
    const isNew = last_seq > conversation.last_seq;
    return {
      ...takePoint(held, activity),
      conversation: isNew ? withLast(conversation, last_seq, last_n) : conversation,
      latestRev: conversation.kind === "channel" ? held.latestRev : Math.max(held.latestRev, rev),
    };
  });

/** There are changes up to `rev` that do not come by themselves. */
export const takeLatest = (id: string, rev: number): Step =>
  onHeld(id, (held) => ({ ...held, latestRev: Math.max(held.latestRev, rev) }));

export const isChannel = ({ conversations }: State, id: string): boolean =>
  conversations.get(id)?.conversation.kind === "channel";

/** This user's own preferences of a conversation. */
export const takeOwnPrefs = (prefs: Prefs): Step =>
  onHeld(prefs.conversation_id, (held) => takePrefs(held, prefs));

export const takeTyping = ({
  conversation_id,
  user_id,
  is_typing,
}: ServerPayload<"typing">): Step =>
  onHeld(conversation_id, (held) => {
    const typing = held.typing.filter((userId) => userId !== user_id);
    return { ...held, typing: is_typing ? [...typing, user_id] : typing };
  });

export const takeReceipt = (receipt: Receipt): Step =>
  onHeld(receipt.conversation_id, (held) => takeReceipts(held, [receipt]));

/** A page of the list. `receipts`, here and below, arrived while the answer was on its way. */
export const takeListed =
  (items: readonly ConversationSummary[], receipts: readonly Receipt[]): Step =>
  (state) =>
    items.reduce((next, { last_message, prefs, ...item }) => {
      const { unread_count: _, read_seq: __, mention_count: ___, ...conversation } = item;
      const { id, rev } = conversation;
      if (isLeft(next, id, rev)) return next;
      const held = next.conversations.get(id);
      if (!held) {
        const made = newHeld(conversation, last_message ? [last_message] : []);
        const point = takePoint(takeReceipts(made, of(receipts, id)), item);
        return putHeld(next, id, prefs ? takePrefs(point, prefs) : point);
      }
      // For a conversation that is held already the page shows at most that something was missed.
      return takeLatest(id, rev)(next);
    }, state);

/** For this user's entry among the members; says nothing of their own point. */
const ownCursors = ({ me }: State, conversation_id: string, seq: number): Receipt[] =>
  me ? [{ conversation_id, user_id: me.id, delivered_seq: seq, read_seq: seq }] : [];

export const takeSync =
  (answer: ClientAck<"sync">, receipts: readonly Receipt[]): Step =>
  (state) => {
    let next = state;
    for (const entry of answer.conversations) {
      const id = entry.conversation_id;
      const held = takeSynced(next.conversations.get(id), entry, of(receipts, id));
      if (!held || isLeft(next, id, entry.rev)) continue;
      next = putHeld(next, id, takeReceipts(held, ownCursors(next, id, held.point.seq)));
    }
    for (const step of [...answer.receipts.map(takeReceipt), ...answer.removed.map(takeLeft)]) {
      next = step(next);
    }
    return next;
  };

export const takeJoin =
  (answer: ClientAck<"join_conversation">, isFresh: boolean, receipts: readonly Receipt[]): Step =>
  (state) => {
    const { id, rev } = answer.conversation;
    if (isLeft(state, id, rev)) return state;
    const typing = answer.typing.filter((userId) => userId !== state.me?.id);
    const held = state.conversations.get(id);
    const conversation = withOwn(state, held, answer.conversation);
    const joined = { ...answer, conversation, typing };
    const me = state.me?.id;
    const own = answer.conversation.members.find(({ user_id }) => user_id === me);
    return putHeld(state, id, takeJoined(held, joined, isFresh, of(receipts, id), own?.read_seq));
  };

/**
 * Catching up is complete; now this user's own points follow other devices. `sync` has brought the
 * points of changed conversations, and `ready` listed the unread ones among the others. If that list
 * is complete, an unlisted conversation was read up to the last held message that counts as unread.
 */
export const takeUnread =
  ({ conversations, more }: ServerPayload<"ready">["unread"]): Step =>
  (state) => {
    const points = new Map(conversations.map((one) => [one.conversation_id, one]));
    const next = mapHeld(state, (held) => {
      const { conversation, seqAtReady, messages } = held;
      const { id } = conversation;
      const point = points.get(id);
      if (seqAtReady === null || !state.me || (!point && more)) return held;
      let seq = seqAtReady;
      for (let last = messages.get(seq); !point && last && !countsAsUnread(last); ) {
        last = messages.get(--seq);
      }
      const own = point ?? { read_seq: seq, read_n: countTo(held, seq) };
      return takeReceipts(takePoint(held, own), ownCursors(state, id, own.read_seq));
    });
    return { ...next, isListed: true };
  };

export const takeHistory = (
  id: string,
  messages: readonly Message[],
  own: readonly OwnReactions[] = [],
): Step =>
  onHeld(id, (held) => ({
    ...held,
    messages: mergeMessages(held.messages, messages),
    own: mergeOwn(held, messages, own),
  }));

/** `own`: an answer's, which names all keys of the message and of this user. */
export const takeReaction =
  (event: ServerPayload<"reaction">, own: readonly string[] | null = null): Step =>
  (state) => {
    const me = state.me?.id ?? "";
    const changes =
      own === null ? event.changes : own.map((key) => ({ user_id: me, key, on: true }));
    const change = { ...event, changes, me, isWhole: own !== null };
    return onHeld(event.conversation_id, (held) => takeChange(held, change))(state);
  };

/** See takeMembers in held.ts. */
export const takeAllMembers = (
  id: string,
  since: number,
  members: readonly Member[],
  receipts: readonly Receipt[],
): Step => onHeld(id, (held) => takeMembers(held, since, members, receipts));

/** Lets go of all but the newest. */
export const trim = (id: string, messagesMax: number): Step =>
  onHeld(id, (held) => {
    const newest = [...held.messages].sort(([a], [b]) => a - b).slice(-messagesMax);
    return { ...held, messages: new Map(newest) };
  });

const onOutbox =
  (change: (outbox: readonly Outgoing[]) => readonly Outgoing[]): Step =>
  (state) => ({ ...state, outbox: change(state.outbox) });

export const addOutgoing = (outgoing: readonly Outgoing[]): Step =>
  onOutbox((outbox) => [
    ...outbox,
    ...outgoing.filter((one) => !outbox.some(({ clientId }) => clientId === one.clientId)),
  ]);

export const removeOutgoing = (gone: string): Step =>
  onOutbox((outbox) => outbox.filter(({ clientId }) => clientId !== gone));

export const setProblem = (refused: string, problem: ErrorObject | null): Step =>
  onOutbox((outbox) => outbox.map((one) => (one.clientId === refused ? { ...one, problem } : one)));
