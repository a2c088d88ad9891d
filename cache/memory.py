"""L1: answers in the memory of this process, least recently used first out, each until its time is up."""

from __future__ import annotations

from contextlib import suppress

from cachetools import Cache, TLRUCache

from adapters.vocabulary import Clock
from cache.entry import Entry


class _Elapsed:
    """Seconds that have passed, by a clock that may be set back: such a step counts as no time at all.

    Taking the latest time seen instead would keep everything fresh until the clock has caught up again.
    """

    __slots__ = ("_clock", "_last", "behind")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = clock()
        self.behind = 0.0
        """By how much the clock was set back in all."""

    def __call__(self) -> float:
        now = self._clock()
        if now < self._last:
            self.behind += self._last - now
        self._last = now
        return now + self.behind


class _Kept(TLRUCache[bytes, Entry]):
    """cachetools' mapping, which also counts whom it drops and why; both methods are its documented hooks."""

    evictions = 0
    expirations = 0

    def popitem(self) -> tuple[bytes, Entry]:
        item = super().popitem()
        self.evictions += 1
        return item

    def expire(self, time: float | None = None) -> list[tuple[bytes, Entry]]:
        expired = super().expire(time)
        self.expirations += len(expired)
        return expired


class Memory:
    """Entries within two budgets, one in entries and one in bytes (`Entry.size`), for at most `ttl` seconds each."""

    def __init__(self, max_size: int, max_bytes: int, ttl: float, clock: Clock) -> None:
        self.max_size, self.max_bytes, self.ttl = max_size, max_bytes, ttl
        self.hits = self.misses = 0
        elapsed = _Elapsed(clock)

        def deadline(_key: bytes, entry: Entry, now: float) -> float:
            return min(now + ttl, entry.expires_at + elapsed.behind)

        self._kept = _Kept(max_bytes, deadline, elapsed, getsizeof=lambda entry: entry.size)

    def get(self, key: bytes) -> Entry | None:
        """The entry, None where there is none or its time is up."""
        entry = self.peek(key)
        if entry is None:
            self.misses += 1
        return entry

    def holds(self, key: bytes) -> bool:
        """Whether it is there; asking changes nothing and counts as nothing."""
        return key in self._kept

    def peek(self, key: bytes) -> Entry | None:
        """As `get`, but a miss is not counted: for whoever will ask again."""
        kept = self._kept
        if key not in kept:
            return None  # asked first, because the mapping's own KeyError costs three times as much
        try:
            entry = kept[key]
        except KeyError:  # expired between the two questions
            return None
        self.hits += 1
        return entry

    def look(self, key: bytes) -> Entry | None:
        """As `get`, but nothing is counted, and it is not the one used last: for whoever only wants to know."""
        return Cache.__getitem__(self._kept, key) if key in self._kept else None

    def held(self) -> list[bytes]:
        """The keys of all that there are."""
        return list(self._kept)

    def put(self, entry: Entry) -> bool:
        """Whether it is kept: one that exceeds a budget by itself, or is expired, is not, nor is what it replaces."""
        kept, key = self._kept, entry.key
        if self.max_size < 1 or entry.size > self.max_bytes:
            self.delete(key)
            return False
        kept.expire()
        if key not in kept:
            while len(kept) >= self.max_size:
                with suppress(KeyError):  # the last one may expire between the two lines
                    kept.popitem()
        kept[key] = entry
        return key in kept

    def delete(self, key: bytes) -> bool:
        """Whether there was one."""
        try:
            del self._kept[key]
        except KeyError:
            return False
        return True

    def clear(self) -> int:
        """How many there were."""
        count = len(self._kept)
        self._kept.clear()
        return count

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def bytes(self) -> int:
        return int(self._kept.currsize)

    @property
    def evictions(self) -> int:
        return self._kept.evictions

    @property
    def expirations(self) -> int:
        return self._kept.expirations

    def stats(self) -> dict[str, int]:
        return {
            "entries": len(self),
            "bytes": self.bytes,
            "hits": self.hits,
            "misses": self.misses,
            "evictions": self.evictions,
            "expirations": self.expirations,
            "errors": 0,
        }
