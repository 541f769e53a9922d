/** [ACF] An application's actors while workers die and turns hang. */
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import type { OpsSummary } from "../../src/protocol/ops.ts";
import { eventually } from "../support/eventually.ts";
import { upTo } from "../support/expectations.ts";
import { expectStatus } from "../support/person.ts";
import { Service } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";

const ACTORS_DIR = fileURLToPath(new URL("../support/fixtures/actors", import.meta.url));
const troupe = troupeForFile({
  workers: 2,
  env: { ACTORS_DIR, RATE_LIMITS: "off", PRESENCE_GRACE_MS: "300", LOG_LEVEL: "fatal" },
});
const ACTORS = 6;
const CALLS = 60;
const TRIES_MAX = 60;

it("[ACF1] [AWT2] [APP7] [APP2] kill -9 of workers: no acknowledged turn is lost, none runs twice, every watcher's rev is gapless", async () => {
  const [ann, bob] = await troupe().users("ann", "bob");
  const caller = await ann!.connects({ reconnection: true });
  const watcher = await bob!.connects({ reconnection: true });
  const keys = upTo(ACTORS).map((n) => `busy${n}`);
  const held = new Map<string, number>();
  for (const key of keys) {
    await caller.does("create_actor", { kind: "probe", key, args: {}, call_id: "make" });
    const seen = await watcher.does("watch_actor", { kind: "probe", key });
    held.set(key, seen.rev);
  }
  const order = new Map<string, number[]>(keys.map((key) => [key, []]));
  // After a lost connection the watches begin again from the revs that are held.
  watcher.socket.on("actor_event", ({ key, rev }: { key: string; rev: number }) => {
    order.get(key)?.push(rev);
    held.set(key, rev);
  });
  const rewatch = async (key: string): Promise<void> => {
    for (let n = 0; n < TRIES_MAX; n++) {
      const answer = await watcher.tries(
        "watch_actor",
        { kind: "probe", key, after_rev: held.get(key) ?? 0 },
        2_000,
      );
      if (answer?.ok === true) {
        const { events, rev } = answer as unknown as { events?: { rev: number }[]; rev: number };
        expect(events, `${key} has events after ${held.get(key)}`).toBeDefined();
        for (const event of events ?? []) order.get(key)?.push(event.rev);
        held.set(key, Math.max(held.get(key) ?? 0, rev));
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`${key} cannot be watched again`);
  };
  const rewatching: Promise<unknown>[] = [];
  watcher.socket.on("ready", () => {
    rewatching.push(Promise.all(keys.map(rewatch)));
  });

  const acknowledged = new Map<string, number>(keys.map((key) => [key, 0]));
  const calls = async (key: string): Promise<void> => {
    for (let n = 0; n < CALLS; n++) {
      const call = { kind: "probe", key, action: "add", args: { by: 1 }, call_id: `c${n}` };
      for (let tries = 0; ; tries++) {
        if (tries > TRIES_MAX) throw new Error(`${key} c${n} has no answer`);
        const answer = await caller.tries("call", call, 3_000);
        if (answer?.ok === true) break;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      acknowledged.set(key, n + 1);
    }
  };
  const calling = Promise.all(keys.map(calls));
  const half = () => [...acknowledged.values()].some((n) => n >= 10);
  await eventually("some calls are answered", half, 30_000);
  await troupe().killWorker(0);
  const more = () => [...acknowledged.values()].every((n) => n >= 25);
  await eventually("calls go on", more, 60_000);
  await troupe().killWorker(1);
  await calling;
  await Promise.all(rewatching);

  for (const key of keys) {
    const looked = await caller.does("call", {
      kind: "probe",
      key,
      action: "look",
      call_id: "look",
    });
    expect(looked.result, key).toMatchObject({ n: CALLS });
    expect(looked.rev, key).toBe(CALLS);
    await eventually(`${key}'s watcher has all`, () => order.get(key)?.at(-1) === CALLS, 20_000);
    expect(order.get(key), key).toEqual(upTo(CALLS).map((_, n) => n + 1));
  }
}, 180_000);

it("[ACF2] [APH2] [APH1] a turn that does not end costs its caller only, and three of them its action for a minute, at /ops by name", async () => {
  const [ann] = await troupe().users("ann");
  // A worker that joins later could take the actor over, and each counts for itself.
  await eventually("every worker serves", async () => {
    const sessions = await troupe().sessionOnEachWorker(ann!);
    await Promise.all(sessions.map((session) => session.disconnects()));
    return true;
  });
  const one = await ann!.connects();
  const at = { kind: "probe", key: "loops" };
  await one.does("create_actor", { ...at, args: {}, call_id: "make" });
  const spoils = (n: number) =>
    one.isRefused("call", { ...at, action: "spoil", args: { how: "loop" }, call_id: `loop${n}` });
  const adds = (n: number) => one.does("call", { ...at, action: "add", call_id: `add${n}` });
  for (const n of [1, 2, 3]) {
    const [refusal] = await Promise.all([spoils(n), adds(n)]);
    expect(refusal.code).toBe("internal");
  }
  expect((await spoils(4)).code).toBe("unavailable");
  expect(await adds(4)).toMatchObject({ result: 4, rev: 4 });
  const operator = await Service.of(troupe(), "ops");
  const summary = await operator.api.get<OpsSummary>("/api/ops/summary");
  const workers = expectStatus(summary, 200).hosts.flatMap((host) => host.workers);
  const probes = workers.flatMap(({ vitals }) =>
    (vitals?.application ?? []).filter(({ kind }) => kind === "probe"),
  );
  const total = (of: (one: (typeof probes)[number]) => number) =>
    probes.reduce((sum, one) => sum + of(one), 0);
  expect(probes.flatMap(({ unavailable }) => unavailable)).toEqual(["probe.spoil"]);
  expect(total(({ failures }) => failures)).toBeGreaterThanOrEqual(3);
  expect(total(({ turns }) => turns)).toBeGreaterThanOrEqual(5);
  expect(total(({ turn_ms }) => turn_ms.count)).toBe(total(({ turns }) => turns));
  expect(total(({ actors }) => actors)).toBeGreaterThanOrEqual(1);
}, 60_000);

it("[ACF3] an actor in memory begins again as it was made when its worker dies, and its watchers hear so", async () => {
  const [ann, bob] = await troupe().users("ann", "bob");
  const keys = upTo(8).map((n) => `memory${n}`);
  // So many that some are not on the worker that dies.
  const sessions = await Promise.all(
    [ann!, bob!, ann!, bob!, ann!, bob!].map((person) => person.connects({ reconnection: true })),
  );
  const maker = sessions[0]!;
  for (const key of keys) {
    const at = { kind: "cursors", key };
    await maker.does("create_actor", { ...at, args: { start: 7 }, call_id: `make ${key}` });
    for (const session of sessions) await session.does("watch_actor", at);
    await maker.does("call", { ...at, action: "move", args: { to: 9 }, call_id: `move ${key}` });
  }
  const restarted = (session: (typeof sessions)[number]) =>
    new Set(
      session.heard("actor_closed", ({ code }) => code === "restarted").map(({ key }) => key),
    );
  await troupe().killWorker(0);
  // Sessions of the other worker have gone on; those actors were lost whose place was the dead one.
  await eventually(
    "some actors begin again",
    () => sessions.some((session) => restarted(session).size > 0),
    15_000,
  );
  const [key = ""] = sessions.flatMap((session) => [...restarted(session)]);
  const anew = await eventually(
    "it is watched anew",
    async () => {
      const answer = await maker.tries("watch_actor", { kind: "cursors", key }, 2_000);
      return answer?.ok === true && (answer as unknown as { view: unknown; rev: number });
    },
    15_000,
  );
  expect(anew.view).toEqual({ at: { start: 7 }, ticks: 0 });
});
