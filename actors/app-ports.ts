/**
 * What the behaviour of the application's actors needs: the threads that run their turns, and
 * storage. A commit is fenced by an internal version: it is written only on the state that its
 * turns began with.
 */
import type {
  AppAnswer,
  AppBatch,
  AppBatchDone,
  AppCaller,
  AppEffect,
  AppEvent,
  AppRequest,
} from "../src/protocol/app-actors.ts";
import type { AppKinds } from "../src/protocol/app-kinds.ts";
import type { Result } from "../src/protocol/errors.ts";
import type { ConversationId, UserId } from "../src/protocol/ids.ts";
import type { Role } from "../src/protocol/permissions.ts";

/** A call that was committed; for its repeats. */
export interface AppCallMade {
  /** The caller: a user's id, or a service. */
  caller: string;
  callId: string;
  /** The hash of the action and its args. */
  hash: string;
  /** The answer as JSON text; null where it was too long to be kept. */
  answer: string | null;
  rev: number;
  /** Wall time. */
  madeAtMs: number;
}

export interface AppTimer {
  name: string;
  /** From now; 0 where it is due. */
  inMs: number;
}

/** How an actor was made, to make it again where its state is not durable. */
export interface AppCreated {
  args: unknown;
  caller: AppCaller;
  conversation: ConversationId | null;
}

export interface AppRecord {
  /** Its own number, for names of what it sends. */
  id: string;
  /** The fence. */
  version: number;
  rev: number;
  /** JSON text; null: destroyed, or not durable. */
  state: string | null;
  isGone: boolean;
  codeVersion: number;
  created: AppCreated;
  nowMs: number;
  timers: AppTimer[];
  /** Users for whom `onWatch` has run. */
  watching: string[];
  /** How many effects it has had. */
  effectCount: number;
  effects: { n: number; effect: AppEffect }[];
  /** The newest 200, by rising rev. */
  events: AppEvent[];
  /** The newest 1,000 of the last 24 hours, oldest first. */
  calls: AppCallMade[];
}

export interface AppCommit {
  kind: string;
  key: string;
  /** The version on which the turns began; 0: there was no row. */
  version: number;
  rev: number;
  /** Left out: as before. Null: destroyed, or not durable. */
  state?: string | null;
  isGone: boolean;
  isDurable: boolean;
  codeVersion: number;
  /** With the first commit of a new actor. */
  created?: AppCreated;
  nowMs: number;
  timers: AppTimer[];
  /** When to look at it again, for timers and effects; null: never. */
  wakeInMs: number | null;
  users?: string[];
  watching: string[];
  effectCount: number;
  effects: { n: number; effect: AppEffect }[];
  effectsDone: number[];
  events: AppEvent[];
  calls: AppCallMade[];
}

export interface AppStore {
  /** Null: there never was one. */
  load(kind: string, key: string): Promise<AppRecord | null>;
  /**
   * Group-committed. Refuses: conflict (another activation has committed since: load again),
   * not_found (its conversation is gone).
   */
  commit(commit: AppCommit): Promise<Result<{ id: string; version: number }>>;
  /**
   * These effects have been carried out. Where none is left, the actor is next woken for its
   * timers.
   */
  effectsDone(kind: string, key: string, ns: readonly number[]): Promise<void>;
  /** The roles of those users who are present members; null: there is no such conversation. */
  roles(
    conversation: ConversationId,
    users: readonly UserId[],
  ): Promise<ReadonlyMap<UserId, Role> | null>;
}

/** The threads that run the application's code. Never rejects. */
export interface AppRunner {
  kinds: AppKinds;
  run(batch: AppBatch): Promise<AppBatchDone>;
  /** Sends a request of an actor, which `id` names. Null: too many are under way. */
  fetch(request: AppRequest, id: string): Promise<AppAnswer> | null;
}
