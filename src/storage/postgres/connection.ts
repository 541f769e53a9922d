/**
 * How Troupe talks to PostgreSQL: the settings of every connection, and how values come back.
 * bigints come as text (ids stay exact; mappers turn seq and rev into numbers), times as the
 * contract's ISO text, arrays of bigints as arrays of text.
 */
import type { ClientBase, ClientConfig, CustomTypesConfig } from "pg";
import pg from "pg";
import type { StorageFault } from "./fault.ts";

/**
 * none: a session is the client's own. The others are poolers that give a client another session
 * for each transaction, with and without the names of prepared statements.
 */
export type Pooling = "none" | "named" | "unnamed";

export interface StorageOptions {
  /**
   * Milliseconds after which a statement, and the wait for a connection, is given up and the
   * caller hears `unavailable`. Default 5,000. Too small: busy spells become refusals; too
   * large: callers wait long for a database that is away.
   */
  deadlineMs?: number;
  /** How the URL leads to PostgreSQL; see pooler.ts. Default "none". */
  pooling?: Pooling;
  /** Called for each fault with the number of callers that are refused because of it. */
  onFault?: (fault: StorageFault, refusals: number) => void;
}

export const DEADLINE_MS = 5_000;
/** What the client waits beyond the server's own deadline, for an answer under way. */
const GRACE_MS = 500;

const INT8_ARRAY = 1016;
const TIMESTAMPTZ = 1184;

/**
 * "2026-01-02 03:04:05.06+00", or the same with a T, to "2026-01-02T03:04:05.060Z". The session
 * is in UTC, and columns hold no more than milliseconds.
 */
export function isoOf(text: string): string {
  const offset = text.lastIndexOf("+");
  const millis = text.slice(20, offset).padEnd(3, "0");
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${millis}Z`;
}

function bigintsOf(text: string): string[] {
  return text === "{}" ? [] : text.slice(1, -1).split(",");
}

function getTypeParser(oid: number, format?: "text" | "binary"): (value: string) => unknown {
  if (oid === TIMESTAMPTZ) return isoOf;
  if (oid === INT8_ARRAY) return bigintsOf;
  return pg.types.getTypeParser(oid, format ?? "text");
}

// Plans of named statements are kept by the session and may date from when the tables were
// empty; every query here finds its rows by index, so other plans are only ever a mistake. (A
// bitmap would read and sort all posts of an author for the newest of them.) A page is as near as
// the next one, in memory or on an SSD: with a disk's price for jumping, the newest posts of
// everybody are read for those of one author (feed of 20 authors: 1.5 ms for 0.27 ms).
const SETTINGS: Readonly<Record<string, string>> = {
  TimeZone: "UTC",
  DateStyle: "ISO",
  default_transaction_isolation: "read committed",
  jit: "off",
  enable_seqscan: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  enable_bitmapscan: "off",
  enable_material: "off",
  random_page_cost: "1.1",
};
/** What a pooler in transaction mode keeps for its clients, whichever session they get. */
const KEPT_BY_POOLERS = ["TimeZone", "DateStyle"];
/** For commands that read whole tables: PostgreSQL's own, where the role has Troupe's settings. */
export const WHOLE_TABLES =
  "SET statement_timeout = 0; SET enable_seqscan = on; SET enable_hashjoin = on;" +
  " SET enable_mergejoin = on; SET enable_bitmapscan = on; SET enable_material = on";

/** Every setting of a session, as text. */
export function sessionSettings(deadlineMs: number): [name: string, value: string][] {
  return [...Object.entries(SETTINGS), ["statement_timeout", `${Math.ceil(deadlineMs)}ms`]];
}

export function connectionConfig(url: string, deadlineMs: number): ClientConfig {
  return {
    connectionString: url,
    application_name: "troupe",
    connectionTimeoutMillis: deadlineMs,
    query_timeout: deadlineMs + GRACE_MS,
    keepAlive: true,
    types: { getTypeParser: getTypeParser as CustomTypesConfig["getTypeParser"] },
  };
}

/** To be done once on every new connection. Through a pooler the role has the rest of it. */
export async function prepareSession(
  client: ClientBase,
  deadlineMs: number,
  pooling: Pooling = "none",
): Promise<void> {
  const settings = sessionSettings(deadlineMs).filter(
    ([name]) => pooling === "none" || KEPT_BY_POOLERS.includes(name),
  );
  await client.query(settings.map(([name, value]) => `SET ${name} = '${value}'`).join("; "));
}

/** As it is sent: without a name where sessions do not keep prepared statements. */
export function asSent<S extends { name?: string; text: string }>(
  statement: S,
  pooling: Pooling,
): { name?: string; text: string } {
  return pooling === "unnamed" ? { text: statement.text } : statement;
}
