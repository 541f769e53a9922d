/**
 * What erasing a user asks of storage. Implemented in src/storage/postgres/erasures.ts; routes and
 * the command line begin an erasure, src/jobs/erasure.ts carries it out. Types only. Every promise
 * rejects only when storage is out of reach.
 */
import type { Result } from "../protocol/errors.ts";
import type { ConversationId, UserId } from "../protocol/ids.ts";

/** What becomes of the user's messages: they stay under a nameless user, or are emptied. */
export type ErasureMode = "keep" | "erase";

export interface BegunErasure {
  jobId: string;
  /** Milliseconds since 1970: tokens from before are refused. */
  cutMs: number;
}

/** How far an erasure has come; `after` counts within the step. */
export interface ErasureState {
  mode: ErasureMode;
  step: number;
  after: string;
  counts: Readonly<Record<string, number>>;
}

/** An event as the log holds it: type, key, actor, and what the type holds. */
export interface LoggedRow {
  id: string;
  events: unknown[];
}

/** A part of a long walk; null: it is at its end. */
export interface Walked<T> {
  last: string | null;
  found: T[];
}

export interface ErasureStore {
  /**
   * The user has no name and no way in from then on, and a job takes away the rest. Called again it
   * answers that job, or begins another one. Refuses: not_found.
   */
  begin(user: UserId, mode: ErasureMode, askedBy: string): Promise<Result<BegunErasure>>;
  /** Null: there is no such erasure. */
  state(user: UserId): Promise<ErasureState | null>;
  goOn(user: UserId, step: number, after: string): Promise<void>;
  /** Logins, settings, follows, drafts, notifications; see the function erase_account. */
  eraseAccount(user: UserId): Promise<void>;
  /** The user's posts, comments and likes among the next posts. */
  eraseFromPosts(user: UserId, after: string): Promise<string | null>;
  /** Conversations in which the user has messages that are not emptied. */
  conversationsWithMessages(user: UserId, after: string): Promise<Walked<ConversationId>>;
  /** Empties messages where no actor can: the conversation is deleted. The number of messages. */
  eraseMessages(id: ConversationId, user: UserId, most: number): Promise<number>;
  /** Groups and channels that the user is a member of. */
  memberships(user: UserId, after: string): Promise<Walked<ConversationId>>;
  /** Files of the user; with `keep` those that no message shows. */
  files(user: UserId, mode: ErasureMode): Promise<string[]>;
  noteFile(user: UserId): Promise<void>;
  /** Empties others' notifications of what the user did, among those of the next users. */
  eraseNotices(user: UserId, after: string): Promise<string | null>;
  /** The next rows of the event log. */
  events(after: string): Promise<Walked<LoggedRow>>;
  replaceEvents(user: UserId, rows: readonly LoggedRow[]): Promise<void>;
  finish(user: UserId): Promise<void>;
}
