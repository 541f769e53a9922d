/**
 * Things by the shard of the actor that they belong to, so that a new view looks at those of the
 * shards that moved. A thing takes some 25 bytes here, and the time of one hash when it comes or goes.
 *
 * [SHX1] `of` gives the things in these shards and no others, and looks at few of the others.
 */
import { hashOf, SHARDS, shardOf } from "./shards.ts";

const FEWEST_LISTS = 16;
const MOST_LISTS = 16_384;
const IN_LIST_MAX = 32;

/** The things of some shards that follow one another, each with its shard at the same place. */
interface List<T> {
  things: T[];
  shards: number[];
}

export class ShardIndex<T> {
  readonly #keyOf: (thing: T) => string;
  #lists: List<T>[] = emptyLists(FEWEST_LISTS);
  size = 0;

  /** `keyOf`: the key of the thing's actor, always the same. */
  constructor(keyOf: (thing: T) => string) {
    this.#keyOf = keyOf;
  }

  /** The thing must not be here. */
  add(thing: T): void {
    if (this.size >= IN_LIST_MAX * this.#lists.length && this.#lists.length < MOST_LISTS) {
      this.#grow();
    }
    this.#put(thing, this.#shardOf(thing));
    this.size++;
  }

  delete(thing: T): void {
    const { things, shards } = this.#lists[this.#numberOf(this.#shardOf(thing))]!;
    const at = things.indexOf(thing);
    if (at < 0) return;
    const lastThing = things.pop()!;
    const lastShard = shards.pop()!;
    if (at < things.length) {
      things[at] = lastThing;
      shards[at] = lastShard;
    }
    this.size--;
  }

  /** [SHX1] `shards` by rising number; null: all there are. */
  of(shards: Uint16Array | null): T[] {
    if (shards === null) return this.#lists.flatMap(({ things }) => things);
    const found: T[] = [];
    const isMeant = new Uint8Array(SHARDS);
    for (const shard of shards) isMeant[shard] = 1;
    let seen = -1;
    for (const shard of shards) {
      const number = this.#numberOf(shard);
      if (number === seen) continue;
      seen = number;
      const list = this.#lists[number]!;
      for (let at = 0; at < list.things.length; at++) {
        if (isMeant[list.shards[at]!] === 1) found.push(list.things[at]!);
      }
    }
    return found;
  }

  #shardOf(thing: T): number {
    return shardOf(hashOf(this.#keyOf(thing)));
  }

  #numberOf(shard: number): number {
    return Math.floor((shard * this.#lists.length) / SHARDS);
  }

  #put(thing: T, shard: number): void {
    const list = this.#lists[this.#numberOf(shard)]!;
    list.things.push(thing);
    list.shards.push(shard);
  }

  #grow(): void {
    const before = this.#lists;
    this.#lists = emptyLists(2 * before.length);
    for (const { things, shards } of before) {
      for (const [at, thing] of things.entries()) this.#put(thing, shards[at]!);
    }
  }
}

function emptyLists<T>(count: number): List<T>[] {
  return Array.from({ length: count }, () => ({ things: [], shards: [] }));
}
