/**
 * AppStore and AppQueries on PostgreSQL. Commits of different actors share a statement
 * (sql/functions/commit_app_actors.sql).
 */
import type { AppCommit, AppRecord, AppStore } from "../../../actors/app-ports.ts";
import type { AppListed, AppQueries } from "../../ports/app-actors.ts";
import type { AppCaller, AppEffect } from "../../protocol/app-actors.ts";
import { ok, REFUSALS, type Result, refused } from "../../protocol/errors.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { Role } from "../../protocol/permissions.ts";
import { KeyedBatches, type KeyedBatchLimits } from "../batching/keyed-batches.ts";
import type { Database } from "./pool.ts";

const COMMIT = {
  name: "commit_app_actors",
  text: "SELECT * FROM commit_app_actors($1) ORDER BY n",
};
const LOAD = {
  name: "load_app_actor",
  text: `SELECT p.id::text, p.version, p.rev, p.state, p.is_gone, p.code_version, p.created,
      p.conversation_id, p.now_ms, p.watching, p.effect_count,
      (SELECT coalesce(json_agg(json_build_object('name', x->>'name', 'inMs', greatest(0,
          (x->>'at')::bigint - (extract(epoch FROM clock_timestamp()) * 1000)::bigint))), '[]')
        FROM json_array_elements(p.timers) AS x) AS timers,
      (SELECT coalesce(json_agg(json_build_object('n', f.n, 'effect', f.effect::json)
          ORDER BY f.n), '[]')
        FROM app_effects f WHERE f.actor_id = p.id) AS effects,
      (SELECT coalesce(json_agg(json_build_object('rev', e.rev, 'name', e.name, 'data', e.data,
          'to', e.to_users) ORDER BY e.rev), '[]')
        FROM app_events e WHERE e.actor_id = p.id) AS events,
      (SELECT coalesce(json_agg(json_build_object('caller', l.caller, 'callId', l.call_id,
          'hash', l.hash, 'answer', l.answer, 'rev', l.rev,
          'madeAtMs', (extract(epoch FROM l.made_at) * 1000)::bigint) ORDER BY l.n), '[]')
        FROM (SELECT * FROM app_calls l WHERE l.actor_id = p.id
            AND l.made_at > clock_timestamp() - interval '24 hours'
          ORDER BY l.n DESC LIMIT 1000) AS l) AS calls
    FROM app_actors p WHERE p.kind = $1 AND p.key = $2`,
};
const EFFECTS_DONE = {
  name: "app_effects_done",
  // A wake that has come meanwhile stays.
  text: `WITH done AS (
      DELETE FROM app_effects f USING app_actors p
      WHERE p.kind = $1 AND p.key = $2 AND f.actor_id = p.id AND f.n = ANY ($3::bigint[]))
    UPDATE app_actors p SET wake_at = (
      SELECT min(to_timestamp((x->>'at')::bigint / 1000.0)) FROM json_array_elements(p.timers) AS x)
    WHERE p.kind = $1 AND p.key = $2 AND p.wake_at > clock_timestamp() AND NOT EXISTS (
      SELECT FROM app_effects f WHERE f.actor_id = p.id AND f.n <> ALL ($3::bigint[]))`,
};
const ROLES = {
  name: "app_roles",
  // A row without a member says that there is such a conversation.
  text: `SELECT m.user_id, role_in(v.owner_id, m.user_id, m.extra) AS role
    FROM conversations v LEFT JOIN conversation_members m
      ON m.conversation_id = v.id AND m.user_id = ANY ($2::bigint[])
    WHERE v.id = $1 AND v.deleted_at IS NULL`,
};
const CLAIM = {
  name: "claim_app_wakes",
  text: `UPDATE app_actors p SET wake_at = clock_timestamp() + $2 * interval '1 ms'
    WHERE (p.kind, p.key) IN (
      SELECT d.kind, d.key FROM app_actors d WHERE d.wake_at <= statement_timestamp()
      ORDER BY d.wake_at LIMIT $1 FOR UPDATE SKIP LOCKED)
    RETURNING p.kind, p.key`,
};
const LIST = {
  name: "list_app_actors",
  text: `SELECT p.key, p.rev, p.conversation_id, iso_time(p.created_at) AS created_at
    FROM app_actors p WHERE p.kind = $1 AND NOT p.is_gone AND p.key > $2
    ORDER BY p.key LIMIT $3`,
};
const PRUNE = {
  name: "prune_app_calls",
  text: "DELETE FROM app_calls l WHERE l.made_at < statement_timestamp() - interval '24 hours'",
};

interface LoadedRow {
  id: string;
  version: string;
  rev: string;
  state: string | null;
  is_gone: boolean;
  code_version: number;
  created: { args: unknown; caller: AppCaller };
  conversation_id: ConversationId | null;
  now_ms: string;
  watching: string[];
  effect_count: string;
  timers: AppRecord["timers"];
  effects: { n: number; effect: AppEffect }[];
  events: { rev: number; name: string; data: string; to: string[] | null }[];
  calls: AppRecord["calls"];
}

interface CommittedRow {
  outcome: "ok" | "stale" | "no_conversation";
  id: string;
  version: string;
}

export class PostgresAppActors implements AppStore {
  readonly #database: Database;
  readonly #commits: KeyedBatches<AppCommit, { id: string; version: number }>;

  constructor(database: Database, writes: Database, limits: KeyedBatchLimits) {
    this.#database = database;
    this.#commits = new KeyedBatches((commits) => writeCommits(writes, commits), {
      name: "app_actors",
      ...limits,
      keyOf: ({ kind, key }) => `${kind}:${key}`,
    });
  }

  async load(kind: string, key: string): Promise<AppRecord | null> {
    const [row] = await this.#database.read<LoadedRow>(LOAD, [kind, key]);
    return row === undefined ? null : recordOf(row);
  }

  commit(commit: AppCommit): Promise<Result<{ id: string; version: number }>> {
    return this.#commits.write(commit);
  }

  async effectsDone(kind: string, key: string, ns: readonly number[]): Promise<void> {
    await this.#database.write(EFFECTS_DONE, [kind, key, ns]);
  }

  async roles(
    conversation: ConversationId,
    users: readonly UserId[],
  ): Promise<ReadonlyMap<UserId, Role> | null> {
    const rows = await this.#database.read<{ user_id: UserId | null; role: Role }>(ROLES, [
      conversation,
      users,
    ]);
    if (rows.length === 0) return null;
    const roles = new Map<UserId, Role>();
    for (const { user_id, role } of rows) if (user_id !== null) roles.set(user_id, role);
    return roles;
  }

  close(): Promise<void> {
    return this.#commits.close();
  }
}

export class PostgresAppQueries implements AppQueries {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  claimWakes(limit: number, leaseMs: number): Promise<{ kind: string; key: string }[]> {
    return this.#database.write(CLAIM, [limit, leaseMs]);
  }

  async list(kind: string, after: string, limit: number): Promise<AppListed[]> {
    const rows = await this.#database.read<{
      key: string;
      rev: string;
      conversation_id: string | null;
      created_at: string;
    }>(LIST, [kind, after, limit]);
    return rows.map(({ rev, conversation_id, ...row }) => ({
      ...row,
      kind,
      rev: Number(rev),
      ...(conversation_id !== null && { conversation_id }),
    }));
  }

  async forgetCalls(): Promise<void> {
    await this.#database.write(PRUNE, []);
  }
}

function recordOf(row: LoadedRow): AppRecord {
  return {
    id: row.id,
    version: Number(row.version),
    rev: Number(row.rev),
    state: row.state,
    isGone: row.is_gone,
    codeVersion: row.code_version,
    created: { ...row.created, conversation: row.conversation_id },
    nowMs: Number(row.now_ms),
    timers: row.timers,
    watching: row.watching,
    effectCount: Number(row.effect_count),
    effects: row.effects,
    events: row.events.map(({ to, ...event }) => ({ ...event, ...(to !== null && { to }) })),
    calls: row.calls,
  };
}

async function writeCommits(
  writes: Database,
  commits: AppCommit[],
): Promise<Result<{ id: string; version: number }>[]> {
  const rows = await writes.write<CommittedRow>(COMMIT, [JSON.stringify(commits.map(parameterOf))]);
  return rows.map(({ outcome, id, version }) => {
    if (outcome === "ok") return ok({ id, version: Number(version) });
    return outcome === "stale"
      ? refused("conflict", "Another activation has committed.")
      : REFUSALS.conversationNotFound;
  });
}

/** As commit_app_actors takes it. */
function parameterOf(commit: AppCommit) {
  const { created } = commit;
  return {
    k: commit.kind,
    y: commit.key,
    v: commit.version,
    r: commit.rev,
    s: commit.state ?? null,
    ss: commit.state !== undefined,
    g: commit.isGone,
    d: commit.isDurable,
    c: commit.codeVersion,
    m: created === undefined ? null : { args: created.args, caller: created.caller },
    o: created?.conversation ?? null,
    t: commit.nowMs,
    i: commit.timers.map(({ name, inMs }) => ({ name, in: Math.round(inMs) })),
    w: commit.wakeInMs === null ? null : Math.round(commit.wakeInMs),
    u: commit.users ?? null,
    h: commit.watching,
    e: commit.effectCount,
    f: commit.effects.map(({ n, effect }) => ({ n, x: JSON.stringify(effect) })),
    z: commit.effectsDone,
    a: commit.events.map(({ rev, name, data, to }) => ({
      r: rev,
      n: name,
      d: data,
      ...(to !== undefined && { t: to }),
    })),
    l: commit.calls.map(({ caller, callId, hash, answer, rev }) => ({
      c: caller,
      i: callId,
      h: hash,
      a: answer,
      r: rev,
    })),
  };
}
