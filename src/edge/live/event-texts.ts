/** Reads the few facts that an edge needs from the texts of a conversation's events. */
import { translationIn } from "../../protocol/contract.ts";
import type { UserId } from "../../protocol/ids.ts";
import { type MembershipNews, membershipNewsOf } from "../../protocol/members.ts";
import type { Conversation, Message } from "../../protocol/schemas.ts";

/** The key under which a session awaits its change of reactions; see Session.awaits. */
export function reactionKey(conversation: string, ask: string): string {
  return `${conversation} r${ask}`;
}

/**
 * The user who made a change of a message (null: any who may change it), and what their session
 * awaits; see Session.awaits. Null for events that no session awaits.
 */
export function whatOf(name: string, body: string): { by: UserId | null; what: string } | null {
  if (name !== "message" && name !== "message_updated") return null;
  const { sender_id, client_id, seq } = JSON.parse(body) as Message;
  if (name === "message_updated") return { by: null, what: `s${seq}` };
  return { by: sender_id as UserId, what: `c${client_id}` };
}

/** The `seq` of the message that an event changes; Infinity where it names none. */
export function seqIn(text: string): number {
  const { seq } = JSON.parse(translationIn(text).body) as { seq?: number };
  return seq ?? Infinity;
}

/** `memberIds`: see Change. */
export function newsOf(body: string, memberIds?: readonly string[]): MembershipNews {
  if (memberIds !== undefined) return { is: "whole", memberIds: new Set(memberIds) };
  // A deletion is translated to the conversation without members.
  const { body: own, former } = translationIn(body);
  return membershipNewsOf(JSON.parse(former?.body ?? own) as Conversation);
}
