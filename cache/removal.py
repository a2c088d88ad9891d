"""Taking out of all levels what is not to be served any more, and what depends on it.

The order matters. The log of the machine first, and memory with it: from then on no worker serves it from there, and
what is being made or read counts as too old. Then the disk. Then the log again, because one may have read the disk in
between. Then what is on its way into the shared level is waited for, and the shared level is emptied of it. What other
replicas put there until they have heard goes with `sweep`, after they have.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from adapters.vocabulary import Clock
from cache.below import Below, Removed
from cache.dependents import Dependents
from cache.invalidation import Invalidation
from cache.validity import Validity

UNSWEPT = 1000
"""Invalidations of which is remembered what they brought with them, until they are swept."""


Say = Callable[[Invalidation], tuple[set[bytes], bool]]
"""Makes an invalidation known: the keys that memory had, and whether all were told who have to be."""


class Removal:
    """`seconds`: after so many the second pass over the shared level comes too late (`Options.settle`)."""

    def __init__(
        self, below: Below, validity: Validity, dependents: Dependents, clock: Clock, seconds: float, *, shared: bool
    ) -> None:
        self._below, self._validity, self._dependents = below, validity, dependents
        self._clock, self._seconds, self._shared = clock, seconds, shared
        self._unswept: dict[Invalidation, tuple[float, list[Invalidation]]] = {}

    async def everywhere(self, what: Invalidation) -> Removed:
        """For all workers of this machine, and out of the shared level."""
        began = self._clock()
        removed, parts = await self._remove(what, self._validity.announce, shared=True)
        if self._shared:
            earlier = self._unswept.pop(what, (began, []))
            if len(self._unswept) >= UNSWEPT:
                self._unswept.pop(next(iter(self._unswept)))
            self._unswept[what] = min(began, earlier[0]), earlier[1] + parts
        return removed

    async def here(self, what: Invalidation) -> Removed:
        """Where another replica has told of it: nothing of it is in the levels of this machine any more, nor will this
        process put it into the shared one."""
        removed, _ = await self._remove(what, self._note, shared=False)
        return removed

    async def sweep(self, what: Invalidation) -> bool:
        """Out of the shared level once more, now that all replicas have heard. False where that failed or came too
        late, so that another may have taken it from there."""
        began, parts = self._unswept.pop(what, (self._clock(), [self._dependents.included(what)]))
        swept = [await self._below.sweep(part) for part in parts]
        # A process that shares nothing may have no clock either.
        return all(swept) and (not self._shared or self._clock() - began <= self._seconds)

    def _note(self, what: Invalidation) -> tuple[set[bytes], bool]:
        return self._validity.note(what), True

    async def _remove(self, what: Invalidation, say: Say, *, shared: bool) -> tuple[Removed, list[Invalidation]]:
        parts = [self._dependents.included(what)]
        gone: set[bytes] = set()
        failed = False
        for part in parts:  # grows
            keys, told = say(part)
            failed = failed or not told
            if (concerned := self._dependents.below(part)) is not None:
                again = partial(_keys, say, part)
                removed = await self._below.remove(concerned, again, shared=shared)
                keys |= removed.keys
                failed = failed or removed.failed
            parts += self._dependents.of(keys - gone, part)
            gone |= keys
        return Removed(gone, failed), parts


def _keys(say: Say, what: Invalidation) -> set[bytes]:
    return say(what)[0]
