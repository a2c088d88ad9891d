"""The levels of the exact cache as one store: memory in front, disk behind, either of them optional."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from cache.disk import Disk
from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.memory import Memory

TOGETHER = 128
"""Entries that are asked of the disk at the same time: its patience is for these, not for a batch of any size."""


class Tiers:
    """Writes go through to both, a hit on disk comes to memory. Nothing that a level does raises out of here."""

    def __init__(self, l1: Memory | None, l2: Disk | None) -> None:
        self.l1, self.l2 = l1, l2
        self._removals = 0

    @property
    def ttl(self) -> float:
        """Seconds for which an entry is kept at most: the longest time of any level."""
        return max((level.ttl for level in (self.l1, self.l2) if level is not None), default=0.0)

    async def open(self) -> None:
        if self.l2 is not None:
            await self.l2.open()

    async def close(self) -> None:
        if self.l2 is not None:
            await self.l2.close()

    def holds(self, key: bytes) -> bool:
        """Whether it lies in memory; nothing is counted."""
        return self.l1 is not None and self.l1.holds(key)

    def peek(self, key: bytes) -> Entry | None:
        """What lies in memory. A hit is counted; a miss is not, because `get` comes next."""
        return self.l1.peek(key) if self.l1 is not None else None

    async def get(self, key: bytes) -> tuple[Entry, str] | None:
        """The entry and the level that had it, `l1` or `l2`."""
        if self.l1 is not None and (entry := self.l1.get(key)) is not None:
            return entry, "l1"
        return await self._from_disk(key)

    async def look(self, key: bytes) -> tuple[Entry, str] | None:
        """As `get`, but nothing is counted, moved or kept: for whoever only wants to know."""
        if self.l1 is not None and (entry := self.l1.look(key)) is not None:
            return entry, "l1"
        found = await self.l2.look(key) if self.l2 is not None else None
        return None if found is None else (found, "l2")

    def starting(self, prefix: bytes) -> list[bytes]:
        """The keys that begin so."""
        keys = [level.held() for level in (self.l1, self.l2) if level is not None]
        return list(dict.fromkeys(key for some in keys for key in some if key.startswith(prefix)))

    async def get_many(self, keys: Iterable[bytes]) -> dict[bytes, tuple[Entry, str]]:
        """Those that there are, as `get` finds them; the disk is asked for all the others, many at a time."""
        found: dict[bytes, tuple[Entry, str]] = {}
        elsewhere: list[bytes] = []
        for key in keys:
            if self.l1 is not None and (entry := self.l1.get(key)) is not None:
                found[key] = entry, "l1"
            elif self.l2 is not None and self.l2.might_have(key):
                elsewhere.append(key)
            else:
                await self._from_disk(key)  # counts a miss, and is back at once
        while elsewhere:
            some, elsewhere = elsewhere[:TOGETHER], elsewhere[TOGETHER:]
            read = await asyncio.gather(*map(self._from_disk, some))
            late = {key: each for key, each in zip(some, read, strict=True) if each is not None}
            found.update(late)
            if not late:
                break  # the disk does not answer: that is waited for once
        return found

    async def _from_disk(self, key: bytes) -> tuple[Entry, str] | None:
        if self.l2 is None:
            return None
        removals = self._removals
        found = await self.l2.get(key)
        if found is None:
            return None
        if self.l1 is not None and removals == self._removals:
            # While the disk was asked somebody may have put a newer one, or removed it: that one holds.
            if (newer := self.l1.peek(key)) is not None:
                return newer, "l1"
            self.l1.put(found)
        return found, "l2"

    async def put(self, entry: Entry) -> bool:
        """Keep it; returns when it is committed, or given up. Whether any level has it."""
        kept = self.l1.put(entry) if self.l1 is not None else False
        if self.l2 is not None:
            kept = await self.l2.put(entry) or kept
        return kept

    async def put_many(self, entries: Iterable[Entry]) -> list[bool]:
        """`put` for each, all under way at the same time."""
        return await asyncio.gather(*map(self.put, entries))

    async def delete(self, key: bytes) -> bool:
        """Whether any level had it."""
        self._removals += 1
        known = self.l1.delete(key) if self.l1 is not None else False
        if self.l2 is not None:
            known = await self.l2.delete(key) or known
        return known

    async def purge(self, tenant: str) -> int | None:
        """Delete everything of a tenant: how many entries; None where the disk failed."""
        self._removals += 1
        gone: set[bytes] = set()
        if self.l1 is not None:
            held = [entry for key in self.l1.held() if (entry := self.l1.look(key)) is not None]
            gone = {entry.key for entry in held if entry.tenant == tenant and self.l1.delete(entry.key)}
        if self.l2 is not None:
            rows = await self.l2.invalidate(Invalidation(tenant, everything=True))
            return None if rows is None else len(gone | rows)
        return len(gone)

    async def clear(self) -> None:
        self._removals += 1
        if self.l1 is not None:
            self.l1.clear()
        if self.l2 is not None:
            await self.l2.clear()

    def stats(self) -> dict[str, dict[str, int]]:
        """Per level that there is: entries, bytes, hits, misses, evictions, expirations, errors."""
        levels = (("l1", self.l1), ("l2", self.l2))
        return {name: level.stats() for name, level in levels if level is not None}
