"""What a bucket holds beside its entries, and the scripts that change all of it together. Pure: texts for the server.

    e:KEY     an entry (`cache.redis_entry`); the server ends it at its time
    g         the generation: puts name the one they know. Who invalidates deletes it, and the next put makes a new one,
              so that a put which was sent before, and arrives after, is told so and does nothing
    l:MARK    those that carry a label, by the time at which they end (a sorted set; it ends with its last one)
    f t x o   where a level has a budget: size and share of each entry, bytes in all, by end, in the order of who goes
              first; `o:SHARE` for a namespace that has a budget of its own

Times are the server's own, so that replicas whose clocks differ agree on what has ended. Nothing here is lost without
the entries that it is about, but by an eviction of Redis itself, of which `cache.redis_sweep` takes care.
"""

from __future__ import annotations

from cache.redis_asking import Script
from cache.redis_entry import HEAD, MARK

_COMMON = """
local base = ARGV[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local instant = clock[1] * 1000000 + clock[2]

local function totals()
  return redis.call('HLEN', base .. 'f'), tonumber(redis.call('HGET', base .. 't', 'b') or '0')
end

local function forget(member)
  local fact = redis.call('HGET', base .. 'f', member)
  redis.call('ZREM', base .. 'o', member)
  if not fact then return end
  local size, share = string.match(fact, '^(%d+):(.*)$')
  redis.call('HDEL', base .. 'f', member)
  redis.call('ZREM', base .. 'x', member)
  redis.call('HINCRBY', base .. 't', 'b', -size)
  if share ~= '' then
    redis.call('ZREM', base .. 'o:' .. share, member)
    redis.call('HINCRBY', base .. 't', 'b:' .. share, -size)
  end
end

-- Reads count in whole numbers; among those of one count the last one read goes last.
local function recency() return (instant % 10000000000000) / 10000000000000 end
"""

PUT = Script(
    _COMMON
    + """
local member, generation, value, span = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local only_new, version, tagged, horizon = ARGV[6], ARGV[7], ARGV[8], tonumber(ARGV[9])
local eviction, size, most, most_bytes = ARGV[10], tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local share, share_most, share_bytes = ARGV[14], tonumber(ARGV[15]), tonumber(ARGV[16])
local name, evicted, expired = base .. 'e:' .. member, 0, 0

local found = redis.call('GET', base .. 'g')
if not found then
  found = clock[1] .. '.' .. clock[2]
  redis.call('SET', base .. 'g', found, 'EX', 86400)
end
if found ~= generation then return {'generation', found} end
if only_new == '1' and redis.call('EXISTS', name) == 1 then
  local first = redis.pcall('GETRANGE', name, 0, 0)
  if first == version then return {'there', found, 0, 0, totals()} end
end

local function last_until(key, span)
  if redis.call('PTTL', key) < span then redis.call('PEXPIRE', key, span) end
end

for i = 17, #ARGV do
  local set = base .. 'l:' .. ARGV[i]
  redis.call('ZADD', set, now + span + 1000, tagged)
  redis.call('ZREMRANGEBYSCORE', set, '-inf', now)
  last_until(set, span + 1000)
end

local function shrink(order, field, most, most_bytes)
  while evicted < 500 do
    local bytes = tonumber(redis.call('HGET', base .. 't', field) or '0')
    local full = most >= 0 and redis.call('ZCARD', order) >= most or most_bytes >= 0 and bytes + size > most_bytes
    local victim = full and redis.call('ZRANGE', order, 0, 0)[1]
    if not victim then return end
    redis.call('ZREM', order, victim)
    forget(victim)
    redis.call('UNLINK', base .. 'e:' .. victim)
    evicted = evicted + 1
  end
end

if eviction ~= '' then
  local known = redis.call('HLEN', base .. 'f')
  if redis.call('ZCARD', base .. 'x') ~= known or redis.call('ZCARD', base .. 'o') ~= known then
    redis.call('UNLINK', base .. 'f', base .. 'x', base .. 'o', base .. 't')  -- a part of it was evicted: begin anew
  end
  forget(member)
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', base .. 'x', '-inf', now, 'LIMIT', 0, 64)) do
    forget(old)
    expired = expired + 1
  end
  if share ~= '' then shrink(base .. 'o:' .. share, 'b:' .. share, share_most, share_bytes) end
  shrink(base .. 'o', 'b', most, most_bytes)
  local score = instant
  if eviction == 'lfu' then score = recency() elseif eviction == 'ttl' then score = now + span end
  redis.call('HSET', base .. 'f', member, size .. ':' .. share)
  redis.call('ZADD', base .. 'x', now + span, member)
  redis.call('ZADD', base .. 'o', score, member)
  redis.call('HINCRBY', base .. 't', 'b', size)
  if share ~= '' then
    redis.call('ZADD', base .. 'o:' .. share, score, member)
    redis.call('HINCRBY', base .. 't', 'b:' .. share, size)
    last_until(base .. 'o:' .. share, horizon)
  end
  for _, part in ipairs({'f', 't', 'x', 'o'}) do last_until(base .. part, horizon) end
end
redis.call('SET', name, value, 'PX', span)
return {'kept', found, evicted, expired, totals()}
"""
)
"""Keeps an entry, and makes room for it. Arguments: the bucket's base, the key in hexadecimal, the generation, the
value, milliseconds to keep it, `1` to leave one of this version that is there, the version's byte, the member of label
sets, milliseconds for which the index is kept, the eviction (empty: no index), bytes it counts for, entries and bytes
of the bucket's budget (-1: none), the share's mark (empty: none), its two budgets, and the marks of all labels.
Answers `generation` and the right one; or `kept` or `there`, the generation, how many were evicted, how many had ended,
entries and bytes that the index knows of."""

READ = Script(
    _COMMON
    + """
local member, eviction = ARGV[2], ARGV[3]
local value = redis.call('GET', base .. 'e:' .. member)
local score = value and redis.call('ZSCORE', base .. 'o', member)
if score then
  if eviction == 'lfu' then score = math.floor(score) + 1 + recency() else score = instant end
  redis.call('ZADD', base .. 'o', score, member)
  local share = string.match(redis.call('HGET', base .. 'f', member) or '', ':(.+)$')
  if share then redis.call('ZADD', base .. 'o:' .. share, score, member) end
end
return value
"""
)
"""The value, which thereby counts as read. Arguments: the bucket's base, the key in hexadecimal, the eviction."""

SIFT = Script(
    _COMMON
    + f"""
local version, tenant, everything, anew = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local namespaces, labels, gone = {{}}, {{}}, {{}}
for i = 7, 6 + tonumber(ARGV[6]) do namespaces[ARGV[i]] = true end
for i = 7 + tonumber(ARGV[6]), #ARGV do labels[ARGV[i]] = true end

local function covers(name)
  if tenant == '' and everything == '1' then return redis.call('EXISTS', name) == 1 end
  local head = redis.pcall('GETRANGE', name, 0, {HEAD - 1})
  if type(head) == 'table' then return true end
  if head == '' then return false end
  if string.sub(head, 1, 1) ~= version then return true end
  if tenant ~= '' and string.sub(head, 2, {1 + MARK}) ~= tenant then return false end
  if everything == '1' or namespaces[string.sub(head, {2 + MARK}, {1 + 2 * MARK})] then return true end
  for i = 0, (string.byte(head, {2 + 2 * MARK}) or 0) - 1 do
    if labels[string.sub(head, {3 + 2 * MARK} + i * {MARK}, {2 + 3 * MARK} + i * {MARK})] then return true end
  end
  return false
end

if anew == '1' then redis.call('DEL', base .. 'g') end
for at, name in ipairs(KEYS) do
  if covers(name) then
    redis.call('UNLINK', name)
    gone[#gone + 1] = at - 1
    forget(string.sub(name, #base + 3))
  end
end
return {{gone, totals()}}
"""
)
"""Removes those of the named entries that an invalidation covers. What another version wrote goes, too: nobody here can
tell what it is, and somebody may serve it. Arguments: the bucket's base, the version's byte, the tenant's mark (empty:
all), `1` for everything, `1` for a new generation, how many namespaces, their marks, the marks of the labels. Answers
the places of those that are gone, entries and bytes that the index knows of."""
