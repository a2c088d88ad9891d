"""A cache in virtual time: its levels are the real ones, its upstream answers at once and everything."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import NamedTuple

from adapters.tasks import Tasks
from cache.entry import Entry, Shape
from cache.tiers import Tiers

MIDNIGHT = 1_767_225_600.0
"""When traces begin; a midnight in UTC."""

ROOM = 1 << 40
"""Bytes, for levels whose budget is in entries."""

NEVER = 1e9
"""Seconds to live of what does not expire within a trace."""

ON_THEIR_WAY = 64
"""Entries that are being written at the same time, as with so many requests in flight."""

TENANT, NAMESPACE = "t", "llm.response"

BODY = b"An answer of about a kilobyte, as chat models give most of the time. " * 14


class Sizes(NamedTuple):
    """Entries of the levels, and seconds that they keep them."""

    name: str
    l1: int
    l1_ttl: float
    l2: int
    l2_ttl: float


DEFAULTS = Sizes("defaults", 1_000, 300.0, 10_000, 3_600.0)
LASTING = Sizes("lasting", 500, 1_800.0, 10_000, 604_800.0)
"""For answers that stay right for long, at the sizes at which L1 begins that follows its hit rate."""


class Clock:
    """Wall-clock seconds by the times of a trace."""

    def __init__(self) -> None:
        self.now = MIDNIGHT

    def __call__(self) -> float:
        return self.now

    def to(self, seconds: float) -> None:
        """That many seconds after the beginning."""
        self.now = MIDNIGHT + seconds


def key_of(number: int) -> bytes:
    return b"%032d" % number


def entry_of(number: int, now: float, life: float) -> Entry:
    return Entry(
        key_of(number), TENANT, NAMESPACE, "m", Shape.MESSAGE, 200, (), BODY, True, None, 0.001, now, now + life
    )


class Asked:
    """Asks levels for one key after the other, and keeps what none of them had.

    Writes are not waited for one by one, which would take milliseconds each; but a key is asked for only when its own
    write has ended, so that nothing is a miss that would have been a hit.
    """

    def __init__(self, tiers: Tiers, clock: Clock, life: float) -> None:
        self.tiers, self.clock, self.life = tiers, clock, life
        self.found: Counter[str] = Counter()
        """Accesses by the level that had it; `upstream` where none had."""
        self.loads = 0
        """Calls to the upstream, those of warmers included."""
        self._tasks = Tasks()
        self._writing: dict[bytes, asyncio.Task[None]] = {}

    async def ask(self, number: int) -> str:
        key = key_of(number)
        if (late := self._writing.pop(key, None)) is not None:
            await late
        found = await self.tiers.get(key)
        where = "upstream" if found is None else found[1]
        self.found[where] += 1
        if found is None:
            await self.load(number)
        return where

    async def load(self, number: int) -> Entry:
        """Ask the upstream, and keep what it says."""
        self.loads += 1
        entry = entry_of(number, self.clock(), self.life)

        async def keep() -> None:
            await self.tiers.put(entry)

        if self.tiers.l2 is None:
            await keep()
            return entry
        self._writing[entry.key] = self._tasks.spawn(keep())
        await asyncio.sleep(0)  # memory has it from now on
        if len(self._writing) >= ON_THEIR_WAY:
            await self.settle()
        return entry

    async def settle(self) -> None:
        """Until everything is written."""
        writing, self._writing = self._writing, {}
        await asyncio.gather(*writing.values())
