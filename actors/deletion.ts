/**
 * The right to delete messages of others.
 *
 * [MSG1] A message that is deleted by another than its sender needs `delete_any`, and a sender
 *        whose role is below one's own; a system message counts as a member's.
 */
import type { DeletionRights } from "../src/protocol/actor-ops.ts";
import { isAbove, mayDo, rankOf, roleOf } from "../src/protocol/permissions.ts";
import type { Conversation } from "../src/protocol/schemas.ts";

/** `conversation` holds all members. */
export function deletionRights(conversation: Conversation, user: string): DeletionRights {
  const role = roleOf(conversation, user);
  const any = role !== null && mayDo(conversation, user, "delete_any");
  const spared = any
    ? conversation.members
        .map(({ user_id }) => user_id)
        .filter((id) => id !== user && rankOf(roleOf(conversation, id)) >= rankOf(role))
    : [];
  return { any, system: any && isAbove(role, "member"), spared };
}
