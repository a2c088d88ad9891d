"""A cache of two levels in memory that can be warmed: a small real `Warmable`, which says what was done with it."""

from __future__ import annotations

from typing import Any

from warming.access_rows import Ident, Key
from warming.warmable import Loaded


def named(key: Key, user: str = "", namespace: str = "default") -> Ident:
    return Ident(user, namespace, key)


class Shelves:
    """`first` and `below` hold what is fresh, in the order in which it came; `first` holds at most `most`."""

    def __init__(self, *, apart: bool = False, most: int = 1_000_000) -> None:
        self.apart, self._most = apart, most
        self.first: dict[Ident, Any] = {}
        self.below: dict[Ident, Any] = {}
        self.ttls: dict[Ident, float | None] = {}
        self.marks = 0
        self.unmovable: set[Key] = set()

    def invalidate(self, ident: Ident) -> None:
        self.marks += 1
        self.first.pop(ident, None)
        self.below.pop(ident, None)

    def mark(self) -> int:
        return self.marks

    def key(self, ident: Ident) -> Key:
        return ident.key

    def held(self, ident: Ident) -> bool:
        return self._of(ident) in self.first

    async def promote(self, ident: Ident) -> bool:
        ident = self._of(ident)
        if ident not in self.below or ident.key in self.unmovable:
            return False
        self._put(ident, self.below[ident])
        return True

    async def fresh(self, ident: Ident) -> bool:
        return self._of(ident) in self.first or self._of(ident) in self.below

    async def keep(self, ident: Ident, loaded: Loaded, since: int) -> bool:
        value = loaded.value
        if value is Ellipsis:
            raise TypeError("an ellipsis is not kept here")
        if since != self.marks:
            return False
        self.below[self._of(ident)] = value
        self.ttls[self._of(ident)] = loaded.ttl
        self._put(self._of(ident), value)
        return True

    def _put(self, ident: Ident, value: Any) -> None:
        self.first.pop(ident, None)
        self.first[ident] = value
        while len(self.first) > self._most:
            del self.first[next(iter(self.first))]

    def _of(self, ident: Ident) -> Ident:
        return ident if self.apart else ident._replace(user="")
