/**
 * Everything the page knows, as one value, and the pure functions that change it. Called by
 * the store with what the server says and what the person does; nothing here touches the
 * network, the DOM or a clock. Invariants: a message is never replaced by one of a lower
 * `rev`; `Talk.rev` never passes a change that has not been seen; cursors never move back.
 */
import type { ClientAck } from "../../protocol/events.ts";
import type {
  Conversation,
  ConversationSummary,
  Message,
  Receipt,
  Status,
  Unread,
  User,
} from "../../protocol/schemas.ts";

/** One conversation as held here. */
export interface Talk {
  conversation: Conversation;
  /** Every change up to this one is here; what `sync` is asked to go on from. */
  rev: number;
  /** Changes seen beyond a gap after `rev`. Not empty for long: the gap is filled by `sync`. */
  ahead: readonly number[];
  /** By seq. May have holes; `newestRun` is what can be shown. */
  messages: ReadonlyMap<number, Message>;
  /** Who types now; the server ends it, so no clock is needed here. */
  typing: readonly string[];
  /** The newest page has been asked for since this talk was first opened. */
  isLoaded: boolean;
}

/** A message on its way: kept until the server answers for its `client_id`. */
export interface Outgoing {
  clientId: string;
  conversationId: string;
  body: string;
  replyToSeq: number | null;
  createdAtMs: number;
  /** Why the server refused it for good; null while it is still being tried. */
  problem: string | null;
}

/** The connection, as the person should see it. */
export type LinkState =
  | { kind: "connecting" }
  | { kind: "syncing" }
  | { kind: "online" }
  | { kind: "reconnecting"; isOffline: boolean }
  | { kind: "stopped"; message: string };

export interface State {
  me: User;
  users: ReadonlyMap<string, User>;
  talks: ReadonlyMap<string, Talk>;
  statuses: ReadonlyMap<string, Status>;
  outbox: readonly Outgoing[];
  openId: string | null;
  /** What was unread when the open talk was opened; null while that cannot be known. */
  openMark: { readSeq: number; lastSeq: number } | null;
  link: LinkState;
  /** The list of conversations has been fetched once. */
  isListed: boolean;
}

export function initialState(me: User, outbox: readonly Outgoing[]): State {
  return {
    me,
    users: new Map([[me.id, me]]),
    talks: new Map(),
    statuses: new Map(),
    outbox,
    openId: null,
    openMark: null,
    link: { kind: "connecting" },
    isListed: false,
  };
}

const put = <K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> =>
  new Map(map).set(key, value);

function putTalk(state: State, talk: Talk): State {
  return { ...state, talks: put(state.talks, talk.conversation.id, talk) };
}

function newTalk(conversation: Conversation): Talk {
  return {
    conversation,
    rev: conversation.rev,
    ahead: [],
    messages: new Map(),
    typing: [],
    isLoaded: false,
  };
}

/** Takes note of one change: moves `rev` on while there is no gap. */
function noteRev(talk: Talk, rev: number): Talk {
  if (rev <= talk.rev || talk.ahead.includes(rev)) return talk;
  const ahead = new Set([...talk.ahead, rev]);
  let reached = talk.rev;
  while (ahead.delete(reached + 1)) reached++;
  return { ...talk, rev: reached, ahead: [...ahead] };
}

/** Jumps to `rev`: `sync` has brought everything up to it. */
function settleRev(talk: Talk, rev: number): Talk {
  const settled = { ...talk, rev: Math.max(talk.rev, rev), ahead: [] };
  return talk.ahead.reduce(noteRev, settled);
}

function raiseCursors(
  conversation: Conversation,
  userId: string,
  deliveredSeq: number,
  readSeq: number,
): Conversation {
  const held = conversation.members.find((member) => member.user_id === userId);
  if (!held || (held.delivered_seq >= deliveredSeq && held.read_seq >= readSeq)) {
    return conversation;
  }
  const raised = {
    ...held,
    delivered_seq: Math.max(held.delivered_seq, deliveredSeq, readSeq),
    read_seq: Math.max(held.read_seq, readSeq),
  };
  return {
    ...conversation,
    members: conversation.members.map((member) => (member === held ? raised : member)),
  };
}

/** Members and title of the newer of the two, cursors and `last_seq` the higher of each. */
function mergeConversation(held: Conversation, incoming: Conversation): Conversation {
  const [newer, older] = incoming.rev >= held.rev ? [incoming, held] : [held, incoming];
  const merged = { ...newer, last_seq: Math.max(held.last_seq, incoming.last_seq) };
  return older.members.reduce(
    (conversation, member) =>
      raiseCursors(conversation, member.user_id, member.delivered_seq, member.read_seq),
    merged,
  );
}

function mergeMessages(talk: Talk, incoming: readonly Message[]): Talk {
  const messages = new Map(talk.messages);
  let conversation = talk.conversation;
  let typing = talk.typing;
  for (const message of incoming) {
    const held = messages.get(message.seq);
    if (held && held.rev >= message.rev) continue;
    messages.set(message.seq, message);
    if (held) continue;
    // A send moves its sender's own cursors, and no receipt tells of it.
    conversation = raiseCursors(conversation, message.sender_id, message.seq, message.seq);
    if (message.seq > conversation.last_seq) {
      conversation = { ...conversation, last_seq: message.seq };
      typing = typing.filter((userId) => userId !== message.sender_id);
    }
  }
  return { ...talk, messages, conversation, typing };
}

/** What has arrived on the server is no longer on its way, whoever brought the news. */
function settleOutbox(state: State, incoming: readonly Message[]): State {
  if (state.outbox.length === 0) return state;
  const arrived = new Set(
    incoming.filter((m) => m.sender_id === state.me.id).map((m) => m.client_id),
  );
  const outbox = state.outbox.filter((outgoing) => !arrived.has(outgoing.clientId));
  return outbox.length === state.outbox.length ? state : { ...state, outbox };
}

/** `message`, `message_updated` and the acks that stand for them. Unknown talks are left out. */
export function withLiveMessage(state: State, message: Message): State {
  const talk = state.talks.get(message.conversation_id);
  if (!talk) return settleOutbox(state, [message]);
  const merged = noteRev(mergeMessages(talk, [message]), message.rev);
  return settleOutbox(putTalk(state, merged), [message]);
}

/** A page of history: says nothing about `rev`. */
export function withHistory(state: State, conversationId: string, page: readonly Message[]): State {
  const talk = state.talks.get(conversationId);
  return talk ? settleOutbox(putTalk(state, mergeMessages(talk, page)), page) : state;
}

function withoutTalk(state: State, conversationId: string): State {
  if (!state.talks.has(conversationId)) return state;
  const talks = new Map(state.talks);
  talks.delete(conversationId);
  return {
    ...state,
    talks,
    outbox: state.outbox.filter((outgoing) => outgoing.conversationId !== conversationId),
    openId: state.openId === conversationId ? null : state.openId,
  };
}

/** `conversation_updated`, or the answer of a call that changed or made the conversation. */
export function withConversation(state: State, incoming: Conversation): State {
  if (!incoming.members.some((member) => member.user_id === state.me.id)) {
    return withoutTalk(state, incoming.id);
  }
  const talk = state.talks.get(incoming.id);
  if (!talk) return withOpenMark(putTalk(state, newTalk(incoming)));
  const conversation = mergeConversation(talk.conversation, incoming);
  return putTalk(state, noteRev({ ...talk, conversation }, incoming.rev));
}

/** A page of `GET /api/conversations`. */
export function withSummaries(state: State, summaries: readonly ConversationSummary[]): State {
  const listed = summaries.reduce((next, summary) => {
    const { last_message, unread_count: _, read_seq, ...conversation } = summary;
    const talk = next.talks.get(conversation.id) ?? newTalk(conversation);
    const merged = mergeMessages(
      { ...talk, conversation: mergeConversation(talk.conversation, conversation) },
      last_message ? [last_message] : [],
    );
    const seen = raiseCursors(merged.conversation, next.me.id, read_seq, read_seq);
    return putTalk(next, noteRev({ ...merged, conversation: seen }, conversation.rev));
  }, state);
  return withOpenMark(listed);
}

/** The ack of `join_conversation`: newest page, everyone's cursors, who types. */
export function withJoined(state: State, answer: ClientAck<"join_conversation">): State {
  const { conversation: incoming, messages } = answer;
  const talk = state.talks.get(incoming.id) ?? newTalk(incoming);
  const conversation = mergeConversation(talk.conversation, incoming);
  const typing = answer.typing.filter((userId) => userId !== state.me.id);
  const merged = { ...mergeMessages({ ...talk, conversation }, messages), typing, isLoaded: true };
  return withOpenMark(settleOutbox(putTalk(state, noteRev(merged, incoming.rev)), messages));
}

/** One answer of `sync`; `fresh` counts the messages of others that were not here before. */
export function withSynced(
  state: State,
  answer: ClientAck<"sync">,
): { state: State; fresh: number } {
  let next = state;
  let fresh = 0;
  for (const entry of answer.conversations) {
    const held = next.talks.get(entry.conversation_id);
    const base = held && !entry.reset ? held : entry.conversation && newTalk(entry.conversation);
    if (!base) continue;
    const before = held?.conversation.last_seq ?? 0;
    const conversation = entry.conversation
      ? entry.reset
        ? entry.conversation
        : mergeConversation(base.conversation, entry.conversation)
      : base.conversation;
    const merged = mergeMessages({ ...base, conversation }, entry.messages);
    const settled = entry.reset
      ? { ...merged, rev: entry.rev, ahead: [], isLoaded: held?.isLoaded ?? false }
      : settleRev(merged, entry.rev);
    fresh += entry.messages.filter((m) => m.seq > before && m.sender_id !== next.me.id).length;
    next = settleOutbox(putTalk(next, settled), entry.messages);
  }
  next = answer.receipts.reduce(withReceipt, next);
  next = answer.removed.reduce(withoutTalk, next);
  return { state: next, fresh };
}

export function withReceipt(state: State, receipt: Receipt): State {
  const talk = state.talks.get(receipt.conversation_id);
  if (!talk) return state;
  const { user_id, delivered_seq, read_seq } = receipt;
  const conversation = raiseCursors(talk.conversation, user_id, delivered_seq, read_seq);
  return conversation === talk.conversation ? state : putTalk(state, { ...talk, conversation });
}

/** The `unread` of `ready`: where this user reads on, as other devices have left it. */
export function withUnread(state: State, unread: readonly Unread[]): State {
  return unread.reduce((next, { conversation_id, read_seq }) => {
    const receipt = { conversation_id, user_id: next.me.id, delivered_seq: read_seq, read_seq };
    return withReceipt(next, receipt);
  }, state);
}

export function withTyping(
  state: State,
  event: { conversation_id: string; user_id: string; is_typing: boolean },
): State {
  const talk = state.talks.get(event.conversation_id);
  if (!talk || event.user_id === state.me.id) return state;
  if (talk.typing.includes(event.user_id) === event.is_typing) return state;
  const typing = event.is_typing
    ? [...talk.typing, event.user_id]
    : talk.typing.filter((userId) => userId !== event.user_id);
  return putTalk(state, { ...talk, typing });
}

/** After a disconnect nobody can say who types. */
export function withoutTyping(state: State): State {
  const typing = [...state.talks.values()].filter((talk) => talk.typing.length > 0);
  return typing.reduce((next, talk) => putTalk(next, { ...talk, typing: [] }), state);
}

export function withStatuses(state: State, statuses: readonly Status[]): State {
  if (statuses.length === 0) return state;
  const next = new Map(state.statuses);
  for (const status of statuses) next.set(status.user_id, status);
  return { ...state, statuses: next };
}

export function withUsers(state: State, users: readonly User[]): State {
  if (users.length === 0) return state;
  const next = new Map(state.users);
  for (const user of users) next.set(user.id, user);
  return { ...state, users: next };
}

/** An address may name a talk before the list of talks is here: its mark is set later. */
function withOpenMark(state: State): State {
  if (state.openId === null || state.openMark !== null) return state;
  const talk = state.talks.get(state.openId);
  if (!talk) return state;
  const openMark = { readSeq: readSeqOf(state, talk), lastSeq: talk.conversation.last_seq };
  return { ...state, openMark };
}

export function withOpen(state: State, conversationId: string | null): State {
  return withOpenMark({ ...state, openId: conversationId, openMark: null });
}

export function withOutgoing(state: State, outgoing: Outgoing): State {
  // Who answers has seen what was new.
  const openMark = state.openMark && { readSeq: 0, lastSeq: 0 };
  return { ...state, outbox: [...state.outbox, outgoing], openMark };
}

export function withoutOutgoing(state: State, clientId: string): State {
  return { ...state, outbox: state.outbox.filter((outgoing) => outgoing.clientId !== clientId) };
}

/** Sets or, with null, clears why a message was refused. */
export function withProblem(state: State, clientId: string, problem: string | null): State {
  const outbox = state.outbox.map((outgoing) =>
    outgoing.clientId === clientId ? { ...outgoing, problem } : outgoing,
  );
  return { ...state, outbox };
}

export function readSeqOf(state: State, talk: Talk): number {
  return talk.conversation.members.find((m) => m.user_id === state.me.id)?.read_seq ?? 0;
}
