/** ServiceStore in memory; the twin of ../postgres/services.ts, held to the same suite. */

import type { ListPage } from "../../ports/pages.ts";
import type { AuditFilter, AuditRow, NotedToken, ServiceStore } from "../../ports/services.ts";
import type { AuditEntry, ServiceToken } from "../../protocol/service-routes.ts";
import { decodeListCursor } from "../postgres/list-cursor.ts";
import { entryOf, gathered } from "../postgres/services.ts";
import { pageOf } from "../postgres/social-queries.ts";
import { compareIds, type MemoryTables } from "./tables.ts";

const MINUTE_MS = 60_000;

export class MemoryServices implements ServiceStore {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async noteToken({ jti, subject, scope, issuedAtMs, expiresAtMs }: NotedToken): Promise<void> {
    const { serviceTokens } = this.#tables;
    if (serviceTokens.has(jti)) return;
    serviceTokens.set(jti, {
      id: this.#tables.nextId(),
      jti,
      sub: subject,
      scope,
      created_at: new Date(issuedAtMs).toISOString(),
      expires_at: new Date(expiresAtMs).toISOString(),
      revoked_at: null,
    });
  }

  async serviceTokens(
    limit: number,
    cursor: string | null,
  ): Promise<ListPage<ServiceToken> | undefined> {
    const below = cursor === null ? null : decodeListCursor("tokens", cursor);
    if (below === undefined) return undefined;
    const found = [...this.#tables.serviceTokens.values()]
      .filter(({ expires_at }) => expires_at > this.#tables.nowIso())
      .filter(({ id }) => below === null || compareIds(id, below) < 0)
      .reverse();
    const { items, next_cursor } = pageOf("tokens", found, limit, ({ id }) => id);
    return { items: items.map(({ id: _, ...token }) => ({ ...token })), next_cursor };
  }

  async serviceToken(jti: string): Promise<ServiceToken | null> {
    const stored = this.#tables.serviceTokens.get(jti);
    if (stored === undefined) return null;
    const { id: _, ...token } = stored;
    return token;
  }

  async endServiceToken(jti: string): Promise<ServiceToken | null> {
    const stored = this.#tables.serviceTokens.get(jti);
    if (stored !== undefined) stored.revoked_at ??= this.#tables.nowIso();
    return this.serviceToken(jti);
  }

  async writeAudit(rows: readonly AuditRow[]): Promise<void> {
    const minute = Math.floor(this.#tables.nowMs() / MINUTE_MS);
    for (const { actingFor, isGathered, token, count, ...row } of gathered(rows)) {
      const key = isGathered ? JSON.stringify([token, row.act, minute]) : null;
      const same = this.#tables.audit.find((one) => key !== null && one.key === key)?.entry;
      if (same !== undefined) {
        same.count += count;
        if (same.acting_for !== actingFor) same.acting_for = null;
        if (same.target !== row.target) same.target = null;
        continue;
      }
      const id = this.#tables.nextId();
      const changed = [...row.changed];
      const at = this.#tables.nowIso();
      const entry = { id, at, ...row, acting_for: actingFor, changed, count };
      this.#tables.audit.push({ key, entry });
    }
  }

  async audit(
    { actor, target, after }: AuditFilter,
    limit: number,
    cursor: string | null,
  ): Promise<ListPage<AuditEntry> | undefined> {
    const below = cursor === null ? null : decodeListCursor("audit", cursor);
    if (below === undefined) return undefined;
    const found = this.#tables.audit
      .map(({ entry }) => entry)
      .filter((entry) => actor === null || entry.actor === actor)
      .filter((entry) => target === null || entry.target === target)
      .filter((entry) => after === null || entry.at >= after)
      .filter(({ id }) => below === null || compareIds(id, below) < 0)
      .reverse();
    const { items, next_cursor } = pageOf("audit", found, limit, ({ id }) => id);
    return { items: items.map((entry) => entryOf({ ...entry })), next_cursor };
  }
}
