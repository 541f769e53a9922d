/** AppStore and AppQueries in memory; the twin of ../postgres/app-actors.ts. */
import type { AppCommit, AppRecord, AppStore } from "../../../actors/app-ports.ts";
import type { AppListed, AppQueries } from "../../ports/app-actors.ts";
import { APP_EVENTS_KEPT } from "../../protocol/app-actors.ts";
import { ok, REFUSALS, type Result, refused } from "../../protocol/errors.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { Role } from "../../protocol/permissions.ts";
import type { StoredApp } from "./app-table.ts";
import { roleOf } from "./conversation-calls.ts";
import type { MemoryTables } from "./tables.ts";

const CALL_KEPT_MS = 24 * 60 * 60_000;
const CALLS_KEPT = 1_000;

export class MemoryAppActors implements AppStore, AppQueries {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async load(kind: string, key: string): Promise<AppRecord | null> {
    const stored = this.#tables.apps.get(`${kind}:${key}`);
    if (stored === undefined) return null;
    const { wakeAtMs: _, createdAt: __, kind: ___, key: ____, ...row } = structuredClone(stored);
    const nowMs = this.#tables.nowMs();
    return {
      ...row,
      timers: row.timers.map(({ name, atMs }) => ({ name, inMs: Math.max(0, atMs - nowMs) })),
      calls: row.calls.filter(({ madeAtMs }) => nowMs - madeAtMs < CALL_KEPT_MS).slice(-CALLS_KEPT),
    };
  }

  async commit(commit: AppCommit): Promise<Result<{ id: string; version: number }>> {
    const { kind, key, created } = commit;
    const tables = this.#tables;
    const conversation = created?.conversation ?? null;
    if (conversation !== null && tables.conversations.get(conversation)?.isDeleted !== false) {
      return REFUSALS.conversationNotFound;
    }
    const before = tables.apps.get(`${kind}:${key}`);
    if ((before?.version ?? 0) !== commit.version || (before === undefined && !created)) {
      return refused("conflict", "Another activation has committed.");
    }
    const nowMs = tables.nowMs();
    const done = new Set(commit.effectsDone);
    const stored: StoredApp = {
      kind,
      key,
      id: before?.id ?? tables.nextId(),
      version: commit.version + 1,
      rev: commit.rev,
      state: commit.state === undefined ? (before?.state ?? null) : commit.state,
      isGone: commit.isGone,
      codeVersion: commit.codeVersion,
      created: created ?? before!.created,
      createdAt: before?.createdAt ?? tables.nowIso(),
      nowMs: commit.nowMs,
      timers: commit.timers.map(({ name, inMs }) => ({ name, atMs: nowMs + inMs })),
      wakeAtMs: commit.wakeInMs === null ? null : nowMs + commit.wakeInMs,
      watching: [...commit.watching],
      effectCount: commit.effectCount,
      effects: [...(before?.effects ?? []), ...commit.effects].filter(({ n }) => !done.has(n)),
      events: [...(before?.events ?? []), ...commit.events].slice(-APP_EVENTS_KEPT),
      calls: [
        ...(before?.calls ?? []),
        ...commit.calls.map((call) => ({ ...call, madeAtMs: nowMs })),
      ],
    };
    tables.apps.set(`${kind}:${key}`, structuredClone(stored));
    return ok({ id: stored.id, version: stored.version });
  }

  async effectsDone(kind: string, key: string, ns: readonly number[]): Promise<void> {
    const stored = this.#tables.apps.get(`${kind}:${key}`);
    if (stored === undefined) return;
    stored.effects = stored.effects.filter(({ n }) => !ns.includes(n));
    const isDue = stored.wakeAtMs !== null && stored.wakeAtMs <= this.#tables.nowMs();
    if (stored.effects.length > 0 || isDue) return;
    const times = stored.timers.map(({ atMs }) => atMs);
    stored.wakeAtMs = times.length === 0 ? null : Math.min(...times);
  }

  async roles(
    id: ConversationId,
    users: readonly UserId[],
  ): Promise<ReadonlyMap<UserId, Role> | null> {
    const conversation = this.#tables.conversations.get(id);
    if (conversation === undefined || conversation.isDeleted) return null;
    const roles = new Map<UserId, Role>();
    for (const user of users) {
      const role = roleOf(conversation, user);
      if (role !== null) roles.set(user, role);
    }
    return roles;
  }

  async claimWakes(limit: number, leaseMs: number): Promise<{ kind: string; key: string }[]> {
    const nowMs = this.#tables.nowMs();
    const due = [...this.#tables.apps.values()]
      .filter(({ wakeAtMs }) => wakeAtMs !== null && wakeAtMs <= nowMs)
      .sort((a, b) => (a.wakeAtMs ?? 0) - (b.wakeAtMs ?? 0))
      .slice(0, limit);
    for (const app of due) app.wakeAtMs = nowMs + leaseMs;
    return due.map(({ kind, key }) => ({ kind, key }));
  }

  async list(kind: string, after: string, limit: number): Promise<AppListed[]> {
    return [...this.#tables.apps.values()]
      .filter((app) => app.kind === kind && !app.isGone && app.key > after)
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .slice(0, limit)
      .map(({ key, rev, created, createdAt }) => ({
        kind,
        key,
        rev,
        ...(created.conversation !== null && { conversation_id: created.conversation }),
        created_at: createdAt,
      }));
  }

  async forgetCalls(): Promise<void> {
    const nowMs = this.#tables.nowMs();
    for (const app of this.#tables.apps.values()) {
      app.calls = app.calls.filter(({ madeAtMs }) => nowMs - madeAtMs < CALL_KEPT_MS);
    }
  }
}
