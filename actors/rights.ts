/**
 * The acts that a member of a conversation may ask of its actor: the facts of their role and their silence,
 * judged by the policy. Storage judges changes once more, inside the transaction.
 *
 * [RGT1] The refusal of a silenced member says until when.
 * [RGT2] A user without the permission `send` neither types nor edits; a frozen conversation takes
 *        no messages but those of moderators, everything else goes on.
 * [RGT4] Every member who may read can take their own reaction away, also with a low role or silenced.
 * [RGT5] A message that the member may not see counts as missing: it is neither changed nor quoted.
 * [RGT3] Direct conversations have no roles: storage refuses the acts that they do not permit.
 */
import type { ConversationOps } from "../src/protocol/actor-ops.ts";
import { type ErrorObject, REFUSALS, refused } from "../src/protocol/errors.ts";
import type { UserId } from "../src/protocol/ids.ts";
import {
  type Action,
  isAbove,
  isAtLeast,
  leastRoleFor,
  mayInviteAs,
  type Role,
  roleIn,
  roleMayDo,
  silencedUntil,
} from "../src/protocol/permissions.ts";
import { type Act, type Facts, judge, RULES } from "../src/protocol/policy.ts";
import type { Conversation, Member } from "../src/protocol/schemas.ts";
import { epochMsOf, type WallTime } from "../src/protocol/time.ts";

/** What the rules read of the conversation's state. */
export interface Judged {
  conversation: Conversation;
  members: Pick<ReadonlyMap<UserId, Member>, "get">;
  /** A block stands between the two of a direct conversation. */
  isBlocked: boolean;
}

/** The acts that are asked of an actor by somebody who may be a member. */
export type MemberAct = Exclude<
  keyof ConversationOps,
  | "session_closed"
  | "apart_changed"
  | "cleared"
  | "reads_masked"
  | "named"
  | "service_signal"
  | "service_send"
  | "expire"
  | "moderator_delete"
  | "moderator_ban"
  | "judge_thread"
  | "reply_failed"
  | "thread_changed"
  | "parent_changed"
  | "refresh_files"
  | "erase_messages"
  | "trim"
  | "streams_due"
  | "watching"
>;

/** Null: nothing known here forbids it. */
export function refusalFor(
  judged: Judged,
  act: MemberAct,
  body: { user: UserId },
  wallMs: WallTime,
): ErrorObject | null {
  const member = judged.members.get(body.user);
  const until = member === undefined ? null : silencedUntil(member, epochMsOf(wallMs));
  const role = member === undefined ? null : roleIn(judged.conversation, member);
  const facts: Facts = {
    member: member !== undefined,
    unblocked: !judged.isBlocked,
    unsilenced: until === null || isTakingAway(act, body),
  };
  const byRole = role === null ? undefined : mayByRole(judged, role, act, body);
  if (byRole !== undefined) facts.role = byRole;
  const refusal = judge(ACT_OF_OP[act] ?? (act as Act), facts) ?? hiddenFrom(member, act, body);
  // [RGT1]
  return refusal === RULES.unsilenced.error ? { ...refusal, details: { until } } : refusal;
}

const ACT_OF_OP: Partial<Record<MemberAct, Act>> = {
  update: "update_conversation",
  accept: "come_in",
  end: "append",
  ended: "read_conversation",
  streams: "read_conversation",
  end_invite: "read_conversation",
  follow: "read_conversation",
};

/** [RGT4] */
function isTakingAway(act: MemberAct, body: object): boolean {
  if (act !== "react") return false;
  const { on, all } = body as ConversationOps["react"]["body"];
  return !on && all !== true;
}

const NO_SUCH_REPLY = refused("invalid_payload", "reply_to_seq names no message here.").error;

/** [RGT5] */
function hiddenFrom(
  member: Member | undefined,
  act: MemberAct,
  body: { user: UserId; seq?: number; reply_to_seq?: number | null },
): ErrorObject | null {
  const from = member?.visible_from_seq ?? 1;
  if (from === 1) return null;
  if (act === "send") return (body.reply_to_seq ?? from) < from ? NO_SUCH_REPLY : null;
  // Cursors may stand anywhere.
  if (act === "mark" || (body.seq ?? from) >= from) return null;
  return REFUSALS.messageNotFound.error;
}

/** Undefined: the role does not matter, or storage knows more. */
function mayByRole(
  { conversation, members }: Judged,
  role: Role,
  act: MemberAct,
  body: { user: UserId },
): boolean | undefined {
  const isAllowed = (action: Action) => isAtLeast(role, leastRoleFor(conversation, action));
  switch (act) {
    case "send": {
      const { content } = body as ConversationOps["send"]["body"];
      if (!roleMayDo(conversation, role, "send")) return false;
      return !content?.attachments?.length || isAllowed("attach");
    }
    case "signal":
    case "signal_audience":
      return isAllowed("signal");
    case "append":
    case "end":
      return roleMayDo(conversation, role, "send");
    case "typing":
      return isAllowed("send");
    case "edit": {
      const { attachments = [] } = body as ConversationOps["edit"]["body"];
      return isAllowed("send") && (attachments.length === 0 || isAllowed("attach"));
    }
    case "react": {
      // [RGT4]
      if (isTakingAway(act, body)) return undefined;
      const { all } = body as ConversationOps["react"]["body"];
      return all === true ? isAllowed("delete_any") : roleMayDo(conversation, role, "react");
    }
    case "pin":
      return isAllowed("pin");
    case "create_thread":
      return isAllowed("thread");
  }
  // [RGT3]
  if (conversation.kind === "direct") return undefined;
  const roleOf = (userId: UserId): Role | null => {
    const member = members.get(userId);
    return member === undefined ? null : roleIn(conversation, member);
  };
  const isAllowedTo = (action: Action, userId: UserId) =>
    isAllowed(action) && isAbove(role, roleOf(userId));
  switch (act) {
    case "update": {
      const patch = body as ConversationOps["update"]["body"];
      const { title, data, image_url, settings, permissions } = patch;
      const isInfo = title !== undefined || data !== undefined || image_url !== undefined;
      const isRules = settings !== undefined || permissions !== undefined;
      return (!isInfo || isAllowed("edit_info")) && (!isRules || isAllowed("edit_settings"));
    }
    case "update_member": {
      const asked = body as ConversationOps["update_member"]["body"];
      const { user_id, silenced_until, data } = asked;
      const mayGive =
        asked.role === undefined ||
        (asked.role === "owner"
          ? role === "owner"
          : isAllowedTo("edit_roles", user_id) && isAbove(role, asked.role));
      const maySilence = silenced_until === undefined || isAllowedTo("silence", user_id);
      return mayGive && maySilence && (data === undefined || user_id === body.user);
    }
    case "ban": {
      const { user_id } = body as ConversationOps["ban"]["body"];
      return isAllowedTo("ban", user_id);
    }
    case "unban":
      return isAllowed("ban");
    case "delete_conversation":
      return role === "owner";
    case "create_invite": {
      const asked = body as ConversationOps["create_invite"]["body"];
      return isAllowed("invite") && (asked.role === null || mayInviteAs(role, asked.role));
    }
    case "add_members":
      return isAllowed("add_members");
    case "remove_member": {
      const { user_id } = body as ConversationOps["remove_member"]["body"];
      return user_id === body.user || isAllowedTo("remove_members", user_id);
    }
    default:
      return undefined;
  }
}
