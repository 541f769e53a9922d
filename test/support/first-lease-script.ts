/**
 * The script with which hosts of version 0.1 renew their leases. KEYS: the hash. ARGV: host id,
 * members, lease in ms, number, digest. Answers: number, digest, 1 if it is new, 1 if this host was
 * not in, then id and members of each host.
 */
export const FIRST_SCRIPT = `
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
    if not (view >= 0 and view <= 2147483648 and view == math.floor(view)) then view = 0 end
  elseif field == 'digest' then digest = value
  else
    local id = string.match(field, '^host:([%w_-]+)$')
    local bar = string.find(value, '|', 1, true)
    local lease_ends = bar and tonumber(string.sub(value, 1, bar - 1))
    local is_alive = id and #id <= 64 and #value <= 65536
      and lease_ends and lease_ends >= now and lease_ends <= now + 60000
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
