/** Scenarios in which connected clients emit: fanout, durable, latency, typing, presence. */
import type { Fleet, FleetReport } from "../fleet/fleet.ts";
import type { EmitJob } from "../fleet/orders.ts";
import { Meter } from "../meter.ts";
import type { Outcome } from "../outcome.ts";
import {
  clientsOf,
  connectAll,
  groupsOf,
  quiet,
  type Scenario,
  type Stage,
  troubleOf,
  WARM_UP_S,
  withFleet,
} from "./scenario.ts";

/** Without a further event for so long, what is missing has been merged or lost. */
const STILL_MS = 1_500;

interface Talk {
  jobs: EmitJob[];
  window: number;
  perSecond?: number;
  /** The first letter of the event that others hear, and how many hear one. */
  letter: string;
  hearers: number;
  /** Whether acknowledgements or received events are counted. */
  counts: "acked" | "heard";
  unit: string;
  timesReceipt?: boolean;
}

async function talk(name: string, stage: Stage, fleet: Fleet, what: Talk): Promise<Outcome> {
  const { jobs, window, letter, hearers, counts } = what;
  const perSecond = what.perSecond ?? null;
  stage.say("warming up");
  await fleet.emit(jobs, { window, perSecond, seconds: WARM_UP_S });
  await fleet.heard(letter, Number.POSITIVE_INFINITY, 400);
  await quiet(stage);

  const before = await fleet.count();
  const heardBefore = before.heardByLetter[letter] ?? 0;
  const units = () => fleet.counts[counts] - before[counts];
  stage.say("measuring", units);
  const meter = Meter.start(stage.stack, units);
  const report = await fleet.emit(jobs, {
    window,
    perSecond,
    seconds: stage.plan.seconds,
    timesReceipt: what.timesReceipt ?? false,
  });
  const wanted = report.done * hearers;
  const after = await fleet.heard(letter, heardBefore + wanted, STILL_MS);
  const heard = (after.heardByLetter[letter] ?? 0) - heardBefore;
  const { failures, reasons } = troubleOf(report);
  // A message is for everybody; of what is only the latest value the server may leave some out.
  const unheard = letter === "m" ? Math.max(0, wanted - heard) : 0;
  if (unheard > 0) reasons.push(`${unheard} messages not heard`);
  // To the last one heard, which may be later than the last acknowledgement.
  const heardSeconds = Math.max(report.seconds, (after.lastHeardUs - report.startedUs) / 1e6);
  const seconds = counts === "heard" ? heardSeconds : report.seconds;
  const outcome = meter.stop(name, what.unit, {
    units: counts === "heard" ? heard : report.done,
    seconds,
    latencies: report.latencies,
    latencyOf: "emit → ack",
    extra: {
      "acked/s": report.done / report.seconds,
      "heard/s": heard / heardSeconds,
      "heard of what was due, %": wanted === 0 ? 100 : (100 * heard) / wanted,
    },
    failures: failures + unheard,
    reasons,
  });
  return withReceipts(outcome, report);
}

/** Where receipts are timed, they are the latency. */
function withReceipts(outcome: Outcome, report: FleetReport): Outcome {
  if (report.receipts === null) return outcome;
  return {
    ...outcome,
    latencies: report.receipts,
    latencyOf: "send → receive",
    extra: { ...outcome.extra, "ack p99 ms": report.latencies?.p99 ?? 0 },
  };
}

/** With what a delivery costs in a group, and how many times that it costs here. */
function beside(outcome: Outcome, members: number, inRoom: Outcome): Outcome {
  const [own, others] = [outcome.cpuUsPerUnit, inRoom.cpuUsPerUnit];
  const { extra, failures, reasons } = outcome;
  return {
    ...outcome,
    failures: failures + inRoom.failures,
    reasons: [...reasons, ...inRoom.reasons.map((reason) => `in the group: ${reason}`)],
    extra: {
      ...extra,
      ...(others !== null && { [`CPU µs in a group of ${members}`]: others }),
      ...(own !== null && others !== null && { "times that of the group": own / others }),
    },
  };
}

/** How many of the members send. */
const SENDERS = 4;

export const FANOUT: Scenario = {
  name: "fanout",
  title: "one group, 500 members connected, four of them send flat out",
  run(stage) {
    const clients = Math.max(SENDERS + 1, clientsOf(stage, 500));
    return withFleet(clients, async (fleet) => {
      const { town } = stage.stack;
      const residents = await town.people(clients);
      const [room = ""] = await town.conversations([residents]);
      await town.settle();
      await connectAll(stage, fleet, residents);
      const jobs = Array.from(
        { length: SENDERS },
        (_, client): EmitJob => ({ client, kind: "send", conversation: room }),
      );
      return talk("fanout", stage, fleet, {
        jobs,
        window: 8,
        letter: "m",
        hearers: clients - 1,
        counts: "heard",
        unit: "delivery",
      });
    });
  },
};

/** A live stream's pace. */
const CHANNEL_PER_SECOND = 20;
/** A group to compare it with, in the same server at the same pace. */
const ROOM_MEMBERS = 500;

export const CHANNEL: Scenario = {
  name: "channel",
  title:
    "one channel, 5,000 sessions watch, 20 messages a second, and before it a group of 500 (--clients N," +
    " --per-second N)",
  isOurs: true,
  run(stage) {
    const clients = Math.max(2, clientsOf(stage, 5_000));
    return withFleet(clients, async (fleet) => {
      const { town } = stage.stack;
      const residents = await town.people(clients);
      const channel = await town.channel(residents[0]!);
      const members = residents.slice(0, ROOM_MEMBERS);
      const [room = ""] = await town.conversations([members]);
      await town.settle();
      await connectAll(stage, fleet, residents, "1.1");
      const sends = (conversation: string, hearers: number) =>
        talk("channel", stage, fleet, {
          jobs: [{ client: 0, kind: "send", conversation }],
          window: 8,
          perSecond: stage.plan.perSecond ?? CHANNEL_PER_SECOND,
          letter: "m",
          hearers,
          counts: "heard",
          unit: "delivery",
        });
      const inRoom = await sends(room, members.length - 1);
      stage.say("watching");
      const payload = JSON.stringify({ conversation_id: channel, limit: 1 });
      const watches = residents.map((_, client) => ({
        client,
        event: "join_conversation",
        payload,
      }));
      await fleet.ask(watches, 100);
      return beside(await sends(channel, clients - 1), members.length, inRoom);
    });
  },
};

/** Pairs that talk with each other, all at once. */
function pairs(
  name: string,
  stage: Stage,
  what: Pick<Talk, "window" | "timesReceipt" | "unit"> & { perSecond?: number },
): Promise<Outcome> {
  const clients = clientsOf(stage, 200, 2);
  return withFleet(clients, async (fleet) => {
    const { town } = stage.stack;
    const residents = await town.people(clients);
    const talks = await town.conversations(groupsOf(residents, 2));
    await town.settle();
    await connectAll(stage, fleet, residents);
    const jobs: EmitJob[] = residents.map((_, client) => ({
      client,
      kind: "send",
      conversation: talks[client >> 1]!,
    }));
    return talk(name, stage, fleet, { ...what, jobs, letter: "m", hearers: 1, counts: "acked" });
  });
}

export const DURABLE: Scenario = {
  name: "durable",
  title: "200 people in pairs, all send flat out; a message counts when it is acknowledged",
  run: (stage) => pairs("durable", stage, { window: 4, unit: "message" }),
};

/** A rate that a plain server sustains easily on two cores. */
const CALM_PER_SECOND = 150;

export const LATENCY: Scenario = {
  name: "latency",
  title: "200 people in pairs at a calm rate: from the send to the other's receipt",
  run: (stage) =>
    pairs("latency", stage, {
      window: 4,
      unit: "message",
      timesReceipt: true,
      perSecond: stage.plan.perSecond ?? CALM_PER_SECOND,
    }),
};

const TYPISTS_GROUP = 20;

export const TYPING: Scenario = {
  name: "typing",
  title: "groups of 20, two of each type and stop, flat out",
  run(stage) {
    const clients = clientsOf(stage, 200, TYPISTS_GROUP);
    return withFleet(clients, async (fleet) => {
      const { town } = stage.stack;
      const residents = await town.people(clients);
      const groups = groupsOf(residents, TYPISTS_GROUP);
      const ids = await town.conversations(groups);
      await town.settle();
      await connectAll(stage, fleet, residents);
      const jobs = groups.flatMap((members, group) =>
        members.slice(0, 2).map(
          (_, i): EmitJob => ({
            client: group * TYPISTS_GROUP + i,
            kind: "typing",
            conversation: ids[group]!,
          }),
        ),
      );
      return talk("typing", stage, fleet, {
        jobs,
        window: 4,
        letter: "t",
        hearers: TYPISTS_GROUP - 1,
        counts: "heard",
        unit: "typing event heard",
      });
    });
  },
};

const CHANGERS = 20;

export const PRESENCE: Scenario = {
  name: "presence",
  title: "200 people watch 20 others, whose status changes flat out",
  run(stage) {
    const watchers = clientsOf(stage, 200);
    return withFleet(watchers + CHANGERS, async (fleet) => {
      const { town } = stage.stack;
      const residents = await town.people(watchers + CHANGERS);
      await town.settle();
      await connectAll(stage, fleet, residents);
      const payload = JSON.stringify({ user_ids: residents.slice(watchers).map(({ id }) => id) });
      const watches = Array.from({ length: watchers }, (_, client) => ({
        client,
        event: "watch_presence",
        payload,
      }));
      await fleet.ask(watches, 50);
      const jobs = Array.from(
        { length: CHANGERS },
        (_, i): EmitJob => ({
          client: watchers + i,
          kind: "status",
          conversation: "",
        }),
      );
      return talk("presence", stage, fleet, {
        jobs,
        window: 1,
        letter: "u",
        hearers: watchers,
        counts: "heard",
        unit: "status heard",
      });
    });
  },
};
