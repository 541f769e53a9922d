/**
 * The script behind lease.ts, for one Redis and for a Redis Cluster. Renewals that change nothing
 * are most of what it does, so they take the quick way, whose cost does not grow with the hosts.
 *
 * Truth is in two hashes that hosts of earlier versions also know: `cluster` has `view`, `digest` and
 * `host:<id>` = "<lease end>|<sealed entry>"; `lapsed` has `look:<id>` and `away:<id>`. Beside them
 * `ends` indexes their fields by the time at which something is due, and `changes` has what each of
 * the last numbers changed.
 *
 * [LSC1] The quick way is taken when nothing is due and the host's entry is as it was. While a host of
 *        an earlier version is a member, something always is. Now and then it counts whether the
 *        index has as many fields as the hashes, so that what a stranger wrote is noticed.
 * [LSC2] The answer has what changed since the number that the host has, where `changes` links that
 *        number and digest to the present ones without a hole; else all entries.
 * [LSC3] Neither the index nor the changes are needed for a right answer: what is wrong with them
 *        leads to the slow way, which repairs them.
 */
import { createHash } from "node:crypto";
import type { Redis } from "ioredis";
import {
  ENTRY_BYTES_MAX,
  HOST_ID_MAX,
  LEASE_MS,
  type LeaseAnswer,
  type LeaseChange,
  type LeaseRequest,
  LOOK_MS,
  LOOK_PAUSE_MS,
  WITNESS_MS,
} from "./lease.ts";

const FAR_LEASE_MS = 60_000;
/** Half of what a frame can carry, so that numbers can rise for years. */
const NUMBER_MAX = 2 ** 31;
/** Renewals that count the index. */
const COUNTED_ONE_IN = 16;
const CHANGES_KEPT = 512;
/** Hosts that are further behind read everything. */
const CHANGES_READ_MAX = 256;
const CHANGED_MAX = 200;

/**
 * KEYS: cluster, lapsed, ends, changes. ARGV: host id, members, lease in ms, number, digest, 1 if
 * the host may look, the number and digest of which it has the entries, then for each verdict: host,
 * what it is, sealed entry.
 * Answers: number, digest, 1 if it is new, 1 if this host was not in, ms to the next look, ids that
 * are claimed; then what follows: 0 nothing, 1 changes (word, id, entry), 2 the entries of all hosts
 * and of those away (id, entry).
 */
const SCRIPT = `
local CLUSTER, LAPSED, ENDS, CHANGES = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local me, members, number, known = ARGV[1], ARGV[2], tonumber(ARGV[4]), ARGV[5]
local may_look, has, has_digest = ARGV[6] == '1', tonumber(ARGV[7]), ARGV[8]
local mine = 'host:' .. me
local ends_at = now + ARGV[3]

local function whole(ms) return string.format('%.0f', ms) end
local function is_time(ms) return ms and ms >= 0 and ms <= now + ${FAR_LEASE_MS} end
local function view_of(text)
  local view = tonumber(text) or 0
  if not (view >= 0 and view <= ${NUMBER_MAX} and view == math.floor(view)) then view = 0 end
  return view
end
local function entry_of(value)
  local bar = value and string.find(value, '|', 1, true)
  local ends = bar and tonumber(string.sub(value, 1, bar - 1))
  if ends then return ends, string.sub(value, bar + 1) end
end
local function rises(view, digest)
  return view < number or (view == number and digest ~= known)
end

-- [LSC2] What has changed since the number that the host has; nil where that is not known.
local function changed_since(view, digest)
  local found = redis.pcall('XRANGE', CHANGES, whole(has + 1) .. '-0', '+', 'COUNT',
    ${CHANGES_READ_MAX})
  if found.err then return nil end
  local at, at_digest, changed = has, has_digest, {}
  for _, one in ipairs(found) do
    local fields = one[2]
    if tonumber(fields[2]) ~= at or fields[4] ~= at_digest then return nil end
    at, at_digest = tonumber(string.match(one[1], '^(%d+)-0$')), fields[6]
    for i = 7, #fields, 2 do
      local word, id = string.match(fields[i], '^(%l+):(.+)$')
      table.insert(changed, word)
      table.insert(changed, id)
      table.insert(changed, fields[i + 1])
    end
  end
  if at ~= view or at_digest ~= digest then return nil end
  return changed
end

-- [LSC1]
local function quick()
  if members == '' or #ARGV > 8 then return nil end
  local own = redis.pcall('HMGET', CLUSTER, mine, 'view', 'digest')
  if own.err or not own[2] or not own[3] then return nil end
  local ends, text = entry_of(own[1])
  local view, digest = view_of(own[2]), own[3]
  if not ends or ends < now or text ~= members or rises(view, digest) then return nil end
  local first = redis.pcall('ZRANGE', ENDS, 0, 1, 'WITHSCORES')
  if first.err or not first[2] or tonumber(first[2]) < now then return nil end
  if time[2] % ${COUNTED_ONE_IN} == 0 then
    local lapsed = redis.pcall('HLEN', LAPSED)
    if type(lapsed) ~= 'number' then return nil end
    if redis.call('ZCARD', ENDS) ~= redis.call('HLEN', CLUSTER) - 2 + lapsed then return nil end
  end
  local changed = {}
  if has ~= view or has_digest ~= digest then changed = changed_since(view, digest) end
  if not changed then return nil end
  redis.call('HSET', CLUSTER, mine, whole(ends_at) .. '|' .. members)
  redis.call('ZADD', ENDS, ends_at, mine)
  local next_at = now + ${LEASE_MS}
  for i = #first - 1, 1, -2 do
    if first[i] ~= mine and string.sub(first[i], 1, 5) == 'host:' then
      next_at = tonumber(first[i + 1])
    end
  end
  local kind = 1
  if #changed == 0 then kind = 0 end
  return { view, digest, 0, 0, next_at - now, {}, kind, changed }
end

local answer = quick()
if answer then return answer end

for i, kind in ipairs({ 'hash', 'hash', 'zset', 'stream' }) do
  local found = redis.call('TYPE', KEYS[i]).ok
  if found ~= kind and found ~= 'none' then redis.call('DEL', KEYS[i]) end
end

local hosts, view, digest = {}, 0, ''
local all = redis.call('HGETALL', CLUSTER)
for i = 1, #all, 2 do
  local field, value = all[i], all[i + 1]
  if field == 'view' then view = view_of(value)
  elseif field == 'digest' then digest = value
  else
    local id = string.match(field, '^host:([%w_-]+)$')
    local ends, text = entry_of(value)
    if id and #id <= ${HOST_ID_MAX} and #value <= ${ENTRY_BYTES_MAX} and is_time(ends) then
      hosts[id] = { ends = ends, members = text }
    else
      redis.call('HDEL', CLUSTER, field)
    end
  end
end

-- A look has the time at which the lease was found to have ended, the end of the claim, and its
-- owner. A host that is away has the time of the next look, the time since which looks are answered,
-- that of the last answer, the owner of a claim, and its entry.
local looks, away = {}, {}
all = redis.call('HGETALL', LAPSED)
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
    redis.call('HDEL', LAPSED, field)
  end
end

local function entries_of(some)
  local ids, entries = {}, {}
  for id in pairs(some) do table.insert(ids, id) end
  table.sort(ids)
  for i, id in ipairs(ids) do
    entries[2 * i - 1], entries[2 * i] = id, some[id].members
  end
  return entries
end
local function digest_of(of_hosts, of_away)
  local parts = {}
  for i = 1, #of_hosts, 2 do table.insert(parts, of_hosts[i] .. of_hosts[i + 1]) end
  for i = 1, #of_away, 2 do table.insert(parts, 'away:' .. of_away[i] .. of_away[i + 1]) end
  return redis.sha1hex(table.concat(parts, '\\n'))
end
local was_in = hosts[me] ~= nil
local hosts_before, away_before = entries_of(hosts), entries_of(away)

local function keep_away(id, it)
  away[id] = it
  redis.call('ZADD', ENDS, it.look_at, 'away:' .. id)
  redis.call('HSET', LAPSED, 'away:' .. id,
    table.concat({ whole(it.look_at), whole(it.since), whole(it.last), it.by, it.members }, '|'))
end
local function keep_look(id, it)
  looks[id] = it
  redis.call('ZADD', ENDS, it.claimed, 'look:' .. id, it.claimed, 'host:' .. id)
  redis.call('HSET', LAPSED, 'look:' .. id,
    table.concat({ whole(it.noticed), whole(it.claimed), '0', it.by, '' }, '|'))
end
local function first_look(sealed)
  return { look_at = now + ${LOOK_MS}, since = now, last = now, by = '', members = sealed }
end
local function end_host(id)
  hosts[id], looks[id], away[id] = nil, nil, nil
  redis.call('HDEL', CLUSTER, 'host:' .. id)
  redis.call('HDEL', LAPSED, 'look:' .. id, 'away:' .. id)
  redis.call('ZREM', ENDS, 'host:' .. id, 'look:' .. id, 'away:' .. id)
end

end_host(me)
if members ~= '' then
  hosts[me] = { ends = ends_at, members = members }
  redis.call('HSET', CLUSTER, mine, whole(ends_at) .. '|' .. members)
  redis.call('ZADD', ENDS, ends_at, mine)
end

for i = 9, #ARGV, 3 do
  local id, is, sealed = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local look, seen = looks[id], away[id]
  if look and look.by == me and look.claimed >= now then
    if is == 'signs' then
      local entry = hosts[id].members
      end_host(id)
      keep_away(id, first_look(entry))
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

-- A host of an earlier version numbers the members alone. Beside one no host can be away, or the two
-- versions would raise the number against each other for ever. [LSE1] A host that has just started
-- has no workers and says nothing of its version yet.
local is_beside_earlier = false
for _, host in pairs(hosts) do
  if not string.find(host.members, '"placement":', 1, true)
    and not string.find(host.members, '"workers":[],"draining":[]', 1, true) then
    is_beside_earlier = true
  end
end
if is_beside_earlier then
  for id in pairs(away) do end_host(id) end
end

local claimed, next_at = {}, now + ${LEASE_MS}
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
end
for id, it in pairs(away) do
  if may_look and it.look_at < now then
    table.insert(claimed, id)
    it.look_at, it.by = now + ${WITNESS_MS}, me
    keep_away(id, it)
  end
end

-- [LSC3] Hosts put themselves into the index; what does not belong there is taken out.
local index, unindexed = redis.call('ZRANGE', ENDS, 0, -1, 'WITHSCORES'), {}
for id in pairs(hosts) do unindexed[id] = true end
for i = 1, #index, 2 do
  local kind, id = string.match(index[i], '^(%l+):([%w_-]+)$')
  local host = id and kind == 'host' and hosts[id]
  local is_due = tonumber(index[i + 1]) < now
  local belongs = (host and (host.ends < now or not is_due)) or (id and kind == 'look' and looks[id])
    or (id and kind == 'away' and away[id])
  if not belongs then redis.call('ZREM', ENDS, index[i])
  elseif host then unindexed[id] = nil end
end
-- A host of an earlier version writes its lease into the hash alone: everything stays due.
if next(unindexed) then redis.call('ZADD', ENDS, 0, 'unindexed') end

local of_hosts, of_away = entries_of(hosts), entries_of(away)
local now_digest = digest_of(of_hosts, of_away)
local is_new = 0
if now_digest ~= digest or rises(view, digest) then
  local changes = { 'number', whole(view), 'digest', digest, 'now', now_digest }
  local function differences(before, after, word)
    for i = 1, #before, 2 do
      local id = before[i]
      if not hosts[id] and not away[id] then
        table.insert(changes, 'out:' .. id)
        table.insert(changes, '')
      end
    end
    local was = {}
    for i = 1, #before, 2 do was[before[i]] = before[i + 1] end
    for i = 1, #after, 2 do
      if was[after[i]] ~= after[i + 1] then
        table.insert(changes, word .. after[i])
        table.insert(changes, after[i + 1])
      end
    end
  end
  differences(hosts_before, of_hosts, 'in:')
  differences(away_before, of_away, 'away:')
  -- What a stranger or an earlier version changed has no place in the list: a hole.
  local is_whole = digest_of(hosts_before, away_before) == digest and #changes <= 6 + 2 * ${CHANGED_MAX}
  view = math.max(view, number) + 1
  is_new = 1
  redis.call('HSET', CLUSTER, 'view', whole(view), 'digest', now_digest)
  if is_whole then
    local added = redis.pcall('XADD', CHANGES, 'MAXLEN', '${CHANGES_KEPT}', whole(view) .. '-0',
      unpack(changes))
    if type(added) == 'table' and added.err then redis.call('DEL', CHANGES) end
  end
end
local was_out = 1
if was_in then was_out = 0 end
if has == view and has_digest == now_digest then
  return { view, now_digest, is_new, was_out, next_at - now, claimed, 0, {} }
end
return { view, now_digest, is_new, was_out, next_at - now, claimed, 2, of_hosts, of_away }
`;

const SHA = createHash("sha1").update(SCRIPT).digest("hex");
const KEYS = 4;

/** The commands of a Redis or a Redis Cluster that the script wants. */
type Scripts = Pick<Redis, "eval" | "evalsha">;

export async function renewOver(redis: Scripts, request: LeaseRequest): Promise<LeaseAnswer> {
  const given = argumentsOf(request);
  try {
    return leaseAnswerOf(await redis.evalsha(SHA, KEYS, ...given));
  } catch (error) {
    // Redis was restarted, or has never run it.
    if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
    return leaseAnswerOf(await redis.eval(SCRIPT, KEYS, ...given));
  }
}

function argumentsOf(request: LeaseRequest): (string | number)[] {
  const { cluster, host, members, number, digest, mayLook, has, verdicts } = request;
  const keys = ["cluster", "lapsed", "ends", "changes"].map((key) => `{troupe:${cluster}}:${key}`);
  return [
    // The braces are a hash tag: all keys of one cluster are in one slot of a Redis Cluster.
    ...keys,
    ...[host, members, LEASE_MS, number, digest, mayLook ? 1 : 0, has.number, has.digest],
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
  const [number, digest, isNew, wasOut, nextMs, claimed, kind, first, second]: unknown[] = answer;
  return {
    number: Number(number),
    change: changeOf(Number(kind), listOf(first), listOf(second)),
    digest: String(digest),
    isNew: Number(isNew) === 1,
    wasOut: Number(wasOut) === 1,
    claimed: listOf(claimed),
    nextMs: Number(nextMs),
  };
}

function changeOf(kind: number, first: string[], second: string[]): LeaseChange {
  if (kind === 0) return { is: "none" };
  if (kind === 2) return { is: "all", members: entriesOf(first), away: entriesOf(second) };
  const hosts = Array.from({ length: Math.floor(first.length / 3) }, (_, n) => {
    const [word = "", host = "", sealed = ""] = first.slice(3 * n);
    return {
      host,
      sealed,
      is: word === "in" ? "member" : word === "away" ? "away" : "gone",
    } as const;
  });
  return { is: "some", hosts };
}

function listOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function entriesOf(list: string[]): Map<string, string> {
  const entries = new Map<string, string>();
  for (let i = 0; i + 1 < list.length; i += 2) entries.set(list[i] ?? "", list[i + 1] ?? "");
  return entries;
}
