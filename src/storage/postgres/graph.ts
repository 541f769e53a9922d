/**
 * GraphStore on PostgreSQL: follows, blocks and names. What changes a pair's follows and blocks
 * goes one after another (sql/functions/lock_pair.sql), so that no follow and no
 * new direct conversation slips in beside a block.
 */
import type { GraphStore } from "../../../actors/social-ports.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import { Batcher } from "../batching/shared-reads.ts";
import { readBlockedAmong } from "./blocks.ts";
import type { Database } from "./pool.ts";
import { SOCIAL_REFUSALS, STORAGE_REFUSALS } from "./refusals.ts";

const FOLLOW = { name: "follow_user", text: "SELECT * FROM follow_user($1, $2, $3)" };
const BLOCK = { name: "block_user", text: "SELECT * FROM block_user($1, $2, $3)" };
const IDS_BY_NAME = {
  name: "ids_by_name",
  text: "SELECT u.id, u.username FROM users u WHERE u.username = ANY ($1::text[])",
};
const DISPLAY_NAMES = {
  name: "display_names",
  text: "SELECT u.id, u.display_name FROM users u WHERE u.id = ANY ($1::bigint[])",
};

const GATHERED = { batchMax: 256, inFlightMax: 1 };

interface BlockRow {
  outcome: string;
  changed: boolean;
  apart: boolean;
  direct_id: ConversationId | null;
}

export class PostgresGraph implements GraphStore {
  readonly #database: Database;
  readonly #writes: Database;
  readonly #ids: Batcher<readonly string[], Map<string, UserId>>;
  readonly #names: Batcher<UserId, string | null>;

  /** `writes`: connections of their own, for a change may wait for the pair's lock. */
  constructor(database: Database, writes: Database) {
    this.#database = database;
    this.#writes = writes;
    this.#ids = new Batcher((asks) => readIds(database, asks), GATHERED);
    this.#names = new Batcher(async (ids) => {
      const rows = await database.read<{ id: string; display_name: string }>(DISPLAY_NAMES, [ids]);
      const names = new Map(rows.map((row) => [row.id, row.display_name]));
      return ids.map((id) => names.get(id) ?? null);
    }, GATHERED);
  }

  async follow(
    by: UserId,
    user: UserId,
    following: boolean,
  ): Promise<Result<{ changed: boolean }>> {
    if (by === user) return SOCIAL_REFUSALS.followsSelf;
    // Idempotent: after a lost answer tried again, when `changed` may be missed.
    const [row] = await this.#writes.read<{ outcome: string; changed: boolean }>(FOLLOW, [
      by,
      user,
      following,
    ]);
    if (row!.outcome === "apart") return STORAGE_REFUSALS.apart;
    return row!.outcome === "ok" ? ok({ changed: row!.changed }) : REFUSALS.userNotFound;
  }

  async block(
    by: UserId,
    user: UserId,
    blocked: boolean,
  ): Promise<Result<{ changed: boolean; isBlocked: boolean; direct: ConversationId | null }>> {
    if (by === user) return SOCIAL_REFUSALS.blocksSelf;
    const [row] = await this.#writes.read<BlockRow>(BLOCK, [by, user, blocked]);
    const { outcome, changed, apart, direct_id } = row!;
    if (outcome !== "ok") return REFUSALS.userNotFound;
    return ok({ changed, isBlocked: apart, direct: direct_id });
  }

  async idsByName(names: readonly string[]): Promise<Map<string, UserId>> {
    return names.length === 0 ? new Map() : this.#ids.ask(names);
  }

  blockedAmong(user: UserId, users: readonly UserId[]): Promise<UserId[]> {
    return readBlockedAmong(this.#database, user, users);
  }

  displayName(id: UserId): Promise<string | null> {
    return this.#names.ask(id);
  }
}

async function readIds(
  database: Database,
  asks: (readonly string[])[],
): Promise<Map<string, UserId>[]> {
  const rows = await database.read<{ id: UserId; username: string }>(IDS_BY_NAME, [
    [...new Set(asks.flat())],
  ]);
  const ids = new Map(rows.map((row) => [row.username, row.id]));
  return asks.map((names) => {
    const found = new Map<string, UserId>();
    for (const name of names) {
      const id = ids.get(name);
      if (id !== undefined) found.set(name, id);
    }
    return found;
  });
}
