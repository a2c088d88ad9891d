"""Replicas in one process: what one invalidates reaches the others late, and some are away for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from cache.invalidation import Invalidation
from cache.replicas import Reached

Hear = Callable[[Invalidation], Awaitable[None]]
Wait = Callable[[], Awaitable[object]]


class Bus:
    """Who is away loses its lease `lease` after it has gone, by `sleep`."""

    def __init__(self, sleep: Callable[[float], Awaitable[object]], lease: float) -> None:
        self.sleep, self.lease = sleep, lease
        self.members: list[Member] = []
        self.told: list[Invalidation] = []

    def join(self, on_the_way: Wait) -> Member:
        member = Member(self, on_the_way)
        self.members.append(member)
        return member


class Member:
    """One replica; `hear` is set by who wires it."""

    hear: Hear

    def __init__(self, bus: Bus, on_the_way: Wait) -> None:
        self.bus, self.on_the_way = bus, on_the_way
        self.trusted = True
        self.heard = len(bus.told)
        self.away = False
        self._turn = asyncio.Lock()

    async def publish(self, what: Invalidation) -> Reached:
        self.bus.told.append(what)
        position = len(self.bus.told)
        others = [member for member in self.bus.members if member is not self]
        await asyncio.gather(*[member.reached(position) for member in others])
        return Reached(complete=True)

    async def reached(self, position: int) -> None:
        """Until it has heard so many, or serves nothing any more."""
        while self.heard < position and self.trusted:
            await self.on_the_way()
            if not self.away:
                await self.catch_up()

    async def catch_up(self) -> None:
        async with self._turn:
            while self.heard < len(self.bus.told):
                await self.hear(self.bus.told[self.heard])
                self.heard += 1

    async def leave(self, seconds: float) -> None:
        """Away for so long, which may be longer than its lease."""
        if self.away:
            return
        self.away = True
        lease = min(seconds, self.bus.lease)
        await self.bus.sleep(lease)
        if seconds > lease:
            self.trusted = False
            await self.bus.sleep(seconds - lease)
        await self.catch_up()
        self.away, self.trusted = False, True
