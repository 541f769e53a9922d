/** The state of one activation of an application's actor, and the questions asked of it. */
import type { AppCloseCode, AppClosedNote, AppNews, AppOps } from "../src/protocol/actor-ops.ts";
import {
  APP_EVENTS_KEPT,
  type AppCaller,
  type AppEffect,
  type AppEvent,
  type AppKind,
  type AppTurn,
  appActorId,
} from "../src/protocol/app-actors.ts";
import { refused } from "../src/protocol/errors.ts";
import type { SessionId } from "../src/protocol/ids.ts";
import type { Monotonic } from "../src/protocol/time.ts";
import { topicOf } from "../src/protocol/topics.ts";
import type { AppCallMade, AppCreated, AppRecord } from "./app-ports.ts";
import type { Context, Reply } from "./behaviour.ts";

export interface AppWatcher {
  caller: AppCaller;
  worker: string;
}

/** A turn that waits, with what is done with its outcome. */
export interface WaitingTurn {
  turn: AppTurn;
  reply: Reply | null;
  hops: number;
  /** Set for a call that is made once. */
  once: { caller: string; callId: string; hash: string } | null;
  /** Set for `create`. */
  created: AppCreated | null;
  watch: { session: SessionId; worker: string } | null;
  afterRev: number | null;
  /** Carried out with this turn. */
  effectDone: number | null;
}

export interface AppState {
  /** As of its last batch. */
  kind: AppKind;
  readonly key: string;
  /** As it was loaded, and as it was committed since. */
  record: AppRecord;
  /** JSON text as it is now; null: there is no such actor. */
  text: string | null;
  /** Which activation it is; of an actor that is not durable, which of its lives. */
  epoch: number;
  waiting: WaitingTurn[];
  isBusy: boolean;
  /** The members of its conversation must be read again. */
  mustCheck: boolean;
  /** Announcements of edges that wait for their answer. */
  announcements: { body: AppOps["announced"]["body"]; reply: Reply }[];
  /** How often in a row another activation has committed first. */
  staleCount: number;
  readonly watchers: Map<SessionId, AppWatcher>;
  /** When timers are due. */
  readonly timers: Map<string, Monotonic>;
  /** Timers that are due and wait for their turn. */
  readonly ringing: Set<string>;
  readonly effects: Map<number, AppEffect>;
  /** Effects that are under way. */
  readonly underway: Set<number>;
  /** Until a user without a watching session counts as gone. */
  readonly graceMs: number;
}

export const NO_ACTOR = refused("not_found", "No such actor.");

const NEVER_CREATED: AppCreated = {
  args: null,
  caller: { user: null, session: null, service: null },
  conversation: null,
};

export function emptyRecord(): AppRecord {
  return {
    id: "",
    version: 0,
    rev: 0,
    state: null,
    isGone: true,
    codeVersion: 0,
    created: NEVER_CREATED,
    nowMs: 0,
    timers: [],
    watching: [],
    effectCount: 0,
    effects: [],
    events: [],
    calls: [],
  };
}

export function idOf({ kind, key }: AppState): string {
  return appActorId(kind.kind, key);
}

/** The events after `afterRev`; null: they are not all kept, so the caller needs the view. */
export function eventsAfter(record: AppRecord, afterRev: number): AppEvent[] | null {
  const { rev, events } = record;
  if (afterRev > rev || rev - afterRev > APP_EVENTS_KEPT) return null;
  const news = events.filter((event) => event.rev > afterRev);
  return news.length === rev - afterRev ? news : null;
}

export function newsFor(record: AppRecord, view: string, afterRev: number | null): AppNews {
  const { rev } = record;
  const events = afterRev === null ? null : eventsAfter(record, afterRev);
  if (events !== null) return { rev, events };
  return { rev, view, ...(afterRev !== null && afterRev > rev && { reset: true as const }) };
}

/** The repeat of a call that was committed; null: it is new here. */
export function callMade(
  { calls }: AppRecord,
  { caller, callId }: { caller: string; callId: string },
): AppCallMade | null {
  return calls.findLast((made) => made.callId === callId && made.caller === caller) ?? null;
}

/** A caller by the name under which their calls are kept. */
export function callerName({ user, service }: AppCaller): string {
  return user === null ? `s:${service ?? ""}` : user;
}

export function publishEvents(state: AppState, events: readonly AppEvent[], ctx: Context): void {
  const topic = topicOf.app(idOf(state));
  const { kind, key } = state;
  for (const { rev, name, data, to } of events) {
    const head = `{"kind":"${kind.kind}","key":"${key}","rev":${rev}`;
    const body = `${head},"name":"${name}","data":${data}}`;
    ctx.publish(topic, {
      name: "actor_event",
      body,
      rev,
      note: to === undefined ? "" : JSON.stringify(to),
    });
  }
}

export function publishClosed(
  state: AppState,
  code: AppCloseCode,
  sessions: SessionId[] | null,
  ctx: Context,
): void {
  const { kind, key, record } = state;
  ctx.publish(topicOf.app(idOf(state)), {
    name: "actor_closed",
    body: JSON.stringify({ kind: kind.kind, key, code }),
    rev: record.rev,
    note: JSON.stringify({ code, sessions } satisfies AppClosedNote),
  });
}

export function turnOf(turn: AppTurn, more: Partial<WaitingTurn> = {}): WaitingTurn {
  return {
    turn,
    reply: null,
    hops: 0,
    once: null,
    created: null,
    watch: null,
    afterRev: null,
    effectDone: null,
    ...more,
  };
}
