/**
 * Membership in Redis: one hash holds every host's lease and workers, the view's number, and a
 * digest of what that number stands for. One script renews, removes the dead and numbers the
 * view, atomically and by Redis's own clock.
 *
 * [LSE1] One number means one set of hosts. When a host brings a number that stands for another set
 *        or is higher, the number rises past both, so it never goes back for any host, even if
 *        Redis loses everything.
 * [LSE2] Each host seals its own entry. An entry that does not verify, or belongs to another
 *        database, is not a member and is reported with the reason.
 * [LSE3] Fields of the hash that this script did not write are deleted; they fail no renewal.
 */

import type { Cluster, HostMembers } from "../ports/relay.ts";
import { isHostKinds } from "../protocol/app-kinds.ts";
import type { ClusterIdentity } from "./seal.ts";
import { isSealed, type SealKey, sealOf } from "./seal.ts";

/** The braces are a hash tag: all keys of one cluster are in one slot of a Redis Cluster. */
export function clusterKeyOf(clusterId: string): string {
  return `{troupe:${clusterId}}:cluster`;
}

/**
 * A host that has not renewed for this long is dead. Its users go offline one presence grace (5 s)
 * later, which must be within 10 s. With a smaller value a stalled host would look dead.
 */
export const LEASE_MS = 3_500;
export const RENEW_MS = 750;

export interface LeaseRequest {
  /** The cluster's key; see `clusterKeyOf`. */
  cluster: string;
  host: string;
  /** The members as `sealedMembers` writes them; "" leaves the cluster. */
  members: string;
  /**
   * The highest number that this host has used, and the digest it stood for; "" for its own views.
   */
  number: number;
  digest: string;
}

/** The answer from Redis, before any of it has been verified. */
export interface LeaseAnswer {
  number: number;
  /** Each host's own entry, as `sealedMembers` writes it. */
  members: Map<string, string>;
  digest: string;
  /** The number is new: the other hosts should read the lease. */
  isNew: boolean;
  /** This host was not among the members: its lease had expired, or it has just started. */
  wasOut: boolean;
}

/** Entries beyond these sizes were not written by a Troupe host. [LSE3] */
const HOST_ID_MAX = 64;
const ENTRY_BYTES_MAX = 65_536;
const FAR_LEASE_MS = 60_000;
const COUNT_MAX = 1_024;
/** Half of what a frame can carry, so that numbers can rise for years. */
const NUMBER_MAX = 2 ** 31;

/**
 * KEYS: the hash. ARGV: host id, members, lease in ms, number, digest.
 * Answers: number, digest, 1 if it is new, 1 if this host was not in, then id and members of
 * each host.
 */
export const RENEW_SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local mine = 'host:' .. ARGV[1]
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
local was_in = redis.call('HEXISTS', KEYS[1], mine)
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], mine)
else
  redis.call('HSET', KEYS[1], mine, string.format('%.0f', now + ARGV[3]) .. '|' .. ARGV[2])
end
local all = redis.call('HGETALL', KEYS[1])
local ids, members, view, digest = {}, {}, 0, ''
for i = 1, #all, 2 do
  local field, value = all[i], all[i + 1]
  if field == 'view' then
    view = tonumber(value) or 0
    if not (view >= 0 and view <= ${NUMBER_MAX} and view == math.floor(view)) then view = 0 end
  elseif field == 'digest' then digest = value
  else
    local id = string.match(field, '^host:([%w_-]+)$')
    local bar = string.find(value, '|', 1, true)
    local lease_ends = bar and tonumber(string.sub(value, 1, bar - 1))
    local is_alive = id and #id <= ${HOST_ID_MAX} and #value <= ${ENTRY_BYTES_MAX}
      and lease_ends and lease_ends >= now and lease_ends <= now + ${FAR_LEASE_MS}
    if is_alive then
      table.insert(ids, id)
      members[id] = string.sub(value, bar + 1)
    else
      redis.call('HDEL', KEYS[1], field)
    end
  end
end
table.sort(ids)
local parts = {}
for _, id in ipairs(ids) do table.insert(parts, id .. members[id]) end
local now_digest = redis.sha1hex(table.concat(parts, '\\n'))
local theirs = tonumber(ARGV[4])
local is_new = 0
if now_digest ~= digest or view < theirs or (view == theirs and digest ~= ARGV[5]) then
  view = math.max(view, theirs) + 1
  is_new = 1
  redis.call('HSET', KEYS[1], 'view', string.format('%.0f', view), 'digest', now_digest)
end
local answer = { view, now_digest, is_new, 1 - was_in }
for _, id in ipairs(ids) do
  table.insert(answer, id)
  table.insert(answer, members[id])
end
return answer
`;

export function scriptArguments({ cluster, host, members, number, digest }: LeaseRequest) {
  return [clusterKeyOf(cluster), host, members, LEASE_MS, number, digest] as const;
}

/** Throws when the script's answer is not one. */
export function leaseAnswerOf(answer: unknown): LeaseAnswer {
  if (!Array.isArray(answer) || answer.length < 4) throw new Error("the lease was not answered");
  const [number, digest, isNew, wasOut, ...rest]: unknown[] = answer;
  const members = new Map<string, string>();
  for (let i = 0; i + 1 < rest.length; i += 2) members.set(String(rest[i]), String(rest[i + 1]));
  return {
    number: Number(number),
    members,
    digest: String(digest),
    isNew: Number(isNew) === 1,
    wasOut: Number(wasOut) === 1,
  };
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

/** Splits the entries into the cluster's hosts and foreign ones. [LSE2] */
export function clusterOf(
  identity: ClusterIdentity,
  { number, members }: LeaseAnswer,
): { cluster: Cluster; foreign: Map<string, ForeignReason> } {
  const hosts = new Map<string, HostMembers>();
  const foreign = new Map<string, ForeignReason>();
  for (const [host, sealed] of members) {
    const opened = openedMembers(identity, host, sealed);
    if (typeof opened === "string") foreign.set(host, opened);
    else hosts.set(host, opened);
  }
  return { cluster: { number, hosts }, foreign };
}
