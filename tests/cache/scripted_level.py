"""A level in memory that is told what happens to it: how long a deed takes on its way there and back, which deeds fail,
who shares what lies in it. Passes the same contract tests as the real ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from adapters.vocabulary import Clock
from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.level import Evicted, Valid, always

Turn = Callable[[str], Awaitable[object]]
"""Waits: is given `get 1` when a get is on its way there, `get 2` when it is on its way back."""


async def at_once(_: str) -> None:
    return


@dataclass
class Shelf:
    """What several levels may share: entries, each with the second at which it goes."""

    kept: dict[bytes, tuple[Entry, float]] = field(default_factory=dict)


class ScriptedLevel:
    """`failing` names deeds that come to nothing; without a shelf of somebody else it has one of its own."""

    def __init__(
        self,
        name: str,
        ttl: float,
        clock: Clock,
        *,
        shelf: Shelf | None = None,
        turn: Turn = at_once,
        max_size: int = 1_000_000,
        max_bytes: int = 1 << 40,
        grace: float = 0.0,
        evicted: Evicted | None = None,
        remote: bool = False,
    ) -> None:
        self.name, self.ttl, self.evicted = name, ttl, evicted
        self.turn, self.failing = turn, set[str]()
        self.remote = remote
        """Then a write takes its time between the question whether it is valid, and the deed: `put sent`."""
        self.asked: list[str] = []
        self.opened = False
        self._shelf = shelf or Shelf()
        self._clock, self._max_size, self._max_bytes, self._grace = clock, max_size, max_bytes, grace
        self._counts = dict.fromkeys(("hits", "misses", "evictions", "expirations", "errors"), 0)

    async def open(self) -> None:
        self.opened = True

    async def close(self) -> None:
        self.opened = False

    def held(self) -> list[bytes]:
        self._expire()
        return list(self._shelf.kept)

    def might_have(self, key: bytes) -> bool:
        self._expire()
        return key in self._shelf.kept

    async def get(self, key: bytes) -> Entry | None:
        entry = await self._read("get", key)
        self._counts["hits" if entry is not None else "misses"] += 1
        return entry

    async def look(self, key: bytes) -> Entry | None:
        return await self._read("look", key)

    async def _read(self, deed: str, key: bytes) -> Entry | None:
        await self._way(deed, 1)
        self._expire()
        found = None if deed in self.failing else self._shelf.kept.get(key)
        await self._way(deed, 2)
        return found[0] if found is not None else None

    async def put(self, entry: Entry, valid: Valid = always, *, only_new: bool = False) -> bool:
        await self._way("put", 1)
        self._expire()
        sent = "put" not in self.failing and valid()
        if sent and self.remote:
            await self.turn("put sent")
        kept = sent and self._put(entry, only_new)
        await self._way("put", 2)
        return kept

    def _put(self, entry: Entry, only_new: bool) -> bool:
        kept, now = self._shelf.kept, self._clock()
        if only_new and entry.key in kept:
            return True
        kept.pop(entry.key, None)
        fresh = min(now + self.ttl, entry.expires_at)
        if self._max_size < 1 or entry.size > self._max_bytes or fresh <= now:
            return False
        gone = []
        while len(kept) >= self._max_size or self._bytes() + entry.size > self._max_bytes:
            gone.append(kept.pop(next(iter(kept)))[0])
        self._counts["evictions"] += len(gone)
        kept[entry.key] = entry, fresh + self._grace
        left = [each for each in gone if each.fresh(now)]
        if left and self.evicted is not None:
            self.evicted(left)
        return True

    async def delete(self, key: bytes) -> bool:
        return key in (await self._remove("delete", Invalidation(keys=(key,))) or ())

    async def clear(self) -> int:
        return len(await self._remove("delete", Invalidation(everything=True)) or ())

    async def invalidate(self, what: Invalidation) -> set[bytes] | None:
        return await self._remove("invalidate", what)

    async def _remove(self, deed: str, what: Invalidation) -> set[bytes] | None:
        await self._way(deed, 1)
        self._expire()
        gone = {key for key, (entry, _) in self._shelf.kept.items() if what.covers(entry)}
        failed = deed in self.failing
        for key in gone if not failed else ():
            del self._shelf.kept[key]
        await self._way(deed, 2)
        return None if failed else gone

    async def _way(self, deed: str, half: int) -> None:
        if half == 1:
            self.asked.append(deed)
        self._counts["errors"] += half == 1 and deed in self.failing
        await self.turn(f"{deed} {half}")

    def _expire(self) -> None:
        now, kept = self._clock(), self._shelf.kept
        over = [key for key, (_, ends) in kept.items() if now >= ends]
        for key in over:
            del kept[key]
        self._counts["expirations"] += len(over)

    def _bytes(self) -> int:
        return sum(entry.size for entry, _ in self._shelf.kept.values())

    def stats(self) -> dict[str, int]:
        self._expire()
        return {"entries": len(self._shelf.kept), "bytes": self._bytes(), **self._counts}


class Gate:
    """A `turn` that stops before the deeds it is told to, until it is opened."""

    def __init__(self) -> None:
        self.stops: dict[str, asyncio.Event] = {}
        self.reached: dict[str, asyncio.Event] = {}

    def stop(self, *ways: str) -> None:
        for way in ways:
            self.stops[way], self.reached[way] = asyncio.Event(), asyncio.Event()

    async def __call__(self, way: str) -> None:
        if way in self.stops:
            self.reached[way].set()
            await self.stops[way].wait()

    def open(self, way: str) -> None:
        with suppress(KeyError):
            self.stops.pop(way).set()
