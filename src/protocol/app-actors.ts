/**
 * An application's own actors as the edge, their behaviour, storage and the threads that run them
 * speak of them. What clients send is in app-actor-events.ts.
 */
import type { ErrorObject } from "./errors.ts";

export const APP_BYTES_MAX = 16 * 1024;
export const APP_STATE_BYTES_MAX = 256 * 1024;
/** Events that are kept for clients that come back. */
export const APP_EVENTS_KEPT = 200;
export const APP_WATCHES_MAX = 50;
export const APP_TIMERS_MAX = 64;
/** What one turn may send, notify, signal, call and fetch together; and, each, emit and unwatch. */
export const APP_EFFECTS_MAX = 1_000;
export const APP_TIMER_MS_MIN = 1_000;
export const APP_VOLATILE_TIMER_MS_MIN = 50;
/** Of calls and requests: each answer, and what its turn asks for, is one hop further. */
export const APP_HOPS_MAX = 16;

export interface AppCaller {
  user: string | null;
  session: string | null;
  service: string | null;
  claims?: Readonly<Record<string, unknown>>;
  role?: string;
}

/** One step of an actor. Values are JSON. */
export type AppTurn =
  | { does: "create"; args: unknown; caller: AppCaller }
  | { does: "call"; action: string; args: unknown; caller: AppCaller }
  /** Answers the view, where `authorize` lets the caller watch. */
  | { does: "see"; caller: AppCaller }
  | { does: "ring"; timer: string }
  | { does: "watched" | "unwatched"; caller: AppCaller }
  | { does: "answer"; tag: string; answer: AppAnswer }
  | { does: "erase"; user: string };

export type AppAnswer = { ok: true; result: unknown } | { ok: false; error: ErrorObject };

/** An event with its data as JSON text. `to`: others learn its `rev` only. */
export interface AppEvent {
  rev: number;
  name: string;
  data: string;
  to?: string[];
}

/** What leaves an actor, once its turn is committed. */
export type AppEffect =
  | { does: "send"; conversation: string; as: string; message: AppMessage }
  | { does: "notify"; user: string; type: string; message: string; data: unknown }
  | { does: "signal"; conversation: string; signal: AppSignal }
  | {
      does: "call";
      kind: string;
      key: string;
      action: string;
      args: unknown;
      tag: string;
      hops: number;
    }
  | { does: "fetch"; request: AppRequest; tag: string; hops: number };

export const APP_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const;
/** A request and the beginning of its answer that is read. */
export const APP_FETCH_BYTES_MAX = 64 * 1024;

/** A request that leaves Troupe. */
export interface AppRequest {
  url: string;
  method: (typeof APP_METHODS)[number];
  headers: Readonly<Record<string, string>>;
  /** Null: none. */
  body: string | null;
}

export interface AppResponse {
  status: number;
  headers: Record<string, string>;
  body: string;
  /** The answer was longer, and `body` is its beginning. */
  truncated?: true;
}

export interface AppMessage {
  body?: string;
  type?: string;
  data?: Record<string, unknown>;
  silent?: boolean;
}

export interface AppSignal {
  type: string;
  data?: Record<string, unknown>;
  to?: string[];
  key?: string;
}

/** Turns of one actor, one after another. */
export interface AppBatch {
  kind: string;
  key: string;
  /** JSON text; null: there is no such actor yet. */
  state: string | null;
  /** The version of the definition that wrote it. */
  version: number;
  nowMs: number;
  turns: AppTurn[];
  /** Names of the timers that run. */
  timers: string[];
  /** The watchers, about whom `authorize` is asked again where the state changes. */
  watching: AppCaller[];
  /** How many calls between actors have led here. */
  hops: number;
}

export type AppTurnDone =
  | {
      is: "done";
      /** JSON text: an action's result, or the view of `create` and `see`. */
      answer: string;
      /** JSON text where it changed; null: destroyed; left out: as before. */
      state?: string | null;
      users?: string[];
      events: Omit<AppEvent, "rev">[];
      /** Null cancels. */
      timers: { name: string; delayMs: number | null }[];
      effects: AppEffect[];
      unwatched: string[];
    }
  | { is: "refused"; error: ErrorObject }
  /** The application's fault; its caller receives `internal`. */
  | { is: "failed"; why: string; error: ErrorObject };

export interface AppBatchDone {
  turns: AppTurnDone[];
  /** Places in `watching` of those who may not watch any more. */
  unauthorized: number[];
}

/** A kind of actor as it was loaded; schemas as JSON. */
export interface AppKind {
  kind: string;
  version: number;
  durable: boolean;
  create: unknown;
  view: null;
  actions: Record<string, { args: unknown }>;
  events: Record<string, unknown>;
  hasAuthorize: boolean;
  hasWatchHooks: boolean;
}

/** The id of an actor: its kind, then its key. Kinds have no colon. */
export function appActorId(kind: string, key: string): string {
  return `${kind}:${key}`;
}

export function kindAndKeyOf(id: string): { kind: string; key: string } {
  const colon = id.indexOf(":");
  return { kind: id.slice(0, colon), key: id.slice(colon + 1) };
}
