"""One replica telling the others of invalidations, and seeing to it that it has reached them.

What can't be said waits here until it can. That, and what did not reach everybody in time, is completed in the
background: said, confirmed, swept from the shared level, and said again, for those that took it from there in between.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from math import inf
from typing import Any

from adapters.vocabulary import Sleep
from cache.invalidation import Invalidation
from cache.redis_asking import Client, Refused, Script, Unavailable
from cache.redis_members import Members
from cache.redis_stream import MEMBERS, SAY, parts
from cache.replicas import Reached

Sweep = Callable[[Invalidation], Awaitable[object]]
MakeRoom = Callable[[], Awaitable[None]]

PAUSE, RECHECK = 0.25, 0.25
"""Seconds: after a failure; between two looks for confirmations, for those whose message was lost."""

WAITING = 1000
"""Invalidations that may wait to be said, or to be completed; more become one of everything."""


class Telling:
    def __init__(
        self,
        client: Client,
        base: str,
        me: str,
        members: Members,
        *,
        patience: float,
        keep: int,
        sweep: Sweep | None,
        make_room: MakeRoom | None,
    ) -> None:
        """`base`: what names begin with (`cache.redis_stream`). `me`: a name that no other process has."""
        self.incomplete = 0
        self._client, self._base, self._me, self._members = client, base, me, members
        self._patience, self._keep, self._sweep, self._make_room = patience, keep, sweep, make_room
        self._unsaid: deque[Invalidation] = deque()
        self._refused = False
        self._late: deque[Invalidation] = deque()
        self._wanted = asyncio.Event()

    def __len__(self) -> int:
        """Invalidations that have not reached everybody yet."""
        return len(self._unsaid) + len(self._late)

    @property
    def owes(self) -> bool:
        """Whether something waits that could be said if Redis were there."""
        return bool(self._unsaid) and not self._refused

    async def run(self, script: Script, *values: bytes | str | int) -> Any:
        """Raises `Unavailable` and `Refused`; where Redis is full it is made room and tried once more."""
        run = script.of([self._base + "s"], self._base, self._me, *values)
        try:
            return await self._client.ask(run)
        except Refused as refused:
            if refused.kind != "full" or self._make_room is None:
                raise
        await self._make_room()
        return await self._client.ask(run)

    async def publish(self, what: Invalidation) -> Reached:
        until = asyncio.get_running_loop().time() + self._patience
        try:
            id, others = await self._say(what)
        except (Unavailable, Refused) as error:
            self.incomplete += 1
            self._refused = isinstance(error, Refused)
            _queue(self._unsaid, what)
            why = f"the replicas can't be told at the moment ({error}); they will be"
            return Reached(False, _names(self._members.others()), why)
        missing = await self._confirmed(id, others, until)
        if not missing:
            return Reached(True)
        self.incomplete += 1
        self._later(what)
        return Reached(False, _names(missing), f"not confirmed by all within {self._patience:g} s")

    async def say_unsaid(self) -> None:
        """What could not be said while Redis was away. Raises `Unavailable`."""
        while self._unsaid:
            what = self._unsaid[0]
            try:
                await self._say(what)
            except Refused:
                self._refused = True  # it is there, and takes none: that is no reason not to take part
                return
            self._later(what)
            _done(self._unsaid, what)

    async def complete_for_ever(self, sleep: Sleep) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._late:
                try:
                    await self._complete(self._late[0])
                except (Unavailable, Refused):
                    await sleep(PAUSE)

    async def _complete(self, what: Invalidation) -> None:
        id, others = await self._say(what)
        await self._confirmed(id, others, inf)
        if self._sweep is not None:
            await self._sweep(what)
            await self._say(what)
        _done(self._late, what)

    def _later(self, what: Invalidation) -> None:
        _queue(self._late, what)
        self._wanted.set()

    async def _say(self, what: Invalidation) -> tuple[str, dict[str, float]]:
        """The id of the (last) message, and those who have to hear it, each with its end."""
        said = b""
        for part in parts(what):
            said, rows = await self.run(SAY, self._keep, part.told())
            self._members.told(rows, since=said.decode())
        return said.decode(), self._members.others()

    async def _confirmed(self, id: str, others: Mapping[str, float], until: float) -> set[str]:
        """Waits, at most until then by the event loop's clock: those of whom it is still missing."""
        loop = asyncio.get_running_loop()
        while missing := self._members.behind(id, others):
            left = until - loop.time()
            if left <= 0:
                break
            if not await self._members.changed(min(left, RECHECK)):
                with suppress(Unavailable, Refused):
                    self._members.told(await self.run(MEMBERS))
        return missing


def _names(members: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(who.rpartition("/")[0] for who in members))


def _queue(waiting: deque[Invalidation], what: Invalidation) -> None:
    if len(waiting) >= WAITING:
        waiting.clear()
        what = Invalidation(everything=True)
    if what not in waiting:
        waiting.append(what)


def _done(waiting: deque[Invalidation], what: Invalidation) -> None:
    if waiting and waiting[0] is what:  # else they have become one of everything meanwhile
        waiting.popleft()
