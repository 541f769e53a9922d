/**
 * Cursor marks of a conversation's actor; delivery.ts has the rules. A user's unread count follows
 * from their own point (protocol/unread.ts), which storage answers with the mark. Only the user's
 * own sessions receive it.
 *
 * [MRK1] Others receive only what is delivered to a member whose reads are hidden, and nothing at all
 *        where only the read cursor moved.
 */
import type { ConversationOps } from "../src/protocol/actor-ops.ts";
import { REFUSALS, refused } from "../src/protocol/errors.ts";
import { receiptNote } from "../src/protocol/receipt-notes.ts";
import type { Member } from "../src/protocol/schemas.ts";
import { ownUnread } from "../src/protocol/unread.ts";
import type { Context, Reply } from "./behaviour.ts";
import type { ConversationState } from "./conversation-state.ts";
import { advance } from "./delivery.ts";
import type { ActorPorts } from "./ports.ts";
import { doubtPrefs, publishUnmarked } from "./prefs.ts";

const NO_SUCH_SEQ = refused("invalid_payload", "seq is past the conversation's last message.");

export function mark(
  store: ActorPorts["conversations"],
  state: ConversationState,
  member: Member,
  body: ConversationOps["mark"]["body"],
  reply: Reply,
  ctx: Context,
): void {
  if (body.seq > state.conversation.last_seq) {
    reply.refuse(NO_SUCH_SEQ.error);
    return;
  }
  // A read mark always goes to storage, which has the unread count for its answer and may do more
  // than move a cursor. The state does not know the read cursor of a member who hides it.
  const isKnown = !body.read && !state.masked.has(body.user);
  if (isKnown && advance(member, body.seq, false) === member) {
    reply.ok({ delivered_seq: member.delivered_seq, read_seq: member.read_seq });
    return;
  }
  ctx.run(
    store.mark({
      conversationId: state.id,
      userId: body.user,
      seq: body.seq,
      read: body.read,
    }),
    (result) => {
      if (!result.ok) {
        reply.refuse(result.error);
        return;
      }
      const { delivered_seq, read_seq, changed, mask, isDelivery } = result.value;
      const isMasked = mask !== undefined;
      // The member is read again, because a change of members meanwhile made new objects.
      const now = state.members.get(body.user);
      if (now !== undefined) {
        const delivered = advance(now, delivered_seq, false);
        Object.assign(now, isMasked ? delivered : advance(delivered, read_seq, true));
      }
      publishUnmarked(body.user, result.value.unmarked, ctx);
      const { first_n: _, ...own } = ownUnread(state.conversation, result.value.own);
      if (changed) {
        const receipt = {
          conversation_id: state.id,
          user_id: body.user,
          delivered_seq,
          read_seq: isMasked ? 0 : read_seq,
        };
        const reach = !isMasked ? "all" : isDelivery ? "masked" : "own";
        ctx.publish(state.topic, {
          name: "receipt",
          rev: 0,
          body: JSON.stringify(receipt),
          except: body.session,
          // The member whose newest cursors these are (older ones may be dropped for a slow
          // reader), and what only their other sessions are sent with them.
          note: receiptNote(reach, body.user, JSON.stringify(own)),
        });
      }
      reply.ok(body.read ? { delivered_seq, ...own } : { delivered_seq, read_seq });
    },
    () => {
      if (body.read) doubtPrefs(body.user, ctx);
      reply.refuse(REFUSALS.unavailable.error);
    },
  );
}
