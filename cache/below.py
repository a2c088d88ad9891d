"""The levels below memory: read from the top down, written together, and emptied of what was invalidated.

Reading and writing take time here, so both are asked at their end whether they were overtaken (`cache.validity`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from adapters.tasks import Tasks
from adapters.vocabulary import Clock
from cache.descent import TOGETHER
from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.level import Level
from cache.owing import Owing
from cache.shared_puts import SharedPuts
from cache.unsettled import Unsettled
from cache.validity import Validity

TRIES = 4
"""How often a write is begun anew because so much was invalidated meanwhile that nobody knows whether it was meant."""


@runtime_checkable
class Batched(Protocol):
    """A level that is asked for many keys as one."""

    async def get_many(self, keys: Sequence[bytes]) -> dict[bytes, Entry]: ...


@runtime_checkable
class Listed(Protocol):
    """A level that knows its keys by heart."""

    def held(self) -> list[bytes]: ...


@runtime_checkable
class Counted(Protocol):
    """A level that counts by namespace."""

    def namespaces(self) -> dict[str, dict[str, int]]: ...


class Removed(NamedTuple):
    keys: set[bytes]
    failed: bool = False


class Below:
    def __init__(
        self,
        l2: Level | None,
        l3: Level | None,
        validity: Validity,
        clock: Clock,
        tasks: Tasks,
        settle: float | None = None,
    ) -> None:
        """`settle`: seconds that an invalidation may need to reach all replicas; None where there are no others."""
        self.l2, self.l3 = l2, l3
        self.levels = [level for level in (l2, l3) if level is not None]
        self.late = 0
        """Entries that had been invalidated by the time they were there."""
        self._validity, self._clock = validity, clock
        self._puts = SharedPuts(tasks)
        self._shared, self._unsettled = settle is not None, Unsettled(settle or 0.0)
        self._removing: list[Invalidation] = []
        """Those under way: until they are done the last level still has what they cover, and it must not move up."""
        self._owing = {level.name: Owing(level, tasks, self.note) for level in self.levels}

    # Reading

    async def get(self, key: bytes, *, counted: bool = True) -> list[tuple[Entry, Level]]:
        """What may be served, from the top down as far as the first that is fresh, which is the last then."""
        found: list[tuple[Entry, Level]] = []
        mark = self._validity.mark()
        for level in self.levels:
            entry = await (level.get(key) if counted else level.look(key))
            if not self._validity.current():
                return []
            if entry is not None and self._valid(entry, level, mark):
                found.append((entry, level))
                if entry.fresh(self._clock()):
                    break
        return [each for each in found if not self._validity.late(each[0], mark)]  # it took time to read the others

    async def get_many(self, keys: Sequence[bytes]) -> dict[bytes, tuple[Entry, Level]]:
        """Those that are fresh; a level that does not answer is waited for once."""
        found: dict[bytes, tuple[Entry, Level]] = {}
        mark = self._validity.mark()
        for level in self.levels:
            keys = [key for key in keys if key not in found]
            read = await _many(level, keys) if keys else {}
            if not self._validity.current():
                return {}
            now = self._clock()
            for key, entry in read.items():
                if entry.fresh(now) and self._valid(entry, level, mark):
                    found[key] = entry, level
        return {key: each for key, each in found.items() if not self._validity.late(each[0], mark)}

    def _valid(self, entry: Entry, level: Level, mark: int) -> bool:
        if self._owing[level.name].covers(entry) or not self._validity.true(entry):
            return False
        if level is self.l3 and self._unsettled.covers(entry, self._clock()):
            return False
        if any(what.covers(entry) for what in self._removing):
            return False
        return not self._late(entry, mark)

    def held(self) -> list[bytes]:
        """The keys of those levels that know them without being asked."""
        return [key for level in self.levels if isinstance(level, Listed) for key in level.held()]

    def namespaces(self) -> dict[str, dict[str, dict[str, int]]]:
        return {level.name: level.namespaces() for level in self.levels if isinstance(level, Counted)}

    # Writing

    async def write(self, entry: Entry, mark: int) -> bool:
        """Into all of them at the same time. Whether any has it."""
        kept = False
        shared = None if self.l3 is None else self._puts.begin(entry, self._settle(self.l3, entry, mark, False))
        if self.l2 is not None:
            kept = await self._settle(self.l2, entry, mark, False)
        return (await shared or kept) if shared is not None else kept

    async def add(self, level: Level, entry: Entry, mark: int) -> bool:
        """Into this level, if it is not there."""
        if level is self.l3:
            return await self._puts.begin(entry, self._settle(level, entry, mark, True))
        return await self._settle(level, entry, mark, True)

    async def _settle(self, level: Level, entry: Entry, mark: int, only_new: bool) -> bool:
        """The level asks for itself, at the last moment, whether anybody invalidated anything since we asked here."""
        for _ in range(TRIES):
            if not self._validity.current() or self._late(entry, mark):
                return False
            valid = self._validity.valid(entry)
            if await level.put(entry, valid, only_new=only_new):
                if not only_new and valid():
                    self._owing[level.name].put(entry)
                    if level is self.l3:
                        self._unsettled.put(entry)
                return True
            if valid():
                return False  # refused for another reason
        return False

    def _late(self, entry: Entry, mark: int) -> bool:
        late = self._validity.late(entry, mark)
        self.late += late
        return late

    # Removing

    def note(self, what: Invalidation) -> None:
        """It has been heard of, and may not have reached all replicas yet."""
        if self._shared:
            self._unsettled.note(what, self._clock())

    async def remove(self, what: Invalidation, again: Callable[[], set[bytes]], *, shared: bool = True) -> Removed:
        """`again`: notes the invalidation a second time. Without `shared` the level that replicas share stays as it is,
        but nothing that is covered is on its way there any more."""
        self._removing.append(what)
        try:
            return await self._remove(what, again, shared)
        finally:
            self._removing.remove(what)

    async def _remove(self, what: Invalidation, again: Callable[[], set[bytes]], shared: bool) -> Removed:
        gone: set[bytes] = set()
        failed = False
        if self.l2 is not None:
            removed = await self._owing[self.l2.name].remove(what)
            failed = removed is None
            gone |= (removed or set()) | again()
        if self.l3 is not None:
            await self._puts.passed(what)
            if shared:
                removed = await self._owing[self.l3.name].remove(what)
                failed = failed or removed is None
                gone |= removed or set()
                if not self._shared:
                    gone |= again()
        return Removed(gone, failed)

    async def sweep(self, what: Invalidation) -> bool:
        """Out of the level that replicas share, if there is one."""
        return self.l3 is None or await self._owing[self.l3.name].remove(what) is not None


async def _many(level: Level, keys: Sequence[bytes]) -> dict[bytes, Entry]:
    if isinstance(level, Batched):
        return await level.get_many(keys)
    found: dict[bytes, Entry] = {}
    ahead = []
    for key in keys:
        if level.might_have(key):
            ahead.append(key)
        else:
            await level.get(key)  # counts a miss, and is back at once
    for start in range(0, len(ahead), TOGETHER):
        read = await asyncio.gather(*map(level.get, ahead[start : start + TOGETHER]))
        some = {entry.key: entry for entry in read if entry is not None}
        found.update(some)
        if not some:
            break
    return found
