"""L2: answers on the local disk, which survive the process. The event loop never touches SQLite nor waits for long."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from adapters.vocabulary import Clock
from cache import disk_files as files
from cache import disk_schema as schema
from cache.disk_asking import Asking
from cache.disk_store import Store
from cache.disk_thread import Op, turn
from cache.entry import Entry

BACKLOG = 64 * 1024 * 1024
"""Bytes of answers that may wait for a slow disk; more are not kept."""


class Disk(Asking):
    """Entries in one SQLite file, within two budgets, for at most `ttl` seconds each; nearest to expiry first out.

    Whatever the disk does, `get` answers None and `put` False, after `patience` seconds at most: the thread goes on,
    and nobody hears of its late result. After a failure the disk is left alone for `retry_after` seconds. Workers may
    share a file: rows of others are noticed within about `poll` seconds.
    """

    def __init__(
        self,
        path: str | Path,
        max_size: int,
        max_bytes: int,
        ttl: float,
        clock: Clock,
        *,
        patience: float = 0.25,
        retry_after: float = 5.0,
        poll: float = 0.25,
        busy: float = 0.25,
        backlog: int = BACKLOG,
        pragmas: files.Pragmas = schema.PRAGMAS,
        migrations: Sequence[str] = schema.MIGRATIONS,
    ) -> None:
        self.ttl = ttl
        self.hits = self.misses = self.refused = 0
        self._clock, self._backlog = clock, backlog
        self._store = Store(
            Path(path),
            max_size,
            max_bytes,
            ttl,
            clock,
            retry_after=retry_after,
            busy=busy,
            pragmas=pragmas,
            migrations=migrations,
        )
        self._slots = self._store.view.slots
        super().__init__(self._store, partial(turn, self._store), patience=patience, poll=poll)

    async def open(self) -> None:
        """Start the thread and read the keys. A file that can't be opened now is tried again later."""
        if self._begin("warmgate-disk"):
            await self.refresh()

    def might_have(self, key: bytes) -> bool:
        """Known at once, without the disk: False is certain, but for what another worker wrote a moment ago."""
        slot = self._slots.get(key)
        return slot is not None and self._clock() < slot.expires_at

    async def get(self, key: bytes) -> Entry | None:
        if not self.might_have(key) or not self._store.reads.allows():
            self.misses += 1
            return None
        entry: Entry | None = await self._soon(Op("get", key))
        if entry is None:
            self.misses += 1
        else:
            self.hits += 1
        return entry

    async def look(self, key: bytes) -> Entry | None:
        """As `get`, but nothing is counted."""
        if not self.might_have(key) or not self._store.reads.allows():
            return None
        entry: Entry | None = await self._soon(Op("get", key))
        return entry

    def held(self) -> list[bytes]:
        """Those that are known, without asking the disk."""
        return list(self._slots)

    async def put(self, entry: Entry) -> bool:
        """True once it is committed: from then on a `kill -9` of this process does not lose it."""
        size = entry.size
        if self._pending + size > self._backlog:
            self.refused += 1
            return False
        kept: bool = await self._soon(Op("put", entry, otherwise=False, size=size))
        return kept

    async def delete(self, key: bytes) -> bool:
        """Whether there was one and its row is gone. Where the disk fails it is not served again all the same."""
        known: bool = await self._soon(Op("delete", key, otherwise=False))
        return known

    async def clear(self) -> int | None:
        """How many there were; None where the disk failed. Waits for as long as it takes."""
        return await self._call(Store.clear, None)

    async def purge(self, tenant: str) -> set[bytes] | None:
        """Delete all entries of a tenant: their keys; None where the disk failed. Waits for as long as it takes."""
        nothing: set[bytes] | None = None
        return await self._call(lambda store: store.purge(tenant), nothing)

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
            "bytes": store.view.bytes,
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
