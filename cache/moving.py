"""Entries that change their level: up because they are read often, down because there is no room for them, or because
memory was written first."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from adapters.tasks import Tasks
from cache.below import Below
from cache.descent import Descent, Parcel
from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.level import Evicted, Level
from cache.memory import Memory
from cache.promotion import Reads
from cache.validity import Validity
from cache.write_back import WriteBack


@runtime_checkable
class Evicting(Protocol):
    """A level that tells what it drops for want of room."""

    evicted: Evicted | None


class Moving:
    def __init__(self, l1: Memory | None, below: Below, validity: Validity, tasks: Tasks, promote_after: int) -> None:
        self.promotions = 0
        self._l1, self._below, self._validity = l1, below, validity
        self._reads = Reads(promote_after)
        self._down = Descent(self._move, tasks, self._not_moved)
        self._further = Descent(self._move_further, tasks)
        self._back = WriteBack(self._down, self._in_memory)
        if l1 is not None and below.levels:
            l1.evicted = self._no_room_in_memory
        l2: object = below.l2
        if below.l3 is not None and isinstance(l2, Evicting):
            l2.evicted = self._no_room_on_disk

    # Up

    def read(self, entry: Entry, level: Level) -> None:
        """It was found there, and moves up if that has happened often enough."""
        if self._reads.enough(entry.key):
            self.rise(entry, level)

    def rise(self, entry: Entry, level: Level) -> bool:
        """From this level; whether memory has it now."""
        if level is self._below.l3 and self._below.l2 is not None:
            self._down.send(Parcel(entry, self._validity.mark()))
        risen = self._l1 is not None and self._l1.put(entry)
        self.promotions += risen
        return risen

    # Down

    def leaving(self, key: bytes) -> Entry | None:
        """What memory may not have any more, and the level below not yet."""
        if not (self._down.waiting or self._back.dirty):
            return None
        entry = self._back.get(key)
        return entry if entry is not None else self._down.get(key)

    def held(self) -> list[bytes]:
        return [*self._back.dirty, *self._down.waiting]

    def later(self, entry: Entry, mark: int) -> None:
        """Memory has it, and nobody else: it goes down with the next flush, or when memory has no room for it."""
        self._back.note(entry, mark)

    async def at_once(self, entry: Entry, mark: int) -> bool:
        """Down, and after older ones of its key that are on their way. Whether it is safe there."""
        self._back.discard(entry.key)
        return await self._down.push(Parcel(entry, mark, dirty=True))

    def discard(self, key: bytes) -> None:
        """There is a newer one, which is written by somebody else."""
        self._back.discard(key)
        self._down.discard(key)

    def invalidate(self, what: Invalidation) -> set[bytes]:
        self._further.invalidate(what)
        return self._back.invalidate(what) | self._down.invalidate(what)

    async def flush(self) -> int:
        return await self._back.flush()

    async def settle(self) -> None:
        """Until nothing is on its way."""
        await self.flush()
        await self._further.drain()

    def _no_room_in_memory(self, entries: list[Entry]) -> None:
        mark = self._validity.heard.mark  # memory is as this one says, even if there is more to hear
        l2 = self._below.l2
        for entry in entries:
            if not self._back.left(entry) and not (l2 is not None and l2.might_have(entry.key)):
                self._down.send(Parcel(entry, mark))

    def _no_room_on_disk(self, entries: list[Entry]) -> None:
        # What was invalidated since the disk dropped it is told apart, because who invalidates waits for the disk, and
        # then notes it once more.
        for entry in entries:
            self._further.send(Parcel(entry, self._validity.heard.mark))

    async def _move(self, parcel: Parcel) -> bool:
        if parcel.dirty:
            return await self._below.write(parcel.entry, parcel.mark)
        return await self._below.add(self._below.levels[0], parcel.entry, parcel.mark)

    async def _move_further(self, parcel: Parcel) -> bool:
        return await self._below.add(self._below.levels[-1], parcel.entry, parcel.mark)

    def _not_moved(self, parcel: Parcel) -> None:
        self._back.failed(parcel)

    def _in_memory(self, entry: Entry) -> bool:
        return self._l1 is not None and self._l1.look(entry.key) is entry

    # How much

    @property
    def dirty(self) -> int:
        """Entries that are newer in memory than below."""
        return len(self._back.dirty) + sum(parcel.dirty for parcel in self._down.waiting.values())

    def stats(self) -> dict[str, int]:
        return {
            "promotions": self.promotions,
            "demotions": self._down.moved + self._further.moved,
            "lost": self._down.lost + self._further.lost,
            "dirty": self.dirty,
        }
