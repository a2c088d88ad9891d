"""L2: answers on the local disk, which survive the process. The event loop never touches SQLite nor waits for long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from adapters.vocabulary import Clock
from cache import disk_files as files
from cache import disk_schema as schema
from cache.disk_asking import Asking
from cache.disk_store import Store
from cache.disk_thread import Done, Op, turn
from cache.disk_writing import Put
from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.level import Evicted, Eviction, Level, Share, Valid, always
from cache.room import Room, at_least_0

BACKLOG = 64 * 1024 * 1024
"""Bytes of answers that may wait for a slow disk; more are not kept."""


class Disk(Asking, Level):
    """Entries in one SQLite file, within two budgets, for at most `ttl` seconds each and `grace` seconds more.

    What is in its grace is given as well: who asks looks whether it is `fresh`. It counts as a miss, and not as read.
    How rows were read is known in this process only, and forgotten with it: for `lru` and `lfu` they begin in the order
    in which they were written. `evicted` is given, on the loop, what is dropped for want of room while it is fresh; not
    what is replaced, deleted or over.

    Whatever the disk does, `get` answers None and `put` False, after `patience` seconds at most: the thread goes on,
    and nobody hears of its late result. After a failure the disk is left alone for `retry_after` seconds. Workers may
    share a file: rows of others are noticed within about `poll` seconds. Raises ValueError for numbers below 0 and an
    order that there is not.
    """

    name = "l2"

    def __init__(
        self,
        path: str | Path,
        max_size: int,
        max_bytes: int,
        ttl: float,
        clock: Clock,
        *,
        eviction: Eviction = "ttl",
        shares: Mapping[str, Share] | None = None,
        grace: float = 0.0,
        evicted: Evicted | None = None,
        patience: float = 0.25,
        retry_after: float = 5.0,
        poll: float = 0.25,
        busy: float = 0.25,
        backlog: int = BACKLOG,
        pragmas: files.Pragmas = schema.PRAGMAS,
        migrations: Sequence[str] = schema.MIGRATIONS,
    ) -> None:
        at_least_0("ttl", ttl)
        at_least_0("grace", grace)
        self.ttl, self.evicted = ttl, evicted
        self.hits = self.misses = self.refused = 0
        self._clock, self._backlog = clock, backlog
        self._store = Store(
            Path(path),
            Room(max_size, max_bytes, eviction, shares),
            ttl,
            grace,
            clock,
            retry_after=retry_after,
            busy=busy,
            pragmas=pragmas,
            migrations=migrations,
        )
        self._slots = self._store.view.slots
        super().__init__(self._store, self._take_turn, patience=patience, poll=poll)

    async def open(self) -> None:
        """Start the thread and read the keys. A file that can't be opened now is tried again later."""
        if self._begin("warmgate-disk"):
            await self.refresh()

    def might_have(self, key: bytes) -> bool:
        """Known at once, without the disk: False is certain, but for what another worker wrote a moment ago."""
        slot = self._slots.get(key)
        return slot is not None and self._clock() < slot.ends

    async def get(self, key: bytes) -> Entry | None:
        slot = self._slots.get(key)
        entry = await self._found("get", key)
        hit = entry is not None and entry.fresh(self._clock())
        self.hits += hit
        self.misses += not hit
        if slot is not None:
            slot.part.hits += hit
            slot.part.misses += not hit
        return entry

    async def look(self, key: bytes) -> Entry | None:
        """As `get`, but nothing is counted, and it does not count as read."""
        return await self._found("look", key)

    async def _found(self, verb: str, key: bytes) -> Entry | None:
        if not self.might_have(key) or not self._store.reads.allows():
            return None
        entry: Entry | None = await self._soon(Op(verb, key))
        return entry

    def held(self) -> list[bytes]:
        """Those that are known, without asking the disk."""
        return list(self._slots)

    async def put(self, entry: Entry, valid: Valid = always, *, only_new: bool = False) -> bool:
        """True once it is committed: from then on a `kill -9` of this process does not lose it. `valid` is asked in the
        transaction, when no other process can write any more, and in the thread of the disk. `only_new`: where a fresh
        one is there already it stays, and that is True as well."""
        size = entry.size
        if self._pending + size > self._backlog:
            self.refused += 1
            return False
        kept: bool = await self._soon(Op("put", Put(entry, valid, only_new), otherwise=False, size=size))
        return kept

    async def delete(self, key: bytes) -> bool:
        """Whether there was one and its row is gone. Where the disk fails it is not served again all the same."""
        known: bool = await self._soon(Op("delete", key, otherwise=False))
        return known

    async def clear(self) -> int | None:
        """How many there were; None where the disk failed. Waits for as long as it takes."""
        return await self._call(Store.clear, None)

    async def invalidate(self, what: Invalidation) -> set[bytes] | None:
        """Delete all that it covers, also what waits to be written and what other processes wrote: the keys of the
        rows. None where the disk failed: then none of it is served here, and it is tried again with everything that is
        written. Waits for as long as it takes."""
        nothing: set[bytes] | None = None
        return await self._call(lambda store: store.invalidate(what), nothing)

    async def refresh(self) -> None:
        """Look now for what other processes wrote, and open the file where that is due."""
        await self._call(Store.notice, None)

    async def check(self) -> list[str]:
        """What is wrong with the store, verified against itself: pages, row checksums, sizes, the index of keys.

        Reads the whole file; other operations give up meanwhile.
        """
        return await self._call(Store.check, ["the store is not open"])

    def stats(self) -> dict[str, int]:
        store = self._store
        return {
            "entries": len(store.view),
            "bytes": store.view.room.bytes,
            "hits": self.hits,
            "misses": self.misses,
            "evictions": store.evictions,
            "expirations": store.expirations,
            "errors": store.faults + store.damaged_rows + self.timeouts,
            "timeouts": self.timeouts,
            "skipped": store.skipped + self.refused,
            "damaged_rows": store.damaged_rows,
            "set_aside": store.set_aside,
        }

    def namespaces(self) -> dict[str, dict[str, int]]:
        """Of each: entries, bytes, hits, evictions, and of the misses those where a row was known; of what was never
        there nobody knows the namespace. Of those with nothing in them only the latest are remembered."""
        return {part.name: part.told() for part in self._store.view.room.parts()}

    def _take_turn(self, ops: list[Op]) -> Done:
        store = self._store
        store.telling = self.evicted is not None
        done = turn(store, ops)
        dropped, store.dropped = store.dropped, []
        return [*done, (Op("evicted", None), dropped)] if dropped else done

    def _settle(self, done: Done) -> None:
        super()._settle(done)
        for op, dropped in done:
            if op.verb == "evicted" and self.evicted is not None:
                self.evicted(dropped)
