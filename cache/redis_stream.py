"""What replicas write down for each other in a Redis, and the scripts that do. Pure: texts for the server.

All of it lies in one slot, behind `{PREFIX#r}:`.

    s         the stream: one message for each invalidation, with who said it, the id of the message before it, and
              what; or that somebody joined or left
    m  m:WHO  who takes part, and until when: each renews that with every beat
    h         how far each has heard
    in:WHO    confirmations for one who waits for them, a stream as well, so that one connection waits for both

A message names the one before it, so a reader knows whether it missed any: because the stream was cut, or Redis lost
what it had. Renewing needs no memory, so that a full Redis (which takes no invalidations either) ends nobody's part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cache.invalidation import Invalidation
from cache.redis_asking import Script

_COMMON = """
local base, me = ARGV[1], ARGV[2]

local function last()
  local message = redis.call('XREVRANGE', base .. 's', '+', '-', 'COUNT', 1)[1]
  return message and message[1] or '0-0'
end

local function members()
  local all = {}
  for _, who in ipairs(redis.call('SMEMBERS', base .. 'm')) do
    local left = redis.call('PTTL', base .. 'm:' .. who)
    if left < 0 then
      redis.call('SREM', base .. 'm', who)
      redis.call('HDEL', base .. 'h', who)
    else
      all[#all + 1] = {who, left, redis.call('HGET', base .. 'h', who) or '0-0'}
    end
  end
  return all
end

local function say(...)
  local id = redis.call('XADD', base .. 's', 'MAXLEN', '=', KEEP, '*', 'from', me, 'after', last(), ...)
  redis.call('EXPIRE', base .. 's', 604800)
  return id
end
"""

BEAT = Script(
    _COMMON.replace("KEEP", "ARGV[4]")
    + """
local span = ARGV[3]
local known = redis.call('PEXPIRE', base .. 'm:' .. me, span) == 1
if not known then
  redis.call('SET', base .. 'm:' .. me, '1', 'PX', span)
  say('joined', span)
end
if redis.call('SISMEMBER', base .. 'm', me) == 0 then redis.call('SADD', base .. 'm', me) end
for _, part in ipairs({'m', 'h', 'in:' .. me}) do redis.call('EXPIRE', base .. part, 604800) end
local first = redis.call('XRANGE', base .. 's', '-', '+', 'COUNT', 1)[1]
local whole = not first or first[2][4] == '0-0'
local clock = redis.call('TIME')
return {last(), members(), clock[1] * 1000 + math.floor(clock[2] / 1000), first and first[1] or '0-0', whole and 1 or 0}
"""
)
"""Takes part, from now on for so long, and says so if it did not before. Arguments: the base, who, milliseconds, how
many messages are kept. Answers the last message, the members (each with milliseconds left and how far it has heard),
the time in milliseconds, the first message that is kept, and whether none was ever cut off before it."""

SAY = Script(
    _COMMON.replace("KEEP", "ARGV[3]")
    + """
return {say('what', ARGV[4]), members()}
"""
)
"""Appends an invalidation. Arguments: the base, who, how many messages are kept, what. Answers its id, the members."""

CONFIRM = Script(
    """
local base, me, heard = ARGV[1], ARGV[2], ARGV[3]
if #redis.call('XRANGE', base .. 's', heard, heard) == 0 then return 0 end
redis.call('HSET', base .. 'h', me, heard)
redis.call('EXPIRE', base .. 'h', 604800)
for i = 4, #ARGV do
  redis.call('XADD', base .. 'in:' .. ARGV[i], 'MAXLEN', '~', 1000, '*', 'from', me, 'heard', heard)
  redis.call('EXPIRE', base .. 'in:' .. ARGV[i], 3600)
end
return 1
"""
)
"""Has heard everything up to a message, if it is one: ids of a Redis that has lost its messages may come again.
Arguments: the base, who, its id, and who waits to be told."""

MEMBERS = Script(_COMMON.replace("KEEP", "1") + "return members()")
"""Arguments: the base, who asks."""

LEAVE = Script(
    _COMMON.replace("KEEP", "ARGV[3]")
    + """
redis.call('DEL', base .. 'm:' .. me, base .. 'in:' .. me)
redis.call('SREM', base .. 'm', me)
redis.call('HDEL', base .. 'h', me)
say('left', '1')
return 1
"""
)
"""Takes part no more: nobody has to wait for it, nor has who comes later and hears that it joined. Arguments: the base,
who, how many messages are kept."""

Id = tuple[int, int]
_ID = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")
BEGIN = "0-0"
"""Before all messages."""


def order(id: str) -> Id:
    """What ids of messages are compared by; before all others for what is none."""
    time, _, count = id.partition("-")
    return (int(time), int(count)) if _ID.fullmatch(id) else (0, 0)


MOST = 1000
"""Keys, labels or namespaces in one message."""


def parts(what: Invalidation) -> Iterator[Invalidation]:
    """In messages that are not too long. At least one."""
    if max(len(what.keys), len(what.labels), len(what.namespaces)) <= MOST:
        yield what
        return
    for field in ("keys", "labels", "namespaces"):
        named = getattr(what, field)
        for start in range(0, len(named), MOST):
            yield Invalidation(what.tenant, everything=what.everything)._replace(**{field: named[start : start + MOST]})
