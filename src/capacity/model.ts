/**
 * The capacity model: from a deployment, its users and the constants to the terms, each a figure
 * with a unit and the mark of the weakest constant in it. Closed forms of the code as it is; the
 * counting simulation in bench/scale holds them against the code. Pure.
 */
import {
  CONSTANTS,
  type ConstantName,
  type Constants,
  type Mark,
  weakestMark,
} from "./constants.ts";
import type { Deployment, Profile } from "./deployment.ts";
import { hostsHearing, type Load, loadOf } from "./load.ts";

export type TermId = keyof typeof TERMS;

export interface Term {
  value: number;
  unit: string;
  label: string;
  mark: Mark;
}

export type Terms = Readonly<Record<TermId, Term>>;

/** The value of a constant; the term that asks for it takes over its mark. */
type Cost = (name: ConstantName) => number;

interface Inputs extends Load {
  deployment: Deployment;
  profile: Profile;
  cost: Cost;
}

interface TermRule {
  label: string;
  unit: string;
  value(inputs: Inputs): number;
}

const TERMS = {
  hostCpu: {
    label: "CPU of a host",
    unit: "of its cores",
    value: ({ deployment, ...rest }) =>
      hostCpuS({ deployment, ...rest }) / (deployment.hosts * deployment.cores),
  },
  messageCpu: {
    label: "CPU of a message with its receipts and typing, all hosts",
    unit: "s",
    value: (inputs) => messageCpuS(inputs),
  },
  hostMemory: {
    label: "memory of a host",
    unit: "of its memory",
    value: ({ deployment, profile, usersPerHost, cost }) =>
      (deployment.workers * cost("workerBytes") +
        usersPerHost *
          (cost("connectionBytes") +
            Math.max(0, profile.conversations - 5) * cost("streamBytes") +
            profile.watched * cost("watchBytes") +
            (1 + profile.conversations) * cost("topicBytes"))) /
      deployment.memoryBytes,
  },
  announced: {
    label: "announcements that every edge hears (ended logins), CPU of each worker",
    unit: "of a core",
    value: (inputs) => announcedPerS(inputs) * inputs.cost("announcementCpu"),
  },
  viewStall: {
    label: "a new view holds up each edge, at most",
    unit: "s",
    // The table, then the sessions, streams and watches of the moved shards, a slice in one turn.
    value: ({ cost }) => cost("viewTableCpu") + cost("viewSliceCpu"),
  },

  redisDeliveries: {
    label: "deliveries of Redis",
    unit: "a second",
    value: (inputs) => redisDeliveriesPerS(inputs),
  },
  redisCpu: {
    label: "Redis, of each master",
    unit: "of its core",
    value: (inputs) => {
      const { deployment, cost } = inputs;
      if (deployment.hosts === 1) return 0;
      const renewals = (deployment.hosts / cost("renewEveryS")) * cost("redisRenewalCpu");
      return (
        (redisPublishesPerS(inputs) * cost("redisPublishCpu") +
          redisDeliveriesPerS(inputs) * cost("redisDeliveryCpu") +
          renewals) /
        deployment.redisMasters
      );
    },
  },
  redisChannel: {
    label: "the busiest channel of Redis, which one master carries",
    unit: "of its core",
    value: (inputs) =>
      announcedPerS(inputs) * (inputs.deployment.hosts - 1) * inputs.cost("redisDeliveryCpu"),
  },
  redisMemory: {
    label: "memory of each Redis master",
    unit: "of its memory",
    value: (inputs) =>
      (subscriptions(inputs) * inputs.cost("redisSubscriptionBytes")) /
      inputs.deployment.redisMasters /
      inputs.deployment.redisBytes,
  },

  postgresCpu: {
    label: "CPU of PostgreSQL",
    unit: "of its cores",
    value: (inputs) => postgresCpuS(inputs) / inputs.deployment.postgresCores,
  },
  postgresCommits: {
    label: "commits of messages",
    unit: "a second",
    value: (inputs) => inputs.messagesPerS / messagesInCommit(inputs),
  },
  postgresConnections: {
    label: "connections to PostgreSQL without a pooler, at most",
    unit: "connections",
    value: ({ workers, cost }) => workers * cost("connectionsPerWorker"),
  },
  postgresDiskPerDay: {
    label: "messages and their indexes, a day",
    unit: "bytes",
    value: ({ messagesPerS, cost }) => messagesPerS * 86_400 * cost("pgMessageBytes"),
  },
  revocationRows: {
    label: "ended logins that the workers read",
    unit: "rows a second",
    value: ({ users, workers, profile, cost }) =>
      (users * profile.logoutsPerDay * workers * cost("revocationRowsRead")) / 86_400,
  },
  searchDelay: {
    label: "a message is found by search after, at most",
    unit: "s",
    // The look rests ten times as long as it took, and it reads the table of conversations.
    value: ({ users, profile, cost }) =>
      0.4 + 11 * conversationsOf(users, profile) * cost("searchConversationCpu"),
  },

  workerDeath: {
    label: "one worker dies: PostgreSQL works",
    unit: "s of a core",
    value: ({ users, workers, usersPerWorker, profile, cost }) => {
      const looks = cost("looksAfterDeath");
      // Each edge asks which of its users changed, and which logins have ended lately.
      const statements = 2 * workers * cost("pgLookCpu") + users * cost("pgNamedCpu");
      // Streams, notifications and preferences of the actors that died.
      const numbers = (2 + profile.conversations) * usersPerWorker * cost("pgNumberCpu");
      return looks * (statements + numbers) + usersPerWorker * cost("pgReturnCpu");
    },
  },
  hostDeath: {
    label: "one host dies: its sessions are back and caught up after",
    unit: "s",
    value: (inputs) => {
      const { deployment, usersPerHost, cost } = inputs;
      const others = deployment.hosts - 1;
      if (others === 0) return Number.POSITIVE_INFINITY;
      const spareCores = others * deployment.cores * 0.5;
      const spareDatabase = deployment.postgresCores * 0.5;
      return (
        cost("drainS") +
        Math.max(
          (usersPerHost * cost("handshakeCpu")) / spareCores,
          (usersPerHost * (cost("pgHandshakeCpu") + cost("pgReturnCpu"))) / spareDatabase,
        )
      );
    },
  },
  comparisons: {
    label: "a host dies or joins: asks about statuses, all edges",
    unit: "asks",
    value: ({ deployment, profile, usersPerWorker, workers }) => {
      const moved = (usersPerWorker * profile.watched * profile.onlineShare) / deployment.hosts;
      return deployment.hosts === 1 ? 0 : workers * Math.min(moved, workers);
    },
  },
  redisLoss: {
    label: "one Redis master is lost: hosts receive from each other again, at most after",
    unit: "s",
    value: (inputs) => {
      if (inputs.deployment.hosts === 1) return 0;
      const each = subscriptions(inputs) / inputs.deployment.redisMasters;
      return inputs.cost("leaseS") + each / inputs.cost("redisSubscriptionsPerS");
    },
  },
  ownGap: {
    label: "one host was cut off: PostgreSQL works",
    unit: "s of a core",
    value: ({ usersPerHost, profile, cost }) =>
      usersPerHost *
      ((profile.conversations + 2) * cost("pgNumberCpu") +
        (profile.conversations / 1_000) * cost("pgLookCpu")),
  },
  deploy: {
    label: "a deploy, one host at a time",
    unit: "s",
    value: ({ deployment, usersPerHost, cost }) =>
      deployment.hosts *
      (cost("leaseS") +
        cost("drainS") +
        5 +
        (usersPerHost * cost("handshakeCpu")) / (deployment.cores * 0.5)),
  },
} as const satisfies Record<string, TermRule>;

export const TERM_IDS = Object.keys(TERMS) as TermId[];

export function termsOf(
  deployment: Deployment,
  profile: Profile,
  constants: Constants = CONSTANTS,
): Terms {
  return Object.fromEntries(
    TERM_IDS.map((id) => [id, termOf(id, deployment, profile, constants)]),
  ) as Record<TermId, Term>;
}

export function termOf(
  id: TermId,
  deployment: Deployment,
  profile: Profile,
  constants: Constants = CONSTANTS,
): Term {
  const marks = new Set<Mark>();
  const cost: Cost = (name) => {
    const { mark, value } = constants[name];
    marks.add(mark);
    return value;
  };
  const { label, unit, value }: TermRule = TERMS[id];
  const figure = value({ ...loadOf(deployment, profile), deployment, profile, cost });
  return { value: figure, unit, label, mark: weakestMark(marks) };
}

/** Distinct conversations of these users. */
function conversationsOf(users: number, profile: Profile): number {
  const shares = profile.groups.reduce((sum, { share }) => sum + share, 0);
  const perMember = profile.groups.reduce((sum, { members, share }) => sum + share / members, 0);
  return (users * profile.conversations * perMember) / shares;
}

function messageCpuS({ message, crossing, cost }: Inputs): number {
  const hops = 2 * crossing * message.calls + message.hostDeliveries;
  return (
    cost("messageCpu") +
    (message.marks + message.typing) * cost("markCpu") +
    message.deliveries * cost("deliveryCpu") +
    message.typingDeliveries * cost("typingHeardCpu") +
    hops * cost("hopCpu")
  );
}

/** Cores that all hosts together use. */
function hostCpuS(inputs: Inputs): number {
  const { users, profile, messagesPerS, workers, cost } = inputs;
  const heard = profile.watched * profile.onlineShare;
  const all = workers * announcedPerS(inputs) * cost("announcementCpu");
  const limits = limitReportsPerS(inputs) * (cost("announcementCpu") + cost("hopCpu"));
  return (
    messagesPerS * messageCpuS(inputs) +
    users *
      (cost("connectionCpu") +
        profile.handshakesPerS * cost("handshakeCpu") +
        profile.statusesPerS * heard * cost("statusHeardCpu")) +
    all +
    limits
  );
}

function redisPublishesPerS(inputs: Inputs): number {
  const { users, profile, message, messagesPerS, crossing } = inputs;
  return (
    messagesPerS * (2 * crossing + 1) * message.calls +
    users * (profile.statusesPerS + profile.joinsPerS) +
    announcedPerS(inputs) +
    limitReportsPerS(inputs)
  );
}

function redisDeliveriesPerS(inputs: Inputs): number {
  const { users, profile, message, messagesPerS, crossing, deployment } = inputs;
  const others = deployment.hosts - 1;
  const watching = profile.watched * profile.onlineShare;
  return (
    messagesPerS * (2 * crossing * message.calls + message.hostDeliveries) +
    users * profile.statusesPerS * hostsHearing(deployment.hosts, watching) +
    others * announcedPerS(inputs) +
    limitReportsPerS(inputs)
  );
}

/** Events of topics that every edge hears: ended logins, and new members where they are many. */
function announcedPerS({ users, profile }: Inputs): number {
  return (users * profile.logoutsPerDay) / 86_400;
}

/** Reports of the use of limits to the edges that add it up, one message each. */
function limitReportsPerS({ workers, users, cost }: Inputs): number {
  if (workers < cost("reportingEdges")) return 0;
  return users * cost("limitedPerS") * cost("toldPart");
}

function subscriptions({ deployment, profile, users }: Inputs): number {
  return deployment.hosts === 1 ? 0 : users * (1 + profile.conversations + profile.watched);
}

/** Each worker commits for itself, so a batch holds what gathers in one worker during a commit. */
function messagesInCommit({ messagesPerS, workers, cost }: Inputs): number {
  return Math.max(1, (messagesPerS / workers) * cost("pgCommitS"));
}

function postgresCpuS(inputs: Inputs): number {
  const { users, profile, message, messagesPerS, workers, cost } = inputs;
  const ended = (users * profile.logoutsPerDay) / 86_400;
  return (
    messagesPerS * (cost("pgMessageCpu") + message.marks * cost("pgMarkCpu")) +
    (messagesPerS / messagesInCommit(inputs)) * cost("pgCommitCpu") +
    users *
      (profile.handshakesPerS * cost("pgHandshakeCpu") +
        cost("pgRefreshCpu") / profile.accessTokenTtlS) +
    workers * cost("looksPerS") * cost("pgLookCpu") +
    ended * workers * cost("revocationRowsRead") * cost("pgRowCpu")
  );
}
