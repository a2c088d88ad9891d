"""Memory that takes the size it needs: run over a level of the cache, and as a small cache by itself."""

from __future__ import annotations

import logging
import sys
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Any, Generic, Protocol, TypeVar

from adapters.vocabulary import Clock, Sleep
from cache.sizing import Adjustment, Sizing, Window

log = logging.getLogger("warmgate.cache")

REMEMBERED = 20
"""Adjustments that statistics tell, the latest."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Sized(Protocol):
    """`cache.memory.Memory`, as far as it is used."""

    hits: int
    misses: int
    evictions: int

    @property
    def max_size(self) -> int: ...
    @property
    def max_bytes(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    def resize(self, max_size: int) -> int: ...


class Adaptive:
    """Adjusts a memory whenever its interval is over. `clock`: any, it may be set back."""

    def __init__(self, memory: Sized, sizing: Sizing, clock: Clock) -> None:
        self.sizing = sizing
        self.latest: deque[Adjustment] = deque(maxlen=REMEMBERED)
        self._memory, self._clock = memory, clock
        self._grown = self._shrunk = 0
        self._began = clock()
        self._before = (memory.hits, memory.misses, memory.evictions)
        size = memory.max_size
        if size != (fit := min(max(size, sizing.min_size), sizing.max_size)):
            self._resize(Adjustment(size, fit, "outside of what was asked for"))

    def due(self, now: float) -> bool:
        self._began = min(self._began, now)
        return now - self._began >= self.sizing.adjustment_interval

    def step(self, now: float) -> Adjustment | None:
        """Looks whether it is time, and adjusts the size if it should be another."""
        return self.adjust(now) if self.due(now) else None

    def adjust(self, now: float) -> Adjustment:
        """At once; a new interval begins."""
        memory = self._memory
        after = (memory.hits, memory.misses, memory.evictions)
        hits, misses, evictions = (new - old for new, old in zip(after, self._before, strict=True))
        use = memory.bytes / memory.max_bytes if memory.max_bytes else 1.0
        adjustment = self.sizing.decided(memory.max_size, Window(hits, misses, evictions, use))
        if adjustment.new_size != adjustment.old_size:
            self._resize(adjustment)
        # What shrinking drops is no sign of too little room.
        self._before, self._began = (memory.hits, memory.misses, memory.evictions), now
        return adjustment

    async def adjust_for_ever(self, sleep: Sleep) -> None:
        while True:
            await sleep(self.sizing.adjustment_interval)
            self.adjust(self._clock())

    def _resize(self, adjustment: Adjustment) -> None:
        self._memory.resize(adjustment.new_size)
        self._grown += adjustment.new_size > adjustment.old_size
        self._shrunk += adjustment.new_size < adjustment.old_size
        self.latest.append(adjustment)
        log.info(
            "memory takes %d entries instead of %d: %s", adjustment.new_size, adjustment.old_size, adjustment.reason
        )

    def stats(self) -> dict[str, Any]:
        """`adjustments`, `grown`, `shrunk`: how often. `latest`: of the last ones `old_size`, `new_size`, `reason`."""
        return {
            "adjustments": self._grown + self._shrunk,
            "grown": self._grown,
            "shrunk": self._shrunk,
            "size": self._memory.max_size,
            "latest": [each._asdict() for each in self.latest],
        }


class AdaptiveLRUCache(Generic[K, V]):
    """Any values in the memory of this process, the least recently used first out, in a number that adjusts itself to
    how much is found. Whoever reads or writes adjusts it, when it is time.

    `max_bytes` and `getsizeof`, which counts one value in bytes, say what memory use means. By default that is what
    Python says of the value itself, without what it refers to.
    """

    def __init__(
        self,
        initial_size: int = 500,
        max_size: int = 2000,
        min_size: int = 100,
        target_hit_rate: float = 0.6,
        adjustment_interval: float = 300.0,
        *,
        max_bytes: int = 64 * 1024 * 1024,
        getsizeof: Callable[[V], int] = sys.getsizeof,
        clock: Clock = time.monotonic,
    ) -> None:
        sizing = Sizing(min_size, max_size, adjustment_interval, target_hit_rate)
        if not min_size <= initial_size <= max_size:
            raise ValueError(f"initial_size has to be from {min_size} to {max_size}")
        if max_bytes < 1:
            raise ValueError("max_bytes has to be 1 or more")
        self.hits = self.misses = self.evictions = self.bytes = 0
        self.max_size, self.max_bytes = initial_size, max_bytes
        self._sizeof, self._clock = getsizeof, clock
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._adaptive = Adaptive(self, sizing, clock)

    def get(self, key: K, default: V | None = None) -> V | None:
        kept = self._kept.get(key)
        if kept is None:
            self.misses += 1
            self._adaptive.step(self._clock())
            return default
        self.hits += 1
        self._kept.move_to_end(key)
        self._adaptive.step(self._clock())
        return kept[0]

    def put(self, key: K, value: V) -> bool:
        """Whether it is kept; one that is larger than `max_bytes` is not, nor is what it replaces."""
        size = self._sizeof(value)
        self.delete(key)
        if size > self.max_bytes:
            return False
        self._adaptive.step(self._clock())
        self._kept[key] = value, size
        self.bytes += size
        self._shrink()
        return True

    def delete(self, key: K) -> bool:
        """Whether there was one."""
        kept = self._kept.pop(key, None)
        if kept is None:
            return False
        self.bytes -= kept[1]
        return True

    def clear(self) -> None:
        self._kept.clear()
        self.bytes = 0

    def resize(self, max_size: int) -> int:
        """From now on so many; how many had to go."""
        self.max_size, before = max_size, self.evictions
        self._shrink()
        return self.evictions - before

    def _shrink(self) -> None:
        while len(self._kept) > self.max_size or self.bytes > self.max_bytes:
            _, (_, size) = self._kept.popitem(last=False)
            self.bytes -= size
            self.evictions += 1

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: object) -> bool:
        return key in self._kept

    def should_adjust(self) -> bool:
        """Whether the interval is over."""
        return self._adaptive.due(self._clock())

    def adjust_size(self) -> dict[str, Any]:
        """Now, be it time or not: `old_size`, `new_size` and `reason`."""
        return self._adaptive.adjust(self._clock())._asdict()

    def get_metrics(self) -> dict[str, dict[str, Any]]:
        """`performance.hit_rate`, `size.current`, `adaptive.adjustments`, and what they are made of."""
        asked = self.hits + self.misses
        told = self._adaptive.stats()
        sizing = self._adaptive.sizing
        return {
            "performance": {
                "hit_rate": self.hits / asked if asked else 0.0,
                "hits": self.hits,
                "misses": self.misses,
                "evictions": self.evictions,
            },
            "size": {
                "current": self.max_size,
                "entries": len(self),
                "min": sizing.min_size,
                "max": sizing.max_size,
                "memory_use": self.bytes / self.max_bytes,
            },
            "adaptive": {**told, "target_hit_rate": sizing.target_hit_rate},
        }

    metrics = property(get_metrics)
