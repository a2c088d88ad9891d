"""The levels of the exact cache as one store: memory, the local disk, and what replicas share; each is optional.

Nothing that a level does raises out of here: one that fails or hangs is a miss. What is written where is said by the
write policy; what is read often in a lower level moves up (`cache.promotion`), what has no room in an upper one moves
down (`cache.descent`). No entry is served after its invalidation was acknowledged (`cache.validity`): what took time is
asked at its end whether it was overtaken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, runtime_checkable

from adapters.tasks import Tasks
from adapters.vocabulary import Clock, Sleep
from cache.below import Below, Removed
from cache.descent import Descent, Parcel
from cache.entry import Entry, Shape
from cache.invalidation import Alone, Invalidation, Log
from cache.labels import ENTRY, entry_label
from cache.level import Evicted, Level
from cache.memory import Memory
from cache.promotion import Reads
from cache.replicas import Nobody, Replicas
from cache.tier_options import Options, checked
from cache.validity import Validity
from cache.write_back import WriteBack

Found = tuple[Entry, str]
"""An entry and the level that had it: `l1`, `l2` or `l3`."""

NAMED = 100_000
"""Keys on which others depend that are remembered one by one; of more, all may be such."""

LABELS = 500
"""Labels of one invalidation, where one brings others after it."""

DRAIN = 5.0
"""Seconds that what moves in the background has to end."""


@runtime_checkable
class Listed(Protocol):
    """A level that knows its keys by heart."""

    def held(self) -> list[bytes]: ...


@runtime_checkable
class Counted(Protocol):
    """A level that counts by namespace."""

    def namespaces(self) -> dict[str, dict[str, int]]: ...


@runtime_checkable
class Evicting(Protocol):
    """A level that tells what it drops for want of room."""

    evicted: Evicted | None


class Tiers:
    def __init__(
        self,
        l1: Memory | None,
        l2: Level | None,
        l3: Level | None = None,
        options: Options | None = None,
        *,
        clock: Clock | None = None,
        log: Log | None = None,
        replicas: Replicas | None = None,
        tasks: Tasks | None = None,
    ) -> None:
        """`clock`: wall-clock seconds; may be missing where no level gives what is no longer fresh. `log`: shared with
        other workers that use the same L2. `tasks`: are not drained here. Raises ValueError."""
        self.options = checked(options or Options())
        if clock is None and (l3 is not None or self.options.grace):
            raise ValueError("a shared level, and what is kept beyond its freshness, need a clock")
        self.l1, self.l2, self.l3 = l1, l2, l3
        self.promotions = 0
        self.cascade: Callable[[Invalidation], Awaitable[object]] = self.invalidate
        """Awaited when a value is replaced on which others may depend. Who tells replicas puts himself here."""
        self._clock = clock or untimed
        self._own = Tasks()
        self._tasks = tasks or self._own
        self._replicas = replicas or Nobody()
        self._validity = Validity(log or Alone(), self._replicas, self._drop)
        self._below = Below(l2, l3, self._validity, self._replicas, self._clock, self._tasks, self.options.settle)
        self._reads = Reads(self.options.promote_after)
        self._down = Descent(self._move, self._tasks, self._not_moved)
        self._further = Descent(self._move_further, self._tasks)
        self._back = WriteBack(self._down, self._in_memory)
        self._named: set[bytes] = set()
        self._strangers = log is not None or l3 is not None
        """Whether entries of which this process does not know may depend on others."""
        if isinstance(l1, Evicting) and self._below.levels:
            l1.evicted = self._no_room_in_memory
        if isinstance(l2, Evicting) and l3 is not None:
            l2.evicted = self._no_room_on_disk

    @property
    def ttl(self) -> float:
        """Seconds for which an entry is kept at most: the longest time of any level."""
        levels = [level for level in (self.l1, *self._below.levels) if level is not None]
        return max((level.ttl for level in levels), default=0.0)

    def ttl_of(self, namespace: str) -> float:
        """The same for a namespace, which may have a shorter time of its own."""
        return min(self.ttl, self.options.ttls.get(namespace, self.ttl))

    @property
    def dirty(self) -> int:
        """Entries that are newer in memory than below."""
        return len(self._back.dirty) + sum(parcel.dirty for parcel in self._down.waiting.values())

    async def open(self) -> None:
        for level in self._below.levels:
            await level.open()
        if self.l2 is not None and self.l2.stats().get("entries", 0):
            self._strangers = True  # of an earlier time

    async def close(self) -> None:
        """Writes down what is newer in memory, then closes the levels."""
        await self.flush()
        await self._own.drain(DRAIN)
        for level in self._below.levels:
            await level.close()

    # Reading

    def holds(self, key: bytes) -> bool:
        """Whether it lies in memory, fresh; nothing is counted."""
        return self._look(key) is not None

    def peek(self, key: bytes) -> Entry | None:
        """What lies in memory, fresh. A hit is counted; a miss is not, because `get` comes next."""
        if not self._validity.current():
            return None
        entry = self.l1.peek(key) if self.l1 is not None else None
        if entry is None:
            entry = self._leaving(key)
        return entry if entry is not None and entry.fresh(self._clock()) else None

    async def get(self, key: bytes, *, stale: bool = False) -> Found | None:
        """The entry and the level that had it; with `stale` also one in its grace, where there is no other."""
        held = self._held(key)
        if held is not None and held.fresh(self._clock()):
            return held, "l1"
        found = await self._below.get(key) if self._validity.current() else []
        if (newer := self.peek(key)) is not None:  # somebody put it meanwhile: that one holds
            return newer, "l1"
        if found and found[-1][0].fresh(self._clock()):
            return self._found(*found[-1])
        if not (stale and self._validity.current()):
            return None
        held = self._held(key, counted=False)
        return (held, "l1") if held is not None else next(((entry, level.name) for entry, level in found), None)

    async def look(self, key: bytes) -> Found | None:
        """As `get`, but nothing is counted, moved or kept: for whoever only wants to know."""
        if (entry := self._look(key)) is not None:
            return entry, "l1"
        found = await self._below.get(key, counted=False) if self._validity.current() else []
        return (found[-1][0], found[-1][1].name) if found and found[-1][0].fresh(self._clock()) else None

    async def get_many(self, keys: Iterable[bytes]) -> dict[bytes, Found]:
        """Those that there are, as `get` finds them; each level is asked for all that the upper ones don't have."""
        found: dict[bytes, Found] = {}
        elsewhere: list[bytes] = []
        for key in keys:
            entry = self._held(key)
            if entry is not None and entry.fresh(self._clock()):
                found[key] = entry, "l1"
            else:
                elsewhere.append(key)
        read = await self._below.get_many(elsewhere) if elsewhere and self._validity.current() else {}
        for key, (entry, level) in read.items():
            newer = self.peek(key)
            found[key] = self._found(entry, level) if newer is None else (newer, "l1")
        return found

    def starting(self, prefix: bytes) -> list[bytes]:
        """The keys that begin so, in memory and on disk."""
        levels = [level for level in (self.l1, *self._below.levels) if isinstance(level, Listed)]
        held = [*[level.held() for level in levels], self._back.dirty, self._down.waiting]
        return list(dict.fromkeys(key for some in held for key in some if key.startswith(prefix)))

    def _held(self, key: bytes, *, counted: bool = True) -> Entry | None:
        """In memory, fresh or not."""
        if not self._validity.current():
            return None
        entry = None if self.l1 is None else self.l1.get(key) if counted else self.l1.look(key)
        return entry if entry is not None else self._leaving(key)

    def _look(self, key: bytes) -> Entry | None:
        entry = self._held(key, counted=False)
        return entry if entry is not None and entry.fresh(self._clock()) else None

    def _leaving(self, key: bytes) -> Entry | None:
        """What memory does not have any more, and the level below not yet."""
        if not (self._down.waiting or self._back.dirty):
            return None
        entry = self._back.get(key)
        return entry if entry is not None else self._down.get(key)

    # Moving up

    def _found(self, entry: Entry, level: Level) -> Found:
        """It has just been read below."""
        if self._reads.enough(entry.key):
            self._rise(entry, level)
        return entry, level.name

    def _rise(self, entry: Entry, level: Level) -> bool:
        if level is self.l3 and self.l2 is not None:
            self._down.send(Parcel(entry, self._validity.mark()))
        risen = self.l1 is not None and self.l1.put(entry)
        self.promotions += risen
        return risen

    async def promote(self, key: bytes) -> bool:
        """Whether it lies in memory now; counts as no access."""
        if self._look(key) is not None:
            return True
        found = await self._below.get(key, counted=False) if self.l1 is not None and self._validity.current() else []
        if self._look(key) is not None:
            return True
        return bool(found) and found[-1][0].fresh(self._clock()) and self._rise(*found[-1])

    # Writing

    def mark(self) -> int:
        """To be noted before the making of an answer begins, and given to `put`."""
        return self._validity.mark()

    async def put(self, entry: Entry, since: int | None = None) -> bool:
        """Keeps it as the write policy says: whether any level has it. What was invalidated `since` is not kept."""
        now = self._validity.mark()
        if since is not None and self._validity.late(entry, since):
            self._below.late += 1
            return False
        self._note_names(entry)
        kept = await self._keep(entry, now)
        if entry.shape is Shape.VALUE and self._depended_on(entry.key):
            await self.cascade(Invalidation(entry.tenant, labels=(entry_label(entry.key),)))
        return kept

    async def put_many(self, entries: Iterable[Entry], since: int | None = None) -> list[bool]:
        """`put` for each, all under way at the same time."""
        return await asyncio.gather(*[self.put(entry, since) for entry in entries])

    async def _keep(self, entry: Entry, mark: int) -> bool:
        policy, lower = self.options.policy, self._below.levels
        if policy == "write_around":
            self._forget(entry.key)
            return await self._below.write(entry, mark) if lower else False
        in_memory = self.l1.put(entry) if self.l1 is not None else False
        self._back.discard(entry.key)
        if policy == "write_back" and lower:
            if not in_memory:
                return await self._down.push(Parcel(entry, mark, dirty=True))
            self._back.note(entry, mark)
            return True
        self._down.discard(entry.key)
        return await self._below.write(entry, mark) or in_memory if lower else in_memory

    def _forget(self, key: bytes) -> None:
        if self.l1 is not None:
            self.l1.delete(key)
        self._back.discard(key)
        self._down.discard(key)

    # Moving down

    async def flush(self) -> int:
        """Writes down what is newer in memory: how many entries."""
        return await self._back.flush()

    async def flush_for_ever(self, sleep: Sleep) -> None:
        while self.options.policy == "write_back":
            await sleep(self.options.flush_interval)
            await self.flush()

    def _no_room_in_memory(self, entries: list[Entry]) -> None:
        mark = self._validity.heard.mark  # memory is as this one says, even if there is more to hear
        for entry in entries:
            if not self._back.left(entry) and not (self.l2 is not None and self.l2.might_have(entry.key)):
                self._down.send(Parcel(entry, mark))

    def _no_room_on_disk(self, entries: list[Entry]) -> None:
        mark = self._validity.heard.mark
        for entry in entries:
            self._further.send(Parcel(entry, mark))

    async def _move(self, parcel: Parcel) -> bool:
        if parcel.dirty:
            return await self._below.write(parcel.entry, parcel.mark)
        return await self._below.add(self._below.levels[0], parcel.entry, parcel.mark)

    async def _move_further(self, parcel: Parcel) -> bool:
        return await self._below.add(self._below.levels[-1], parcel.entry, parcel.mark)

    def _not_moved(self, parcel: Parcel) -> None:
        self._back.failed(parcel)

    def _in_memory(self, entry: Entry) -> bool:
        return self.l1 is not None and self.l1.look(entry.key) is entry
