/**
 * What the views ask of the state: pure selectors, no change. Called by the views on each
 * rendering.
 */
import { peerOf, progressOf } from "../../client/index.ts";
import { isolated } from "../../protocol/isolated.ts";
import type { Message, PresenceStatus } from "../../protocol/schemas.ts";
import type { State, Talk } from "./state.ts";

export type Tick = "sending" | "failed" | "sent" | "delivered" | "read";

export function unreadTotal(state: State): number {
  return [...state.talks.values()].reduce((sum, talk) => sum + talk.unread, 0);
}

export function openTalkOf(state: State): Talk | undefined {
  return state.openId === null ? undefined : state.talks.get(state.openId);
}

/** The message with this seq, if it is among the shown ones. */
export function messageAt({ messages }: Talk, seq: number): Message | undefined {
  return messages[seq - (messages[0]?.seq ?? 0)];
}

/** The other one of a direct conversation; null in a group. */
export const peerIdOf = (state: State, talk: Talk): string | null => peerOf(talk, state.me.id);

export function nameOf(state: State, userId: string): string {
  const user = state.users.get(userId);
  return user ? isolated(user.display_name || user.username) : "…";
}

export function titleOf(state: State, talk: Talk): string {
  const peerId = peerIdOf(state, talk);
  if (peerId !== null) return nameOf(state, peerId);
  if (talk.conversation.title) return talk.conversation.title;
  const others = talk.conversation.members.filter((m) => m.user_id !== state.me.id);
  const names = others.slice(0, 3).map((member) => nameOf(state, member.user_id));
  return names.join(", ") + (others.length > 3 ? ` +${others.length - 3}` : "") || "Just you";
}

export function presenceOf(state: State, userId: string): PresenceStatus {
  return state.statuses.get(userId)?.status ?? "offline";
}

/** In a group a message counts as delivered or read once it is so for every other member. */
export const tickOf = (talk: Talk, message: Message): Tick => progressOf(talk, message);
