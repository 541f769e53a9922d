/**
 * Many people at once: written into the database and given tokens by the secret, for a password
 * each would cost minutes. They call over a few kept connections.
 */
import http from "node:http";
import { SignJWT } from "jose";
import pg from "pg";
import type { Troupe } from "./cluster.ts";
import { Api } from "./http.ts";
import { JWT_SECRET } from "./tokens.ts";

export interface Crowd {
  members: { id: string; token: string; api: Api }[];
  agent: http.Agent;
}

const CONNECTIONS = 24;
const KEY = new TextEncoder().encode(JWT_SECRET);

/** Close its `agent` afterwards. */
export async function gather(troupe: Troupe, count: number): Promise<Crowd> {
  const rows = await rowsOf<{ id: string }>(
    troupe,
    `INSERT INTO users (username, display_name)
      SELECT 'crowd_' || i, 'Crowd ' || i FROM generate_series(1, $1::int) i RETURNING id`,
    [count],
  );
  const members = await Promise.all(
    rows.map(async ({ id }) => {
      const token = await new SignJWT({})
        .setProtectedHeader({ alg: "HS256", typ: "JWT" })
        .setSubject(id)
        .setIssuer("troupe")
        .setAudience("troupe")
        .setExpirationTime("1h")
        .sign(KEY);
      return { id, token, api: new Api(troupe.url, () => token) };
    }),
  );
  return { members, agent: new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS }) };
}

/** Runs the work of all, `CONNECTIONS` at a time, in turn. */
export async function inTurns(works: readonly (() => Promise<void>)[]): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let work = works[next++]; work !== undefined; work = works[next++]) await work();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
}

/** What PostgreSQL itself says. */
export async function rowsOf<T>(troupe: Troupe, sql: string, values: unknown[] = []): Promise<T[]> {
  if (troupe.databaseUrl === null) throw new Error("this Troupe has its own PostgreSQL");
  const client = new pg.Client({ connectionString: troupe.databaseUrl });
  await client.connect();
  try {
    return (await client.query(sql, values)).rows as T[];
  } finally {
    await client.end();
  }
}
