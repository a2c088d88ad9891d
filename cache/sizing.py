"""How large memory should be, by how it did lately. Pure.

It grows where too little is found though there is room, or where entries are dropped that might have been found; it
shrinks where nearly all is found and the bytes are nearly used up. Where both hold, the bytes decide: more entries
would not fit anyway.
"""

from __future__ import annotations

from typing import NamedTuple

POOR_HITS, ROOMY = 0.30, 0.70
"""Hit rate below which and memory use below which together it grows."""

MANY_EVICTIONS = 0.05
"""Evictions per access above which it grows."""

GOOD_HITS, TIGHT = 0.80, 0.90
"""Hit rate above which and memory use above which together it shrinks."""


class Window(NamedTuple):
    """What happened since the last decision."""

    hits: int
    misses: int
    evictions: int
    use: float
    """Bytes that are used now, as a part of those that may be."""

    @property
    def accesses(self) -> int:
        return self.hits + self.misses

    @property
    def hit_rate(self) -> float:
        return self.hits / self.accesses if self.accesses else 0.0


class Adjustment(NamedTuple):
    old_size: int
    new_size: int
    reason: str
    """Also where nothing changes."""


class Sizing:
    """Sizes are entries, the interval is seconds. Raises ValueError for what makes no sense."""

    def __init__(
        self,
        min_size: int = 100,
        max_size: int = 2000,
        adjustment_interval: float = 300.0,
        target_hit_rate: float = 0.6,
    ) -> None:
        """`target_hit_rate`: below it memory grows by half at a time, above by a quarter."""
        if not 1 <= min_size <= max_size:
            raise ValueError(f"sizes: 1 <= min_size <= max_size, not {min_size} and {max_size}")
        if not adjustment_interval > 0:
            raise ValueError("adjustment_interval has to be more than 0 seconds")
        if not 0 < target_hit_rate <= 1:
            raise ValueError("target_hit_rate has to be above 0 and at most 1")
        self.min_size, self.max_size = min_size, max_size
        self.adjustment_interval, self.target_hit_rate = adjustment_interval, target_hit_rate

    def decided(self, size: int, seen: Window) -> Adjustment:
        if not seen.accesses:
            return Adjustment(size, size, "nobody asked for anything")
        evictions = seen.evictions / seen.accesses
        if seen.hit_rate > GOOD_HITS and seen.use > TIGHT:
            told = f"hit rate {seen.hit_rate:.0%} above {GOOD_HITS:.0%}, memory use {seen.use:.0%} above {TIGHT:.0%}"
            return self._to(size, size - max(1, size // 5), told)
        step = max(1, size // 2 if seen.hit_rate < self.target_hit_rate else size // 4)
        if seen.hit_rate < POOR_HITS and seen.use < ROOMY:
            told = f"hit rate {seen.hit_rate:.0%} below {POOR_HITS:.0%}, memory use {seen.use:.0%} below {ROOMY:.0%}"
            return self._to(size, size + step, told)
        if evictions > MANY_EVICTIONS:
            told = f"evictions {evictions:.0%} of accesses, above {MANY_EVICTIONS:.0%}"
            return self._to(size, size + step, told)
        return Adjustment(size, size, f"hit rate {seen.hit_rate:.0%}, memory use {seen.use:.0%}: as it should be")

    def _to(self, size: int, wanted: int, why: str) -> Adjustment:
        new = min(max(wanted, self.min_size), self.max_size)
        if new == size:
            why += "; but that is the largest size" if wanted > size else "; but that is the smallest size"
        return Adjustment(size, new, why)
