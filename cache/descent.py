"""Entries on their way to a lower level: gone from the upper one, or newer there, and not yet safe below.

They are found here until they have arrived. One key never has two writes under way, so that an older value can't
overtake a newer one. Bounded: when the level below is too slow for all that comes, the newest comers are lost and
counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import NamedTuple

from adapters.tasks import Tasks
from cache.entry import Entry
from cache.invalidation import Invalidation

TOGETHER = 128
"""Entries that are written at the same time: the patience of a level is for these, not for any number."""

MOST, MOST_BYTES = 4096, 64 * 1024 * 1024
"""Entries and bytes (`Entry.size`) that may wait."""


class Parcel(NamedTuple):
    entry: Entry
    mark: int
    """The point up to which it is known not to have been invalidated."""
    dirty: bool = False
    """It is newer than what may lie below, and replaces it; else one that lies there already stays."""


def _nobody_asks(_: Parcel) -> None:
    return


class Descent:
    """`write`: whether it is safe below now. `failed` is told of each that is not, and then is nowhere any more."""

    def __init__(
        self,
        write: Callable[[Parcel], Awaitable[bool]],
        tasks: Tasks,
        failed: Callable[[Parcel], None] = _nobody_asks,
        *,
        most: int = MOST,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.waiting: dict[bytes, Parcel] = {}
        self.moved = self.lost = 0
        self._write, self._failed, self._tasks = write, failed, tasks
        self._most, self._most_bytes, self._bytes = most, most_bytes, 0
        self._turn, self._running = asyncio.Lock(), False

    def send(self, parcel: Parcel) -> None:
        """Takes it along; it is written in the background."""
        if len(self.waiting) >= self._most or self._bytes + parcel.entry.size > self._most_bytes:
            self.discard(parcel.entry.key)
            self._fail(parcel)
            return
        self.add(parcel)
        if not self._running:
            self._running = True
            self._tasks.spawn(self._run())

    def add(self, parcel: Parcel) -> None:
        """As `send`, whatever waits already; but only `drain` writes it."""
        self.discard(parcel.entry.key)
        self.waiting[parcel.entry.key] = parcel
        self._bytes += parcel.entry.size

    def get(self, key: bytes) -> Entry | None:
        parcel = self.waiting.get(key)
        return parcel.entry if parcel is not None else None

    def discard(self, key: bytes) -> bool:
        """It is not wanted below any more; a write that has begun goes on."""
        parcel = self.waiting.pop(key, None)
        if parcel is not None:
            self._bytes -= parcel.entry.size
        return parcel is not None

    def invalidate(self, what: Invalidation) -> set[bytes]:
        gone = {key for key, parcel in self.waiting.items() if what.covers(parcel.entry)}
        for key in gone:
            self.discard(key)
        return gone

    async def push(self, parcel: Parcel) -> bool:
        """Writes it after what is being written, and before all that comes later. Whether it has arrived."""
        self.discard(parcel.entry.key)
        async with self._turn:
            return await self._write(parcel)

    async def drain(self) -> int:
        """Until nothing waits: how many have arrived."""
        arrived = 0
        while self.waiting:
            async with self._turn:  # for each round anew, so that `push` has its turn in between
                some = list(islice(self.waiting.values(), TOGETHER))
                written = await asyncio.gather(*map(self._write, some))
                for parcel, kept in zip(some, written, strict=True):
                    if self.waiting.get(parcel.entry.key) is parcel:
                        self.discard(parcel.entry.key)
                        if not kept:
                            self._fail(parcel)
            arrived += sum(written)
        self.moved += arrived
        return arrived

    def _fail(self, parcel: Parcel) -> None:
        self.lost += 1
        self._failed(parcel)

    async def _run(self) -> None:
        try:
            while self.waiting:
                await self.drain()
        finally:
            self._running = False
