/** What messages have beside their bodies: mentions, files and further keys. */
import type { NewMessage } from "../../../actors/ports.ts";
import type { FileObject } from "../../protocol/files.ts";
import type { Message } from "../../protocol/schemas.ts";
import { type Refusal, STORAGE_REFUSALS } from "../postgres/refusals.ts";
import type { MemoryTables, StoredConversation } from "./tables.ts";

const MENTIONS_MAX = 20;

/** As the SQL function attached_files judges. Null: `by` has uploaded all of them. */
export function filesRefusal(
  { files, conversations, social }: MemoryTables,
  by: string,
  ids: readonly string[] = [],
): Refusal | null {
  for (const id of ids) {
    const owner = files.ownerOf(id);
    if (owner === null) return STORAGE_REFUSALS.noFile;
    if (owner === by) continue;
    const isSeen =
      [...conversations.values()].some(
        ({ members, messages }) =>
          members.has(by) &&
          messages.some((one) => one.attachments?.some((file) => file.id === id)),
      ) ||
      [...social.posts.values()].some(
        (post) => post.fileIds.includes(id) && social.postOf(by, post.id) !== undefined,
      );
    return isSeen ? STORAGE_REFUSALS.notUploader : STORAGE_REFUSALS.noFile;
  }
  return null;
}

export function showFiles(message: Message, files: FileObject[]): void {
  delete message.attachments;
  if (files.length > 0) message.attachments = files;
}

/** Members with these names, without `by`. */
export function mentionedIn(
  tables: MemoryTables,
  stored: StoredConversation,
  by: string | null,
  names: readonly string[],
): string[] {
  const idOf = new Map([...tables.users.values()].map(({ user }) => [user.username, user.id]));
  return names
    .flatMap((name) => idOf.get(name) ?? [])
    .filter((id) => id !== by && tables.readableOf(id, stored.id) !== undefined)
    .slice(0, MENTIONS_MAX);
}

/** Null: the message has nothing beside its body and data. */
export function extraOf(
  tables: MemoryTables,
  stored: StoredConversation,
  { senderId, content }: NewMessage,
  nowMs: number,
): Partial<Message> | null {
  if (content === undefined) return null;
  const { type, attachments, silent, expireInS, names = [], mentionAll, isStream } = content;
  const mentions = mentionedIn(tables, stored, senderId, names);
  const expiresMs = nowMs + (expireInS ?? 0) * 1000;
  return {
    ...(type && { type }),
    ...(isStream && { stream: { state: "open" as const } }),
    ...(attachments && { attachments: tables.files.all(attachments) }),
    ...(silent && { silent }),
    ...(mentionAll && { mention_all: true }),
    ...(mentions.length > 0 && { mentions }),
    ...(expireInS && { expires_at: new Date(expiresMs).toISOString() }),
  };
}
