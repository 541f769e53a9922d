/**
 * The answer to `sync`, cut to the contract's sizes (protocol page, "Sync"); shared by both
 * adapters. Pure. Messages and conversations that do not fit are omitted from a `rev` or a whole
 * conversation on, and `has_more` says so, so that the client asks again from where it is: there is
 * never a silent hole, and always some progress.
 */
import type { SyncAnswer, SyncedConversation } from "../../ports/edge.ts";
import { ANSWER_BYTES_MAX, messageBytes, wholeRevs } from "../../protocol/answer-bytes.ts";
import type { Conversation, Message, OwnUnread, Receipt } from "../../protocol/schemas.ts";

/** Changed messages of one conversation in one answer; as many as may share a rev. */
export const CHANGED_MAX = 200;
/** Newest messages of a conversation that the client does not know. */
export const NEWEST_MAX = 50;
export const MESSAGES_MAX = 1000;
/** Conversations in one answer; many may be without a message. */
export const CONVERSATIONS_MAX = 200;

/** A conversation that does not fit is begun where this much room is left. */
const PART_BYTES_MIN = 64 * 1024;

const MEMBER_BYTES = 64;
const CONVERSATION_BYTES = 320;

/** A conversation that has something for the client. */
export interface SyncCandidate {
  id: string;
  rev: number;
  /** The client knows nothing of it, or more than there is: newest messages by rising seq. */
  fresh: boolean;
  /** The client's `after_rev` is past `rev`. */
  reset: boolean;
  /** Null where members and title did not change. */
  conversation: Conversation | null;
  /** Where not fresh: those changed, by rising rev, one more than CHANGED_MAX if there are, up to the end of a rev. */
  messages: Message[];
  /** Those before it are not kept any longer; left out where all are. */
  truncatedBeforeSeq?: number;
  /** The client's own point, with the counts beside it. */
  own: OwnUnread & Pick<SyncedConversation, "last_n" | "first_n">;
}

/** `candidates`: most recently active first. `hasMore`: there are others, left out already. */
export function answerSync(
  candidates: SyncCandidate[],
  receipts: Receipt[],
  removed: string[],
  hasMore: boolean,
): SyncAnswer {
  const conversations: SyncedConversation[] = [];
  let messages = 0;
  let bytes = 0;
  let more = hasMore;
  for (const candidate of candidates) {
    const first = conversations.length === 0;
    const { synced, byteLength } = syncedOf(candidate, first ? ANSWER_BYTES_MAX : Infinity);
    const fits =
      messages + synced.messages.length <= MESSAGES_MAX &&
      bytes + byteLength <= ANSWER_BYTES_MAX &&
      conversations.length < CONVERSATIONS_MAX;
    if (!first && !fits) {
      more = true;
      const room = ANSWER_BYTES_MAX - bytes;
      // Else a long one would wait for as long as others are active.
      if (!candidate.fresh && room >= PART_BYTES_MIN) {
        const part = syncedOf(candidate, room).synced;
        const hasRoom = conversations.length < CONVERSATIONS_MAX;
        if (hasRoom && messages + part.messages.length <= MESSAGES_MAX) conversations.push(part);
      }
      break;
    }
    conversations.push(synced);
    messages += synced.messages.length;
    bytes += byteLength;
    more ||= synced.has_more;
  }
  return { conversations, receipts, removed, has_more: more };
}

function syncedOf(
  candidate: SyncCandidate,
  bytesMax: number,
): { synced: SyncedConversation; byteLength: number } {
  const { id, rev, fresh, reset, conversation, truncatedBeforeSeq, own } = candidate;
  let byteLength = CONVERSATION_BYTES + (conversation?.members.length ?? 0) * MEMBER_BYTES;
  const kept: Message[] = [];
  // Fresh ones lose their oldest, which are history; the others lose what changed last.
  const source = fresh ? candidate.messages.toReversed() : candidate.messages;
  const most = fresh ? NEWEST_MAX : CHANGED_MAX;
  for (const message of source) {
    const bytes = messageBytes(message);
    if (kept.length === most || (kept.length > 0 && byteLength + bytes > bytesMax)) break;
    kept.push(message);
    byteLength += bytes;
  }
  if (fresh) kept.reverse();
  // Messages that were emptied together have one rev, which the client's next cursor stands for.
  else kept.splice(0, Infinity, ...wholeRevs(candidate.messages, kept.length));
  const has_more = !fresh && kept.length < candidate.messages.length;
  return {
    synced: {
      conversation_id: id,
      rev: has_more ? kept.at(-1)!.rev : rev,
      messages: kept,
      conversation,
      has_more,
      reset,
      ...(truncatedBeforeSeq !== undefined && { truncated_before_seq: truncatedBeforeSeq }),
      ...own,
    },
    byteLength,
  };
}
