"""Which entries of the lower levels are read so often that they are worth a place further up. Pure."""

from __future__ import annotations

from cachetools import LRUCache

COUNTED = 10_000
"""Keys whose reads are remembered; of more, those read longest ago begin at nought again."""


class Reads:
    def __init__(self, after: int, counted: int = COUNTED) -> None:
        """`after`: reads in a lower level after which an entry moves up; 1: at once, 0: never."""
        self.after = after
        self._counts: LRUCache[bytes, int] = LRUCache(counted)

    def enough(self, key: bytes) -> bool:
        """Counts one read; True with the one that makes it move, after which the count begins anew."""
        if self.after < 2:
            return self.after == 1
        count = self._counts.get(key, 0) + 1
        if count >= self.after:
            self._counts.pop(key, None)
            return True
        self._counts[key] = count
        return False

    def __len__(self) -> int:
        return len(self._counts)
