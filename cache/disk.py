"""L2: answers on the local disk, which survive the process. The event loop never touches SQLite nor waits for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from adapters.vocabulary import Clock
from cache import disk_files as files
from cache import disk_schema as schema
from cache.disk_store import Store
from cache.disk_thread import Done, Op, Owner
from cache.entry import Entry

T = TypeVar("T")

BACKLOG = 64 * 1024 * 1024
"""Bytes of answers that may wait for a slow disk; more are not kept."""


class Disk:
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
        self.hits = self.misses = self.timeouts = self.refused = 0
        self._clock, self._patience, self._poll, self._backlog = clock, patience, poll, backlog
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
        self._owner: Owner | None = None
        self._pending = 0

    async def open(self) -> None:
        """Start the thread and read the keys. A file that can't be opened now is tried again later."""
        if self._owner is None:
            loop = asyncio.get_running_loop()
            self._pending = 0
            self._owner = Owner(self._store, loop, self._settle, poll=self._poll)
            self._owner.start()
            await self.refresh()

    async def close(self) -> None:
        """Write what waits, then close the file. Afterwards every get is a miss."""
        owner, self._owner = self._owner, None
        if owner is not None:
            ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            if owner.submit(Op("stop", None, ended)):
                await ended
            owner.join()  # telling us was the last thing it did

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

    async def _soon(self, op: Op) -> Any:
        """The result, or `op.otherwise` when it does not come in time."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if self._owner is None or not self._owner.submit(op._replace(future=future)):
            return op.otherwise
        self._pending += op.size
        # A bare timer: `asyncio.timeout` would cancel the caller's task, `wait_for` costs several times as much.
        timer = loop.call_later(self._patience, self._give_up, future, op.otherwise)
        try:
            return await future
        finally:
            timer.cancel()

    async def _call(self, function: Callable[[Store], T], otherwise: T) -> T:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if self._owner is None or not self._owner.submit(Op("call", function, future, otherwise)):
            return otherwise
        return await future

    def _give_up(self, future: asyncio.Future[Any], otherwise: Any) -> None:
        if not future.done():
            self.timeouts += 1
            future.set_result(otherwise)

    def _settle(self, done: Done) -> None:
        for op, result in done:
            self._pending -= op.size
            if op.future is not None and not op.future.done():
                op.future.set_result(result)
