"""When the making of a value began, and who is just changing which: what a desk of values remembers of its callers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from cachetools import LRUCache

REMEMBERED = 10_000
"""Misses of which it is known when they were."""


class Marks:
    """A word for each miss, which says to nobody but this process when that was: the marks themselves would tell one
    tenant how much the others invalidate. `words`: gives a new one that nobody can guess."""

    def __init__(self, words: Callable[[], str], most: int = REMEMBERED) -> None:
        self._words = words
        self._known: LRUCache[str, int] = LRUCache(most)

    def word(self, mark: int) -> str:
        word = self._words()
        self._known[word] = mark
        return word

    def mark(self, word: str) -> int | None:
        """None where nobody knows any more, or another process gave it."""
        return self._known.get(word)


class Turns:
    """Those who change the same value do so one after the other, first come, first served."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, key: bytes) -> AsyncIterator[None]:
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            yield

    def __len__(self) -> int:
        """Values that somebody is changing."""
        return len(self._locks)
