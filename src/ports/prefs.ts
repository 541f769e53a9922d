/** The edge's reads of users' own preferences, straight from storage; see edge.ts. */
import type { ConversationId, SessionId, UserId } from "../protocol/ids.ts";
import type { Prefs } from "../protocol/prefs.ts";

/** A change of a user's stream, as it is read again. */
export interface StoredPrefs {
  prefs: Prefs;
  /** The session that made it and is answered with it; "": none. */
  setBy: SessionId | "";
}

export interface PrefsQueries {
  /** Null where the reader is no member; `prefs_rev` 0 where none were ever set. */
  prefs(reader: UserId, id: ConversationId): Promise<Prefs | null>;
  /**
   * By rising `prefs_rev` above `rev`, at most `limit`: of each conversation its newest change.
   * Numbers that a later change of the same conversation has taken the place of are left out.
   */
  prefsAfter(reader: UserId, rev: number, limit: number): Promise<StoredPrefs[]>;
  /** The newest `prefs_rev` of each user who has one. */
  prefsRevs(users: UserId[]): Promise<Map<UserId, number>>;
}
