/**
 * The port to storage of what back ends do: their tokens, and the log of what they changed.
 * Implemented in src/storage (PostgreSQL and memory twin, one contract suite). Rejects only when
 * storage is out of reach.
 */
import type { AuditEntry, ServiceToken } from "../protocol/service-routes.ts";
import type { ListPage } from "./pages.ts";

/** A service token as it was minted, or as it was first shown to an edge. */
export interface NotedToken {
  jti: string;
  subject: string;
  scope: string;
  issuedAtMs: number;
  expiresAtMs: number;
}

export interface AuditRow {
  /** The `sub` of a service token, or "operator" for the command line. */
  actor: string;
  /** The token's `jti`; null for the command line. */
  token: string | null;
  actingFor: string | null;
  act: string;
  target: string | null;
  reason: string | null;
  changed: readonly string[];
  /** Rows of one token, act and minute become one. */
  isGathered: boolean;
}

export interface AuditFilter {
  actor: string | null;
  target: string | null;
  /** ISO time: rows from then on. */
  after: string | null;
}

export interface ServiceStore {
  /** Idempotent: what is known of a token stays as it is. */
  noteToken(token: NotedToken): Promise<void>;
  /** Those that have not expired, newest first. Undefined: bad cursor. */
  serviceTokens(limit: number, cursor: string | null): Promise<ListPage<ServiceToken> | undefined>;
  serviceToken(jti: string): Promise<ServiceToken | null>;
  /** Idempotent; null: no such token is known. */
  endServiceToken(jti: string): Promise<ServiceToken | null>;

  /** Writes all rows, or rejects; gathered ones count up. */
  writeAudit(rows: readonly AuditRow[]): Promise<void>;
  /** Newest first. Undefined: bad cursor. */
  audit(
    filter: AuditFilter,
    limit: number,
    cursor: string | null,
  ): Promise<ListPage<AuditEntry> | undefined>;
}
