/**
 * Edges publish their use of limits to each other, so that a user, an address or an account has one
 * budget on all workers of all hosts and not one on each.
 *
 * [SPN1] Low use is not published: an edge keeps use below its share of a quarter of the limit to
 *        itself. All edges together allow at most 1.25 times the limit. Use that was spent before
 *        its announcement arrived is a debt that the caller waits for.
 * [SPN2] Use is published in batches on the topic `limits`: to workers of a host through the
 *        switchboard, to hosts through Redis. While Redis is away each host counts alone.
 *
 * A shared counter in Redis would cost a round trip for each event of each calm user.
 */
import type { Clock } from "../../base/clock.ts";
import { Malformed } from "../../base/errors.ts";
import type { LimitKind } from "../../config/limit-keys.ts";
import type { KeyedBuckets, Sharing } from "./keyed-buckets.ts";

/** The part of a limit that all edges together may allow without publishing. */
const QUIET_PART = 1 / 4;
/** The smallest share of an edge; with more than 64 edges the sum grows instead. */
const QUIET_SHARE_MIN = 1 / 256;
/** A flood of 10,000 events a second is known everywhere after some 200 of them. */
const TELL_AFTER_MS = 20;
/** Keys in one frame: about 20 KB. */
const TOLD_MAX = 1_000;

export interface SpendingOptions {
  clock: Clock;
  /** Edges of the whole cluster, this one included. */
  edges(): number;
  publish(body: string): void;
}

/** Kind → key and count. */
type SharedUsage = Partial<Record<LimitKind, [string, number][]>>;

export class UsageSharing implements Sharing {
  readonly #options: SpendingOptions;
  readonly #kinds = new Map<LimitKind, KeyedBuckets>();
  #cancel: (() => void) | null = null;
  #isClosed = false;

  constructor(options: SpendingOptions) {
    this.#options = options;
  }

  add(kind: LimitKind, buckets: KeyedBuckets): void {
    this.#kinds.set(kind, buckets);
  }

  quietShare(): number | null {
    const edges = this.#options.edges();
    return edges <= 1 ? null : Math.max(QUIET_SHARE_MIN, QUIET_PART / edges);
  }

  wake(): void {
    if (this.#isClosed) return;
    this.#cancel ??= this.#options.clock.after(TELL_AFTER_MS, () => this.#tell());
  }

  /**
   * Debits the use that another edge has published. Throws Malformed or a SyntaxError before any
   * debit.
   */
  heard(body: string): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [kind, spent] of readTold(body)) {
      // A kind that this version does not know, or that is not limited here.
      const buckets = this.#kinds.get(kind as LimitKind);
      if (buckets === undefined) continue;
      for (const [key, count] of spent) buckets.debit(key, count, nowMs);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
  }

  #tell(): void {
    this.#cancel = null;
    const told: SharedUsage = {};
    let room = TOLD_MAX;
    for (const [kind, buckets] of this.#kinds) {
      const spent = buckets.takeToTell(room);
      if (spent.length === 0) continue;
      told[kind] = spent;
      room -= spent.length;
    }
    if (room < TOLD_MAX) this.#options.publish(JSON.stringify(told));
    if (room === 0) this.wake();
  }
}

type Spent = [key: string, count: number];

function readTold(body: string): [kind: string, spent: Spent[]][] {
  const told: unknown = JSON.parse(body);
  if (typeof told !== "object" || told === null) throw new Malformed("limits: no object");
  return Object.entries(told).map(([kind, spent]: [string, unknown]) => {
    if (!Array.isArray(spent) || !spent.every(isSpent)) throw new Malformed(`limits: ${kind}`);
    return [kind, spent];
  });
}

function isSpent(value: unknown): value is Spent {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [key, count]: unknown[] = value;
  return typeof key === "string" && Number.isSafeInteger(count) && Number(count) >= 0;
}
