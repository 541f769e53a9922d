/**
 * Edges publish their use of limits to each other, so that a user, an address or an account has one
 * budget on all workers of all hosts and not one on each.
 *
 * [SPN1] Low use is not published: an edge keeps use below its share of a quarter of the limit to
 *        itself. Up to 32 edges together allow at most 1.25 times the limit. Use that was spent
 *        before its announcement arrived is a debt that the caller waits for.
 * [SPN2] Use is published in batches: to workers of a host through the switchboard, to hosts through
 *        Redis. While Redis is away each host counts alone.
 * [SPN3] Up to 16 edges publish it to all of them. More edges report it to the one that owns the
 *        key by placement, which adds up what they report and publishes to all only what is loud
 *        together. So an event of a calm user costs one message at most, however many edges there
 *        are. An edge and the owner of a key may each keep half of the quiet part.
 *
 * A shared counter in Redis would cost a round trip for each event of each calm user.
 */
import type { Clock } from "../../base/clock.ts";
import { Malformed } from "../../base/errors.ts";
import type { LimitKind } from "../../config/limit-keys.ts";
import type { KeyedBuckets, Sharing } from "./keyed-buckets.ts";
import { type LoudKey, ReportedUse } from "./reported-use.ts";

/** The part of a limit that all edges together may allow without publishing. */
const QUIET_PART = 1 / 4;
/** The part of a limit that its owner may know of without publishing. */
const OWNER_PART = QUIET_PART / 2;
/** The smallest share of an edge; with more than 32 edges the sum grows instead. */
const QUIET_SHARE_MIN = 1 / 256;
/** Among so few edges a report costs as much as publishing to all. */
const FEW_EDGES_MAX = 16;
/** A flood of 10,000 events a second is known everywhere after some 200 of them. */
const TELL_AFTER_MS = 20;
/** Keys in one frame: about 20 KB. */
const TOLD_MAX = 1_000;

export interface SpendingOptions {
  clock: Clock;
  /** The id of this edge's worker. */
  self: string;
  /** Edges of the whole cluster, this one included. */
  edges(): number;
  /** Whether all of them take reports. */
  takeReports(): boolean;
  /** The worker whose edge adds up the use of a key; null: none is known. */
  ownerOf(key: string): string | null;
  /** To all edges. */
  publish(body: string): void;
  /** To the edge of one other worker. */
  report(to: string, body: string): void;
}

interface SharedKind {
  buckets: KeyedBuckets;
  /** The use of the keys that this edge owns. */
  reported: ReportedUse;
}

/** Kind → key and count, and where the owner of the key publishes it, the count of each edge. */
type SharedUsage = Partial<Record<LimitKind, (Spent | LoudKey)[]>>;

export class UsageSharing implements Sharing {
  readonly #options: SpendingOptions;
  readonly #kinds = new Map<LimitKind, SharedKind>();
  #cancel: (() => void) | null = null;
  #isClosed = false;

  constructor(options: SpendingOptions) {
    this.#options = options;
  }

  add(kind: LimitKind, buckets: KeyedBuckets): void {
    this.#kinds.set(kind, {
      buckets,
      reported: new ReportedUse(buckets.allowance, OWNER_PART),
    });
  }

  quietShare(): number | null {
    const edges = this.#options.edges();
    if (edges <= 1) return null;
    const part = this.#isReporting ? QUIET_PART - OWNER_PART : QUIET_PART;
    return Math.max(QUIET_SHARE_MIN, part / edges);
  }

  /** [SPN3] */
  get #isReporting(): boolean {
    const { edges, takeReports } = this.#options;
    return edges() > FEW_EDGES_MAX && takeReports();
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
    const { clock, self } = this.#options;
    const nowMs = clock.monotonicMs();
    for (const [kind, spent] of readTold(body)) {
      // A kind that this version does not know, or that is not limited here.
      const shared = this.#kinds.get(kind as LimitKind);
      if (shared === undefined) continue;
      for (const [key, count, by] of spent) {
        shared.buckets.debit(key, Math.max(0, count - (by?.[self] ?? 0)), nowMs);
      }
    }
  }

  /**
   * [SPN3] Debits and adds up what an edge reports of keys that this one owns. Throws as `heard`
   * does.
   */
  reported(from: string, body: string): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [kind, spent] of readTold(body)) {
      const shared = this.#kinds.get(kind as LimitKind);
      if (shared === undefined) continue;
      for (const [key, count] of spent) {
        shared.buckets.debit(key, count, nowMs);
        if (shared.reported.add(key, from, count, nowMs)) this.wake();
      }
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
  }

  #tell(): void {
    this.#cancel = null;
    const toAll: SharedUsage = {};
    const reports = new Map<string, SharedUsage>();
    let room = TOLD_MAX;
    for (const [kind, shared] of this.#kinds) {
      const spent = shared.buckets.takeToTell(room);
      room -= spent.length;
      if (!this.#isReporting) {
        if (spent.length > 0) toAll[kind] = spent;
      } else for (const one of spent) this.#reportTo(reports, kind, shared, one);
      const loud = shared.reported.takeLoud(room);
      room -= loud.length;
      if (loud.length > 0) toAll[kind] = [...(toAll[kind] ?? []), ...loud];
    }
    for (const [owner, usage] of reports) this.#options.report(owner, JSON.stringify(usage));
    if (Object.keys(toAll).length > 0) this.#options.publish(JSON.stringify(toAll));
    if (room === 0) this.wake();
  }

  #reportTo(
    reports: Map<string, SharedUsage>,
    kind: LimitKind,
    { reported }: SharedKind,
    spent: Spent,
  ): void {
    const { clock, self, ownerOf } = this.#options;
    const [key, count] = spent;
    const owner = ownerOf(`limit:${kind}:${key}`) ?? self;
    if (owner === self) {
      if (reported.add(key, self, count, clock.monotonicMs())) this.wake();
      return;
    }
    const usage = reports.get(owner) ?? {};
    reports.set(owner, usage);
    usage[kind] ??= [];
    usage[kind].push(spent);
  }
}

type Spent = [key: string, count: number];

function readTold(
  body: string,
): [kind: string, spent: [key: string, count: number, by?: Record<string, number>][]][] {
  const told: unknown = JSON.parse(body);
  if (typeof told !== "object" || told === null) throw new Malformed("limits: no object");
  return Object.entries(told).map(([kind, spent]: [string, unknown]) => {
    if (!Array.isArray(spent) || !spent.every(isSpent)) throw new Malformed(`limits: ${kind}`);
    return [kind, spent];
  });
}

function isSpent(value: unknown): value is Spent | LoudKey {
  if (!Array.isArray(value) || value.length < 2 || value.length > 3) return false;
  const [key, count, by = {}]: unknown[] = value;
  return typeof key === "string" && isCount(count) && isCounts(by);
}

function isCounts(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.values(value).every(isCount);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
