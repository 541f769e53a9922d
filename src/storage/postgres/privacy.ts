/** What users let others see, on PostgreSQL; see sql/functions/sights_of.sql. */
import { Client } from "pg";
import type { SightPair } from "../../ports/privacy.ts";
import type { Privacy, Sight } from "../../protocol/privacy.ts";
import { connectionConfig, DEADLINE_MS, WHOLE_TABLES } from "./connection.ts";
import type { Database } from "./pool.ts";

/** Whether the user `u` hides presence or the time last seen from anybody; see isReserved. */
export const IS_RESERVED = `(
    SELECT coalesce(p.presence, d.presence) <> 'everyone'
      OR coalesce(p.last_seen, d.last_seen) <> 'everyone'
    FROM privacy_defaults d LEFT JOIN user_privacy p ON p.user_id = u.id
  )`;
const SIGHTS = {
  name: "sights_of",
  text: "SELECT s.sight FROM sights_of($1::bigint[], $2::bigint[]) s ORDER BY s.n",
};

export async function readSights(
  database: Database,
  pairs: readonly SightPair[],
): Promise<Sight[]> {
  const values = [pairs.map(({ viewer }) => viewer), pairs.map(({ user }) => user)];
  const rows = await database.read<{ sight: number }>(SIGHTS, values);
  return rows.map(({ sight }) => ({ presence: (sight & 1) > 0, last_seen: (sight & 2) > 0 }));
}

/** At the start of a host, in a migrated database: the last one to start decides. */
export async function setPrivacyDefaults(url: string, defaults: Privacy): Promise<void> {
  const client = new Client(connectionConfig(url, DEADLINE_MS));
  await client.connect();
  try {
    // Where receipts are turned on or off for everybody, all memberships are gone through.
    await client.query(WHOLE_TABLES);
    await client.query("SELECT set_privacy_defaults($1::json)", [JSON.stringify(defaults)]);
  } finally {
    await client.end();
  }
}
