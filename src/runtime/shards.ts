/**
 * The shard map: which host owns each of SHARDS shards. An actor's shard follows from the hash of
 * its key, so that finding its owner costs the same with any number of hosts.
 *
 * A host stands in the map with its slots. Each slot goes through all shards in an order of its own,
 * which follows from its name alone; a shard belongs to the host whose slot comes to it first. This
 * is rendezvous hashing with the place in the order as the score: a host that comes takes shards for
 * itself only, and one that goes leaves only its own. A host that has FULLEST times its share takes
 * no more, for with few shards a host chance would load some hosts half as much again. Making the
 * map takes about SHARDS · ln(SHARDS) steps, with any number of hosts.
 */

export const SHARDS = 65_536;
const SHARD_MASK = SHARDS - 1;
/** The most that a host owns, as a multiple of its share. */
const FULLEST = 1.25;
const NOBODY = 0xffff;
const FNV_BASIS = 0x811c9dc5;

/** A host as it stands in the map. */
export interface HostShare {
  /** Equal names have equal shards, as far as the other hosts allow it. */
  name: string;
  /** Its workers when all are up: its weight. */
  slots: number;
}

export class ShardMap {
  /** Equal texts have equal maps. */
  readonly signature: string;
  readonly #hosts: readonly HostShare[];
  #owners: Uint16Array | null = null;

  constructor(hosts: readonly HostShare[]) {
    this.#hosts = hosts;
    this.signature = signatureOf(hosts);
  }

  /** By shard, the number of the owning host in the list. Made when it is needed first. */
  get owners(): Uint16Array {
    this.#owners ??= ownersOf(this.#hosts);
    return this.#owners;
  }
}

export function signatureOf(hosts: readonly HostShare[]): string {
  return hosts.map(({ name, slots }) => `${name} ${slots}`).join("\n");
}

/** 32 bits of which every one is fit for use. */
export function hashOf(key: string): number {
  return mix(fnv1a(key, FNV_BASIS));
}

export function shardOf(hash: number): number {
  return hash & SHARD_MASK;
}

export function fnv1a(text: string, seed = FNV_BASIS): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}

/** murmur3's finalizer: FNV alone leaves the high bits of short keys alike. */
export function mix(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** By rising number. */
export function shardsWhere(isMeant: (shard: number) => boolean): Uint16Array {
  const shards = new Uint16Array(SHARDS);
  let count = 0;
  for (let shard = 0; shard < SHARDS; shard++) if (isMeant(shard)) shards[count++] = shard;
  return shards.slice(0, count);
}

function ownersOf(hosts: readonly HostShare[]): Uint16Array {
  const owners = new Uint16Array(SHARDS).fill(NOBODY);
  const { hostOf, seeds } = slotsInOrder(hosts);
  const all = hosts.reduce((sum, { slots }) => sum + slots, 0);
  const room = Float64Array.from(hosts, ({ slots }) => roomOf((SHARDS * slots) / all));
  let left = all === 0 ? 0 : SHARDS;
  // Ends: together the hosts have room for all shards, and each slot comes to each shard.
  for (let step = 0; left > 0; step++) {
    for (let slot = 0; slot < hostOf.length; slot++) {
      const shard = shardAt(seeds, slot, step);
      if (owners[shard] !== NOBODY) continue;
      const host = hostOf[slot]!;
      if (room[host] === 0) continue;
      owners[shard] = host;
      room[host]!--;
      left--;
    }
  }
  return owners;
}

function roomOf(share: number): number {
  return Math.max(Math.ceil(share), Math.floor(share * FULLEST));
}

/**
 * All slots, sorted by their hash. Where several slots come to one shard in the same step, the first
 * in this order takes it, so that of any two slots it is always the same one.
 */
function slotsInOrder(hosts: readonly HostShare[]): { hostOf: Uint16Array; seeds: Uint32Array } {
  const slots = hosts.flatMap(({ name, slots: count }, host) =>
    Array.from({ length: count }, (_, n) => ({ host, name, n, hash: hashOf(`${name}/${n}`) })),
  );
  slots.sort((a, b) => a.hash - b.hash || (a.name < b.name ? -1 : +(a.name > b.name)) || a.n - b.n);
  const seeds = new Uint32Array(3 * slots.length);
  slots.forEach(({ hash }, at) => {
    seeds[3 * at] = mix(hash ^ 0x2545f491);
    // Odd, so that to multiply by them modulo a power of two loses nothing.
    seeds[3 * at + 1] = mix(hash ^ 0x9e3779b9) | 1;
    seeds[3 * at + 2] = mix(hash ^ 0x7f4a7c15) | 1;
  });
  return { hostOf: Uint16Array.from(slots, ({ host }) => host), seeds };
}

/** The shard to which a slot comes in this step: each one once in SHARDS steps. */
function shardAt(seeds: Uint32Array, slot: number, step: number): number {
  const at = 3 * slot;
  let x = (step + seeds[at]!) & SHARD_MASK;
  x = Math.imul(x, seeds[at + 1]!) & SHARD_MASK;
  x ^= x >>> 7;
  x = Math.imul(x, seeds[at + 2]!) & SHARD_MASK;
  return x ^ (x >>> 9);
}
