/**
 * The watchers of an application's actor. A user's first watching session and the end of the last
 * one are turns of the actor, where its definition wants them.
 */
import type { AppCaller } from "../src/protocol/app-actors.ts";
import { REFUSALS } from "../src/protocol/errors.ts";
import { isId, type SessionId, type UserId } from "../src/protocol/ids.ts";
import type { Role } from "../src/protocol/permissions.ts";
import { type AppState, NO_ACTOR, publishClosed, turnOf, type WaitingTurn } from "./app-state.ts";
import type { Context } from "./behaviour.ts";

/** Begins the names of timers of users who may have gone. */
export const GRACE = "grace:";

export function arrives(
  state: AppState,
  { session, worker }: { session: SessionId; worker: string },
  caller: AppCaller,
  ctx: Context,
): void {
  state.watchers.set(session, { caller, worker });
  const { user } = caller;
  if (!state.kind.hasWatchHooks || user === null) return;
  ctx.cancel(GRACE + user);
  if (state.record.watching.includes(user)) return;
  const isAsked = state.waiting.some(
    ({ turn }) => turn.does === "watched" && turn.caller.user === user,
  );
  if (!isAsked) state.waiting.push(turnOf({ does: "watched", caller }));
}

export function leaves(state: AppState, session: SessionId, ctx: Context): void {
  const user = state.watchers.get(session)?.caller.user ?? null;
  if (!state.watchers.delete(session) || user === null || !state.kind.hasWatchHooks) return;
  const isStill = [...state.watchers.values()].some(({ caller }) => caller.user === user);
  if (!isStill) ctx.after(state.graceMs, GRACE + user);
}

export function endWatches(
  state: AppState,
  sessions: SessionId[],
  code: "forbidden" | "unwatched",
  ctx: Context,
): void {
  if (sessions.length === 0) return;
  publishClosed(state, code, sessions, ctx);
  for (const session of sessions) leaves(state, session, ctx);
}

/** [APP6] */
export function admitted(
  state: AppState,
  batch: WaitingTurn[],
  roles: ReadonlyMap<UserId, Role>,
  ctx: Context,
): WaitingTurn[] {
  const left = [...state.watchers].filter(([, { caller }]) => !isIn(caller, roles));
  endWatches(
    state,
    left.map(([session]) => session),
    "forbidden",
    ctx,
  );
  return batch.filter(({ turn, reply }) => {
    if (!("caller" in turn) || isIn(turn.caller, roles) || turn.does === "unwatched") return true;
    reply?.refuse(turn.does === "create" ? REFUSALS.conversationNotFound.error : NO_ACTOR.error);
    return false;
  });
}

export function usersOf(state: AppState, batch: readonly WaitingTurn[]): UserId[] {
  const users = new Set<string>();
  const add = ({ user }: AppCaller) => {
    if (user !== null && isId(user)) users.add(user);
  };
  for (const { caller } of state.watchers.values()) add(caller);
  for (const { turn } of batch) if ("caller" in turn) add(turn.caller);
  return [...users] as UserId[];
}

/** Services are no members, and act for the application. */
function isIn({ user }: AppCaller, roles: ReadonlyMap<UserId, Role>): boolean {
  return user === null || roles.has(user as UserId);
}

export function withRole(caller: AppCaller, roles: ReadonlyMap<UserId, Role> | null): AppCaller {
  const role = roles?.get(caller.user as UserId);
  return role === undefined ? caller : { ...caller, role };
}
