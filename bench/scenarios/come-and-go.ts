/** Scenarios of connections: connect, idle, storm. */
import { Meter } from "../meter.ts";
import { canReadProcesses, readPssKb } from "../support/process-figures.ts";
import type { Resident } from "../town.ts";
import {
  clientsOf,
  connectAll,
  neighbourhood,
  pause,
  quiet,
  type Scenario,
  type Stage,
  troubleOf,
  withFleet,
} from "./scenario.ts";

const WARM_UP_CLIENTS = 200;
/** After the last handshake: V8 collects what it left behind once it has idled for 8 s. */
const REST_MS = 12_000;
/** Longer than the grace after which those who left are offline, on both kinds of server. */
const GONE_MS = 6_000;

/** Strangers come and go, so that the first handshake measured is not the first of all. */
async function warmUp(stage: Stage): Promise<void> {
  if (!stage.stack.isOwn) return;
  stage.say("warming up");
  const { town } = stage.stack;
  const strangers = await town.people(WARM_UP_CLIENTS);
  await town.conversations(neighbourhood(strangers, 4, 20));
  await town.settle();
  await withFleet(WARM_UP_CLIENTS, async (fleet) => {
    await connectAll(stage, fleet, strangers);
    await fleet.close();
  });
  stage.say("waiting until the strangers are offline");
  await pause(stage, GONE_MS);
}

export const CONNECT: Scenario = {
  name: "connect",
  title: "handshakes: token, session, five conversations each, `ready`",
  async run(stage) {
    await warmUp(stage);
    const clients = clientsOf(stage, 1_000);
    const { town } = stage.stack;
    const residents = await town.people(clients);
    await town.conversations(neighbourhood(residents, 4, 20));
    await town.settle();
    return withFleet(clients, async (fleet) => {
      await quiet(stage);
      const meter = Meter.start(stage.stack, () => fleet.counts.ready);
      const report = await connectAll(stage, fleet, residents);
      await quiet(stage);
      return meter.stop("connect", "handshake", {
        units: report.done,
        seconds: report.seconds,
        latencies: report.latencies,
        latencyOf: "TCP connect → ready",
        ...troubleOf(report),
      });
    });
  },
};

/** Fewer connections would weigh less than the heap's own fluctuation. */
const WEIGHABLE = 500;

export const IDLE: Scenario = {
  name: "idle",
  title: "10,000 connections that do nothing: memory of the whole process tree",
  async run(stage) {
    await warmUp(stage);
    const clients = clientsOf(stage, 10_000);
    const { town, roots } = stage.stack;
    const residents = await town.people(clients);
    await town.conversations(neighbourhood(residents, 0, 20));
    await town.settle();
    const restMs = clients < WEIGHABLE ? 0 : REST_MS;
    return withFleet(clients, async (fleet) => {
      await quiet(stage);
      await pause(stage, restMs);
      const beforeMb = readPssKb(roots()) / 1024;
      const opened = await connectAll(stage, fleet, residents);
      await quiet(stage);
      stage.say("resting");
      await pause(stage, restMs);
      // From here: what it costs to keep them.
      stage.say("keeping them", () => fleet.counts.ready);
      const beganMs = performance.now();
      const keptFor = () => (performance.now() - beganMs) / 1000;
      const meter = Meter.start(stage.stack, () => fleet.counts.ready * keptFor());
      await pause(stage, stage.plan.seconds * 1000);
      const { ready } = await fleet.count();
      const { seconds } = stage.plan;
      // A second, then, is how many there are; and CPU a unit what one costs each second.
      const outcome = meter.stop("idle", "connection-second", {
        units: ready * seconds,
        seconds,
        latencies: opened.latencies,
        latencyOf: "TCP connect → ready",
        failures: clients - ready,
        reasons: ready < clients ? [`${clients - ready} sessions ended`] : [],
      });
      const grownMb = (outcome.pssMb ?? 0) - beforeMb;
      return canReadProcesses && stage.stack.isOwn && ready >= WEIGHABLE
        ? {
            ...outcome,
            extra: {
              "tree before, MB": beforeMb,
              "tree with them, MB": outcome.pssMb ?? 0,
              "KB a connection": (grownMb * 1024) / ready,
            },
          }
        : outcome;
    });
  },
};

/** In each conversation that a client knows, the last message came while it was away. */
const SEEDED = 5;
const MISSED = 1;

export const STORM: Scenario = {
  name: "storm",
  title: "all clients dropped at once; time until the last is back and has synced",
  async run(stage) {
    const clients = clientsOf(stage, 1_000);
    const { town } = stage.stack;
    const residents = await town.people(clients);
    const lists = neighbourhood(residents, 4, 20);
    const ids = await town.conversations(lists);
    const senders = lists.map((members) => members[0]!);
    await town.messages(ids, senders, SEEDED);
    await town.settle();
    const syncs = syncPayloads(residents, lists, ids);
    return withFleet(clients, async (fleet) => {
      await connectAll(stage, fleet, residents);
      await quiet(stage);
      stage.say("the storm", () => fleet.counts.ready);
      const meter = Meter.start(stage.stack, () => fleet.counts.ready);
      const report = await fleet.storm(syncs);
      const outcome = meter.stop("storm", "client back", {
        units: report.done,
        seconds: report.seconds,
        latencies: report.latencies,
        latencyOf: "drop → synced",
        failures: clients - report.done,
        reasons: [...new Set(report.reasons)].slice(0, 5),
        extra: {
          "all synced after, ms": report.seconds * 1000,
          "tries refused or cut": report.failed,
        },
      });
      return outcome;
    });
  },
};

export function syncPayloads(
  residents: readonly Resident[],
  lists: readonly (readonly Resident[])[],
  ids: readonly string[],
): string[] {
  const known = new Map<string, { conversation_id: string; after_rev: number }[]>();
  lists.forEach((members, i) => {
    for (const { id } of members) {
      const own = known.get(id) ?? [];
      // rev 1 is the conversation's creation.
      own.push({ conversation_id: ids[i]!, after_rev: 1 + SEEDED - MISSED });
      known.set(id, own);
    }
  });
  return residents.map(({ id }) => JSON.stringify({ conversations: known.get(id) ?? [] }));
}
