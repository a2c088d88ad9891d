"""What is newer in memory than below, and goes down later: on eviction, at an interval, when told, and at the end.

A process that is killed loses what came after its last flush: of what it was told to keep, that of at most one interval
and the time that a flush takes.
"""

from __future__ import annotations

from collections.abc import Callable

from cache.descent import TOGETHER, Descent, Parcel
from cache.entry import Entry
from cache.invalidation import Invalidation


class WriteBack:
    """`holds`: whether memory still has exactly this entry; only then it is worth another try after a failed one."""

    def __init__(self, descent: Descent, holds: Callable[[Entry], bool]) -> None:
        self.dirty: dict[bytes, Parcel] = {}
        self._descent, self._holds = descent, holds

    def note(self, entry: Entry, mark: int) -> None:
        """Memory has it, and nobody else."""
        self._descent.discard(entry.key)
        self.dirty[entry.key] = Parcel(entry, mark, dirty=True)

    def get(self, key: bytes) -> Entry | None:
        parcel = self.dirty.get(key)
        return parcel.entry if parcel is not None else None

    def left(self, entry: Entry) -> bool:
        """Memory dropped it for want of room; False where it is no newer than what lies below."""
        parcel = self.dirty.get(entry.key)
        if parcel is None or parcel.entry is not entry:
            return False
        del self.dirty[entry.key]
        self._descent.send(parcel)
        return True

    def discard(self, key: bytes) -> bool:
        return self.dirty.pop(key, None) is not None

    def invalidate(self, what: Invalidation) -> set[bytes]:
        gone = {key for key, parcel in self.dirty.items() if what.covers(parcel.entry)}
        for key in gone:
            del self.dirty[key]
        return gone

    def failed(self, parcel: Parcel) -> None:
        """It could not be written: it waits for the next flush as long as memory has it, and then is lost."""
        if parcel.dirty and parcel.entry.key not in self.dirty and self._holds(parcel.entry):
            self.dirty[parcel.entry.key] = parcel

    async def flush(self) -> int:
        """How many have arrived below of what was dirty when this was called, and of what was on its way."""
        arrived = await self._descent.drain()
        ahead = list(self.dirty)
        for start in range(0, len(ahead), TOGETHER):
            for key in ahead[start : start + TOGETHER]:
                if (parcel := self.dirty.pop(key, None)) is not None:
                    self._descent.add(parcel)
            arrived += await self._descent.drain()
        return arrived
