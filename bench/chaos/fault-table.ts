/**
 * The faults: what each needs, how long it lasts, and what must hold while it lasts. Plain values,
 * for the plan, the injector (injectors.ts) and the checker alike.
 */

export interface FaultFacts {
  title: string;
  /**
   * `redis`: a Redis server. `cluster`: two hosts. `linux`: the program prlimit. `root`: the right to
   * mount a file system; such a fault is injected only where it is named.
   */
  needs: "nothing" | "redis" | "cluster" | "linux" | "root";
  /** Shortest and longest time between injecting and healing. */
  holdMs: readonly [number, number];
  /** While the fault lasts every send is acknowledged within this time. */
  sendsWithinMs?: number;
  /**
   * While the fault lasts each host's /readyz answers `degraded`; for `redis-cut` only the cut
   * host's.
   */
  saysDegraded?: true;
  /** Within this time after healing, every session that stayed has received what it missed. */
  caughtUpWithinMs?: number;
  /** While the fault lasts hosts may consider each other dead and each other's users offline. */
  presenceMayLag?: true;
}

/** Longer than a host's lease (5 s), so that the other hosts have noticed. */
const PAST_LEASE_MS = [6000, 8000] as const;
/** A lease and the presence grace, twice: the users of a dead host would be offline. */
const LONG_CUT_MS = [12_000, 16_000] as const;
const REDIS_AWAY = {
  holdMs: PAST_LEASE_MS,
  sendsWithinMs: 6000,
  saysDegraded: true,
  caughtUpWithinMs: 2000,
  presenceMayLag: true,
} as const;

/** In the order of the report. */
export const FAULTS = {
  "worker-kill": { title: "kill -9 of a worker", needs: "nothing", holdMs: [500, 1500] },
  "primary-kill": { title: "kill -9 of a primary", needs: "nothing", holdMs: [500, 1500] },
  "host-kill": { title: "kill -9 of a whole host", needs: "nothing", holdMs: [1000, 7000] },
  "host-drain": { title: "SIGTERM drains a host", needs: "nothing", holdMs: [200, 1000] },
  "host-roll": { title: "SIGHUP replaces a host's workers", needs: "nothing", holdMs: [0, 500] },
  "redis-kill": { title: "kill -9 of Redis", needs: "redis", ...REDIS_AWAY },
  "redis-pause": { title: "Redis stops answering", needs: "redis", ...REDIS_AWAY },
  "redis-cut": {
    title: "Redis is cut off from one host",
    needs: "cluster",
    ...REDIS_AWAY,
    holdMs: LONG_CUT_MS,
  },
  "postgres-restart": { title: "PostgreSQL restarts", needs: "nothing", holdMs: [500, 1500] },
  "postgres-pause": { title: "PostgreSQL stops answering", needs: "nothing", holdMs: [2000, 7000] },
  "slow-reader": { title: "a client stops reading", needs: "nothing", holdMs: [500, 1500] },
  "clock-step": {
    title: "the hosts' wall clock is set",
    needs: "nothing",
    holdMs: PAST_LEASE_MS,
    sendsWithinMs: 6000,
  },
  "redis-garbage": {
    title: "a stranger publishes garbage on every channel",
    needs: "redis",
    holdMs: [2000, 4000],
    sendsWithinMs: 6000,
  },
  "redis-neighbour": {
    title: "another deployment uses the same Redis",
    needs: "redis",
    holdMs: [1000, 2000],
    sendsWithinMs: 6000,
  },
  "connections-gone": {
    title: "PostgreSQL has no connection left",
    needs: "nothing",
    holdMs: [3000, 6000],
    sendsWithinMs: 6000,
  },
  "descriptors-gone": {
    title: "a process may open no more files",
    needs: "linux",
    holdMs: [3000, 6000],
  },
  "disk-full": { title: "PostgreSQL's disk is full", needs: "root", holdMs: [2000, 5000] },
  "reconnect-storm": {
    title: "all clients drop and return at once",
    needs: "nothing",
    holdMs: [500, 1000],
  },
} as const satisfies Record<string, FaultFacts>;

export type FaultName = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];

export function factsOf(name: FaultName): FaultFacts {
  return FAULTS[name];
}

/** Whether a fault can be injected on so many hosts of this machine without being asked for. */
export function isUsual(name: FaultName, hosts: number): boolean {
  const { needs } = factsOf(name);
  if (needs === "root") return false;
  if (needs === "linux") return process.platform === "linux";
  return needs === "nothing" || hosts > 1;
}

export const needsRedis = (name: FaultName): boolean =>
  factsOf(name).needs === "redis" || factsOf(name).needs === "cluster";
