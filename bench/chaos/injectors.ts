/**
 * How each fault is injected and healed. An injector answers with a description and a cure; the
 * cure resolves when the harness has done its part, with claims: effects that this fault must
 * have had, and whether they were observed.
 */
import { setTimeout as delay } from "node:timers/promises";
import { signal } from "../support/processes.ts";
import { until, withinMs } from "../support/waiting.ts";
import { pick } from "./chance.ts";
import type { Client } from "./client.ts";
import type { FaultName } from "./fault-table.ts";
import type { Claim } from "./history.ts";
import { claim, type Injector, redisOf, type Stage } from "./injection.ts";
import {
  connectionsGone,
  descriptorsGone,
  diskFull,
  redisGarbage,
  redisNeighbour,
} from "./injectors-exhausted.ts";
import { stranger, type Wire } from "./wire.ts";

/** A worker's replacement waits for its back-off and takes about a second to start. */
const REPLACED_WITHIN_MS = 15_000;
/** "The workers leave within a second", and as much again for a busy machine. */
const WORKERS_LEAVE_WITHIN_MS = 2000;
/** Workers have 10 s to drain; what follows is quick. */
const DRAINED_WITHIN_MS = 13_000;
const ROLLED_WITHIN_MS = 60_000;
/** The client first reads what the kernel holds for it, some megabytes, on a busy machine. */
const CLOSED_WITHIN_MS = 15_000;
/** Both ways, from what NTP corrects to what an operator mistypes. */
const CLOCK_STEPS_MS = [1_000, 30_000, 2 * 3_600_000, 30 * 86_400_000].flatMap((ms) => [ms, -ms]);
const STORM_WAVES = 3;
const STORM_EXTRA = 30;
/** Four thousand characters outside the BMP: 16 kB on the wire, 500 of them 8 MB. */
const FLOOD_BODY = "\u{1F30A}".repeat(4000);
const FLOOD_MESSAGES = 500;
const FLOOD_AT_ONCE = 8;
/** Senders disconnect too; the flood continues when they are back. */
const FLOOD_WITHIN_MS = 25_000;

export const INJECTORS: Record<FaultName, Injector> = {
  "worker-kill": ({ world, chance }) => {
    const host = pick(chance, world.hosts);
    const before = host.workerPids();
    const victim = pick(chance, before);
    signal(victim, "SIGKILL");
    return {
      detail: `worker ${victim} of ${host.name}`,
      heal: async () => {
        const isReplaced = () =>
          host.workerPids().filter((pid) => pid !== victim).length === before.length;
        const ms = await until(isReplaced, REPLACED_WITHIN_MS);
        return [claim("the worker is replaced", ms !== null, ms)];
      },
    };
  },

  "primary-kill": ({ world, chance }) => {
    const host = pick(chance, world.hosts);
    host.signalPrimary("SIGKILL");
    const left = until(() => host.isGone(), WORKERS_LEAVE_WITHIN_MS);
    return {
      detail: host.name,
      heal: async () => {
        const ms = await left;
        if (ms === null) host.killAll();
        await host.start();
        return [claim("its workers leave within a second or so", ms !== null, ms)];
      },
    };
  },

  "host-kill": ({ world, chance }) => {
    const host = pick(chance, world.hosts);
    host.killAll();
    return {
      detail: host.name,
      heal: async () => {
        await host.start();
        return [];
      },
    };
  },

  "host-drain": ({ world, scene, chance }) => {
    const host = pick(chance, world.hosts);
    const there = scene.clients.filter((client) => client.host === host.index);
    host.signalPrimary("SIGTERM");
    return {
      detail: `${host.name} with ${there.length} sessions`,
      heal: async () => {
        const beganMs = performance.now();
        const exit = await withinMs(host.exited, DRAINED_WITHIN_MS, null);
        const ms = exit === null ? null : Math.round(performance.now() - beganMs);
        const isGone = host.isGone();
        await host.stop();
        await host.start();
        return [
          claim("it ends in time", exit !== null, ms),
          claim("it ends with 0", exit?.code === 0, exit?.code ?? exit?.signal ?? "not at all"),
          claim("nothing of it is left", isGone, isGone),
        ];
      },
    };
  },

  "host-roll": ({ world, chance }) => {
    const host = pick(chance, world.hosts);
    const before = host.workerPids();
    host.signalPrimary("SIGHUP");
    return {
      detail: `${host.name}, ${before.length} workers`,
      heal: async () => {
        const isRolled = () => {
          const now = host.workerPids();
          return now.length === before.length && now.every((pid) => !before.includes(pid));
        };
        const ms = await until(isRolled, ROLLED_WITHIN_MS, 100);
        return [claim("every worker is replaced", ms !== null, ms)];
      },
    };
  },

  "redis-kill": async ({ world }) => {
    const redis = redisOf(world);
    await redis.kill();
    return { detail: "SIGKILL", heal: () => redis.revive().then(() => []) };
  },

  "redis-pause": ({ world }) => {
    const redis = redisOf(world);
    redis.pause();
    return { detail: "SIGSTOP", heal: () => done(() => redis.resume()) };
  },

  "redis-cut": ({ world, chance }) => {
    const redis = redisOf(world);
    const host = pick(chance, world.hosts);
    if (chance(2) === 0) redis.cut(host.index);
    else redis.freeze(host.index);
    return { detail: host.name, heal: () => done(() => redis.mend(host.index)) };
  },

  "postgres-restart": ({ world, chance }) => {
    const how = pick(chance, ["SIGKILL", "SIGQUIT", "SIGINT"] as const);
    // A crash that does not heal fails this run; the error surfaces when the cure awaits it.
    const crash = world.database.crash(how).then(
      (text) => ({ ok: true, text }),
      (error: unknown) => ({ ok: false, text: String(error) }),
    );
    return {
      detail: how,
      heal: async () => {
        const { ok, text } = await crash;
        return [claim("it answers again", ok, text)];
      },
    };
  },

  "postgres-pause": ({ world }) => {
    world.database.pause();
    return { detail: "", heal: () => done(() => world.database.resume()) };
  },

  "clock-step": async ({ world, scene, chance }) => {
    const stepMs = pick(chance, CLOCK_STEPS_MS);
    const port = world.hosts[0]!.port;
    // A token that was good before is over for a clock set forward, and one made meanwhile for a
    // clock set back by more than its time: people log in again, as with any expired token.
    const renewAll = async () => {
      const renewed = await Promise.all(scene.people.map(({ login }) => login.renew(port)));
      return renewed.every((isNew) => isNew);
    };
    world.stepWallClock(stepMs);
    const isRenewed = await renewAll();
    return {
      detail: `${stepMs / 1000} s`,
      heal: async () => {
        world.stepWallClock(0);
        const isBack = await renewAll();
        return [
          claim("tokens are had under the clock as it was set", isRenewed, isRenewed),
          claim("tokens are had under the clock set right again", isBack, isBack),
        ];
      },
    };
  },

  "slow-reader": async (stage) => {
    const { flood } = stage.scene;
    const reader = flood.reader.clients[0]!;
    await until(() => reader.isSettled, REPLACED_WITHIN_MS);
    reader.stopReading();
    const sent = await floods(stage);
    return {
      detail: `${reader.name}, ${sent} messages of 16 kB`,
      heal: async () => {
        const isOnTheSame = reader.connection;
        reader.goOnReading();
        const isClosed = () => reader.connection !== isOnTheSame;
        const ms = await until(isClosed, CLOSED_WITHIN_MS);
        return [claim("the server had closed it", ms !== null, ms)];
      },
    };
  },

  "redis-garbage": redisGarbage,
  "redis-neighbour": redisNeighbour,
  "connections-gone": connectionsGone,
  "descriptors-gone": descriptorsGone,
  "disk-full": diskFull,

  "reconnect-storm": async ({ world, scene, chance }) => {
    const extra: Wire[] = [];
    for (let wave = 0; wave < STORM_WAVES; wave++) {
      const live = scene.clients.filter((client) => client.isLive);
      for (const client of live) client.drop(true);
      for (let i = 0; i < STORM_EXTRA && live.length > 0; i++) {
        extra.push(stranger(pick(chance, world.hosts).port, pick(chance, live).login.token));
      }
      await delay(200 + chance(400));
    }
    for (const wire of extra) wire.drop();
    return {
      detail: `${STORM_WAVES} waves, ${extra.length} sessions more`,
      heal: () => Promise.resolve([]),
    };
  },
};

async function floods({ scene }: Stage): Promise<number> {
  const { id, senders } = scene.flood;
  let left = FLOOD_MESSAGES;
  let sent = 0;
  const untilMs = performance.now() + FLOOD_WITHIN_MS;
  const mayGoOn = () => performance.now() < untilMs;
  const pours = async (client: Client) => {
    while (left > 0 && mayGoOn()) {
      left--;
      if (await client.sends(id, FLOOD_BODY, mayGoOn)) sent++;
    }
  };
  const clients = senders.map((person) => person.clients[0]!);
  await Promise.all(
    clients.flatMap((client) => Array.from({ length: FLOOD_AT_ONCE }, () => pours(client))),
  );
  return sent;
}

function done(cure: () => void): Promise<Claim[]> {
  cure();
  return Promise.resolve([]);
}
