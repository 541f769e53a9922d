/** ServiceStore on PostgreSQL: the tokens of back ends, and the log of what they changed. */

import type { ListPage } from "../../ports/pages.ts";
import type { AuditFilter, AuditRow, NotedToken, ServiceStore } from "../../ports/services.ts";
import type { AuditEntry, ServiceToken } from "../../protocol/service-routes.ts";
import { decodeListCursor, TOP } from "./list-cursor.ts";
import type { Database } from "./pool.ts";
import { pageOf } from "./social-queries.ts";

const TOKEN_COLUMNS =
  "t.id, t.jti, t.subject AS sub, t.scope, t.created_at, t.expires_at, t.revoked_at";
const NOTE_TOKEN = {
  text: `INSERT INTO service_tokens (jti, subject, scope, created_at, expires_at)
    VALUES ($1, $2, $3, to_timestamp($4::bigint / 1000.0), to_timestamp($5::bigint / 1000.0))
    ON CONFLICT DO NOTHING`,
};
const TOKENS = {
  text: `SELECT ${TOKEN_COLUMNS} FROM service_tokens t
    WHERE t.expires_at > clock_timestamp() AND t.id < $1 ORDER BY t.id DESC LIMIT $2`,
};
const TOKEN = { text: `SELECT ${TOKEN_COLUMNS} FROM service_tokens t WHERE t.jti = $1` };
const END_TOKEN = {
  text: `UPDATE service_tokens t SET revoked_at = coalesce(t.revoked_at, clock_timestamp())
    WHERE t.jti = $1 RETURNING ${TOKEN_COLUMNS}`,
};

// Sorted, so that batches of two edges take gathered rows in the same order.
const WRITE_AUDIT = {
  name: "write_audit",
  text: `INSERT INTO audit_log AS a
      (actor, token, acting_for, act, target, reason, changed, count, minute)
    SELECT x.actor, x.token, x.acting_for, x.act, x.target, x.reason, x.changed, x.count,
      CASE WHEN x.gathered THEN date_trunc('minute', clock_timestamp()) END
    FROM jsonb_to_recordset($1::jsonb) AS x (
      actor text, token text, acting_for bigint, act text, target text, reason text,
      changed text[], count integer, gathered boolean
    )
    ORDER BY x.token, x.act
    ON CONFLICT (token, act, minute) WHERE minute IS NOT NULL DO UPDATE SET
      count = a.count + excluded.count,
      acting_for = CASE WHEN a.acting_for = excluded.acting_for THEN a.acting_for END,
      target = CASE WHEN a.target = excluded.target THEN a.target END`,
};
const AUDIT = {
  text: `SELECT a.id, a.at, a.actor, a.acting_for, a.act, a.target, a.reason, a.changed, a.count
    FROM audit_log a
    WHERE a.id < $1 AND ($2::text IS NULL OR a.actor = $2) AND ($3::text IS NULL OR a.target = $3)
      AND ($4::timestamptz IS NULL OR a.at >= $4)
    ORDER BY a.id DESC LIMIT $5`,
};

type TokenRow = ServiceToken & { id: string };

export class PostgresServices implements ServiceStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async noteToken({ jti, subject, scope, issuedAtMs, expiresAtMs }: NotedToken): Promise<void> {
    await this.#database.read(NOTE_TOKEN, [jti, subject, scope, issuedAtMs, expiresAtMs]);
  }

  async serviceTokens(
    limit: number,
    cursor: string | null,
  ): Promise<ListPage<ServiceToken> | undefined> {
    const below = cursor === null ? TOP : decodeListCursor("tokens", cursor);
    if (below === undefined) return undefined;
    const rows = await this.#database.read<TokenRow>(TOKENS, [below, limit + 1]);
    const { items, next_cursor } = pageOf("tokens", rows, limit, ({ id }) => id);
    return { items: items.map(tokenOf), next_cursor };
  }

  async serviceToken(jti: string): Promise<ServiceToken | null> {
    const [row] = await this.#database.read<TokenRow>(TOKEN, [jti]);
    return row ? tokenOf(row) : null;
  }

  async endServiceToken(jti: string): Promise<ServiceToken | null> {
    const [row] = await this.#database.read<TokenRow>(END_TOKEN, [jti]);
    return row ? tokenOf(row) : null;
  }

  async writeAudit(rows: readonly AuditRow[]): Promise<void> {
    const values = gathered(rows).map(({ actingFor, isGathered, ...row }) => ({
      ...row,
      acting_for: actingFor,
      gathered: isGathered,
    }));
    await this.#database.write(WRITE_AUDIT, [JSON.stringify(values)]);
  }

  async audit(
    { actor, target, after }: AuditFilter,
    limit: number,
    cursor: string | null,
  ): Promise<ListPage<AuditEntry> | undefined> {
    const below = cursor === null ? TOP : decodeListCursor("audit", cursor);
    if (below === undefined) return undefined;
    const values = [below, actor, target, after, limit + 1];
    const rows = await this.#database.read<Required<AuditEntry>>(AUDIT, values);
    const { items, next_cursor } = pageOf("audit", rows, limit, ({ id }) => id);
    return { items: items.map(entryOf), next_cursor };
  }
}

/** Rows of one statement that belong into one row of the table, as one. */
export function gathered(rows: readonly AuditRow[]): (AuditRow & { count: number })[] {
  const byKey = new Map<string, AuditRow & { count: number }>();
  const all: (AuditRow & { count: number })[] = [];
  for (const row of rows) {
    const key = JSON.stringify([row.token, row.act]);
    const same = row.isGathered ? byKey.get(key) : undefined;
    if (same === undefined) {
      const first = { ...row, count: 1 };
      all.push(first);
      if (row.isGathered) byKey.set(key, first);
      continue;
    }
    same.count++;
    if (same.actingFor !== row.actingFor) same.actingFor = null;
    if (same.target !== row.target) same.target = null;
  }
  return all;
}

function tokenOf({ id: _place, ...token }: TokenRow): ServiceToken {
  return token;
}

/** The contract's object of a row; a count of one says nothing. */
export function entryOf({ count, ...entry }: Required<AuditEntry>): AuditEntry {
  return count > 1 ? { ...entry, count } : entry;
}
