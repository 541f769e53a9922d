/**
 * Membership in Redis: one hash holds every host's lease and workers, the view's number, and a
 * digest of what that number stands for. One script renews, sweeps the dead and numbers the
 * view, atomically and by Redis' own clock.
 *
 * [LSE1] One number means one set of hosts: whoever brings a number that stands for something
 *        else with them, or is above it, makes it rise past both. So it never goes back for
 *        anyone, though Redis may forget everything.
 */
import type { Cluster, HostMembers } from "../ports/relay.ts";

/** Hash tag: one slot of a Redis Cluster. */
export const CLUSTER_KEY = "{troupe}:cluster";

/**
 * A host is dead when it has not renewed for this long. Its users are offline one presence
 * grace (5 s) after that, which is to be within 10 s. Too small: a stalled host looks dead.
 */
export const LEASE_MS = 3_500;
export const RENEW_MS = 750;

export interface LeaseRequest {
  host: string;
  /** JSON of HostMembers; "" leaves. */
  members: string;
  /** The highest number that this host has used, and what it stood for; "" for its own. */
  number: number;
  digest: string;
}

export interface LeaseAnswer {
  cluster: Cluster;
  digest: string;
  /** The number is new: the other hosts should look. */
  isNew: boolean;
  /** This host was not among them: its lease had lapsed, or it has just come. */
  wasOut: boolean;
}

/**
 * KEYS: the hash. ARGV: host id, members, lease in ms, number, digest.
 * Answers: number, digest, 1 if it is new, 1 if this host was not in, then id and members of
 * each host.
 */
export const RENEW_SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local mine = 'host:' .. ARGV[1]
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
  if field == 'view' then view = tonumber(value)
  elseif field == 'digest' then digest = value
  else
    local bar = string.find(value, '|', 1, true)
    if tonumber(string.sub(value, 1, bar - 1)) < now then
      redis.call('HDEL', KEYS[1], field)
    else
      local id = string.sub(field, 6)
      table.insert(ids, id)
      members[id] = string.sub(value, bar + 1)
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

export function scriptArguments({ host, members, number, digest }: LeaseRequest) {
  return [CLUSTER_KEY, host, members, LEASE_MS, number, digest] as const;
}

export function leaseAnswerOf(answer: unknown): LeaseAnswer {
  const [number, digest, isNew, wasOut, ...rest] = answer as (string | number)[];
  const hosts = new Map<string, HostMembers>();
  for (let i = 0; i < rest.length; i += 2) {
    hosts.set(String(rest[i]), JSON.parse(String(rest[i + 1])) as HostMembers);
  }
  return {
    cluster: { number: Number(number), hosts },
    digest: String(digest),
    isNew: Number(isNew) === 1,
    wasOut: Number(wasOut) === 1,
  };
}
