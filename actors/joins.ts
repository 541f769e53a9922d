/**
 * Answers a session that joins a conversation with the newest messages, or with those changed since
 * a rev. The actor keeps the newest messages (ring.ts), so that most joins read nothing.
 *
 * [JOI1] An answer has no message that a member may not see or has cleared. The cleared points are
 *        read with the ring and followed after that: the user's actor announces each change before
 *        it answers. Where such an announcement may be lost, the points are read again.
 * [JOI2] An answer holds about 256 KiB of messages at most; `has_more` says that there are others.
 * [JOI3] Membership is judged once more when the answer is made: a user who was removed while
 *        storage was read is refused, since no later event would take their session out again.
 * [JOI4] What is committed while storage is read may be missing in what was read. The ring has it, or
 *        storage is read again; where neither helps, the answer says the `rev` from before the
 *        reading, and the session receives what came after that as events.
 */
import type { ConversationOps } from "../src/protocol/actor-ops.ts";
import {
  ANSWER_BYTES_MAX,
  fittingMessages,
  messageBytes,
  wholeRevs,
} from "../src/protocol/answer-bytes.ts";
import { REFUSALS } from "../src/protocol/errors.ts";
import type { ConversationId, UserId } from "../src/protocol/ids.ts";
import { withFirstMembers } from "../src/protocol/members.ts";
import type { Conversation, Member, Message } from "../src/protocol/schemas.ts";
import { BEFORE_ALL, later, type Monotonic, NEVER } from "../src/protocol/time.ts";
import type { Context, Reply } from "./behaviour.ts";
import { RING_MESSAGES } from "./limits.ts";
import type { ConversationStore, ReactionStore } from "./ports.ts";
import { keptFrom } from "./retention.ts";
import { changedSince, newestOf, type Ring, ringOf } from "./ring.ts";
import { type Streams, shownStreams, whenPublished, withStreamed } from "./stream-state.ts";
import type { Typing } from "./typing.ts";

export interface Joined {
  id: ConversationId;
  conversation: Conversation;
  members: Pick<ReadonlyMap<UserId, Member>, "get">;
  ring: Ring | null;
  cleared: Cleared;
  typing: Typing;
  sending: ReadonlyMap<string, unknown>;
  masked: ReadonlySet<UserId>;
  streams: Streams | null;
  retentionCapS: number | null;
}

/** What an answer is made of. */
interface Source {
  ring: Ring;
  cleared: Cleared;
  /** The ring is whole at this rev; at the present one, too, as long as it is the state's. */
  rev: number;
}

/** The points up to which members have cleared history; replaced where they may be wrong. */
export interface Cleared {
  /** The first seq that is shown, by member. */
  before: Map<UserId, number>;
  /** Whether all cleared points have been read from storage. */
  isRead: boolean;
  /** Until then every join reads the points from storage. */
  doubtedUntil: Monotonic;
}

/** How often a join reads storage again for what was committed meanwhile. */
const READINGS_MAX = 4;

/** A statement of a dead worker may still commit; see storage's deadline. */
const COMMIT_LAG_MS = 5_000;

export function nothingCleared(doubtedUntil: Monotonic = BEFORE_ALL): Cleared {
  return { before: new Map(), isRead: false, doubtedUntil };
}

/** A worker is gone, and with it perhaps what a user's actor would have announced. */
export function doubtedCleared(nowMs: Monotonic, mayBeBack: boolean): Cleared {
  // Another activation, across a gap, may receive the change instead of this one.
  return nothingCleared(mayBeBack ? NEVER : later(nowMs, COMMIT_LAG_MS));
}

export function takeCleared({ before }: Cleared, user: UserId, seq: number): void {
  before.set(user, Math.max(seq, before.get(user) ?? 1));
}

type Body = ConversationOps["join"]["body"];
type Store = Pick<
  ConversationStore,
  "opened" | "newest" | "changedAfter" | "clearedBefore" | "mark"
>;
type Stores = { conversations: Store; reactions: Pick<ReactionStore, "own"> };

const IGNORED = () => undefined;

/**
 * `shown`: the conversation as the user sees it, at the moment of the answer; null: they are no
 * member any more.
 */
export function join(
  state: Joined,
  body: Body,
  reply: Reply,
  stores: Stores,
  ctx: Context,
  shown: () => Conversation | null = () =>
    state.members.get(body.user) !== undefined ? withFirstMembers({ ...state.conversation }) : null,
  readings = READINGS_MAX,
): void {
  const { ring, cleared } = state;
  const { rev } = state.conversation;
  if (body.isOpened && readings === READINGS_MAX) {
    ctx.run(stores.conversations.opened(state.id, body.user), IGNORED, IGNORED);
  }
  const isClearedKnown = cleared.isRead && ctx.monotonicMs >= cleared.doubtedUntil;
  if (ring !== null && isClearedKnown) {
    joinFrom(state, { ring, cleared, rev }, body, reply, stores, ctx, shown);
    return;
  }
  ctx.run(
    Promise.all([
      ring === null ? stores.conversations.newest(state.id, RING_MESSAGES) : null,
      isClearedKnown ? null : stores.conversations.clearedBefore(state.id),
    ]),
    ([newest, found]) => {
      for (const [user, seq] of found ?? []) takeCleared(cleared, user, seq);
      if (found !== null) cleared.isRead = true;
      if (newest === null) {
        const kept = { ring: state.ring ?? ring!, cleared, rev };
        joinFrom(state, kept, body, reply, stores, ctx, shown);
        return;
      }
      // Changes that came back meanwhile are in what was read, or are missed by it: only a
      // ring read at the rev we still have is known to be whole.
      if (state.ring === null && state.conversation.rev === rev && state.sending.size === 0) {
        state.ring = ringOf(newest, rev);
      }
      // [JOI4]
      if (state.ring === null && state.conversation.rev !== rev && readings > 1) {
        join(state, body, reply, stores, ctx, shown, readings - 1);
        return;
      }
      const from = { ring: state.ring ?? ringOf(newest, rev), cleared, rev };
      joinFrom(state, from, body, reply, stores, ctx, shown);
    },
    () => reply.refuse(REFUSALS.unavailable.error),
  );
}

function joinFrom(
  state: Joined,
  source: Source,
  body: Body & { isPublished?: true },
  reply: Reply,
  stores: Stores,
  ctx: Context,
  shown: () => Conversation | null,
): void {
  const { ring, cleared } = source;
  if (state.streams !== null && !body.isPublished) {
    // [STR5]
    const again = { ...body, isPublished: true as const };
    whenPublished(state.streams, () => joinFrom(state, source, again, reply, stores, ctx, shown));
    return;
  }
  const { limit, after_rev } = body;
  const unavailable = () => reply.refuse(REFUSALS.unavailable.error);
  const answer = (messages: Message[], hasMore: boolean, rev: number) => {
    const now = shown();
    // [JOI3]
    if (now === null) {
      reply.refuse(REFUSALS.conversationNotFound.error);
      return;
    }
    // [JOI4]
    const then = { ...now, rev: Math.min(now.rev, rev) };
    withOwnRead(state, then, body.user, stores, ctx, (conversation) =>
      answerWith(conversation, messages, hasMore),
    );
  };
  const answerWith = (conversation: Conversation, messages: Message[], hasMore: boolean) => {
    const joined = {
      conversation,
      messages: withStreamed(state, messages),
      has_more: hasMore,
      typing: [...state.typing.keys()].filter((user) => user !== body.user),
      ...streamsShown(messages),
    };
    const seqs = messages.flatMap(({ seq, reactions }) => (reactions === undefined ? [] : seq));
    if (seqs.length === 0) {
      reply.ok(joined);
      return;
    }
    // Read after the messages, so that no reaction is in these and not in one's own.
    ctx.run(
      stores.reactions.own(state.id, body.user, seqs),
      (own) => reply.ok(own.length === 0 ? joined : { ...joined, own_reactions: own }),
      unavailable,
    );
  };
  const streamsShown = (messages: readonly Message[]) => {
    if (state.streams === null || !body.streams) return null;
    const bytes = messages.reduce((sum, message) => sum + messageBytes(message), 0);
    const streams = shownStreams(state, from, ANSWER_BYTES_MAX - bytes);
    return streams && { streams };
  };
  const answerChanged = (changed: Message[], rev: number) => {
    const messages = wholeRevs(changed, fittingMessages(changed.slice(0, limit)).length);
    answer(messages, changed.length > messages.length, rev);
  };
  const ringRev = () => (state.ring === ring ? state.conversation.rev : source.rev);
  const visibleFrom = state.members.get(body.user)?.visible_from_seq ?? 1;
  const from = Math.max(
    visibleFrom,
    cleared.before.get(body.user) ?? 1,
    keptFrom(state.conversation, ring, state.retentionCapS, ctx.wallMs),
  );
  const isVisible = ({ seq }: Message) => seq >= from;
  if (after_rev === null) {
    const newest = newestOf(ring, limit).filter(isVisible).reverse();
    const messages = fittingMessages(newest).reverse();
    answer(messages, (messages[0]?.seq ?? from) > from, ringRev());
    return;
  }
  const changed = changedSince(ring, after_rev)?.filter(isVisible) ?? null;
  if (changed !== null) {
    answerChanged(changed, ringRev());
    return;
  }
  const read = (after: number, before: Message[], readings: number) => {
    const { rev } = state.conversation;
    ctx.run(
      stores.conversations.changedAfter(state.id, after, limit + 1 - before.length, from),
      (found) => {
        const messages = withNewer(before, found);
        // [JOI4]
        if (rev === state.conversation.rev || messages.length > limit || readings === 1) {
          answerChanged(messages, rev);
          return;
        }
        const newer = state.ring && changedSince(state.ring, rev)?.filter(isVisible);
        if (newer) answerChanged(withNewer(messages, newer), state.conversation.rev);
        else read(messages.at(-1)?.rev ?? after, messages, readings - 1);
      },
      unavailable,
    );
  };
  read(after_rev, [], READINGS_MAX);
}

/** Messages by rising `rev`, each once as it is in `newer`. */
function withNewer(messages: Message[], newer: Message[]): Message[] {
  const changed = new Set(newer.map(({ seq }) => seq));
  return [...messages.filter(({ seq }) => !changed.has(seq)), ...newer];
}

/** The conversation as the user may see it, whose own reads may be hidden from the others. */
function withOwnRead(
  { id, masked }: Joined,
  shown: Conversation,
  user: UserId,
  stores: Stores,
  ctx: Context,
  then: (conversation: Conversation) => void,
): void {
  if (!masked.has(user)) {
    then(shown);
    return;
  }
  // A mark of nothing answers where the user's cursors are.
  ctx.run(
    stores.conversations.mark({ conversationId: id, userId: user, seq: 0, read: false }),
    (marked) => {
      if (!marked.ok) {
        then(shown);
        return;
      }
      const { read_seq } = marked.value;
      const members = shown.members.map((member) =>
        member.user_id === user ? { ...member, read_seq } : member,
      );
      then({ ...shown, members });
    },
    () => then(shown),
  );
}
