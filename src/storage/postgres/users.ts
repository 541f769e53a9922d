/** UserStore on PostgreSQL, for the user actors of one thread: when users were last seen. */
import type { LastSeen, PrivacySet, UserStore } from "../../../actors/ports.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { Privacy, PrivacyPatch } from "../../protocol/privacy.ts";
import type { User } from "../../protocol/schemas.ts";
import { Batcher } from "../batching/shared-reads.ts";
import type { Database } from "./pool.ts";
import { IS_RESERVED } from "./privacy.ts";
import { USER_COLUMNS, type UserRow, userOf } from "./rows.ts";

/**
 * Between statements that sessions need to begin (see Batcher). Longer: fewer statements a
 * handshake (at 5 ms, a third more of all its CPU), but each waits for three of them.
 */
export const STORM_PACE_MS = 20;

const LAST_SEEN = {
  name: "last_seen",
  text: `SELECT u.id, u.last_seen_at, ${IS_RESERVED} AS is_reserved,
      (SELECT s.is_on AND s.has_presence FROM event_log_state s) AS is_wanted
    FROM users u
    WHERE u.id = ANY ($1::bigint[])`,
};
const RELEASE_PUSHES = { name: "release_pushes", text: "SELECT release_pushes($1)" };
const LOG_ONLINE = { name: "log_online", text: "SELECT log_online($1::bigint[])" };
const SAVE_LAST_SEEN = {
  name: "save_last_seen",
  // Rows in rising id, so that two hosts' batches cannot wait for each other.
  text: `WITH saved AS (UPDATE users u SET last_seen_at = x.at
    FROM (
      SELECT s.id, max(s.at) AS at
      FROM unnest($1::bigint[], $2::timestamptz(3)[]) AS s (id, at) GROUP BY s.id ORDER BY s.id
    ) x
    WHERE u.id = x.id AND (u.last_seen_at IS NULL OR u.last_seen_at < x.at)
    ) SELECT s.is_on AND s.has_presence AS is_wanted FROM event_log_state s`,
};

/** When each user that exists was last seen. `noteWanted`: whether events of presence are logged. */
export async function readLastSeen(
  database: Database,
  ids: UserId[],
  noteWanted?: (isWanted: boolean) => void,
): Promise<Map<UserId, LastSeen>> {
  const rows = await database.read<{
    id: UserId;
    last_seen_at: string | null;
    is_reserved: boolean;
    is_wanted: boolean;
  }>(LAST_SEEN, [ids]);
  if (rows[0] !== undefined) noteWanted?.(rows[0].is_wanted);
  return new Map(
    rows.map(({ id, last_seen_at: at, is_reserved: isReserved }) => [id, { at, isReserved }]),
  );
}

const USERS_BY_ID = {
  name: "users_by_id",
  text: `SELECT ${USER_COLUMNS} FROM users u WHERE u.id = ANY($1::bigint[])`,
};

/** One user or null for each id, in order. */
export async function readUsers(database: Database, ids: UserId[]): Promise<(User | null)[]> {
  const rows = await database.read<UserRow>(USERS_BY_ID, [[...new Set(ids)]]);
  const users = new Map(rows.map((row) => [row.id, userOf(row)]));
  return ids.map((id) => users.get(id) ?? null);
}

const PRIVACY = { name: "privacy_of_user", text: "SELECT privacy_text($1) AS privacy" };
const SET_PRIVACY = { name: "set_privacy", text: "SELECT * FROM set_privacy($1, $2::json)" };

/** The privacy settings of each user. */
export async function readPrivacy(database: Database, id: UserId): Promise<Privacy> {
  const [row] = await database.read<{ privacy: string }>(PRIVACY, [id]);
  return JSON.parse(row!.privacy) as Privacy;
}

export class PostgresUsers implements UserStore {
  readonly #database: Database;
  readonly #lastSeen: Batcher<UserId, LastSeen | undefined>;
  readonly #profiles: Batcher<UserId, User | null>;
  readonly #online: Batcher<UserId, null>;
  /** As the last statement that looked found it; every beginning and end of a presence looks. */
  #isPresenceWanted = false;
  readonly #saved: Batcher<{ id: UserId; at: string }, null>;

  constructor(database: Database) {
    this.#database = database;
    this.#lastSeen = new Batcher(
      async (ids) => {
        const found = await readLastSeen(database, ids, (isWanted) => {
          this.#isPresenceWanted = isWanted;
        });
        return ids.map((id) => found.get(id));
      },
      { batchMax: 500, inFlightMax: 1, stormPaceMs: STORM_PACE_MS },
    );
    this.#profiles = new Batcher((ids) => readUsers(database, ids), {
      batchMax: 256,
      inFlightMax: 1,
    });
    this.#online = new Batcher(
      async (ids) => {
        await database.write(LOG_ONLINE, [[...new Set(ids)]]);
        return ids.map(() => null);
      },
      { batchMax: 1000, inFlightMax: 1 },
    );
    this.#saved = new Batcher(
      async (seen) => {
        const values = [seen.map(({ id }) => id), seen.map(({ at }) => at)];
        const [row] = await database.read<{ is_wanted: boolean }>(SAVE_LAST_SEEN, values);
        this.#isPresenceWanted = row?.is_wanted === true;
        return seen.map(() => null);
      },
      // One statement at a time: calls that come meanwhile (a host's users all leaving) share the next.
      { batchMax: 1000, inFlightMax: 1 },
    );
  }

  lastSeen(id: UserId): Promise<LastSeen | undefined> {
    return this.#lastSeen.ask(id);
  }

  profile(id: UserId): Promise<User | null> {
    return this.#profiles.ask(id);
  }

  privacy(id: UserId): Promise<Privacy> {
    return readPrivacy(this.#database, id);
  }

  async setPrivacy(id: UserId, patch: PrivacyPatch): Promise<PrivacySet> {
    const [row] = await this.#database.read<{
      privacy: string;
      conversation_ids: ConversationId[];
    }>(SET_PRIVACY, [id, JSON.stringify(patch)]);
    return {
      privacy: JSON.parse(row!.privacy) as Privacy,
      conversationIds: row!.conversation_ids,
    };
  }

  async cameOnline(id: UserId): Promise<void> {
    if (this.#isPresenceWanted) await this.#online.ask(id);
  }

  async releasePushes(id: UserId): Promise<void> {
    await this.#database.read(RELEASE_PUSHES, [id]);
  }

  async saveLastSeen(id: UserId, at: string): Promise<void> {
    await this.#saved.ask({ id, at });
  }
}
