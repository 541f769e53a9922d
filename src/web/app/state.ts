/**
 * What the signed-in page shows, as one value: what the client SDK holds, the names of people,
 * and what is open; with the pure functions that change it. Nothing here touches the network,
 * the DOM or a clock.
 */
import type { ConnectionState, ConversationView } from "../../client/index.ts";
import type { Status, User } from "../../protocol/schemas.ts";

/** The connection, as the person should see it. */
export type LinkState =
  | { kind: "connecting" }
  | { kind: "syncing" }
  | { kind: "online" }
  | { kind: "reconnecting"; isOffline: boolean }
  | { kind: "stopped"; message: string };

/** One conversation, as the SDK shows it. */
export type Talk = ConversationView;

export interface State {
  me: User;
  users: ReadonlyMap<string, User>;
  /** Newest activity first. */
  talks: ReadonlyMap<string, Talk>;
  statuses: ReadonlyMap<string, Status>;
  openId: string | null;
  /** What was unread when the open talk was opened; null while that cannot be known. */
  openMark: { readSeq: number; lastSeq: number } | null;
  link: LinkState;
  /** The list of conversations has been fetched once. */
  isListed: boolean;
}

export function initialState(me: User): State {
  return {
    me,
    users: new Map([[me.id, me]]),
    talks: new Map(),
    statuses: new Map(),
    openId: null,
    openMark: null,
    link: { kind: "connecting" },
    isListed: false,
  };
}

/** `before`: the first attempt is not a return. */
export function linkOf(
  connection: ConnectionState,
  before: LinkState,
  isOffline: boolean,
): LinkState {
  switch (connection.is) {
    case "syncing":
    case "online":
      return before.kind === connection.is ? before : { kind: connection.is };
    case "closed": {
      const { reason } = connection;
      return { kind: "stopped", message: "message" in reason ? reason.message : "Disconnected." };
    }
    case "connecting":
    case "waiting":
      if (before.kind === "connecting" && connection.attempt < 2) return before;
      if (before.kind === "reconnecting" && before.isOffline === isOffline) return before;
      return { kind: "reconnecting", isOffline };
  }
}

/** An address may name a talk before the list of talks is here: its mark is set later. */
function withOpenMark(state: State): State {
  if (state.openId === null || state.openMark !== null) return state;
  const talk = state.talks.get(state.openId);
  if (!talk) return state;
  const openMark = { readSeq: talk.readSeq, lastSeq: talk.conversation.last_seq };
  return { ...state, openMark };
}

/** What the SDK holds now. The open talk is closed when it is gone. */
export function withTalks(state: State, views: readonly Talk[]): State {
  const talks = new Map(views.map((view) => [view.id, view]));
  const { openId } = state;
  const isGone = openId !== null && state.talks.has(openId) && !talks.has(openId);
  return withOpenMark({ ...state, talks, openId: isGone ? null : openId });
}

export function withOpen(state: State, conversationId: string | null): State {
  return withOpenMark({ ...state, openId: conversationId, openMark: null });
}

/** A user who answers has seen the new messages, so their mark goes. */
export function withAnswered(state: State): State {
  return { ...state, openMark: state.openMark && { readSeq: 0, lastSeq: 0 } };
}

export function withUsers(state: State, users: readonly User[]): State {
  if (users.length === 0) return state;
  const next = new Map(state.users);
  for (const user of users) next.set(user.id, user);
  return { ...state, users: next };
}
