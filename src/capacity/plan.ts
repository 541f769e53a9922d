/**
 * The smallest deployment of one kind of host that carries a profile with room to spare. Pure.
 */
import { type Break, breaksOf } from "./breaks.ts";
import { CONSTANTS, type Constants } from "./constants.ts";
import { type Deployment, GB, GROUP_MEMBERS_MAX, type Profile } from "./deployment.ts";
import { type TermId, type Terms, termOf, termsOf } from "./model.ts";

export interface HostKind {
  cores: number;
  memoryBytes: number;
}

export interface Plan {
  deployment: Deployment;
  profile: Profile;
  /** Hosts beside those of `deployment`, so that one may fail. */
  spareHosts: number;
  terms: Terms;
  /** In the order in which they come. */
  breaks: Break[];
  /** Until the disk of PostgreSQL is full. */
  diskMonths: number;
  /** What the model does not cover, as sentences. */
  unfit: string[];
}

const HOSTS_MAX = 100_000;
const MASTERS_MAX = 1_000;
const DATABASE_CORES = [2, 4, 8, 16, 32, 64, 96, 128, 192];
const REDIS_BYTES = 16 * GB;
const DISK_BYTES = 4_000 * GB;

/**
 * With this much of each in use, there is room for a host that fails and for bursts. Of faults
 * only the loss of a Redis master sizes anything.
 */
const ROOM: Partial<Record<TermId, number>> = {
  hostCpu: 0.5,
  hostMemory: 0.6,
  redisCpu: 0.5,
  redisMemory: 0.6,
  redisLoss: 25,
  postgresCpu: 0.5,
};

export function planFor(
  profile: Profile,
  host: HostKind,
  constants: Constants = CONSTANTS,
): Plan | string {
  const start: Deployment = {
    hosts: 1,
    cores: host.cores,
    memoryBytes: host.memoryBytes,
    // One core for the primary; what PostgreSQL needs is elsewhere.
    workers: Math.max(1, host.cores - 1),
    redisMasters: 1,
    redisBytes: REDIS_BYTES,
    postgresCores: DATABASE_CORES[0]!,
    postgresBytes: DISK_BYTES,
  };
  const fits = (deployment: Deployment, terms: readonly TermId[]) =>
    terms.every((id) => termOf(id, deployment, profile, constants).value <= (ROOM[id] ?? 1));
  const hosts = smallest(HOSTS_MAX, (count) =>
    fits({ ...start, hosts: count }, ["hostCpu", "hostMemory"]),
  );
  if (hosts === null) {
    return `No number of hosts up to ${HOSTS_MAX} carries this: a smaller rate, or larger hosts.`;
  }
  const withHosts = { ...start, hosts };
  const masters = smallest(MASTERS_MAX, (count) =>
    fits({ ...withHosts, redisMasters: count }, ["redisCpu", "redisMemory", "redisLoss"]),
  );
  // A Redis Cluster has three masters at least.
  const redisMasters = masters === null ? MASTERS_MAX : masters === 2 ? 3 : masters;
  const withRedis = { ...withHosts, redisMasters };
  const postgresCores =
    DATABASE_CORES.find((cores) => fits({ ...withRedis, postgresCores: cores }, ["postgresCpu"])) ??
    DATABASE_CORES.at(-1)!;
  const deployment = { ...withRedis, postgresCores };
  const terms = termsOf(deployment, profile, constants);
  const unfit = unfitOf(profile);
  if (terms.postgresCpu.value > 1) {
    unfit.push(
      `One PostgreSQL of ${postgresCores} cores is too small for this: the model knows no deployment with several.`,
    );
  }
  return {
    deployment,
    profile,
    spareHosts: hosts === 1 ? 1 : Math.max(1, Math.ceil(hosts * 0.04)),
    terms,
    breaks: breaksOf(deployment, profile, constants),
    diskMonths: deployment.postgresBytes / (terms.postgresDiskPerDay.value * 30.4),
    unfit,
  };
}

function unfitOf({ groups, watched }: Profile): string[] {
  const unfit: string[] = [];
  const large = groups.filter(({ members }) => members > GROUP_MEMBERS_MAX);
  if (large.length > 0) {
    const sizes = large.map(({ members }) => members.toLocaleString("en")).join(" and ");
    unfit.push(
      `Groups have at most ${GROUP_MEMBERS_MAX} members: those of ${sizes} are taken for channels, which have no receipts.`,
    );
  }
  if (watched > 500) {
    unfit.push("A session watches at most 500 users by itself; more must be asked for.");
  }
  return unfit;
}

/**
 * The smallest count for which `holds`, looked for in doublings, since what grows with the cluster
 * may exclude large counts as well; null: none.
 */
function smallest(max: number, holds: (count: number) => boolean): number | null {
  let high = 1;
  while (high <= max && !holds(high)) high *= 2;
  if (high > max) return null;
  let low = high >> 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}
