/**
 * AccountStore on PostgreSQL: users, their passwords, and logins as families of refresh tokens.
 * Called by the edge's auth routes.
 */
import type {
  Account,
  AccountStore,
  EndedFamily,
  LoginOrigin,
  NewOutsideUser,
  PutUser,
  RefreshGrant,
  ShutOut,
  StoredLogin,
  SuspensionTerms,
  UserChange,
} from "../../ports/edge.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { FamilyId, UserId } from "../../protocol/ids.ts";
import type { User } from "../../protocol/schemas.ts";
import { usernameOfSubject } from "./account-names.ts";
import { StorageFault } from "./fault.ts";
import { TOP } from "./list-cursor.ts";
import type { Database } from "./pool.ts";
import { STORAGE_REFUSALS } from "./refusals.ts";
import { USER_COLUMNS, type UserRow, userOf } from "./rows.ts";

const REGISTER = {
  text: `INSERT INTO users AS u (username, display_name, password_hash)
    SELECT $1, $2, $3 WHERE NOT EXISTS (
      SELECT 1 FROM reserved_names r
      WHERE r.name_hash = name_hash($1) AND r.until > clock_timestamp()
    )
    ON CONFLICT DO NOTHING RETURNING ${USER_COLUMNS}`,
};
const BY_USERNAME = {
  name: "account_by_username",
  text: `SELECT ${USER_COLUMNS}, u.password_hash, is_suspended(u) AS suspended,
      EXISTS (SELECT 1 FROM refresh_families f WHERE f.user_id = u.id AND f.address = $2)
        AS is_known_address
    FROM users u WHERE u.username = $1`,
};
export const USER_BY_ID = {
  name: "user_by_id",
  text: `SELECT ${USER_COLUMNS} FROM users u WHERE u.id = $1`,
};
const BY_SUBJECT = {
  name: "user_by_subject",
  text: `SELECT ${USER_COLUMNS} FROM users u WHERE u.issuer = $1 AND u.subject IN ($2, erased_subject($1, $2))`,
};
const ADMIT_SUBJECT = {
  text: `INSERT INTO users AS u (username, display_name, image_url, issuer, subject)
    SELECT $3, $4, $5, $1, $2 WHERE NOT EXISTS (
      SELECT 1 FROM reserved_names r
      WHERE r.name_hash = name_hash($3) AND r.until > clock_timestamp()
    )
    ON CONFLICT DO NOTHING RETURNING ${USER_COLUMNS}`,
};
// After a change of name, how soon the next one may be, and how long nobody else has the old name.
const RENAMED = "interval '30 days'";
const CHANGE_USER = {
  text: `SELECT p.* FROM put_user($1, NULL, $2, ${RENAMED}, ${RENAMED}) p`,
};
// The users are put once the service is set, on which their argument depends.
const PUT_EXTERNAL = {
  text: `SELECT p.* FROM set_config('troupe.service', $2, true) s (name)
    CROSS JOIN LATERAL put_users(CASE WHEN s.name IS NOT NULL THEN $1::jsonb END, ${RENAMED}) p
    ORDER BY p.n`,
};
const USERS_BY_IDS = {
  text: `SELECT ${USER_COLUMNS} FROM users u WHERE u.id = ANY ($1::bigint[])`,
};
const SET_PASSWORD = {
  text: `WITH changed AS (
      UPDATE users u SET password_hash = $2
      WHERE u.id = $1 AND u.issuer IS NULL AND u.erased_at IS NULL RETURNING u.id
    ), ended AS (
      UPDATE refresh_families f SET revoked_at = clock_timestamp()
      FROM changed c WHERE f.user_id = c.id AND f.revoked_at IS NULL
      RETURNING f.id
    )
    SELECT (SELECT count(*) FROM changed) = 1 AS is_changed,
      coalesce((SELECT array_agg(e.id::text) FROM ended e), '{}') AS ended
    FROM users u WHERE u.id = $1 AND u.erased_at IS NULL`,
};
// A login also sweeps out the user's logins that expired a day ago or more.
const START_FAMILY = {
  text: `WITH swept AS (
      DELETE FROM refresh_families f
      WHERE f.user_id = $1 AND f.expires_at < statement_timestamp() - interval '1 day'
    ), family AS (
      INSERT INTO refresh_families (user_id, expires_at, root_hash, address, user_agent)
      VALUES ($1, clock_timestamp() + $3 * interval '1 millisecond', $4, $5, $6)
      RETURNING id, expires_at
    ), token AS (
      INSERT INTO refresh_tokens (token_hash, family_id, expires_at) 
      SELECT $2, id, expires_at FROM family
    )
    SELECT id FROM family`,
};
const ROTATE = {
  name: "rotate_refresh_token",
  text: `SELECT r.outcome, r.family_id, ${USER_COLUMNS}
    FROM rotate_refresh_token($1, $2, clock_timestamp() + $3 * interval '1 millisecond') r
     LEFT JOIN users u ON u.id = r.user_id`,
};
const SUSPEND = {
  text: `WITH changed AS (
      UPDATE users u
      SET suspended_at = CASE WHEN $2 AND is_suspended(u) THEN u.suspended_at
          WHEN $2 THEN clock_timestamp() END,
        suspended_until = $3::timestamptz, suspension_reason = $4,
        suspension_changed_at = clock_timestamp()
      WHERE u.id = $1 AND u.erased_at IS NULL AND (
        (u.suspended_at IS NOT NULL) <> $2
        OR (u.suspended_until, u.suspension_reason) IS DISTINCT FROM ($3::timestamptz, $4)
      )
    )
    SELECT u.id FROM users u WHERE u.id = $1 AND u.erased_at IS NULL`,
};
// Each part is one look into an index of few rows.
const SHUT_OUT_WITHIN = {
  name: "shut_out_within",
  text: `SELECT 'family' AS what, f.id::text AS id, false AS suspended, NULL AS at_ms
    FROM refresh_families f
    WHERE f.revoked_at >= statement_timestamp() - $1 * interval '1 millisecond'
    UNION ALL
    SELECT 'suspension', u.id::text, is_suspended(u), NULL FROM users u
    WHERE u.suspension_changed_at >= statement_timestamp() - $2 * interval '1 millisecond'
    UNION ALL
    SELECT 'suspension', u.id::text, is_suspended(u), NULL FROM users u
    WHERE u.suspended_until >= statement_timestamp() - $2 * interval '1 millisecond'
      AND u.suspended_until <= statement_timestamp()
    UNION ALL
    SELECT 'cut', u.id::text, false, (extract(epoch FROM u.tokens_cut_at) * 1000)::bigint::text
    FROM users u WHERE u.tokens_cut_at >= statement_timestamp() - $2 * interval '1 millisecond'
    UNION ALL
    SELECT 'token', t.jti, false, NULL FROM service_tokens t
    WHERE t.revoked_at >= statement_timestamp() - $2 * interval '1 millisecond'
    UNION ALL
    SELECT 'rules', m.rev::text, false, NULL FROM moderation_rules m`,
};
// A cut is at least one millisecond after the one before, so that it is always a new one.
const CUT_TOKENS = {
  text: `WITH cut AS (
      UPDATE users u SET tokens_cut_at =
        greatest(clock_timestamp(), u.tokens_cut_at + interval '1 millisecond')
      WHERE u.id = $1 RETURNING u.id, u.tokens_cut_at
    ), ended AS (
      UPDATE refresh_families f SET revoked_at = clock_timestamp()
      FROM cut WHERE f.user_id = cut.id AND f.revoked_at IS NULL
    )
    SELECT (extract(epoch FROM cut.tokens_cut_at) * 1000)::bigint AS at_ms FROM cut`,
};
const REHASH = {
  text: "UPDATE users u SET password_hash = $3 WHERE u.id = $1 AND u.password_hash = $2",
};
const REVOKE_BY_TOKEN = {
  text: `UPDATE refresh_families f SET revoked_at = coalesce(f.revoked_at, clock_timestamp())
    FROM refresh_tokens t WHERE t.token_hash = $1 AND f.id = t.family_id
    RETURNING f.id, f.user_id`,
};
const REVOKE_BY_ROOT = {
  text: `UPDATE refresh_families f SET revoked_at = clock_timestamp()
    WHERE f.root_hash = $1 AND f.revoked_at IS NULL AND f.expires_at > clock_timestamp()
    RETURNING f.id, f.user_id`,
};
const END_FAMILY = {
  text: `UPDATE refresh_families f SET revoked_at = clock_timestamp()
    WHERE f.user_id = $1 AND f.id = $2 AND f.revoked_at IS NULL
      AND f.expires_at > clock_timestamp()
    RETURNING f.id`,
};
const FAMILIES = {
  text: `SELECT f.id, f.created_at, f.last_used_at, f.address, f.user_agent
    FROM refresh_families f
    WHERE f.user_id = $1 AND f.revoked_at IS NULL AND f.expires_at > clock_timestamp()
      AND f.id < $2
    ORDER BY f.id DESC LIMIT $3`,
};
// The second part sees the user's row as it was before: it must not ask for the new hash.
const CHANGE_PASSWORD = {
  text: `WITH changed AS (
      UPDATE users u SET password_hash = $3 WHERE u.id = $1 AND u.password_hash = $2
      RETURNING u.id
    ), ended AS (
      UPDATE refresh_families f SET revoked_at = clock_timestamp()
      FROM changed c
      WHERE f.user_id = c.id AND f.revoked_at IS NULL AND f.id IS DISTINCT FROM $4::bigint
      RETURNING f.id
    )
    SELECT (SELECT count(*) FROM changed) = 1 AS is_changed,
      coalesce((SELECT array_agg(e.id::text) FROM ended e), '{}') AS ended`,
};

interface EndedRow {
  id: FamilyId;
  user_id: UserId;
}

interface PutRow {
  outcome: "ok" | "not_found" | "username_taken" | "too_soon";
  user_id: string;
  created: boolean;
  changed: boolean;
}

const putOf = ({ created, changed }: PutRow, user: User): PutUser => ({ user, created, changed });

function refusalOf(outcome: Exclude<PutRow["outcome"], "ok"> | string) {
  if (outcome === "username_taken") return STORAGE_REFUSALS.usernameTaken;
  return outcome === "too_soon" ? STORAGE_REFUSALS.renamedLately : REFUSALS.userNotFound;
}

interface ShutOutRow {
  what: "family" | "suspension" | "cut" | "token" | "rules";
  id: string;
  suspended: boolean;
  at_ms: string | null;
}

/** Names tried for an outside user before giving up; each clash is someone's chosen name. */
const NAMES_MAX = 8;

export class PostgresAccounts implements AccountStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async register(
    username: string,
    displayName: string,
    passwordHash: string,
  ): Promise<Result<User>> {
    const values = [username, displayName, passwordHash];
    const [row] = await this.#database.write<UserRow>(REGISTER, values);
    return row ? ok(userOf(row)) : STORAGE_REFUSALS.usernameTaken;
  }

  async byUsername(username: string, address: string): Promise<Account | null> {
    const [row] = await this.#database.read<
      UserRow & { password_hash: string | null; suspended: boolean; is_known_address: boolean }
    >(BY_USERNAME, [username, address]);
    if (!row) return null;
    const { password_hash: passwordHash, suspended, is_known_address: isKnownAddress } = row;
    return { user: userOf(row), passwordHash, suspended, isKnownAddress };
  }

  async byId(id: UserId): Promise<User | null> {
    const [row] = await this.#database.read<UserRow>(USER_BY_ID, [id]);
    return row ? userOf(row) : null;
  }

  async bySubject(
    issuer: string,
    subject: string,
    { username: wished, displayName, imageUrl }: NewOutsideUser,
  ): Promise<{ user: User; created: boolean }> {
    for (let attempt = wished === null ? 0 : -1; attempt < NAMES_MAX; attempt++) {
      const [known] = await this.#database.read<UserRow>(BY_SUBJECT, [issuer, subject]);
      if (known) return { user: userOf(known), created: false };
      const username =
        attempt < 0 && wished !== null ? wished : usernameOfSubject(issuer, subject, attempt);
      const values = [issuer, subject, username, displayName ?? username, imageUrl];
      const [made] = await this.#database.write<UserRow>(ADMIT_SUBJECT, values);
      if (made) return { user: userOf(made), created: true };
    }
    throw new StorageFault("locked", `no free username for a subject of ${issuer}`);
  }

  async changeUser(id: UserId, change: UserChange): Promise<Result<PutUser>> {
    const values = [id, JSON.stringify(change)];
    const [row] = await this.#database.write<PutRow>(CHANGE_USER, values);
    if (row!.outcome !== "ok") return refusalOf(row!.outcome);
    // A second statement, which sees what the first has changed.
    const user = await this.byId(id);
    return user === null ? REFUSALS.userNotFound : ok(putOf(row!, user));
  }

  async putExternal(
    users: readonly { externalId: string; change: UserChange }[],
    service = "",
  ): Promise<Result<PutUser>[]> {
    const asked = users.map(({ externalId, change }) => ({ external_id: externalId, change }));
    // Tried again after a lost answer it changes nothing more.
    const rows = await this.#database.read<PutRow>(PUT_EXTERNAL, [JSON.stringify(asked), service]);
    const ids = rows.flatMap((row) => (row.outcome === "ok" ? [row.user_id] : []));
    // A second statement, which sees what the first has made.
    const found = await this.#database.read<UserRow>(USERS_BY_IDS, [[...new Set(ids)]]);
    const byId = new Map(found.map((row) => [row.id, userOf(row)]));
    return rows.map((row) => {
      const user = byId.get(row.user_id);
      if (row.outcome !== "ok") return refusalOf(row.outcome);
      return user === undefined ? REFUSALS.userNotFound : ok(putOf(row, user));
    });
  }

  async setPassword(id: UserId, hash: string): Promise<Result<FamilyId[]>> {
    const [row] = await this.#database.write<{ is_changed: boolean; ended: FamilyId[] }>(
      SET_PASSWORD,
      [id, hash],
    );
    if (row === undefined) return REFUSALS.userNotFound;
    return row.is_changed ? ok(row.ended) : STORAGE_REFUSALS.outsideUser;
  }

  async suspend(id: UserId, suspension: SuspensionTerms | null): Promise<Result<null>> {
    const { until = null, reason = null } = suspension ?? {};
    const values = [id, suspension !== null, until, reason];
    const [row] = await this.#database.write<{ id: UserId }>(SUSPEND, values);
    return row ? ok(null) : REFUSALS.userNotFound;
  }

  async cutTokens(id: UserId): Promise<number | null> {
    // A lost answer is followed by a second cut, which does what the first did.
    const [row] = await this.#database.read<{ at_ms: string }>(CUT_TOKENS, [id]);
    return row ? Number(row.at_ms) : null;
  }

  async shutOutWithin(familiesMs: number, othersMs: number): Promise<ShutOut> {
    const rows = await this.#database.read<ShutOutRow>(SHUT_OUT_WITHIN, [familiesMs, othersMs]);
    const found: ShutOut = {
      families: [],
      suspensions: [],
      cuts: [],
      tokens: [],
      rulesRev: 0,
    };
    for (const { what, id, suspended, at_ms } of rows) {
      const user = id as UserId;
      if (what === "family") found.families.push(id as FamilyId);
      else if (what === "suspension") found.suspensions.push({ user, suspended });
      else if (what === "rules") found.rulesRev = Number(id);
      else if (what === "cut") found.cuts.push({ user, atMs: Number(at_ms) });
      else found.tokens.push(id);
    }
    return found;
  }

  async rehash(id: UserId, oldHash: string, newHash: string): Promise<void> {
    await this.#database.write(REHASH, [id, oldHash, newHash]);
  }

  async changePassword(
    id: UserId,
    oldHash: string,
    newHash: string,
    kept: FamilyId | null,
  ): Promise<FamilyId[] | null> {
    const values = [id, oldHash, newHash, kept];
    const [row] = await this.#database.write<{ is_changed: boolean; ended: FamilyId[] }>(
      CHANGE_PASSWORD,
      values,
    );
    return row!.is_changed ? row!.ended : null;
  }

  async startFamily(
    userId: UserId,
    tokenHash: string,
    ttlMs: number,
    { rootHash, address, userAgent }: LoginOrigin,
  ): Promise<FamilyId> {
    const values = [userId, tokenHash, ttlMs, rootHash, address, userAgent];
    const [row] = await this.#database.write<{ id: FamilyId }>(START_FAMILY, values);
    return row!.id;
  }

  async rotate(
    tokenHash: string,
    nextHash: string,
    ttlMs: number,
  ): Promise<
    | { outcome: "rotated" | "repeated"; grant: RefreshGrant }
    | ({ outcome: "reused" } & EndedFamily)
    | { outcome: "suspended" }
    | { outcome: "unknown" }
  > {
    const values = [tokenHash, nextHash, ttlMs];
    const [row] = await this.#database.write<
      UserRow & {
        id: UserId;
        outcome: "rotated" | "repeated" | "reused" | "suspended" | "unknown";
        family_id: FamilyId;
      }
    >(ROTATE, values);
    switch (row!.outcome) {
      case "rotated":
      case "repeated": {
        const grant = { user: userOf(row!), family: row!.family_id };
        return { outcome: row!.outcome, grant };
      }
      case "reused":
        return { outcome: "reused", family: row!.family_id, userId: row!.id };
      case "suspended":
      case "unknown":
        return { outcome: row!.outcome };
    }
  }

  async revokeByToken(tokenHash: string): Promise<EndedFamily | null> {
    const [row] = await this.#database.read<EndedRow>(REVOKE_BY_TOKEN, [tokenHash]);
    return row ? { family: row.id, userId: row.user_id } : null;
  }

  async revokeByRoot(rootHash: string): Promise<EndedFamily | null> {
    const [row] = await this.#database.write<EndedRow>(REVOKE_BY_ROOT, [rootHash]);
    return row ? { family: row.id, userId: row.user_id } : null;
  }

  async endFamily(userId: UserId, family: FamilyId): Promise<boolean> {
    const rows = await this.#database.write(END_FAMILY, [userId, family]);
    return rows.length > 0;
  }

  async families(userId: UserId, before: string | null, limit: number): Promise<StoredLogin[]> {
    return this.#database.read<StoredLogin>(FAMILIES, [userId, before ?? TOP, limit]);
  }
}
