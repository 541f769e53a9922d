/**
 * The workers that owned an actor until lately. A worker that has lost an actor to another one may
 * still be committing what it had begun; if it dies before it publishes that, nobody else does.
 *
 * [FOW1] A worker counts as an owner for FORMER_OWNER_MS after the last view that named it, longer
 *        than the work lasts that an actor finishes before it passivates.
 * [FOW2] While any host cannot be reached, and until the next view after that, the owners from
 *        before count, too: one over there may have died meanwhile.
 * [FOW4] A host that cannot be reached runs every actor under a view of its own. Once it is gone,
 *        any actor may be one of its own.
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

/** The actors that workers which are gone may have had. */
export interface Orphans {
  /** Their shards; null: any may be one. */
  shards: Uint16Array | null;
  isOrphan(key: string): boolean;
}

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

  /**
   * The actors that these workers may have had, which are gone since the view of `before`: those that
   * they owned under the views that ended lately. The answer does not change with later views.
   * [FOW4]
   */
  orphansOf(gone: ReadonlySet<string>, before: Placement): Orphans {
    if ([...gone].some((incarnation) => before.isAway(incarnation))) {
      return { shards: null, isOrphan: () => true };
    }
    const placements = this.#placements();
    return {
      shards: shardsOf(gone, placements),
      isOrphan(key) {
        const hash = hashOf(key);
        return placements.some((placement) => gone.has(placement.ownerOf(key, hash) ?? ""));
      },
    };
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

function shardsOf(gone: ReadonlySet<string>, placements: readonly Placement[]): Uint16Array | null {
  const isFound = new Uint8Array(SHARDS);
  for (const placement of placements) {
    const shards = placement.shardsOf(gone);
    if (shards === null) return null;
    for (const shard of shards) isFound[shard] = 1;
  }
  return shardsWhere((shard) => isFound[shard] === 1);
}
