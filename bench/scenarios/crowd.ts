/** Scenarios of many: growth (what a message costs among many sessions) and hold (40,000). */
import type { Fleet } from "../fleet/fleet.ts";
import type { EmitJob } from "../fleet/orders.ts";
import { cpuOfSilence, Meter, Unmeasured } from "../meter.ts";
import { BEYOND_SILENCE, type Outcome } from "../outcome.ts";
import type { Resident } from "../town.ts";
import {
  clientsOf,
  connectAll,
  groupsOf,
  neighbourhood,
  quiet,
  type Scenario,
  type Stage,
  troubleOf,
  withFleet,
} from "./scenario.ts";

/** Well below what two cores do: of a queue, the cost is another. */
const GROWTH_PER_SECOND = 500;
const HOLD_PER_SECOND = 500;
const HOLD_CLIENTS = 40_000;
/** Each conversation gets a message before: waking it is not what is measured. */
const WAKING_AT_ONCE = 200;
const HELLO = "Good morning, and how are you today?";
const STILL_MS = 1_500;
/** How long the cost of idle sessions is measured before the messages start. */
const SILENCE_S = 5;

/** One message after another into each conversation in turn, at an even rate. */
async function steadyTalk(
  name: string,
  stage: Stage,
  fleet: Fleet,
  jobs: EmitJob[],
  perSecond: number,
): Promise<Outcome> {
  stage.say(`waking ${jobs.length} conversations`, () => fleet.counts.heardByLetter["m"] ?? 0);
  const hellos = jobs.map(({ client, conversation }) => ({
    client,
    event: "send_message",
    payload: JSON.stringify({ conversation_id: conversation, client_id: "hello", body: HELLO }),
  }));
  const woken = await fleet.ask(hellos, WAKING_AT_ONCE);
  if (woken.done < jobs.length) {
    const why = woken.reasons[0] ?? "no answer";
    throw new Unmeasured(`Only ${woken.done} of ${jobs.length} conversations woke: ${why}.`);
  }
  await fleet.heard("m", Number.POSITIVE_INFINITY, STILL_MS);
  await quiet(stage);
  stage.say("listening to the silence");
  const silentMs = await cpuOfSilence(stage.stack, SILENCE_S);
  const before = await fleet.count();
  const units = () => fleet.counts.acked - before.acked;
  stage.say("measuring", units);
  const meter = Meter.start(stage.stack, units);
  const report = await fleet.emit(jobs, {
    window: 1,
    perSecond,
    seconds: stage.plan.seconds,
    timesReceipt: true,
  });
  const heardBefore = before.heardByLetter["m"] ?? 0;
  const after = await fleet.heard("m", heardBefore + report.done, STILL_MS);
  const heard = (after.heardByLetter["m"] ?? 0) - heardBefore;
  const { failures, reasons } = troubleOf(report);
  const unheard = Math.max(0, report.done - heard);
  const lost = Math.max(0, before.ready - after.ready);
  const outcome = meter.stop(name, "message", {
    units: report.done,
    seconds: report.seconds,
    latencies: report.receipts,
    latencyOf: "send → receive",
    failures: failures + unheard + lost,
    reasons: [
      ...reasons,
      ...(unheard > 0 ? [`${unheard} messages not heard`] : []),
      ...(lost > 0 ? [`${lost} sessions ended`] : []),
    ],
    extra: {
      "sessions still there": after.ready,
      conversations: jobs.length,
      "ack p99 ms": report.latencies?.p99 ?? 0,
    },
  });
  if (silentMs === null || outcome.cpuUsPerUnit === null) return outcome;
  const heldUs = ((silentMs / SILENCE_S) * outcome.seconds * 1000) / outcome.units;
  return {
    ...outcome,
    extra: { ...outcome.extra, [BEYOND_SILENCE]: outcome.cpuUsPerUnit - heldUs },
  };
}

/** Of fewer, each has no four others to talk with. */
const GROWTH_CLIENTS_MIN = 5;

export const GROWTH: Scenario = {
  name: "growth",
  title: "a message's cost at the same rate, two conversations for each session",
  run(stage) {
    const clients = Math.max(GROWTH_CLIENTS_MIN, clientsOf(stage, 100));
    return withFleet(clients, async (fleet) => {
      const { town } = stage.stack;
      const residents = await town.people(clients);
      const lists = neighbourhood(residents, 4, clients).slice(0, 2 * clients);
      const ids = await town.conversations(lists);
      await town.settle();
      await connectAll(stage, fleet, residents);
      const perSecond = stage.plan.perSecond ?? GROWTH_PER_SECOND;
      return steadyTalk("growth", stage, fleet, jobsOf(residents, lists, ids), perSecond);
    });
  },
};

export const HOLD: Scenario = {
  name: "hold",
  title: "40,000 connections, messages flowing between pairs of them",
  run(stage) {
    const clients = clientsOf(stage, HOLD_CLIENTS, 2);
    return withFleet(clients, async (fleet) => {
      const { town } = stage.stack;
      const residents = await town.people(clients);
      const lists = groupsOf(residents, 2);
      const ids = await town.conversations(lists);
      await town.settle();
      const opened = await connectAll(stage, fleet, residents);
      // Some of the pairs talk: all 20,000 would take longer to wake than to measure.
      const talking = lists.slice(0, 4_000);
      const perSecond = stage.plan.perSecond ?? HOLD_PER_SECOND;
      const jobs = jobsOf(residents, talking, ids);
      const outcome = await steadyTalk("hold", stage, fleet, jobs, perSecond);
      const mb = outcome.pssMb ?? outcome.rssMb ?? 0;
      return {
        ...outcome,
        extra: {
          ...outcome.extra,
          "connected in, s": opened.seconds,
          "KB a connection, the whole tree": (mb * 1024) / clients,
        },
      };
    });
  },
};

/** The first of each list sends. */
function jobsOf(
  residents: readonly Resident[],
  lists: readonly (readonly Resident[])[],
  ids: readonly string[],
): EmitJob[] {
  const clientOf = new Map(residents.map(({ id }, client) => [id, client]));
  return lists.map((members, i) => ({
    client: clientOf.get(members[0]!.id)!,
    kind: "send",
    conversation: ids[i]!,
  }));
}
