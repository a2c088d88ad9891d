"""After how long traffic comes back to a prefix: the chance that it does so within the next life of an entry.

Gaps between uses are counted in lives (the first life is interval 0: no ping is needed there). The chance for interval
k is that of a return within it, given that none came before: the hazard. Pure; the time is an argument, in seconds.
"""

from __future__ import annotations

from collections import OrderedDict

INTERVALS = 13
"""At the usual prices a ping is dearer than the write it avoids after 11.5 of them."""

KEPT = 10_000


class Returns:
    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, tuple[float, list[int]]] = OrderedDict()
        """When a prefix was last used, and how often it was used again after how many lives."""

    def came(self, digest: bytes, now: float, life: float) -> None:
        last, gaps = self._seen.pop(digest, (None, [0] * (INTERVALS + 1)))
        if last is not None:
            gaps[min(INTERVALS, int((now - last) / life))] += 1
        self._seen[digest] = (now, gaps)
        while len(self._seen) > KEPT:
            self._seen.popitem(last=False)

    def lives(self, digest: bytes, now: float, life: float) -> int:
        """How many lives have passed since it was last used: the interval that a ping now would pay for."""
        last, _ = self._seen.get(digest, (now, []))
        return int((now - last) / life) + 1

    def chance(self, digest: bytes, interval: int) -> float:
        """0 where nothing was seen: nobody pays for a return that never happened yet."""
        _, gaps = self._seen.get(digest, (0.0, []))
        later = sum(gaps[interval:])
        return gaps[interval] / (later + 1) if later and interval < INTERVALS else 0.0
