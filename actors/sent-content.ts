/** What a message says beside its body, as storage takes it. */
import type { UserId } from "../src/protocol/ids.ts";
import type { MessageContent } from "../src/protocol/message-content.ts";
import { type Role, roleIn, roleMayDo } from "../src/protocol/permissions.ts";
import type { ConversationState } from "./conversation-state.ts";
import { MENTION_ALL, mentionedNames } from "./mentions.ts";
import type { NewContent } from "./ports.ts";

/** As `mentionsIn`, of what this user has written. */
export function mentionsBy(state: ConversationState, by: UserId, text: string) {
  const member = state.members.get(by);
  const own = member === undefined ? "reader" : roleIn(state.conversation, member);
  return mentionsIn(state, state.thread?.roles[by]?.role ?? own, text);
}

/** The names that a text mentions, and whether it mentions all and its author may. */
export function mentionsIn({ conversation }: ConversationState, role: Role, text: string) {
  if (!text.includes("@")) return null;
  const names = mentionedNames(text);
  const isAll = names.includes(MENTION_ALL) && roleMayDo(conversation, role, "mention_all");
  const others = names.filter((name) => name !== MENTION_ALL);
  return others.length === 0 && !isAll ? null : { names: others, isAll };
}

export function contentOf(
  state: ConversationState,
  role: Role,
  body: string,
  { type, data, attachments, silent, expire_in_s, streaming }: MessageContent,
): NewContent | null {
  // [MEN1] The users whom a streamed text mentions are known at its end.
  const mentions = streaming ? null : mentionsIn(state, role, body);
  const files = attachments?.map(({ file_id }) => file_id) ?? [];
  const isPlain = !type && !data && files.length === 0 && !silent && !expire_in_s && !streaming;
  if (!mentions && isPlain) return null;
  return {
    ...(type && { type }),
    ...(data && { data }),
    ...(files.length > 0 && { attachments: files }),
    ...(silent && { silent }),
    ...(expire_in_s && { expireInS: expire_in_s }),
    ...(mentions && mentions.names.length > 0 && { names: mentions.names }),
    ...(mentions?.isAll && { mentionAll: true }),
    ...(streaming && { isStream: true }),
  };
}
