/**
 * How a thread is shown. It has the owner, the settings and the permissions of its parent, and of
 * its members, who are its followers, it shows how many there are and the reader's own entry. Pure.
 */
import type { Role } from "./permissions.ts";
import type { Conversation, Member } from "./schemas.ts";

/** What a thread has from its parent. */
export type ThreadRules = Pick<Conversation, "owner_id" | "settings" | "permissions">;

/** What a follower's entry has from their membership of the parent. */
export interface ThreadStanding {
  role?: Role;
  silenced_until?: string;
}

/** `thread` as storage has it; `own`: the reader's cursors, where they follow it. */
export function shownThread(
  thread: Conversation,
  rules: ThreadRules,
  own: Pick<Member, "user_id" | "delivered_seq" | "read_seq"> | undefined,
  { role, silenced_until }: ThreadStanding,
  followers: number,
): Conversation {
  const { settings: _settings, permissions: _permissions, ...base } = thread;
  const { owner_id, settings, permissions } = rules;
  const isNamed = role !== undefined && role !== "member" && role !== "owner";
  const entry = own && {
    user_id: own.user_id,
    delivered_seq: own.delivered_seq,
    read_seq: own.read_seq,
    ...(isNamed && { role }),
    ...(silenced_until !== undefined && { silenced_until }),
  };
  return {
    ...base,
    owner_id,
    members: entry === undefined ? [] : [entry],
    members_partial: true,
    member_count: followers,
    ...(settings !== undefined && { settings }),
    ...(permissions !== undefined && { permissions }),
  };
}
