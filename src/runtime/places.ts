/**
 * The places of actors on some workers: by shards (shards.ts), and by the rule that Troupe had before
 * there were shards. Used by `Placement`.
 */
import {
  fnv1a,
  type HostShare,
  hashOf,
  mix,
  ShardMap,
  shardOf,
  shardsWhere,
  signatureOf,
} from "./shards.ts";
import { hostOfSlot, type WorkerRef } from "./worker-ref.ts";

export interface Places {
  /** `hash` is that of the key; null while no worker is known. */
  ownerOf(key: string, hash?: number): string | null;
}

/** The workers of one host, one for each slot, and how many it has when all are up. */
interface HostPlaces {
  id: string;
  slots: number;
  workers: WorkerRef[];
  seeds: number[];
}

/**
 * The shard says the host, then the key says the worker, by rendezvous hashing over the few workers
 * of that host: so a shard with few actors may still use all of them, and what happens to one
 * worker concerns the actors of its host only.
 */
export class ShardPlaces implements Places {
  readonly map: ShardMap;
  readonly #hosts: readonly HostPlaces[];
  readonly #sole: HostPlaces | null;

  /** `known`: maps that need not be made again. */
  constructor(
    workers: readonly WorkerRef[],
    slots: Readonly<Record<string, number>>,
    known: readonly ShardMap[] = [],
  ) {
    this.#hosts = hostsOf(workers, slots);
    this.#sole = this.#hosts.length === 1 ? this.#hosts[0]! : null;
    const shares = sharesOf(this.#hosts);
    const signature = signatureOf(shares);
    this.map = known.find((map) => map.signature === signature) ?? new ShardMap(shares);
  }

  ownerOf(key: string, hash?: number): string | null {
    const sole = this.#sole;
    if (sole !== null && sole.workers.length === 1) return sole.workers[0]!.incarnation;
    return this.#ownerAt(hash ?? hashOf(key));
  }

  #ownerAt(hash: number): string | null {
    if (this.#hosts.length === 0) return null;
    const host = this.#sole ?? this.#hosts[this.map.owners[shardOf(hash)]!]!;
    const { workers, seeds } = host;
    let best = 0;
    let bestScore = -1;
    for (let i = 0; i < seeds.length; i++) {
      const score = mix(hash ^ seeds[i]!);
      if (score > bestScore) {
        bestScore = score;
        best = i;
      }
    }
    return workers[best]!.incarnation;
  }

  /** Shards of which some actor has another owner here than there; null: any may be one. */
  movedSince(before: ShardPlaces): Uint16Array | null {
    // Between two single hosts there is no map to look at.
    if (this.#sole !== null && before.#sole !== null) {
      return areAlike(this.#sole, before.#sole) ? new Uint16Array(0) : null;
    }
    if (this.#hosts.length === 0 || before.#hosts.length === 0) return null;
    const numbers = new Map(before.#hosts.map((host, n) => [host.id, n]));
    let hasChanged = this.map !== before.map;
    // By host here, its number there where its workers are the same; else -1.
    const same = this.#hosts.map((host) => {
      const there = numbers.get(host.id);
      if (there !== undefined && areAlike(host, before.#hosts[there]!)) return there;
      hasChanged = true;
      return -1;
    });
    if (!hasChanged) return new Uint16Array(0);
    const { owners } = this.map;
    const { owners: ownersBefore } = before.map;
    return shardsWhere((shard) => same[owners[shard]!] !== ownersBefore[shard]);
  }

  /** Shards of which these workers may own actors; null: any may be one. */
  shardsOf(incarnations: ReadonlySet<string>): Uint16Array | null {
    const theirs = this.#hosts.map(({ workers }) =>
      workers.some(({ incarnation }) => incarnations.has(incarnation)),
    );
    if (!theirs.includes(true)) return new Uint16Array(0);
    if (this.#sole !== null) return null;
    const { owners } = this.map;
    return shardsWhere((shard) => theirs[owners[shard]!] === true);
  }
}

/** Rendezvous hashing over all workers of all hosts, at a cost that grows with their number. */
export class WorkerPlaces implements Places {
  readonly #workers: readonly WorkerRef[];
  readonly #seeds: readonly number[];

  constructor(workers: readonly WorkerRef[]) {
    this.#workers = workers;
    this.#seeds = workers.map((worker) => fnv1a(worker.slot));
  }

  ownerOf(key: string): string | null {
    const workers = this.#workers;
    if (workers.length === 1) return workers[0]!.incarnation;
    let best: string | null = null;
    let bestScore = -1;
    for (let i = 0; i < workers.length; i++) {
      const score = mix(fnv1a(key, this.#seeds[i]!));
      if (score > bestScore) {
        bestScore = score;
        best = workers[i]!.incarnation;
      }
    }
    return best;
  }
}

function hostsOf(
  workers: readonly WorkerRef[],
  slots: Readonly<Record<string, number>>,
): HostPlaces[] {
  const byId = new Map<string, HostPlaces & { taken: Set<string> }>();
  for (const worker of workers) {
    const id = hostOfSlot(worker.slot);
    let host = byId.get(id);
    if (host === undefined) {
      host = { id, slots: 0, workers: [], seeds: [], taken: new Set() };
      byId.set(id, host);
    }
    // In a roll two workers may stand in one slot.
    if (host.taken.has(worker.slot)) continue;
    host.taken.add(worker.slot);
    host.workers.push(worker);
    host.seeds.push(fnv1a(worker.slot.slice(id.length)));
  }
  return [...byId.values()]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ taken: _, ...host }) => ({
      ...host,
      slots: Math.max(host.workers.length, slots[host.id] ?? 0),
    }));
}

/**
 * [PLC9] By rising id. The id of a host is "<name>-<run>"; of hosts of one name the one that started
 * first keeps it, and the others have their whole id for a name.
 */
function sharesOf(hosts: readonly HostPlaces[]): HostShare[] {
  const taken = new Set<string>();
  return hosts.map(({ id, slots }) => {
    const end = id.lastIndexOf("-");
    const shared = end < 0 ? id : id.slice(0, end);
    const name = taken.has(shared) ? id : shared;
    taken.add(shared);
    return { name, slots };
  });
}

function areAlike(a: HostPlaces, b: HostPlaces): boolean {
  return (
    a.workers.length === b.workers.length &&
    a.workers.every(({ incarnation }, n) => incarnation === b.workers[n]!.incarnation)
  );
}
