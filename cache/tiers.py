"""The levels of the exact cache as one store: memory, the local disk, and what replicas share; each is optional.

Nothing that a level does raises out of here: one that fails or hangs is a miss. What is written where is said by the
write policy; what is read often in a lower level moves up, and what has no room in an upper one moves down
(`cache.moving`). No entry is served after its invalidation was acknowledged (`cache.validity`, `cache.removal`): what
took time is asked at its end whether it was overtaken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from adapters.tasks import Tasks
from adapters.vocabulary import Clock, Sleep
from cache.below import Below
from cache.dependents import Dependents
from cache.entry import Entry, Shape
from cache.invalidation import Alone, Invalidation, Log
from cache.labels import entry_label
from cache.level import Level
from cache.memory import Memory
from cache.moving import Moving
from cache.removal import Removal
from cache.replicas import Nobody, Replicas
from cache.tier_options import Options, checked, untimed
from cache.validity import Validity, settled

__all__ = ["Found", "Options", "Tiers"]

Found = tuple[Entry, str]
"""An entry and the level that had it: `l1`, `l2` or `l3`."""

DRAIN = 5.0
"""Seconds that what moves in the background has to end."""


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
        unchanged: Callable[[Entry], bool] = settled,
    ) -> None:
        """`clock`: wall-clock seconds; may be missing where no level gives what is no longer fresh. `log`: shared with
        other workers that use the same L2. `tasks`: who brings them drains them. `unchanged`: whether the files that an
        entry depends on are what they were. Raises ValueError."""
        self.options = checked(options or Options())
        if clock is None and (l3 is not None or self.options.grace):
            raise ValueError("a shared level, and what is kept beyond its freshness, need a clock")
        self.l1, self.l2, self.l3 = l1, l2, l3
        self.cascade: Callable[[Invalidation], Awaitable[object]] = self.invalidate
        """Awaited when a value is replaced on which others may depend. Who tells replicas puts himself here."""
        self._clock = now = untimed if clock is None else clock
        self._own = Tasks()
        tasks = self._own if tasks is None else tasks  # one that has nothing to do is false
        shared = l3 is not None and replicas is not None
        self.validity = Validity(
            Alone() if log is None else log, Nobody() if replicas is None else replicas, self._drop, unchanged, now
        )
        self._dependents = Dependents(strangers=log is not None or l3 is not None)
        settle = self.options.settle if shared else None
        self._below = Below(l2, l3, self.validity, now, tasks, settle)
        self._moving = Moving(l1, self._below, self.validity, tasks, self.options.promote_after)
        self._removal = Removal(self._below, self.validity, self._dependents, now, self.options.settle, shared=shared)

    @property
    def ttl(self) -> float:
        """Seconds for which an entry is kept at most: the longest time of any level."""
        levels = [level for level in (self.l1, *self._below.levels) if level is not None]
        return max((level.ttl for level in levels), default=0.0)

    def ttl_of(self, namespace: str) -> float:
        """The same for a namespace, which may have a time of its own."""
        return self.options.ttls.get(namespace, self.ttl)

    async def open(self) -> None:
        for level in self._below.levels:
            await level.open()
        if self.l2 is not None and self.l2.stats()["entries"]:
            self._dependents.strangers = True  # of an earlier time

    async def close(self) -> None:
        """Writes down what is newer in memory, then closes the levels."""
        await self._moving.settle()
        await self._own.drain(DRAIN)
        for level in self._below.levels:
            await level.close()

    # Reading

    def holds(self, key: bytes) -> bool:
        """Whether it lies in memory, fresh; nothing is counted."""
        return self._look(key) is not None

    def peek(self, key: bytes) -> Entry | None:
        """What lies in memory, fresh. A hit is counted; a miss is not, because `get` comes next."""
        if not self.validity.current():
            return None
        entry = self.l1.peek(key) if self.l1 is not None else None
        if entry is None:
            entry = self._moving.leaving(key)
        return entry if entry is not None and entry.fresh(self._clock()) and self.validity.true(entry) else None

    async def get(self, key: bytes, *, stale: bool = False) -> Found | None:
        """The entry and the level that had it; with `stale` also one in its grace, where there is no other."""
        held = self._held(key)
        if held is not None and held.fresh(self._clock()):
            return held, "l1"
        found = await self._below.get(key) if self.validity.current() else []
        if (newer := self.peek(key)) is not None:  # somebody put it meanwhile: that one holds
            return newer, "l1"
        if found and found[-1][0].fresh(self._clock()):
            entry, level = found[-1]
            self._read(entry, level)
            return entry, level.name
        if not stale:
            return None
        held = self._held(key, counted=False)
        return (held, "l1") if held is not None else next(((each, level.name) for each, level in found), None)

    async def look(self, key: bytes) -> Found | None:
        """As `get`, but nothing is counted, moved or kept: for whoever only wants to know."""
        if (entry := self._look(key)) is not None:
            return entry, "l1"
        found = await self._fresh_below(key)
        return None if found is None else (found[0], found[1].name)

    async def get_many(self, keys: Iterable[bytes]) -> dict[bytes, Found]:
        """Those that there are, as `get` finds them; each level is asked for all that the upper ones don't have."""
        mark = self.validity.mark()
        found: dict[bytes, Found] = {}
        elsewhere: list[bytes] = []
        for key in keys:
            entry = self._held(key)
            if entry is not None and entry.fresh(self._clock()):
                found[key] = entry, "l1"
            else:
                elsewhere.append(key)
        if not elsewhere:
            return found
        read = await self._below.get_many(elsewhere) if self.validity.current() else {}
        if not self.validity.current():
            return {}
        found = {key: each for key, each in found.items() if not self.validity.late(each[0], mark)}
        for key, (entry, level) in read.items():
            if (newer := self.peek(key)) is not None:
                found[key] = newer, "l1"
            else:
                self._read(entry, level)
                found[key] = entry, level.name
        return found

    def starting(self, prefix: bytes) -> list[bytes]:
        """The keys that begin so, in memory and on disk."""
        held = [self.l1.held() if self.l1 is not None else [], self._moving.held(), self._below.held()]
        return list(dict.fromkeys(key for some in held for key in some if key.startswith(prefix)))

    async def promote(self, key: bytes) -> bool:
        """Whether it lies in memory now; counts as no access."""
        if self.l1 is None:
            return False
        found = None if self._look(key) is not None else await self._fresh_below(key)
        if self._look(key) is not None:
            return True
        if found is not None:
            self._dependents.note(found[0])
        return found is not None and self._moving.rise(*found)

    def _held(self, key: bytes, *, counted: bool = True) -> Entry | None:
        """In memory, fresh or not."""
        if not self.validity.current():
            return None
        entry = None if self.l1 is None else self.l1.get(key) if counted else self.l1.look(key)
        if entry is None:
            entry = self._moving.leaving(key)
        return entry if entry is not None and self.validity.true(entry) else None

    def _look(self, key: bytes) -> Entry | None:
        entry = self._held(key, counted=False)
        return entry if entry is not None and entry.fresh(self._clock()) else None

    async def _fresh_below(self, key: bytes) -> tuple[Entry, Level] | None:
        found = await self._below.get(key, counted=False) if self.validity.current() else []
        return found[-1] if found and found[-1][0].fresh(self._clock()) else None

    def _read(self, entry: Entry, level: Level) -> None:
        self._dependents.note(entry)
        self._moving.read(entry, level)

    # Writing

    def mark(self) -> int:
        """To be noted before the making of an answer begins, and given to `put`."""
        return self.validity.mark()

    def overtaken(self, entry: Entry, since: int) -> bool:
        """Whether it was invalidated since that mark, so that `put` would not keep it."""
        return self.validity.mark() != since and self.validity.late(entry, since)

    async def put(self, entry: Entry, since: int | None = None) -> bool:
        """Keeps it as the write policy says: whether any level has it. What was invalidated `since` is not kept."""
        now = self.validity.mark()
        if since is not None and self.validity.late(entry, since):
            self._below.late += 1
            return False
        self._dependents.note(entry)
        kept = await self._keep(entry, now)
        if entry.shape is Shape.VALUE:
            replaced = Invalidation(entry.tenant, labels=(entry_label(entry.key),))
            if self._dependents.any_of(entry.key):
                await self.cascade(replaced)
            self.validity.note(replaced)  # also for what is only being made of the one before
        return kept

    async def put_many(self, entries: Iterable[Entry], since: int | None = None) -> list[bool]:
        """`put` for each, all under way at the same time."""
        return await asyncio.gather(*[self.put(entry, since) for entry in entries])

    async def _keep(self, entry: Entry, mark: int) -> bool:
        policy, lower = self.options.policy, self._below.levels
        around = policy == "write_around"
        if around and self.l1 is not None:
            self.l1.delete(entry.key)
        in_memory = self.l1 is not None and not around and self.l1.put(entry)
        if policy == "write_back" and lower:
            if not in_memory:
                return await self._moving.at_once(entry, mark)
            self._moving.later(entry, mark)
            return True
        self._moving.discard(entry.key)
        return await self._below.write(entry, mark) or in_memory if lower else in_memory

    async def flush(self) -> int:
        """Writes down what is newer in memory: how many entries."""
        return await self._moving.flush()

    async def flush_for_ever(self, sleep: Sleep) -> None:
        while self.options.policy == "write_back":
            await sleep(self.options.flush_interval)
            await self.flush()

    # Removing

    async def delete(self, key: bytes) -> bool:
        """Whether there was one. Waits as `invalidate` does."""
        return key in (await self._removal.everywhere(Invalidation(keys=(key,)))).keys

    async def invalidate(self, what: Invalidation) -> set[bytes] | None:
        """Out of all levels, and all that depends on it: the keys; None where a level failed. Then what is known of it
        is not served either, but rows may be left. Takes as long as it takes."""
        removed = await self._removal.everywhere(what)
        return None if removed.failed else removed.keys

    async def hear(self, what: Invalidation) -> None:
        """Another replica has invalidated it: nothing of it is served here then, nor on its way to the shared level."""
        await self._removal.here(what)

    async def sweep(self, what: Invalidation) -> bool:
        """The second pass over the shared level, when all replicas have heard. False: it failed, or came too late."""
        return await self._removal.sweep(what)

    def _drop(self, what: Invalidation) -> set[bytes]:
        """Out of the memory of this process."""
        self._below.note(what)
        concerned = self._dependents.in_memory(what)
        if concerned is None:
            return set()
        gone = self.l1.invalidate(concerned) if self.l1 is not None else set()
        return gone | self._moving.invalidate(concerned)

    # How much there is

    @property
    def dirty(self) -> int:
        return self._moving.dirty

    def stats(self) -> dict[str, dict[str, int]]:
        """Per level that there is: entries, bytes, hits, misses, evictions, expirations, errors; of the first of them
        also what moved between levels."""
        levels = (("l1", self.l1), ("l2", self.l2), ("l3", self.l3))
        told = {name: level.stats() for name, level in levels if level is not None}
        for figures in list(told.values())[:1]:
            figures.update(self._moving.stats(), late=self._below.late)
        return told

    def namespaces(self) -> dict[str, dict[str, dict[str, int]]]:
        """Per level that counts so, per namespace: entries, bytes, hits, misses as far as they are known."""
        return ({"l1": self.l1.namespaces()} if self.l1 is not None else {}) | self._below.namespaces()
