/**
 * What operators ask over HTTP, of a whole Troupe: who may, what the counts say, where a user's
 * sessions and a message are, and what ending sessions does.
 */
import { rm } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import type { OpsEnded, OpsMessage, OpsSummary, OpsUser } from "../../src/protocol/ops.ts";
import { scratchDir, startTroupe } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { expectStatus } from "../support/person.ts";
import { Service } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";

describe("operators' routes", () => {
  const troupe = troupeForFile();

  test("[OPS] only a service token with scope ops opens them", async () => {
    const ann = await troupe().user("ann");
    const admin = await Service.of(troupe(), "admin", "notify");
    for (const path of ["/api/ops/summary", `/api/ops/users/${ann.id}`, "/api/ops/messages?id=1"]) {
      expect([path, (await troupe().http.get(path)).status]).toEqual([path, 401]);
      expect([path, (await ann.api.get(path)).status]).toEqual([path, 403]);
      expect([path, (await admin.api.get(path)).status]).toEqual([path, 403]);
    }
    const ended = await ann.api.delete(`/api/ops/users/${ann.id}/sessions`);
    expect(ended.status).toBe(403);
  });

  test("[OPS] the summary counts sessions, sends, deliveries, commits and actors of each worker", async () => {
    const operator = await Service.of(troupe(), "ops");
    const [ann, ben] = await troupe().users("ann", "ben");
    const sessions = await troupe().sessionOnEachWorker(ann!);
    const reader = await ben!.connects();
    const talk = await ann!.startsDirect(ben!);
    const read = async () =>
      expectStatus(await operator.api.get<OpsSummary>("/api/ops/summary"), 200);
    const before = totals(await read());
    for (let n = 0; n < 20; n++) await sessions[0]!.sends(talk.id, `hello ${n}`);
    await reader.next("message", ({ body }) => body === "hello 19");
    // Counts go round at most once in 0.9 s.
    const after = await eventually("the counts have grown", async () => {
      const now = totals(await read());
      return now.sends >= before.sends + 20 ? now : undefined;
    });
    expect(after.sendCommits - before.sendCommits).toBe(20);
    expect(after.deliveries - before.deliveries).toBeGreaterThanOrEqual(40);
    expect(after.commitDeliveries).toBeGreaterThan(before.commitDeliveries);
    expect(after.commits).toBeGreaterThan(before.commits);
    expect(after.sessions).toBe(3);

    const summary = await read();
    expect(summary.hosts).toHaveLength(1);
    const [host] = summary.hosts;
    expect(host!.host).toBe(summary.answered_by);
    expect(host!.vitals!.relay).toBeNull();
    expect(host!.workers.map(({ phase }) => phase)).toEqual(["online", "online"]);
    expect(host!.workers.map(({ pid }) => pid).sort()).toEqual(troupe().pids().workers.sort());
    expect(summary.database!.connections).toBeGreaterThan(0);
    expect(summary.database!.connections_max).toBeGreaterThan(10);
    const actors = host!.workers.map(({ vitals }) => vitals!.actors["user"] ?? 0);
    expect(actors.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(2);
  });

  test("[OPS] a user is found by id and by name, with every session and its worker", async () => {
    const operator = await Service.of(troupe(), "ops");
    const ann = await troupe().user("ann");
    const away = expectStatus(await operator.api.get<OpsUser>(`/api/ops/users/${ann.id}`), 200);
    expect(away).toMatchObject({ presence: "offline", session_count: 0, suspended: false });
    expect(away.actor).toMatchObject({ is_active: false });

    const sessions = await troupe().sessionOnEachWorker(ann);
    const polling = await ann.connects({ transports: ["polling"] });
    const found = expectStatus(
      await operator.api.get<OpsUser>(`/api/ops/users?username=${ann.user.username.toUpperCase()}`),
      200,
    );
    expect(found.user).toEqual(ann.user);
    expect(found.session_count).toBe(3);
    expect(found.sessions.map(({ session_id }) => session_id).sort()).toEqual(
      [...sessions, polling].map(({ id }) => id).sort(),
    );
    const byId = new Map(found.sessions.map((session) => [session.session_id, session]));
    expect(byId.get(polling.id)!.transport).toBe("polling");
    expect(byId.get(sessions[0]!.id)!.worker).not.toBe(byId.get(sessions[1]!.id)!.worker);
    expect(found).toMatchObject({ presence: "online", silent: [], logins: 1 });
    expect(found.actor).toMatchObject({ is_active: true });
    expect(found.actor.worker).toContain(found.actor.host);
    expect((await operator.api.get("/api/ops/users/999999999")).status).toBe(404);
  });

  test("[OPS] ending a user's sessions ends all of them and nobody else's; the user may come back", async () => {
    const operator = await Service.of(troupe(), "ops");
    const [ann, ben] = await troupe().users("ann", "ben");
    const sessions = await troupe().sessionOnEachWorker(ann!);
    const other = await ben!.connects();
    const path = `/api/ops/users/${ann!.id}/sessions`;
    const ended = expectStatus(await operator.api.delete<OpsEnded>(path), 200);
    expect(ended).toEqual({ user_id: ann!.id, ended: 2, silent: [] });
    for (const session of sessions) {
      const said = await session.next("session_ended");
      expect(said).toMatchObject({ code: "ended_by_operator", reconnect: true });
      await session.untilDisconnected();
    }
    expect(other.isConnected).toBe(true);
    const again = expectStatus(await operator.api.delete<OpsEnded>(path), 200);
    expect(again.ended).toBe(0);
    await ann!.connects();
    expect((await operator.api.delete("/api/ops/users/999999999/sessions")).status).toBe(404);
  });

  test("[OPS] a message is found by place and by id, and says who has it, but not what it says", async () => {
    const operator = await Service.of(troupe(), "ops");
    const [ann, ben, eve] = await troupe().users("ann", "ben", "eve");
    const group = await ann!.startsGroup(ben!, eve!);
    const [a, b, e] = [await ann!.connects(), await ben!.connects(), await eve!.connects()];
    const message = await a!.sends(group.id, "nobody's business");
    await b!.marksRead(group.id, message.seq);
    await e!.marksDelivered(group.id, message.seq);
    const place = `/api/ops/messages?conversation_id=${group.id}&seq=${message.seq}`;
    const found = await eventually("both cursors are committed", async () => {
      const now = expectStatus(await operator.api.get<OpsMessage>(place), 200);
      return now.delivered_count === 2 && now.read_count === 1 ? now : undefined;
    });
    const { body: _body, ...facts } = message;
    expect(found.message).toEqual({ ...facts, body_length: "nobody's business".length });
    expect(JSON.stringify(found)).not.toContain("nobody's business");
    expect(found.members.map(({ user_id, state }) => [user_id, state])).toEqual([
      [eve!.id, "delivered"],
      [ben!.id, "read"],
      [ann!.id, "read"],
    ]);
    const byId = await operator.api.get<OpsMessage>(`/api/ops/messages?id=${message.id}`);
    expect(expectStatus(byId, 200).message).toEqual(found.message);
    expect((await operator.api.get("/api/ops/messages?id=999999999999")).status).toBe(404);
    expect((await operator.api.get(`/api/ops/messages?conversation_id=${group.id}`)).status).toBe(
      400,
    );
    expect((await operator.api.get(`${place}&id=${message.id}`)).status).toBe(400);
  });

  test("[OPS] a killed worker is a fault with its replacement after it", async () => {
    const operator = await Service.of(troupe(), "ops");
    const read = async () =>
      expectStatus(await operator.api.get<OpsSummary>("/api/ops/summary"), 200).hosts[0]!;
    const killed = await troupe().killWorker(0);
    const host = await eventually(
      "the replacement is shown",
      async () => {
        const now = await read();
        const pids = now.workers.filter(({ vitals }) => vitals !== null).map(({ pid }) => pid);
        return pids.length === 2 && !pids.includes(killed) ? now : undefined;
      },
      20_000,
    );
    const story = host.vitals!.faults.slice(0, 5).map(({ event }) => event);
    expect(story[0]).toBe("worker_online");
    expect(story).toContain("worker_lost");
    const exit = host.vitals!.faults.find(({ event }) => event === "worker_exited");
    expect(exit).toMatchObject({ level: "warn", detail: "SIGKILL" });
  });
});

describe("the operator's first token", () => {
  test("[OPS] a start whose output is no terminal prints no token, and names the command", async () => {
    const dataDir = await scratchDir();
    try {
      const first = await startTroupe({ embedded: true, dataDir, workers: 1 });
      await eventually("the banner is printed", () => first.stdout.includes("/ops"));
      expect(first.stdout).toContain("troupe token --scope ops");
      expect(first.stdout).not.toMatch(/eyJ/);
      expect(first.stderr).not.toMatch(/eyJ/);
      await first.stop();
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  }, 90_000);
});

function totals(summary: OpsSummary) {
  const vitals = summary.hosts.flatMap(({ workers }) => workers.flatMap((one) => one.vitals ?? []));
  const sum = (of: (one: (typeof vitals)[number]) => number) =>
    vitals.reduce((all, one) => all + of(one), 0);
  return {
    sessions: sum((one) => one.sessions),
    sends: sum((one) => one.sends),
    deliveries: sum((one) => one.deliveries),
    commits: sum((one) => one.commit_rows.count),
    sendCommits: sum((one) => one.send_commit.count),
    commitDeliveries: sum((one) => one.commit_delivery.count),
  };
}
