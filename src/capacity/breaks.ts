/**
 * What breaks first: for each term that has a limit, how many users the deployment can have until
 * the term reaches it, by bisection; and how a term grows with the number of hosts. Pure.
 */
import { CONSTANTS, type Constants, type Mark } from "./constants.ts";
import type { Deployment, Profile } from "./deployment.ts";
import { type TermId, termOf } from "./model.ts";

export interface Threshold {
  term: TermId;
  /** The term must stay below it. */
  limit: number;
  /** What happens at the limit, as words that a number of users may follow. */
  what: string;
  /** What to do about it. */
  advice: string;
}

export const THRESHOLDS: readonly Threshold[] = [
  {
    term: "hostCpu",
    limit: 0.7,
    what: "the hosts use 70 % of their cores, so that bursts wait",
    advice: "add hosts",
  },
  {
    term: "hostMemory",
    limit: 0.8,
    what: "the hosts use 80 % of their memory",
    advice: "add hosts",
  },
  {
    term: "announced",
    limit: 0.05,
    what: "every worker spends a twentieth of its core on announcements to all",
    advice: "it grows with the whole cluster, so run two",
  },
  {
    term: "redisCpu",
    limit: 0.7,
    what: "Redis uses 70 % of a core of each master",
    advice: "add masters",
  },
  {
    term: "redisChannel",
    limit: 0.5,
    what: "one channel of Redis takes half of its master",
    advice: "it grows with the whole cluster, so run two",
  },
  {
    term: "redisMemory",
    limit: 0.8,
    what: "Redis uses 80 % of the memory of each master",
    advice: "add masters",
  },
  {
    term: "redisLoss",
    limit: 30,
    what: "after the loss of a Redis master, events between hosts are half a minute late",
    advice: "add masters",
  },
  {
    term: "postgresCpu",
    limit: 0.7,
    what: "PostgreSQL uses 70 % of its cores, so that commits wait",
    advice: "more cores",
  },
  {
    term: "revocationRows",
    limit: 500_000,
    what: "half a core of PostgreSQL reads ended logins",
    advice: "it grows with the whole cluster; fewer and larger workers",
  },
  {
    term: "workerDeath",
    limit: 16,
    what: "the death of one worker keeps 16 cores of PostgreSQL busy for a second",
    advice: "it grows with the whole cluster; fewer and larger workers",
  },
  {
    term: "searchDelay",
    limit: 30,
    what: "search finds a message half a minute late",
    advice: "SEARCH=off where nobody needs it",
  },
];

export interface Break {
  threshold: Threshold;
  /** Users at which the term reaches its limit; infinite where it does not. */
  users: number;
  mark: Mark;
}

/** Beyond this many users nothing is looked for. */
const USERS_MAX = 1e10;
const STEPS = 60;

/** The thresholds in the order in which a deployment that is not changed reaches them. */
export function breaksOf(
  deployment: Deployment,
  profile: Profile,
  constants: Constants = CONSTANTS,
): Break[] {
  return THRESHOLDS.map((threshold) => {
    const at = (users: number) =>
      termOf(threshold.term, deployment, { ...profile, users }, constants);
    const { mark } = at(profile.users);
    const users = firstAbove((count) => at(count).value >= threshold.limit);
    return { threshold, users, mark };
  }).sort((a, b) => a.users - b.users);
}

/** The smallest number of users that is too many; `isTooMany` stays true from there on. */
function firstAbove(isTooMany: (users: number) => boolean): number {
  if (!isTooMany(USERS_MAX)) return Number.POSITIVE_INFINITY;
  let [low, high] = [0, USERS_MAX];
  for (let step = 0; step < STEPS && high - low > 1; step++) {
    const middle = (low + high) / 2;
    if (isTooMany(middle)) high = middle;
    else low = middle;
  }
  return Math.ceil(high);
}

/**
 * The exponent with which a term grows with the hosts, at the same number of users, masters and
 * cores of the database for each host: 0 is flat, 1 grows with the cluster, 2 with its square.
 */
export function growthOf(
  term: TermId,
  deployment: Deployment,
  profile: Profile,
  constants: Constants = CONSTANTS,
): number {
  const times = (factor: number) =>
    termOf(
      term,
      {
        ...deployment,
        hosts: deployment.hosts * factor,
        redisMasters: deployment.redisMasters * factor,
        postgresCores: deployment.postgresCores * factor,
      },
      { ...profile, users: profile.users * factor },
      constants,
    ).value;
  const [few, many] = [times(1), times(16)];
  return few > 0 && many > 0 ? Math.log(many / few) / Math.log(16) : 0;
}
