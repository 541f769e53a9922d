/**
 * What the views ask of the state: pure selectors, no change. Called by the views on each
 * rendering and by the modules that decide what to ask of the server.
 */
import type { ClientPayload } from "../../protocol/events.ts";
import type { Message, PresenceStatus } from "../../protocol/schemas.ts";
import { readSeqOf, type State, type Talk } from "./state.ts";

/** The contract's cap on the conversations of one `sync`. */
export const SYNC_CONVERSATIONS_MAX = 500;

export type Tick = "sending" | "failed" | "sent" | "delivered" | "read";

/** `last_seq − read_seq`, as the contract counts. */
export function unreadOf(state: State, talk: Talk): number {
  return Math.max(0, talk.conversation.last_seq - readSeqOf(state, talk));
}

export function unreadTotal(state: State): number {
  return [...state.talks.values()].reduce((sum, talk) => sum + unreadOf(state, talk), 0);
}

/** The unbroken run of messages up to the newest held, by rising seq. */
export function newestRun(talk: Talk): Message[] {
  let seq = Math.max(0, ...talk.messages.keys());
  const run: Message[] = [];
  for (let message = talk.messages.get(seq); message; message = talk.messages.get(--seq)) {
    run.push(message);
  }
  return run.reverse();
}

export function lastMessageOf(talk: Talk): Message | null {
  return talk.messages.get(Math.max(0, ...talk.messages.keys())) ?? null;
}

/** Newest activity first; a message that waits here counts as activity. */
export function talksByActivity(state: State): Talk[] {
  const waiting = new Map(state.outbox.map((o) => [o.conversationId, o.createdAtMs]));
  const activityMs = (talk: Talk): number =>
    Math.max(
      Date.parse(lastMessageOf(talk)?.created_at ?? talk.conversation.created_at),
      waiting.get(talk.conversation.id) ?? 0,
    );
  return [...state.talks.values()]
    .map((talk) => ({ talk, atMs: activityMs(talk) }))
    .sort(
      (a, b) => b.atMs - a.atMs || Number(b.talk.conversation.id) - Number(a.talk.conversation.id),
    )
    .map(({ talk }) => talk);
}

/** The other one of a direct conversation; null in a group. */
export function peerIdOf(state: State, talk: Talk): string | null {
  if (talk.conversation.kind !== "direct") return null;
  return talk.conversation.members.find((m) => m.user_id !== state.me.id)?.user_id ?? null;
}

export function nameOf(state: State, userId: string): string {
  const user = state.users.get(userId);
  return user ? user.display_name || user.username : "…";
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
export function tickOf(state: State, talk: Talk, message: Message): Tick {
  const others = talk.conversation.members.filter((m) => m.user_id !== state.me.id);
  if (others.length === 0) return "sent";
  if (others.every((member) => member.read_seq >= message.seq)) return "read";
  if (others.every((member) => member.delivered_seq >= message.seq)) return "delivered";
  return "sent";
}

/** Talks in which a change is known of that has not been seen. */
export function talksWithGaps(state: State): Talk[] {
  return [...state.talks.values()].filter((talk) => talk.ahead.length > 0);
}

/** What to ask of `sync`: one request, or several parts where there are more than it takes. */
export function syncRequests(talks: readonly Talk[], isComplete: boolean): ClientPayload<"sync">[] {
  const conversations = talks.map((talk) => ({
    conversation_id: talk.conversation.id,
    after_rev: talk.rev,
  }));
  if (isComplete && conversations.length <= SYNC_CONVERSATIONS_MAX) return [{ conversations }];
  const requests: ClientPayload<"sync">[] = [];
  for (let from = 0; from < conversations.length; from += SYNC_CONVERSATIONS_MAX) {
    const part = conversations.slice(from, from + SYNC_CONVERSATIONS_MAX);
    requests.push({ conversations: part, complete: false });
  }
  return requests;
}
