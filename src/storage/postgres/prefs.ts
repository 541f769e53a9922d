/**
 * PrefsStore and PrefsQueries on PostgreSQL. Changes are a group commit over all users
 * (sql/functions/change_prefs.sql).
 */
import type { AskedPrefs, MembershipPrefs, PrefsStore } from "../../../actors/prefs-ports.ts";
import type { PrefsQueries, StoredPrefs } from "../../ports/prefs.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { ConversationId, SessionId, UserId } from "../../protocol/ids.ts";
import { PINNED_MAX, type Prefs } from "../../protocol/prefs.ts";
import { KeyedBatches, type KeyedBatchLimits } from "../batching/keyed-batches.ts";
import { Batcher } from "../batching/shared-reads.ts";
import type { Database } from "./pool.ts";
import { PREFS_OUTCOMES } from "./refusals.ts";

const CHANGE = { name: "change_prefs", text: "SELECT * FROM change_prefs($1, $2) ORDER BY n" };
const OF_MEMBERSHIPS = {
  name: "prefs_of_memberships",
  text: `SELECT p.user_id, prefs_text(p, NULL) AS prefs FROM conversation_prefs p
    WHERE p.user_id = ANY ($2::bigint[]) AND p.conversation_id = $1 AND p.is_removed = $3`,
};
// A row for a member; its text is null where none were ever set. Members of a parent may read the
// preferences of its threads; what is marked unread and cleared there is in the follower's own row.
const PREFS = {
  name: "prefs_of_reader",
  text: `SELECT a.n::int, prefs_text(p, o) AS prefs
    FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS a (reader, id, n)
    JOIN conversations c ON c.id = a.id AND c.deleted_at IS NULL
    JOIN conversation_members k
      ON k.conversation_id = coalesce(c.parent_id, c.id) AND k.user_id = a.reader
      AND NOT coalesce(k.visible_from_seq > c.parent_seq, false)
    LEFT JOIN conversation_members o ON o.conversation_id = a.id AND o.user_id = a.reader
    LEFT JOIN conversation_prefs p
      ON p.user_id = a.reader AND p.conversation_id = a.id AND NOT p.is_removed`,
};
const PREFS_AFTER = {
  name: "prefs_after",
  text: `SELECT prefs_text(p, k) AS prefs, p.set_by FROM conversation_prefs p
    LEFT JOIN conversation_members k
      ON k.conversation_id = p.conversation_id AND k.user_id = p.user_id
    WHERE p.user_id = $1 AND p.prefs_rev > $2 ORDER BY p.prefs_rev LIMIT $3`,
};
const PREFS_REVS = {
  name: "prefs_revs",
  text: "SELECT k.user_id, k.last_rev FROM prefs_counters k WHERE k.user_id = ANY ($1::bigint[])",
};

interface ChangedRow {
  outcome: string;
  changed: boolean;
  prefs: string | null;
}

interface Reading {
  reader: UserId;
  id: ConversationId;
}

export class PostgresPrefs implements PrefsStore {
  readonly #database: Database;
  readonly #changes: KeyedBatches<AskedPrefs, { prefs: Prefs; changed: boolean }>;

  /** `writes`: connections of their own, for a batch may wait for a user's lock. */
  constructor(database: Database, writes: Database, limits: KeyedBatchLimits) {
    this.#database = database;
    this.#changes = new KeyedBatches((asked) => writeChanges(writes, asked), {
      name: "prefs",
      ...limits,
      keyOf: ({ userId }) => userId,
    });
  }

  change(asked: AskedPrefs): Promise<Result<{ prefs: Prefs; changed: boolean }>> {
    return this.#changes.write(asked);
  }

  forgotten(id: ConversationId, users: readonly UserId[]): Promise<MembershipPrefs[]> {
    return this.#ofMemberships(id, users, true);
  }

  begun(id: ConversationId, users: readonly UserId[]): Promise<MembershipPrefs[]> {
    return this.#ofMemberships(id, users, false);
  }

  async #ofMemberships(
    id: ConversationId,
    users: readonly UserId[],
    isOver: boolean,
  ): Promise<MembershipPrefs[]> {
    const rows = await this.#database.read<{ user_id: UserId; prefs: string }>(OF_MEMBERSHIPS, [
      id,
      users,
      isOver,
    ]);
    return rows.map(({ user_id, prefs }) => ({ userId: user_id, prefs: prefsOf(prefs) }));
  }

  /** Writes what waits; later ones are refused. */
  close(): Promise<void> {
    return this.#changes.close();
  }
}

export class PostgresPrefsQueries implements PrefsQueries {
  readonly #database: Database;
  readonly #prefs: Batcher<Reading, Prefs | null>;

  constructor(database: Database) {
    this.#database = database;
    this.#prefs = new Batcher((readings) => readPrefs(database, readings), {
      batchMax: 256,
      inFlightMax: 1,
    });
  }

  prefs(reader: UserId, id: ConversationId): Promise<Prefs | null> {
    return this.#prefs.ask({ reader, id });
  }

  async prefsAfter(reader: UserId, rev: number, limit: number): Promise<StoredPrefs[]> {
    const rows = await this.#database.read<{ prefs: string; set_by: SessionId | "" }>(PREFS_AFTER, [
      reader,
      rev,
      limit,
    ]);
    return rows.map(({ prefs, set_by }) => ({ prefs: prefsOf(prefs), setBy: set_by }));
  }

  async prefsRevs(users: UserId[]): Promise<Map<UserId, number>> {
    const rows = await this.#database.read<{ user_id: UserId; last_rev: string }>(PREFS_REVS, [
      users,
    ]);
    return new Map(rows.map(({ user_id, last_rev }) => [user_id, Number(last_rev)]));
  }
}

/** What prefs_text wrote needs no mapping: it is the contract's JSON. */
function prefsOf(text: string): Prefs {
  return JSON.parse(text) as Prefs;
}

async function readPrefs(database: Database, readings: Reading[]): Promise<(Prefs | null)[]> {
  const rows = await database.read<{ n: number; prefs: string | null }>(PREFS, [
    readings.map(({ reader }) => reader),
    readings.map(({ id }) => id),
  ]);
  const found: (Prefs | null)[] = new Array(readings.length).fill(null);
  for (const { n, prefs } of rows) {
    const none: Prefs = { conversation_id: readings[n - 1]!.id, prefs_rev: 0 };
    found[n - 1] = prefs === null ? none : prefsOf(prefs);
  }
  return found;
}

async function writeChanges(
  writes: Database,
  asked: AskedPrefs[],
): Promise<Result<{ prefs: Prefs; changed: boolean }>[]> {
  const rows = await writes.write<ChangedRow>(CHANGE, [
    JSON.stringify(asked.map(parameterOf)),
    PINNED_MAX,
  ]);
  return rows.map(({ outcome, changed, prefs }) =>
    prefs === null
      ? (PREFS_OUTCOMES[outcome] ?? REFUSALS.internal)
      : ok({ prefs: prefsOf(prefs), changed }),
  );
}

/** As change_prefs takes it. */
function parameterOf({
  userId,
  conversationId,
  change,
  session,
  draftBy,
  isOwnDraftOnly,
}: AskedPrefs) {
  return {
    u: userId,
    c: conversationId,
    h: change,
    s: session,
    w: draftBy,
    ...(isOwnDraftOnly && { d: true }),
  };
}
