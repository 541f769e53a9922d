/**
 * The workers that owned an actor until lately. A worker that has lost an actor to another one may
 * still be committing what it had begun; if it dies before it publishes that, nobody else does.
 *
 * [FOW1] A worker counts as an owner for FORMER_OWNER_MS after the last view that named it, longer
 *        than the work lasts that an actor finishes before it passivates.
 * [FOW2] While any host cannot be reached, and until the next view after that, the owners from
 *        before count, too: one over there may have died meanwhile.
 * [FOW3] An owner that lost the actor and has it again began a new activation: what it published
 *        before that is outdated.
 */
import type { Clock } from "../../base/clock.ts";
import { later, type Monotonic } from "../../protocol/time.ts";
import { hashOf, SHARDS, shardsWhere } from "../../runtime/shards.ts";
import type { Placement } from "../../runtime/view.ts";

/** Storage answers within 5 s, and an ask within 10 s. */
export const FORMER_OWNER_MS = 15_000;
/** More views than this in that time: the oldest are forgotten. */
const PLACEMENTS_MAX = 32;

export class FormerOwners {
  readonly #clock: Clock;
  /** The last placement over all hosts. [FOW2] */
  #ofAll: Placement | null = null;
  #ended: { placement: Placement; untilMs: Monotonic }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Another view took the place of this one. */
  ended(placement: Placement): void {
    if (placement.view.away.length === 0) this.#ofAll = placement;
    const nowMs = this.#clock.monotonicMs();
    const kept = this.#ended.filter(({ untilMs }) => untilMs > nowMs);
    kept.push({ placement, untilMs: later(nowMs, FORMER_OWNER_MS) });
    this.#ended = kept.slice(-PLACEMENTS_MAX);
  }

  /** Whether one of these workers owned the actor, under the view that ended last or lately. */
  isAmong(incarnations: ReadonlySet<string>, key: string): boolean {
    const hash = hashOf(key);
    return this.#placements().some((placement) =>
      incarnations.has(placement.ownerOf(key, hash) ?? ""),
    );
  }

  /** The shards in which `isAmong` may say so of an actor; null: any may be one. */
  shardsOf(incarnations: ReadonlySet<string>): Uint16Array | null {
    const isFound = new Uint8Array(SHARDS);
    for (const placement of this.#placements()) {
      const shards = placement.shardsOf(incarnations);
      if (shards === null) return null;
      for (const shard of shards) isFound[shard] = 1;
    }
    return shardsWhere((shard) => isFound[shard] === 1);
  }

  #placements(): Placement[] {
    const ended = this.#ended.map(({ placement }) => placement);
    return this.#ofAll === null ? ended : [this.#ofAll, ...ended];
  }

  /** The worker that owned the actor before it became unreachable, which it still is. [FOW2] */
  unreachable(key: string, placement: Placement): string | undefined {
    const owner = this.#ofAll?.ownerOf(key) ?? "";
    return placement.isAway(owner) ? owner : undefined;
  }

  /** [FOW3] Whether another worker owned the actor after this one published under that view. */
  hasMovedSince(viewNumber: number, owner: string, key: string): boolean {
    return this.#ended.some(
      ({ placement }) => placement.view.number > viewNumber && placement.ownerOf(key) !== owner,
    );
  }
}
