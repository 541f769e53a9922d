/** What of a conversation belongs in a reader's `sync`; the twin of ../postgres/sync.ts. */
import { withOwnMember } from "../../protocol/members.ts";
import { asConversationId, type Conversation } from "../../protocol/schemas.ts";
import { CHANGED_MAX, NEWEST_MAX, type SyncCandidate } from "../postgres/sync-answer.ts";
import {
  changedMessages,
  type MemoryTables,
  newestMessages,
  type StoredConversation,
  shownConversation,
  shownFrom,
  standingIn,
  visibleIn,
} from "./tables.ts";
import { shownThreadTo } from "./threads.ts";

/** What a member may see of the messages. */
export function visibleTo(stored: StoredConversation, reader: string) {
  return visibleIn(stored, shownFrom(stored, reader));
}

export function threadIn({ parent }: StoredConversation) {
  return parent === null ? {} : { threadOf: asConversationId(parent.id) };
}

function shownTo(tables: MemoryTables, stored: StoredConversation, reader: string): Conversation {
  return stored.parent === null
    ? withOwnMember(shownConversation(stored, reader), reader)
    : shownThreadTo(tables, stored, reader);
}

export function candidateOf(
  tables: MemoryTables,
  stored: StoredConversation,
  afterRev: number | undefined,
  reader: string,
): SyncCandidate {
  const isChannel = stored.kind === "channel";
  const isFar = isChannel && stored.rev - (afterRev ?? 0) > CHANGED_MAX;
  const reset = afterRev !== undefined && (afterRev > stored.rev || isFar);
  const fresh = afterRev === undefined || reset;
  const visible = visibleTo(stored, reader);
  return {
    id: stored.id,
    rev: stored.rev,
    fresh,
    reset,
    conversation: fresh || stored.metaRev > afterRev ? shownTo(tables, stored, reader) : null,
    messages: fresh
      ? newestMessages(visible, isChannel && afterRev === undefined ? 0 : NEWEST_MAX)
      : changedMessages(visible, afterRev, CHANGED_MAX + 1),
    ...(stored.firstSeq !== undefined && { truncatedBeforeSeq: stored.firstSeq }),
    own: ownIn(stored, reader),
  };
}

function ownIn(stored: StoredConversation, reader: string): SyncCandidate["own"] {
  const { last_seq: _, ...own } = standingIn(stored, reader).standing;
  // Nothing is one's own in a thread that one does not follow.
  return stored.members.has(reader) ? own : { ...own, unread_count: 0 };
}
