/**
 * What can happen in a cluster, one thing at a time, and what each has cost by the counts: of calm
 * things for each user or message, of faults for the whole cluster. Time that passes anyway (leases,
 * looks for due work) is counted by itself and taken off.
 */
import type { UserId } from "../../src/protocol/ids.ts";
import { SHAPE, SimCluster } from "./cluster.ts";
import { between, type Figures, type Measure } from "./counts.ts";
import type { SimSession } from "./sim-session.ts";

export type Cause = (typeof CAUSES)[number]["name"];

interface CauseRule {
  name: string;
  /** What its counts are divided by. */
  per: "user" | "message" | "call" | "fault";
  title: string;
  run(cluster: SimCluster): Promise<number>;
}

/** After this nothing of a calm cause is under way, a look at ended logins included. */
const SETTLES_MS = 1_000;
/** Edges look twice, statuses settle, and who has not come back is offline. */
const RECOVERS_MS = 5_500;
const IDLE_MS = 3_000;
/** Between two calls, so that no two share a message between hosts. */
const ALONE_MS = 1;

export const CAUSES = [
  {
    name: "opening",
    per: "user",
    title: "a session begins",
    run: async (cluster) => {
      await cluster.everybodyComes();
      return cluster.users.length;
    },
  },
  {
    name: "send",
    per: "message",
    title: "a message is sent",
    run: (cluster) =>
      eachAlone(cluster, cluster.conversations, ({ id, members }, n) => {
        const body = {
          conversation_id: id,
          client_id: `message ${n}`,
          body: "Hello, how are you?",
        };
        return sessionOf(cluster, members[0]).says("send_message", body);
      }),
  },
  {
    name: "mark",
    per: "call",
    title: "a message is marked as read",
    run: (cluster) =>
      eachAlone(cluster, cluster.conversations, ({ id, members }) =>
        sessionOf(cluster, members[1]).says("mark_read", { conversation_id: id, seq: 1 }),
      ),
  },
  {
    name: "typing",
    per: "call",
    title: "somebody types, and stops",
    run: (cluster) =>
      eachAlone(cluster, cluster.conversations, async ({ id, members }) => {
        const session = sessionOf(cluster, members[1]);
        await session.says("typing", { conversation_id: id, is_typing: true });
        return session.says("typing", { conversation_id: id, is_typing: false });
      }),
  },
  {
    name: "presence",
    per: "call",
    title: "a user's status changes",
    run: (cluster) =>
      eachAlone(cluster, [...cluster.sessions.values()], (session) =>
        session.says("set_status", { status: "away" }),
      ),
  },
  {
    name: "handshake",
    per: "call",
    title: "a handshake counts against limits",
    run: (cluster) =>
      eachAlone(cluster, [...cluster.sessions.values()], async ({ user, worker }) => {
        worker.limits.handshake(user);
      }),
  },
  {
    name: "gap",
    per: "fault",
    title: "one host is cut off from Redis for a second",
    run: async (cluster) => {
      const { bus } = cluster.alive[0]!;
      cluster.network.partition(bus);
      await cluster.world.clock.advance(1_000);
      cluster.network.partition(bus, false);
      return 1;
    },
  },
  {
    name: "death",
    per: "fault",
    title: "one worker dies, and is replaced",
    run: async (cluster) => {
      const host = cluster.alive[0]!;
      host.killWorker(host.alive[0]!);
      await cluster.world.clock.advance(500);
      const worker = host.addWorker();
      host.changed();
      await cluster.world.clock.advance(1);
      await worker.start();
      await cluster.comesBack();
      return 1;
    },
  },
  {
    name: "join",
    per: "fault",
    title: "a host joins",
    run: async (cluster) => {
      await cluster.addHost();
      return 1;
    },
  },
  {
    name: "leave",
    per: "fault",
    title: "a host leaves, and its sessions begin elsewhere",
    run: async (cluster) => {
      await cluster.alive[0]!.leave();
      await cluster.comesBack();
      return 1;
    },
  },
  {
    name: "group",
    per: "call",
    title: "a group of four is made",
    run: (cluster) =>
      eachAlone(cluster, someOf(cluster.users, 4), (user) => {
        const { gateway } = sessionOf(cluster, user).worker.exchange;
        const member_ids = cluster.others(user, 3);
        const body = { kind: "group" as const, member_ids, title: "A new group" };
        return gateway.ask("user", user, "create_conversation", body);
      }),
  },
  {
    name: "logout",
    per: "call",
    title: "a login ends",
    run: (cluster) =>
      eachAlone(cluster, someOf(cluster.users, 8), async (user) => {
        const family = await cluster.endsLogin(user);
        sessionOf(cluster, user).worker.revocations.revoke(family, user);
      }),
  },
] as const satisfies readonly CauseRule[];

export interface Counted {
  hosts: number;
  /** What passes by itself, of one host in one second. */
  idle: Figures;
  by: Readonly<Record<Cause, Figures>>;
}

export async function countCluster(hosts: number, shape = SHAPE): Promise<Counted> {
  const cluster = new SimCluster({ ...shape, hosts });
  const { clock, counts } = cluster.world;
  await cluster.start();
  let before = counts.read();
  let beganMs = clock.nowMs;
  await clock.advance(IDLE_MS);
  const idle = between(before, counts.read(), (hosts * (clock.nowMs - beganMs)) / 1_000);
  const by: Partial<Record<Cause, Figures>> = {};
  for (const cause of CAUSES) {
    before = counts.read();
    beganMs = clock.nowMs;
    const units = await cause.run(cluster);
    await clock.advance(cause.per === "fault" ? RECOVERS_MS : SETTLES_MS);
    const seconds = (clock.nowMs - beganMs) / 1_000;
    by[cause.name] = without(
      between(before, counts.read(), units),
      idle,
      (hosts * seconds) / units,
    );
  }
  cluster.close();
  return { hosts, idle, by: by as Record<Cause, Figures> };
}

/** Takes off what passes by itself. */
function without(figures: Figures, idle: Figures, times: number): Figures {
  const names = Object.keys(figures) as Measure[];
  return Object.fromEntries(
    names.map((name) => [name, figures[name] - idle[name] * times]),
  ) as Record<Measure, number>;
}

/** Does one after another, so that each costs what it costs alone. */
async function eachAlone<T>(
  { world: { clock, bugs } }: SimCluster,
  all: readonly T[],
  act: (one: T, n: number) => Promise<unknown>,
): Promise<number> {
  for (const [n, one] of all.entries()) {
    act(one, n).catch((error: unknown) => void bugs.push(String(error)));
    await clock.advance(ALONE_MS);
  }
  return all.length;
}

function sessionOf({ sessions }: SimCluster, user: UserId | undefined): SimSession {
  const session = user === undefined ? undefined : sessions.get(user);
  if (session === undefined) throw new Error(`user ${user} has no session`);
  return session;
}

/** Every `step`th of them. */
function someOf<T>(all: readonly T[], step: number): T[] {
  return all.filter((_, n) => n % step === 0);
}
