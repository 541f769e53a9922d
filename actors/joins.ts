/**
 * What a session that joins a conversation is answered with: the newest messages, or those changed
 * since. The newest ones of all are kept in the actor (ring.ts), so that most joins read nothing.
 */
import type { ConversationOps } from "../src/protocol/actor-ops.ts";
import { REFUSALS } from "../src/protocol/errors.ts";
import type { ConversationId, UserId } from "../src/protocol/ids.ts";
import { withFirstMembers } from "../src/protocol/members.ts";
import type { Conversation, Member, Message } from "../src/protocol/schemas.ts";
import type { Context, Reply } from "./behaviour.ts";
import { RING_MESSAGES } from "./limits.ts";
import type { ConversationStore, ReactionStore } from "./ports.ts";
import { changedSince, newestOf, type Ring, ringOf } from "./ring.ts";
import type { Typing } from "./typing.ts";

interface Joined {
  id: ConversationId;
  conversation: Conversation;
  members: ReadonlyMap<UserId, Member>;
  ring: Ring | null;
  typing: Typing;
  sending: ReadonlyMap<string, unknown>;
}

type Body = ConversationOps["join"]["body"];
type Store = Pick<ConversationStore, "opened" | "newest" | "changedAfter">;
type Stores = { conversations: Store; reactions: Pick<ReactionStore, "own"> };

const IGNORED = () => undefined;

export function join(state: Joined, body: Body, reply: Reply, stores: Stores, ctx: Context): void {
  const { ring } = state;
  if (body.isOpened) ctx.run(stores.conversations.opened(state.id, body.user), IGNORED, IGNORED);
  if (ring !== null) {
    joinFrom(state, ring, body, reply, stores, ctx);
    return;
  }
  const rev = state.conversation.rev;
  ctx.run(
    stores.conversations.newest(state.id, RING_MESSAGES),
    (newest) => {
      // Changes that came back meanwhile are in what was read, or are missed by it: only a
      // ring read at the rev we still have is known to be whole.
      if (state.ring === null && state.conversation.rev === rev && state.sending.size === 0) {
        state.ring = ringOf(newest, rev);
      }
      const from = state.ring ?? ringOf(newest, state.conversation.rev);
      joinFrom(state, from, body, reply, stores, ctx);
    },
    () => reply.refuse(REFUSALS.unavailable.error),
  );
}

function joinFrom(
  state: Joined,
  ring: Ring,
  body: Body,
  reply: Reply,
  stores: Stores,
  ctx: Context,
): void {
  const { limit, after_rev } = body;
  const unavailable = () => reply.refuse(REFUSALS.unavailable.error);
  const answer = (messages: Message[], hasMore: boolean) => {
    const joined = {
      conversation: withFirstMembers({ ...state.conversation }),
      messages,
      has_more: hasMore,
      typing: [...state.typing.keys()],
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
  const from = state.members.get(body.user)?.visible_from_seq ?? 1;
  const isVisible = ({ seq }: Message) => seq >= from;
  if (after_rev === null) {
    const messages = newestOf(ring, limit).filter(isVisible);
    answer(messages, (messages[0]?.seq ?? from) > from);
    return;
  }
  const changed = changedSince(ring, after_rev)?.filter(isVisible) ?? null;
  if (changed !== null) {
    answer(changed.slice(0, limit), changed.length > limit);
    return;
  }
  ctx.run(
    stores.conversations.changedAfter(state.id, after_rev, limit + 1, from),
    (messages) => answer(messages.slice(0, limit), messages.length > limit),
    () => reply.refuse(REFUSALS.unavailable.error),
  );
}
