/**
 * The users who are typing in one conversation. A pure rule.
 *
 * [TYP1] A start and an end are published once, not every keystroke.
 * [TYP2] Typing ends by itself after 5 s of silence.
 * [TYP3] It ends with that user's message.
 * [TYP4] It ends at once when the last session in which that user types ends.
 * [TYP5] It ends for all users when the actor gives up its state.
 */
import type { SessionId, UserId } from "../src/protocol/ids.ts";
import { earlierOf, later, type Monotonic, msBetween, NEVER } from "../src/protocol/time.ts";
import { TYPING_SILENCE_MS } from "./limits.ts";

interface TypingSession {
  worker: string;
  untilMs: Monotonic;
}

export type Typing = ReadonlyMap<UserId, ReadonlyMap<SessionId, TypingSession>>;

export type TypingEvent =
  | { type: "started"; user: UserId; session: SessionId; worker: string }
  | { type: "stopped"; user: UserId; session: SessionId }
  | { type: "sent" | "left"; user: UserId }
  | { type: "session_closed"; session: SessionId }
  | { type: "workers_gone"; incarnations: ReadonlySet<string> }
  | { type: "time_up" | "let_go" };

export interface TypingNotice {
  user: UserId;
  isTyping: boolean;
}

export interface TypingStep {
  typing: Typing;
  notices: TypingNotice[];
  /** Call again with `time_up` after this; null: nobody types. */
  wakeInMs: number | null;
}

export const NOBODY_TYPES: Typing = new Map();

export function stepTyping(before: Typing, event: TypingEvent, nowMs: Monotonic): TypingStep {
  const typing = new Map<UserId, ReadonlyMap<SessionId, TypingSession>>();
  const notices: TypingNotice[] = [];
  let nextMs = NEVER;

  for (const [user, sessions] of before) {
    const after = new Map<SessionId, TypingSession>();
    for (const [session, entry] of sessions) {
      if (isOver(user, session, entry, event, nowMs)) continue;
      after.set(session, entry);
    }
    if (after.size > 0) typing.set(user, after);
  }
  if (event.type === "started") {
    const sessions = new Map(typing.get(event.user));
    sessions.set(event.session, { worker: event.worker, untilMs: later(nowMs, TYPING_SILENCE_MS) });
    typing.set(event.user, sessions);
    if (!before.has(event.user)) notices.push({ user: event.user, isTyping: true });
  }
  for (const user of before.keys()) {
    if (!typing.has(user)) notices.push({ user, isTyping: false });
  }
  for (const sessions of typing.values()) {
    for (const { untilMs } of sessions.values()) nextMs = earlierOf(nextMs, untilMs);
  }
  return {
    typing,
    notices,
    wakeInMs: typing.size === 0 ? null : Math.max(0, msBetween(nowMs, nextMs)),
  };
}

function isOver(
  user: UserId,
  session: SessionId,
  entry: TypingSession,
  event: TypingEvent,
  nowMs: Monotonic,
): boolean {
  switch (event.type) {
    case "started":
      return false;
    case "stopped":
      return user === event.user && session === event.session;
    case "sent":
    case "left":
      return user === event.user;
    case "session_closed":
      return session === event.session;
    case "workers_gone":
      return event.incarnations.has(entry.worker);
    case "time_up":
      return entry.untilMs <= nowMs;
    case "let_go":
      return true;
  }
}
