"""Invalidations that a level could not carry out: they are done when it answers again, and until then nothing that they
cover is taken from it."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from adapters.tasks import Tasks
from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.level import Level
from cache.unsettled import Unsettled

MOST = 1000
"""Invalidations that are remembered; of more, everything has to go."""


class Owing:
    """`paid`: is told of each that has been done late."""

    def __init__(self, level: Level, tasks: Tasks, paid: Callable[[Invalidation], None], most: int = MOST) -> None:
        self._level, self._tasks, self._paid, self._most = level, tasks, paid, most
        self._owed: list[Invalidation] = []
        self._covered = Unsettled(inf)
        self._paying = False

    def __len__(self) -> int:
        return len(self._owed)

    async def remove(self, what: Invalidation) -> set[bytes] | None:
        """The keys; None where the level failed."""
        removed = await self._level.invalidate(what)
        if removed is None:
            if len(self._owed) >= self._most:
                self._owed, what = [], Invalidation(everything=True)
            self._owed.append(what)
            self._covered.note(what, 0.0)
        return removed

    def covers(self, entry: Entry) -> bool:
        """Whether this, which the level gave just now, should not be there. As the level answers, it is asked again for
        what it could not do."""
        if not self._owed:
            return False
        if not self._paying:
            self._paying = True
            self._tasks.spawn(self._pay())
        return self._covered.covers(entry, 0.0)

    def put(self, entry: Entry) -> None:
        """A newer one was put in its place."""
        self._covered.put(entry)

    async def _pay(self) -> None:
        try:
            while self._owed and await self._level.invalidate(what := self._owed[0]) is not None:
                self._owed = [each for each in self._owed if each != what]
                self._paid(what)
                self._covered.settled(what)
                for each in self._owed:
                    self._covered.note(each, 0.0)  # two may name the same
        finally:
            self._paying = False
