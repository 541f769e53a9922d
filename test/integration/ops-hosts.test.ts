/**
 * Operators' questions to two real hosts with real Redis: the answers have the other host's state
 * and events, and say so when that host, or Redis, does not answer.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { OpsEnded, OpsSummary, OpsUser } from "../../src/protocol/ops.ts";
import type { Troupe } from "../support/cluster.ts";
import { ClusterOfHosts, connectsTo } from "../support/cluster-of-hosts.ts";
import { eventually } from "../support/eventually.ts";
import { expectStatus } from "../support/person.ts";
import { promised } from "../support/promised.ts";
import { whyNoRedis } from "../support/redis.ts";
import { Service } from "../support/service.ts";

if (whyNoRedis !== null) console.warn(`operators over hosts skipped: ${whyNoRedis}`);

/** What a host may take for a look, silent ones included; see src/primary/ops.ts. */
const LOOK_MS = 2_500;
const SHOWN_WITHIN_MS = 15_000;
const ENDED_WITHIN_MS = promised(1_000, 3_000);

describe.skipIf(whyNoRedis !== null)("operators over two hosts", () => {
  let cluster: ClusterOfHosts;
  const host = (n: number): Troupe => cluster.hosts[n]!;
  const read = async (n: number): Promise<OpsSummary> => {
    const operator = await Service.of(host(n), "ops");
    return expectStatus(await operator.api.get<OpsSummary>("/api/ops/summary"), 200);
  };

  beforeAll(async () => {
    cluster = await ClusterOfHosts.start(2);
  });
  afterEach((context) => {
    if (context.task.result?.state === "fail") console.error(cluster.logTail());
  });
  afterAll(async () => {
    await cluster?.discard();
  });

  test("[OPH1] each host tells of both, and both tell the same", async () => {
    const [a, b] = [await read(0), await read(1)];
    expect(a.answered_by).not.toBe(b.answered_by);
    expect(a.hosts.map((one) => one.host)).toEqual(b.hosts.map((one) => one.host));
    expect(a.hosts).toHaveLength(2);
    for (const { vitals, workers } of a.hosts) {
      expect(vitals!.relay).toMatchObject({ state: "connected" });
      expect(vitals!.relay!.ping_ms).toBeGreaterThan(0);
      expect(workers.map((worker) => worker.vitals !== null)).toEqual([true]);
    }
    const pids = a.hosts.flatMap(({ workers }) => workers.map(({ pid }) => pid)).sort();
    expect(pids).toEqual([...host(0).pids().workers, ...host(1).pids().workers].sort());
  });

  test("[OPH2] a user is found on the other host, and their sessions end there within a second", async () => {
    const ann = await host(0).user("ann");
    const [here, there] = [await connectsTo(host(0), ann), await connectsTo(host(1), ann)];
    for (const n of [0, 1]) {
      const operator = await Service.of(host(n), "ops");
      const found = expectStatus(
        await operator.api.get<OpsUser>(`/api/ops/users?username=${ann.user.username}`),
        200,
      );
      expect(found).toMatchObject({ presence: "online", session_count: 2, silent: [] });
      expect(new Set(found.sessions.map((session) => session.host)).size).toBe(2);
    }
    const operator = await Service.of(host(0), "ops");
    const startedMs = performance.now();
    const answer = await operator.api.delete<OpsEnded>(`/api/ops/users/${ann.id}/sessions`);
    expect(expectStatus(answer, 200)).toEqual({ user_id: ann.id, ended: 2, silent: [] });
    for (const session of [here, there]) {
      const said = await session.next("session_ended");
      expect(said).toMatchObject({ code: "ended_by_operator", reconnect: true });
    }
    expect(performance.now() - startedMs).toBeLessThan(ENDED_WITHIN_MS);
    await connectsTo(host(1), ann);
  });

  test("[OPH3] a host that does not answer is shown as such, in time, and does not hide the other", async () => {
    const { primary } = host(1).pids();
    process.kill(primary, "SIGSTOP");
    try {
      const summary = await eventually(
        "one host is silent",
        async () => {
          const startedMs = performance.now();
          const now = await read(0);
          expect(performance.now() - startedMs).toBeLessThan(LOOK_MS);
          return now.hosts.some(({ vitals }) => vitals === null) ? now : undefined;
        },
        // Its lease ends after some seconds; until then it is known, and silent.
        4_000,
      );
      const silent = summary.hosts.find(({ vitals }) => vitals === null)!;
      expect(silent.host).not.toBe(summary.answered_by);
      expect(silent.workers.map(({ vitals }) => vitals)).toEqual([null]);
      const own = summary.hosts.find((one) => one.host === summary.answered_by)!;
      expect(own.workers[0]!.vitals).not.toBeNull();

      const ben = await host(0).user("ben");
      const operator = await Service.of(host(0), "ops");
      const ended = await operator.api.delete<OpsEnded>(`/api/ops/users/${ben.id}/sessions`);
      const { silent: mute } = expectStatus(ended, 200);
      // Or it is no host of the cluster any more, and then nobody need be asked.
      expect([[silent.host], []]).toContainEqual(mute);
    } finally {
      process.kill(primary, "SIGCONT");
    }
    await cluster.untilJoined();
    await eventually(
      "both hosts answer again",
      async () => {
        const { hosts } = await read(0);
        return hosts.length === 2 && hosts.every(({ vitals }) => vitals !== null);
      },
      SHOWN_WITHIN_MS,
    );
  });

  test("[OPH4] a time without Redis is shown while it lasts, and is a fault with an end after it", async () => {
    await cluster.redis.dies();
    await cluster.untilAway(host(0));
    const away = await eventually("it is shown as away", async () => {
      const now = await read(0);
      const own = now.hosts.find((one) => one.host === now.answered_by)!;
      return own.vitals?.relay?.state === "away" ? now : undefined;
    });
    // The other host is still listed, although nothing arrives from it.
    expect(away.hosts).toHaveLength(2);
    await cluster.redis.comesBack();
    await cluster.untilJoined();
    const story = await eventually(
      "the end is told",
      async () => {
        const now = await read(0);
        const own = now.hosts.find((one) => one.host === now.answered_by)!;
        const events = own.vitals!.faults.map(({ event }) => event);
        return events.indexOf("relay_joined") < events.indexOf("relay_away") ? events : undefined;
      },
      SHOWN_WITHIN_MS,
    );
    expect(story).toContain("relay_gap");
  });
});
