/**
 * Operators' questions as the HTTP API asks them: what the cluster says (through the primary),
 * what storage says, and where an actor lives, put together. Database health is looked at at most
 * every two seconds, however many pages are open.
 */
import type { Clock } from "../../base/clock.ts";
import type { ClusterAnswers, OpsAccount, OpsQueries, OpsQuestion } from "../../ports/ops.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import {
  LATENCY_BOUNDS_MS,
  type OpsActor,
  type OpsDatabase,
  type OpsEnded,
  type OpsHost,
  type OpsMessage,
  type OpsSummary,
  type OpsUser,
  ROWS_BOUNDS,
} from "../../protocol/ops.ts";
import { type Monotonic, msBetween } from "../../protocol/time.ts";
import type { Gateway } from "../../runtime/gateway.ts";
import { orUnreachable } from "../storage-reachable.ts";

const HEALTH_KEPT_MS = 2_000;
const HEALTH_DEADLINE_MS = 1_500;
const SESSIONS_LISTED_MAX = 100;

export interface OpsDeps {
  queries: OpsQueries;
  gateway: Pick<Gateway, "peek" | "placement">;
  ask<Q extends OpsQuestion>(question: Q): Promise<Result<ClusterAnswers[Q["ask"]]>>;
  clock: Clock;
}

/** The user's or message's own refusals; rejects with StorageUnreachable where storage is. */
export interface Ops {
  summary(): Promise<Result<OpsSummary>>;
  user(id: UserId): Promise<Result<OpsUser>>;
  userByName(username: string): Promise<Result<OpsUser>>;
  endSessions(id: UserId): Promise<Result<OpsEnded>>;
  messageAt(id: ConversationId, seq: number): Promise<Result<OpsMessage>>;
  message(id: string): Promise<Result<OpsMessage>>;
}

type Located = Omit<OpsMessage, "actor"> | null;

export function createOps({ queries, gateway, ask, clock }: OpsDeps): Ops {
  let health: { atMs: Monotonic; answer: Promise<OpsDatabase | null> } | null = null;

  /** Null where the database does not answer in time; the answer then shows just that. */
  function database(): Promise<OpsDatabase | null> {
    const nowMs = clock.monotonicMs();
    if (health === null || msBetween(health.atMs, nowMs) >= HEALTH_KEPT_MS) {
      let cancel: () => void = () => undefined;
      const late = new Promise<null>((resolve) => {
        cancel = clock.after(HEALTH_DEADLINE_MS, () => resolve(null));
      });
      const looked = queries.health().catch(() => null);
      health = { atMs: nowMs, answer: Promise.race([looked, late]).finally(() => cancel()) };
    }
    return health.answer;
  }

  function actorAt(key: string, isActive: boolean): OpsActor {
    const { placement } = gateway;
    const incarnation = placement.ownerOf(key);
    const slot = placement.view.workers.find((worker) => worker.incarnation === incarnation)?.slot;
    return { host: slot?.split("/")[0] ?? null, worker: slot ?? null, is_active: isActive };
  }

  async function located(account: OpsAccount | null): Promise<Result<OpsUser>> {
    if (account === null) return REFUSALS.userNotFound;
    const { user, ...facts } = account;
    const id = user.id as UserId;
    const [status, parts] = await Promise.all([
      gateway.peek("user", id, "status", {}),
      ask({ ask: "sessions", user: id }),
    ]);
    if (!parts.ok) return parts;
    const answers = parts.value.flatMap(({ host, workers }) =>
      (workers ?? []).flatMap(({ incarnation, answer }) =>
        answer === null ? [] : [{ host, worker: incarnation, ...answer }],
      ),
    );
    const known = status.ok ? status.value : null;
    return ok({
      user,
      ...facts,
      presence: known?.status ?? "offline",
      actor: actorAt(`user:${id}`, known !== null),
      sessions: answers
        .flatMap(({ host, worker, sessions }) =>
          sessions.map((session) => ({ ...session, host, worker })),
        )
        .sort((a, b) => (a.since < b.since ? 1 : -1))
        .slice(0, SESSIONS_LISTED_MAX),
      session_count: answers.reduce((sum, { count }) => sum + count, 0),
      silent: silentIn(parts.value),
    });
  }

  /** A conversation's actor is not asked: what is committed is what counts. */
  function found(message: Located): Result<OpsMessage> {
    if (message === null) return REFUSALS.messageNotFound;
    return ok({ ...message, actor: actorAt(`conversation:${message.conversation.id}`, true) });
  }

  return {
    async summary() {
      const [cluster, looked] = await Promise.all([ask({ ask: "vitals" }), database()]);
      if (!cluster.ok) return cluster;
      return ok({
        ...cluster.value,
        ...statusOf(cluster.value.hosts, looked),
        bounds: { latency_ms: LATENCY_BOUNDS_MS, commit_rows: ROWS_BOUNDS },
        database: looked,
      });
    },
    user: async (id) => located(await orUnreachable(queries.account(id))),
    userByName: async (name) => located(await orUnreachable(queries.accountByName(name))),
    async endSessions(id) {
      if ((await orUnreachable(queries.account(id))) === null) return REFUSALS.userNotFound;
      const parts = await ask({ ask: "end_sessions", user: id });
      if (!parts.ok) return parts;
      const ended = parts.value
        .flatMap(({ workers }) => workers ?? [])
        .reduce((sum, { answer }) => sum + (answer?.ended ?? 0), 0);
      return ok({ user_id: id, ended, silent: silentIn(parts.value) });
    },
    messageAt: async (id, seq) => found(await orUnreachable(queries.messageAt(id, seq))),
    message: async (id) => found(await orUnreachable(queries.message(id))),
  };
}

function statusOf(
  hosts: readonly OpsHost[],
  database: OpsDatabase | null,
): Pick<OpsSummary, "status" | "reasons"> {
  const isServing = hosts.some(({ workers }) => workers.some(({ phase }) => phase === "online"));
  const fatal = [
    ...(database === null ? ["the database does not answer"] : []),
    ...(isServing ? [] : ["no worker is online"]),
  ];
  if (fatal.length > 0) return { status: "unavailable", reasons: fatal };
  const silent = hosts
    .filter(({ vitals }) => vitals === null)
    .map(({ host }) => `host ${host} does not answer`);
  // Hosts of one cluster usually have one reason: it is named once.
  const reasons = [
    ...new Set([...hosts.flatMap(({ vitals }) => vitals?.degraded ?? []), ...silent]),
  ];
  return { status: reasons.length > 0 ? "degraded" : "ready", reasons };
}

/** Hosts, and workers of those that answered. */
function silentIn(
  parts: readonly { host: string; workers: { incarnation: string; answer: unknown }[] | null }[],
): string[] {
  return parts.flatMap(({ host, workers }) =>
    workers === null
      ? [host]
      : workers.filter(({ answer }) => answer === null).map(({ incarnation }) => incarnation),
  );
}
