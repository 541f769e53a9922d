/** The memory twin's table of preferences; see tables.ts. */
import type { SessionId } from "../../protocol/ids.ts";
import type { Prefs } from "../../protocol/prefs.ts";

export interface StoredPrefsRow {
  prefs: Prefs;
  setBy: SessionId | "";
  draftBy: SessionId | "";
}

/** One user's stream. */
export interface StoredPrefsOf {
  lastRev: number;
  rows: Map<string, StoredPrefsRow>;
}

export class PrefsTable {
  readonly #users = new Map<string, StoredPrefsOf>();

  of(userId: string): StoredPrefsOf {
    const known = this.#users.get(userId);
    if (known) return known;
    const made: StoredPrefsOf = { lastRev: 0, rows: new Map() };
    this.#users.set(userId, made);
    return made;
  }

  lastRevOf(userId: string): number {
    return this.#users.get(userId)?.lastRev ?? 0;
  }

  /** The row, but for one that only tells of a membership that ended. */
  rowOf(userId: string, id: string): StoredPrefsRow | undefined {
    const row = this.#users.get(userId)?.rows.get(id);
    return row?.prefs.removed ? undefined : row;
  }

  /** As sql/functions/lift_unread_marks.sql does. */
  liftUnread(userId: string, id: string): Prefs | undefined {
    const own = this.of(userId);
    const row = this.rowOf(userId, id);
    if (row === undefined) return undefined;
    const { unread_from_seq: _, ...prefs } = row.prefs;
    row.prefs = { ...prefs, prefs_rev: ++own.lastRev };
    row.setBy = "";
    return structuredClone(row.prefs);
  }

  /** A membership of a channel has begun; as sql/functions/begin_prefs.sql does. */
  begin(userId: string, id: string): void {
    const own = this.of(userId);
    const prefs: Prefs = { conversation_id: id, prefs_rev: ++own.lastRev };
    own.rows.set(id, { prefs, setBy: "", draftBy: "" });
  }

  /** Users with preferences of a conversation. */
  usersOf(id: string): string[] {
    return [...this.#users.keys()].filter((userId) => this.rowOf(userId, id) !== undefined);
  }

  /** The membership has ended; as sql/functions/forget_prefs.sql does. */
  forget(userId: string, id: string): void {
    if (this.rowOf(userId, id) === undefined) return;
    const own = this.of(userId);
    const prefs: Prefs = { conversation_id: id, prefs_rev: ++own.lastRev, removed: true };
    own.rows.set(id, { prefs, setBy: "", draftBy: "" });
  }
}
