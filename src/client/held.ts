/**
 * The rules of one conversation: how changes, receipts and snapshots become its state. Pure.
 *
 * [SDK1] Changes are applied by rising rev, each once; changes beyond a gap wait.
 * [SDK2] A message is never replaced by one of a lower rev.
 * [SDK3] Cursors of a member never move back while they stay a member.
 * [SDK4] The held members of a large group are members as of `rev`: changes add and remove the
 *        users whom they name, and a snapshot after a gap keeps only the users whom it names.
 */
import type { ClientAck } from "../protocol/events.ts";
import type { Conversation, Member, Message, Receipt } from "../protocol/schemas.ts";
import { applyReaction, mergeOwn } from "./held-reactions.ts";
import {
  beginAnew,
  countTo,
  NO_POINT,
  readByReceipts,
  shownFrom,
  takePoint,
} from "./held-unread.ts";
import type { Change, Erased, Held } from "./state.ts";

/** Beyond these numbers waiting changes are dropped; `sync` brings them anyway. */
const AHEAD_MAX = 1_000;
const EARLY_MAX = 1_000;

type Synced = ClientAck<"sync">["conversations"][number];

export function newHeld(conversation: Conversation, messages: readonly Message[] = []): Held {
  return {
    conversation,
    membersSince: conversation.rev,
    rev: conversation.rev,
    latestRev: conversation.rev,
    ahead: new Map(),
    early: [],
    messages: mergeMessages(new Map(), messages),
    own: new Map(),
    point: NO_POINT,
    typing: [],
    isLoaded: conversation.last_seq === 0,
    seqAtReady: null,
  };
}

export function mergeMessages(
  held: ReadonlyMap<number, Message>,
  incoming: readonly Message[],
): ReadonlyMap<number, Message> {
  const news = incoming.filter((message) => (held.get(message.seq)?.rev ?? 0) < message.rev);
  if (news.length === 0) return held;
  const merged = new Map(held);
  for (const message of news) merged.set(message.seq, message);
  return merged;
}

/** Undefined when the user is not a member. */
export function memberOf({ conversation }: Held, userId: string) {
  return conversation.members.find((member) => member.user_id === userId);
}

/** [SDK3] */
function raised(conversation: Conversation, receipts: readonly Receipt[]): Conversation {
  const members = new Map(conversation.members.map((member) => [member.user_id, member]));
  let isRaised = false;
  for (const { user_id, delivered_seq, read_seq } of receipts) {
    const before = members.get(user_id);
    if (!before || (delivered_seq <= before.delivered_seq && read_seq <= before.read_seq)) continue;
    isRaised = true;
    members.set(user_id, {
      ...before,
      delivered_seq: Math.max(before.delivered_seq, delivered_seq, read_seq),
      read_seq: Math.max(before.read_seq, read_seq),
    });
  }
  return isRaised ? { ...conversation, members: [...members.values()] } : conversation;
}

const cursorsOf = ({ id, members }: Conversation): Receipt[] =>
  members.map((member) => ({ conversation_id: id, ...member }));

export function takeReceipts(before: Held, receipts: readonly Receipt[]): Held {
  const held = readByReceipts(before, receipts);
  const conversation = raised(held.conversation, receipts);
  const early = receipts.filter(
    ({ user_id }) => held.latestRev > held.rev && !memberOf(held, user_id),
  );
  if (conversation === held.conversation && early.length === 0) return held;
  return { ...held, conversation, early: [...held.early, ...early].slice(-EARLY_MAX) };
}

/** `n` is left out where it equals `seq`. */
export function withLast(conversation: Conversation, seq: number, n?: number): Conversation {
  const { last_n: _, ...rest } = conversation;
  return { ...rest, last_seq: seq, ...(n !== undefined && { last_n: n }) };
}

/** Adds messages after those held; they move `last_seq` and their senders' cursors. */
function append(held: Held, messages: readonly Message[]): Held {
  let { conversation, typing } = held;
  for (const { seq, n, sender_id, conversation_id, type } of messages) {
    if (seq <= conversation.last_seq) continue;
    // A send moves the sender's own cursors and ends their typing without further events. A system
    // message is no send of the acting user.
    const user_id = type === "system" ? "" : (sender_id ?? "");
    const own = { conversation_id, user_id, delivered_seq: seq, read_seq: seq };
    conversation = withLast(raised(conversation, [own]), seq, n);
    typing = typing.filter((userId) => userId !== user_id);
  }
  return { ...held, conversation, typing, messages: mergeMessages(held.messages, messages) };
}

/** [SDK4] `conversation` with these members, all of them or a part of `member_count`. */
export function withMembers(conversation: Conversation, members: Member[]): Conversation {
  const { members_partial: _, removed_user_ids: __, ...rest } = conversation;
  const isPart = members.length < (rest.member_count ?? 0);
  return { ...rest, members, ...(isPart && { members_partial: true as const }) };
}

/** [SDK4] `incoming`, which is newer, with the members that are known after it. */
function follow({ conversation }: Held, incoming: Conversation, isGap: boolean): Conversation {
  if (incoming.member_count === undefined) return incoming;
  const named = new Map(incoming.members.map((member) => [member.user_id, member]));
  const gone = new Set(incoming.removed_user_ids);
  const kept = isGap ? [] : conversation.members.filter(({ user_id }) => !gone.has(user_id));
  const others = kept.filter(({ user_id }) => !named.has(user_id));
  return withMembers(incoming, [...others, ...named.values()]);
}

/**
 * Members, title and cursors of `incoming`. `receipts` arrived while it was asked for and may be
 * newer. With `isWhole` it has all members, and its cursors replace the held ones: a member may have
 * left and come back, which starts from 0.
 */
function takeMeta(
  held: Held,
  incoming: Conversation,
  receipts: readonly Receipt[],
  isWhole: boolean,
): Held {
  const before = held.conversation;
  const isGap = isWhole && incoming.rev > held.rev;
  const { last_seq, last_n } = incoming.last_seq < before.last_seq ? before : incoming;
  const conversation = raised(
    withLast(incoming.rev < before.rev ? before : follow(held, incoming, isGap), last_seq, last_n),
    [...(isWhole ? [] : [before, incoming].flatMap(cursorsOf)), ...receipts, ...held.early],
  );
  const membersSince = isGap ? incoming.rev : held.membersSince;
  const next = shownFrom(
    { ...held, conversation, membersSince, early: [] },
    conversation.first_seq,
  );
  // In a large group a user who is not held may be a member too. The server announces when a
  // removed member stops typing.
  const isMember = (userId: string) => conversation.members_partial || memberOf(next, userId);
  return { ...next, typing: held.typing.filter(isMember) };
}

/** The moment when they were emptied comes with `sync` and history. */
function emptied({ messages }: Held, { rev, seqs }: Erased): ReadonlyMap<number, Message> {
  const found = seqs.flatMap((seq) => messages.get(seq) ?? []);
  return mergeMessages(
    messages,
    found.map(({ data, attachments, reactions, pinned_at, ...rest }) => ({
      ...rest,
      rev,
      client_id: null,
      body: "",
      deleted_at: rest.created_at,
    })),
  );
}

function apply(held: Held, change: Change): Held {
  const next = { ...held, rev: change.rev };
  if ("changed" in change) return applyReaction(next, change);
  if ("seqs" in change) return { ...next, messages: emptied(held, change) };
  if ("seq" in change && "id" in change) {
    // With a message its reactions go.
    const own = change.deleted_at === null ? next.own : mergeOwn(next, [change]);
    return append({ ...next, own }, [change]);
  }
  return "id" in change ? takeMeta(next, change, [], false) : next;
}

/** Everything up to `rev` is here: applies the waiting changes that follow. */
function settle(held: Held, rev: number): Held {
  let next = { ...held, rev: Math.max(held.rev, rev), latestRev: Math.max(held.latestRev, rev) };
  for (let change = next.ahead.get(next.rev + 1); change; change = next.ahead.get(next.rev + 1)) {
    next = apply(next, change);
  }
  return { ...next, ahead: new Map([...held.ahead].filter(([at]) => at > next.rev)) };
}

/** [SDK1] Takes an event, or the answer that stands for one. */
export function takeChange(held: Held, change: Change): Held {
  const { rev } = change;
  if (rev <= held.rev) {
    return "seq" in change && "id" in change
      ? { ...held, messages: mergeMessages(held.messages, [change]) }
      : held;
  }
  if (rev === held.rev + 1) return settle(apply(held, change), rev);
  const ahead = new Map(held.ahead);
  if (ahead.size < AHEAD_MAX) ahead.set(rev, change);
  return { ...held, ahead, latestRev: Math.max(held.latestRev, rev) };
}

/**
 * All members of a large group, as its pages gave them while changes since `since` were followed.
 * `receipts` arrived meanwhile.
 */
export function takeMembers(
  held: Held,
  since: number,
  members: readonly Member[],
  receipts: readonly Receipt[],
): Held {
  const { conversation } = held;
  if (held.membersSince !== since || !conversation.members_partial) return held;
  const paged = new Set(members.map(({ user_id }) => user_id));
  const others = conversation.members.filter(({ user_id }) => !paged.has(user_id));
  const all = withMembers(conversation, [...members, ...others]);
  return { ...held, conversation: raised(all, [...cursorsOf(conversation), ...receipts]) };
}

/** Takes the answer of `sync` for one conversation; undefined when it is not held. */
export function takeSynced(
  before: Held | undefined,
  synced: Synced,
  receipts: readonly Receipt[],
): Held | undefined {
  const held = withSynced(before, synced, receipts);
  const isGap = (synced.conversation?.rev ?? 0) > (before?.rev ?? 0);
  if (!held || !isGap || synced.read_seq === undefined) return held && takePoint(held, synced);
  return beginAnew(held, synced, receipts);
}

function withSynced(
  held: Held | undefined,
  { conversation, messages, own_reactions, rev, reset, has_more }: Synced,
  receipts: readonly Receipt[],
): Held | undefined {
  if (!held || reset) {
    if (!conversation) return held;
    const fresh = takeReceipts(newHeld(conversation, messages), receipts);
    const own = mergeOwn(fresh, messages, own_reactions);
    return { ...fresh, own, isLoaded: true, typing: held?.typing ?? [] };
  }
  const next = conversation
    ? {
        ...takeMeta(held, conversation, receipts, held.rev <= conversation.rev),
        messages: mergeMessages(shownFrom(held, conversation.first_seq).messages, messages),
      }
    : append(held, messages);
  const own = mergeOwn(held, messages, own_reactions);
  // When the answer has more, at least the next rev is missing.
  return settle(
    { ...next, own, latestRev: Math.max(held.latestRev, rev + (has_more ? 1 : 0)) },
    rev,
  );
}

/**
 * Takes the answer of `join_conversation`, which says that this user has read up to `readSeq`;
 * `isFresh`: the newest page was asked for.
 */
export function takeJoined(
  held: Held | undefined,
  { conversation, messages, own_reactions, has_more, typing }: ClientAck<"join_conversation">,
  isFresh: boolean,
  receipts: readonly Receipt[],
  readSeq = Infinity,
): Held {
  const { rev } = conversation;
  const base = held ?? newHeld(conversation);
  const next = takeMeta({ ...base, typing }, conversation, receipts, base.rev <= rev);
  // Messages below the page may have changed unnoticed, so they are dropped.
  const kept = isFresh && base.rev < rev ? new Map() : base.messages;
  const own = kept === base.messages ? base.own : new Map();
  const joined = settle(
    {
      ...next,
      latestRev: Math.max(base.latestRev, rev),
      messages: mergeMessages(kept, messages),
      own: mergeOwn({ messages: kept, own }, messages, own_reactions),
      isLoaded: base.isLoaded || isFresh,
    },
    !isFresh && has_more ? messages.at(-1)!.rev : rev,
  );
  if (base.rev >= rev || readSeq >= base.point.seq) return joined;
  return beginAnew(joined, { read_seq: readSeq, read_n: countTo(joined, readSeq) }, receipts);
}
