/** System messages in memory: they do not count as unread, and move nobody's cursors. */
import type { Appended, ServiceMessage } from "../../../actors/ports.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { Message } from "../../protocol/schemas.ts";
import { STORAGE_REFUSALS } from "../postgres/refusals.ts";
import { countAt, type MemoryTables, type StoredConversation } from "./tables.ts";

/** As the function send_for_service does it. */
export function appendForService(tables: MemoryTables, asked: ServiceMessage): Result<Appended> {
  const { conversationId, subject, clientId, body, replyToSeq, content } = asked;
  const stored = tables.conversations.get(conversationId);
  if (!stored || stored.isDeleted) return REFUSALS.conversationNotFound;
  const key = `service ${subject} ${clientId}`;
  const seen = stored.seqs.get(key);
  if (seen !== undefined) {
    return ok({ message: { ...stored.messages[seen - 1]! }, duplicate: true });
  }
  if (replyToSeq !== null && replyToSeq > stored.messages.length) return STORAGE_REFUSALS.noReply;
  const { data, silent, expireInS } = content;
  const nowMs = tables.nowMs();
  const expiresMs = nowMs + (expireInS ?? 0) * 1000;
  const from = { sender_id: null, client_id: clientId, body, reply_to_seq: replyToSeq };
  const created_at = new Date(nowMs).toISOString();
  const message = addSystemMessage(tables, stored, from, {
    created_at,
    ...(data && { data }),
    ...(silent && { silent }),
    ...(expireInS && { expires_at: new Date(expiresMs).toISOString() }),
  });
  stored.seqs.set(key, message.seq);
  return ok({ message, duplicate: false });
}

export function addSystemMessage(
  tables: MemoryTables,
  stored: StoredConversation,
  from: Pick<Message, "sender_id" | "client_id"> & Partial<Message>,
  extra: Partial<Message>,
): Message {
  const seq = stored.messages.length + 1;
  const message: Message = {
    id: tables.nextId(),
    conversation_id: stored.id,
    seq,
    rev: ++stored.rev,
    body: "",
    reply_to_seq: null,
    ...from,
    created_at: tables.nowIso(),
    edited_at: null,
    deleted_at: null,
    n: countAt(stored, seq - 1),
    ...extra,
    type: "system",
  };
  stored.messages.push(message);
  stored.sentRevs.push(message.rev);
  stored.lastActivityMs = tables.nowMs();
  stored.activity = ++tables.activities;
  return { ...message };
}
