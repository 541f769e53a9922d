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

import type { Cluster, HostMembers } from "../ports/relay.ts";
import { isHostKinds } from "../protocol/app-kinds.ts";
import type { ClusterIdentity } from "./seal.ts";
import { isSealed, type SealKey, sealOf } from "./seal.ts";

/** The braces are a hash tag: all keys of one cluster are in one slot of a Redis Cluster. */
export function clusterKeyOf(clusterId: string): string {
  return `{troupe:${clusterId}}:cluster`;
}

/** The hosts that are lapsed or away; apart, as hosts of earlier versions delete what they do not know. */
function lapsedKeyOf(clusterId: string): string {
  return `{troupe:${clusterId}}:lapsed`;
}

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
  /** The cluster's id; see `clusterKeyOf`. */
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
  verdicts: readonly Verdict[];
}

/** The answer from Redis, before any of it has been verified. */
export interface LeaseAnswer {
  number: number;
  /** Each host's own entry, as `sealedMembers` writes it. */
  members: Map<string, string>;
  /** The same of hosts that are away. */
  away: Map<string, string>;
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
const HOST_ID_MAX = 64;
const ENTRY_BYTES_MAX = 65_536;
const FAR_LEASE_MS = 60_000;
const COUNT_MAX = 1_024;
/** Half of what a frame can carry, so that numbers can rise for years. */
const NUMBER_MAX = 2 ** 31;

/**
 * KEYS: the hash; the lapsed. ARGV: host id, members, lease in ms, number, digest, 1 if the host may
 * look, then for each verdict: host, what it is, sealed entry.
 * Answers: number, digest, 1 if it is new, 1 if this host was not in, ms to the next look; then
 * three lists: id and members of each host, the same of those away, ids that are claimed.
 */
export const RENEW_SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local me, may_look = ARGV[1], ARGV[6] == '1'
for _, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', key) end
end
local mine = 'host:' .. me
local was_in = redis.call('HEXISTS', KEYS[1], mine)
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], mine)
else
  redis.call('HSET', KEYS[1], mine, string.format('%.0f', now + ARGV[3]) .. '|' .. ARGV[2])
end
redis.call('HDEL', KEYS[2], 'look:' .. me, 'away:' .. me)

local function is_time(ms) return ms and ms >= 0 and ms <= now + ${FAR_LEASE_MS} end
local function whole(ms) return string.format('%.0f', ms) end

local hosts, view, digest = {}, 0, ''
local all = redis.call('HGETALL', KEYS[1])
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
    if id and #id <= ${HOST_ID_MAX} and #value <= ${ENTRY_BYTES_MAX} and is_time(lease_ends) then
      hosts[id] = { ends = lease_ends, members = string.sub(value, bar + 1) }
    else
      redis.call('HDEL', KEYS[1], field)
    end
  end
end

-- A look has the time at which the lease was found to have ended, the end of the claim, and its
-- owner. A host that is away has the time of the next look, the time since which looks are answered,
-- that of the last answer, the owner of a claim, and its entry.
local looks, away = {}, {}
all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local field, value = all[i], all[i + 1]
  local kind, id = string.match(field, '^(%l+):([%w_-]+)$')
  local first, second, third, by, sealed = string.match(value, '^(%d+)|(%d+)|(%d+)|([%w_-]*)|(.*)$')
  first, second, third = tonumber(first), tonumber(second), tonumber(third)
  local is_ours = id and #id <= ${HOST_ID_MAX} and #value <= ${ENTRY_BYTES_MAX}
    and is_time(first) and is_time(second) and is_time(third)
  local host = is_ours and hosts[id]
  if is_ours and kind == 'look' and host and host.ends < now then
    looks[id] = { noticed = first, claimed = second, by = by }
  elseif is_ours and kind == 'away' and not host then
    away[id] = { look_at = first, since = second, last = third, by = by, members = sealed }
  else
    redis.call('HDEL', KEYS[2], field)
  end
end

local function keep_away(id, it)
  away[id] = it
  redis.call('HSET', KEYS[2], 'away:' .. id,
    table.concat({ whole(it.look_at), whole(it.since), whole(it.last), it.by, it.members }, '|'))
end
local function keep_look(id, it)
  looks[id] = it
  redis.call('HSET', KEYS[2], 'look:' .. id,
    table.concat({ whole(it.noticed), whole(it.claimed), '0', it.by, '' }, '|'))
end
local function first_look(members)
  return { look_at = now + ${LOOK_MS}, since = now, last = now, by = '', members = members }
end
local function end_host(id)
  hosts[id], looks[id], away[id] = nil, nil, nil
  redis.call('HDEL', KEYS[1], 'host:' .. id)
  redis.call('HDEL', KEYS[2], 'look:' .. id, 'away:' .. id)
end

for i = 7, #ARGV, 3 do
  local id, is, sealed = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local look, seen = looks[id], away[id]
  if look and look.by == me and look.claimed >= now then
    if is == 'signs' then
      local members = hosts[id].members
      end_host(id)
      keep_away(id, first_look(members))
    elseif is == 'unknown' then
      keep_look(id, { noticed = look.noticed, claimed = 0, by = '' })
    else
      end_host(id)
    end
  elseif seen and seen.by == me and seen.look_at >= now then
    seen.by, seen.look_at = '', now
    if is ~= 'unknown' then
      if now - seen.last > ${LOOK_PAUSE_MS} then seen.since = now end
      seen.last, seen.look_at = now, now + ${LOOK_MS}
    end
    if is == 'gone' or (is == 'silent' and now - seen.since >= ${LEASE_MS}) then
      end_host(id)
    else
      keep_away(id, seen)
    end
  elseif is == 'vouched' and not seen and not hosts[id] then
    keep_away(id, first_look(sealed))
  end
end

local ids, claimed, next_at = {}, {}, now + ${LEASE_MS}
for id, host in pairs(hosts) do
  if host.ends >= now then
    if id ~= me then next_at = math.min(next_at, host.ends) end
  else
    local look = looks[id] or { noticed = now, claimed = 0, by = '' }
    if look.claimed < now and not may_look and now - look.noticed >= ${WITNESS_MS} then
      end_host(id)
    elseif look.claimed < now and may_look then
      table.insert(claimed, id)
      keep_look(id, { noticed = look.noticed, claimed = now + ${WITNESS_MS}, by = me })
    elseif not looks[id] then
      keep_look(id, look)
    end
    if looks[id] then
      next_at = math.min(next_at, math.max(looks[id].claimed, looks[id].noticed + ${WITNESS_MS}))
    end
  end
  if hosts[id] then table.insert(ids, id) end
end
local away_ids = {}
for id, it in pairs(away) do
  if may_look and it.look_at < now then
    table.insert(claimed, id)
    it.look_at, it.by = now + ${WITNESS_MS}, me
    keep_away(id, it)
  end
  table.insert(away_ids, id)
end

table.sort(ids)
table.sort(away_ids)
local parts, members_of, away_of = {}, {}, {}
for _, id in ipairs(ids) do
  table.insert(parts, id .. hosts[id].members)
  table.insert(members_of, id)
  table.insert(members_of, hosts[id].members)
end
for _, id in ipairs(away_ids) do
  table.insert(parts, 'away:' .. id .. away[id].members)
  table.insert(away_of, id)
  table.insert(away_of, away[id].members)
end
local now_digest = redis.sha1hex(table.concat(parts, '\\n'))
local theirs = tonumber(ARGV[4])
local is_new = 0
if now_digest ~= digest or view < theirs or (view == theirs and digest ~= ARGV[5]) then
  view = math.max(view, theirs) + 1
  is_new = 1
  redis.call('HSET', KEYS[1], 'view', whole(view), 'digest', now_digest)
end
return { view, now_digest, is_new, 1 - was_in, next_at - now, members_of, away_of, claimed }
`;

export const SCRIPT_KEYS = 2;

export function scriptArguments(request: LeaseRequest): (string | number)[] {
  const { cluster, host, members, number, digest, mayLook, verdicts } = request;
  return [
    clusterKeyOf(cluster),
    lapsedKeyOf(cluster),
    ...[host, members, LEASE_MS, number, digest, mayLook ? 1 : 0],
    ...verdicts.flatMap((verdict) => [
      verdict.host,
      verdict.is,
      verdict.is === "vouched" ? verdict.sealed : "",
    ]),
  ];
}

/** Throws when the script's answer is not one. */
export function leaseAnswerOf(answer: unknown): LeaseAnswer {
  if (!Array.isArray(answer) || answer.length < 8) throw new Error("the lease was not answered");
  const [number, digest, isNew, wasOut, nextMs, members, away, claimed]: unknown[] = answer;
  return {
    number: Number(number),
    members: entriesOf(members),
    away: entriesOf(away),
    digest: String(digest),
    isNew: Number(isNew) === 1,
    wasOut: Number(wasOut) === 1,
    claimed: listOf(claimed),
    nextMs: Number(nextMs),
  };
}

function listOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function entriesOf(value: unknown): Map<string, string> {
  const list = listOf(value);
  const entries = new Map<string, string>();
  for (let i = 0; i + 1 < list.length; i += 2) entries.set(list[i] ?? "", list[i + 1] ?? "");
  return entries;
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
  { number, members, away }: Pick<LeaseAnswer, "number" | "members" | "away">,
): { cluster: Cluster; foreign: Map<string, ForeignReason> } {
  const foreign = new Map<string, ForeignReason>();
  const opened = (entries: ReadonlyMap<string, string>) => {
    const hosts = new Map<string, HostMembers>();
    for (const [host, sealed] of entries) {
      const found = openedMembers(identity, host, sealed);
      if (typeof found === "string") foreign.set(host, found);
      else hosts.set(host, found);
    }
    return hosts;
  };
  return { cluster: { number, hosts: opened(members), away: opened(away) }, foreign };
}
