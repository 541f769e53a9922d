/**
 * Membership in Redis: one hash holds every host's lease and workers, the view's number, and a
 * digest of what that number stands for; a second one holds the hosts whose lease has ended and who
 * are not known to be dead. One script renews, numbers the view and lets hosts ask the second
 * witness, atomically and by Redis's own clock.
 *
 *   member ─ lease ends ─▶ lapsed ─ claimed by one host, which asks the witness ─▶ gone
 *     ▲                      │ renews                     └─ it signs ─▶ away ─ silent, left ─▶ gone
 *     └──────────────────────┴────────────────────── renews ──────────────┘
 *
 * [LSE1] One number means one set of hosts, and of hosts that are away. When a host brings a number
 *        that stands for another set or is higher, the number rises past both, so it never goes
 *        back for any host, even if Redis loses everything.
 * [LSE2] Each host seals its own entry. An entry that does not verify, or belongs to another
 *        database, is not a member and is reported with the reason.
 * [LSE3] Fields that this script did not write are deleted; they fail no renewal.
 * [LSE4] A host whose lease has ended is a member until one host has asked the witness. It is gone
 *        when the witness does not know it as living, or when nobody could ask within WITNESS_MS.
 * [LSE5] A host that is away owns nothing, and stays away for as long as it signs. It is gone when
 *        it has left, or when it has been silent for a lease during which others could ask all the
 *        time: a PostgreSQL that was out of reach proves nothing. What a host says that no longer
 *        holds the claim changes nothing.
 */

import { createHash } from "node:crypto";
import type { HostMembers } from "../ports/relay.ts";
import { isHostKinds } from "../protocol/app-kinds.ts";
import type { ClusterIdentity } from "./seal.ts";
import { isSealed, type SealKey, sealOf } from "./seal.ts";

/**
 * A host that has not renewed for this long is dead, or away. The users of a dead one go offline
 * one presence grace (5 s) later, which must be within 10 s. With a smaller value a stalled host
 * would look dead.
 */
export const LEASE_MS = 3_500;
export const RENEW_MS = 750;
/** [LSE4] As long as a look at the witness may take, and a little more for the way. */
export const WITNESS_MS = 900;
/** A host that is away is looked at again after this, with the next renewal of any host. */
export const LOOK_MS = 400;
/** Answers that are this far apart are not "all the time". A look that fails holds others up. [LSE5] */
export const LOOK_PAUSE_MS = 2_500;

/**
 * What the witness said of a host that this host had claimed. `gone`: it has left, or there is no
 * row that counts. `unknown`: the witness could not be asked. `vouched`: Redis has lost its data,
 * and the host signs; `sealed` is its entry as it was last.
 */
export type Verdict =
  | { host: string; is: "signs" | "silent" | "gone" | "unknown" }
  | { host: string; is: "vouched"; sealed: string };

export interface LeaseRequest {
  /** The cluster's id. */
  cluster: string;
  host: string;
  /** The members as `sealedMembers` writes them; "" leaves the cluster. */
  members: string;
  /**
   * The highest number that this host has used, and the digest it stood for; "" for its own views.
   */
  number: number;
  digest: string;
  /** Whether this host can ask the witness; then it may be given hosts to ask about. */
  mayLook: boolean;
  /** The number and digest under which this host knows all entries; number 0 for none. */
  has: { number: number; digest: string };
  verdicts: readonly Verdict[];
}

/** Entries as `sealedMembers` writes them, of members and of hosts that are away. */
export type LeaseChange =
  /** They are those of the number and digest that the host has. */
  | { is: "none" }
  | { is: "some"; hosts: { host: string; sealed: string; is: "member" | "away" | "gone" }[] }
  | { is: "all"; members: Map<string, string>; away: Map<string, string> };

/** The answer from Redis, before any of it has been verified. */
export interface LeaseAnswer {
  number: number;
  change: LeaseChange;
  digest: string;
  /** The number is new: the other hosts should read the lease. */
  isNew: boolean;
  /** This host was not among the members: its lease had expired, or it has just started. */
  wasOut: boolean;
  /** Hosts that this one has to ask the witness about. */
  claimed: string[];
  /** When the next lease of another host ends, or a decision is due, at the earliest. */
  nextMs: number;
}

/** Entries beyond these sizes were not written by a Troupe host. [LSE3] */
export const HOST_ID_MAX = 64;
export const ENTRY_BYTES_MAX = 65_536;
const COUNT_MAX = 1_024;

/** What one number stands for, from the entries by their hosts; the script writes the same. [LSE1] */
export function digestOf(
  members: ReadonlyMap<string, string>,
  away: ReadonlyMap<string, string>,
): string {
  const sorted = (entries: ReadonlyMap<string, string>) =>
    [...entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, sealed]) => id + sealed);
  const parts = [...sorted(members), ...sorted(away).map((part) => `away:${part}`)];
  return createHash("sha1").update(parts.join("\n")).digest("hex");
}

/** `signature`: another cluster's entry, or one of a host with another JWT_SECRET. */
export type ForeignReason = "signature" | "malformed" | "other_database";

/** The seal in base64url, then JSON. The same members always give the same text. */
export function sealedMembers(
  { key, database }: ClusterIdentity,
  host: string,
  { workers, draining, kinds, placement, slots }: HostMembers,
): string {
  const text = JSON.stringify({
    database,
    workers,
    draining,
    ...(kinds && { kinds }),
    ...(placement !== undefined && { placement }),
    ...(slots !== undefined && { slots }),
  });
  return sealOf(key, leaseContext(host), text).toString("base64url") + text;
}

/** 16 bytes without padding. */
const SEAL_CHARACTERS = 22;

export function openedMembers(
  identity: Pick<ClusterIdentity, "database"> & { key: SealKey },
  host: string,
  sealed: string,
): HostMembers | ForeignReason {
  const seal = Buffer.from(sealed.slice(0, SEAL_CHARACTERS), "base64url");
  const text = sealed.slice(SEAL_CHARACTERS);
  if (!isSealed(identity.key, leaseContext(host), text, seal)) return "signature";
  const { database, workers, draining, kinds, placement, slots } = objectOf(text);
  if (database !== identity.database) return "other_database";
  if (!Array.isArray(workers) || !Array.isArray(draining)) return "malformed";
  if (!workers.every(isWorkerRef) || !draining.every(isText)) return "malformed";
  if (kinds !== undefined && !isHostKinds(kinds)) return "malformed";
  if (!isCountOrNone(placement) || !isCountOrNone(slots)) return "malformed";
  return {
    workers,
    draining,
    ...(kinds && { kinds }),
    ...(placement !== undefined && { placement }),
    ...(slots !== undefined && { slots }),
  };
}

/** Small enough that a table of that many places can be made. */
function isCountOrNone(value: unknown): value is number | undefined {
  if (value === undefined) return true;
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= COUNT_MAX;
}

function leaseContext(host: string): string {
  return `lease ${host}`;
}

function objectOf(text: string): Partial<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    // It is not JSON.
    return {};
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isWorkerRef(value: unknown): value is HostMembers["workers"][number] {
  if (typeof value !== "object" || value === null) return false;
  return (
    "incarnation" in value && isText(value.incarnation) && "slot" in value && isText(value.slot)
  );
}
