"""Leases that replicas take from each other through a Redis: who makes an answer that several were asked for.

A lease is a string with a token and an end. Giving one back says so in a stream, of which a process that has waiters
reads on one connection for all of them: nobody polls. Where Redis can't be asked everybody has every lease.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import token_bytes

from adapters.tasks import Tasks
from cache.redis_asking import Client, Refused, Script, Unavailable
from cache.redis_names import Names

UNASKED = b"-"
"""The token of a lease that nobody was asked for."""

RECHECK = 1.0
"""Seconds after which a waiter looks for itself: a full Redis takes no messages, and a connection may break."""

ACQUIRE = Script(
    """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
)
"""Done twice it is done once: the answer to the first may be lost."""

RELEASE = Script(
    """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
if type(redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', 1000, '*', 'name', ARGV[2])) == 'string' then
  redis.call('EXPIRE', KEYS[2], 3600)
end
return 1
"""
)

LEFT = Script(
    """
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
return {redis.call('PTTL', KEYS[1]), last and last[1] or '0-0'}
"""
)
"""Milliseconds that a lease has left (-2: nobody has it), and the last message of that moment."""


def fresh_token() -> bytes:
    """One that no other process thinks of."""
    return token_bytes(16)


@dataclass(slots=True)
class _Freed:
    event: asyncio.Event = field(default_factory=asyncio.Event)
    waiters: int = 0


class RedisLeases:
    """A `cache.leases.Leases`."""

    def __init__(self, client: Client, prefix: str, tasks: Tasks, token: Callable[[], bytes] = fresh_token) -> None:
        self._client, self._tasks, self._token = client, tasks, token
        self._base = Names(prefix).base("l")
        self._freed = self._base + "freed"
        self._waiting: dict[bytes, _Freed] = {}
        self._listening = False

    def _keys(self, name: bytes) -> list[str]:
        return [f"{self._base}k:{name.hex()}", self._freed]

    async def acquire(self, name: bytes, seconds: float) -> bytes | None:
        token = self._token()
        try:
            got = await self._client.ask(ACQUIRE.of(self._keys(name), token, max(1, int(seconds * 1000))))
        except (Unavailable, Refused):
            return UNASKED
        return token if got == 1 else None

    async def release(self, name: bytes, token: bytes) -> None:
        if token == UNASKED:
            return
        try:
            await self._client.ask(RELEASE.of(self._keys(name), token, name))
        except (Unavailable, Refused):
            return  # it ends by itself

    async def ended(self, name: bytes, seconds: float) -> bool:
        freed = self._waiting.setdefault(name, _Freed())
        freed.waiters += 1
        try:
            return await self._ended(name, freed.event, seconds)
        except (Unavailable, Refused):
            return True
        finally:
            freed.waiters -= 1
            if not freed.waiters and self._waiting.get(name) is freed:
                del self._waiting[name]

    async def _ended(self, name: bytes, freed: asyncio.Event, seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while True:
            # What is freed after this is told later than `last`, and the event is in its place: none is missed.
            left, last = await self._client.ask(LEFT.of(self._keys(name)))
            if left == -2:
                return True
            self._listen(last.decode())
            own = left / 1000 + 0.001 if left >= 0 else RECHECK
            if await _within(freed, min(until - loop.time(), own, RECHECK)):
                return True
            if loop.time() >= until:
                return False

    def _listen(self, last: str) -> None:
        if not self._listening:
            self._listening = True
            self._tasks.spawn(self._wake(last), endless=True)

    async def _wake(self, last: str) -> None:
        """For as long as somebody waits, and Redis answers: the next one who looks for himself begins anew."""
        try:
            while self._waiting:
                for message in await self._client.listen({self._freed: last}, RECHECK):
                    last = message.id
                    if (freed := self._waiting.pop(message.fields.get(b"name", b""), None)) is not None:
                        freed.event.set()
        except (Unavailable, Refused):
            return
        finally:
            self._listening = False


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
