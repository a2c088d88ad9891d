"""Asking anew for answers in the background: hot ones before they expire, stale ones while they still serve.

Early by the probabilistic rule of Vattani, Chierichetti and Lowenstein ("Optimal probabilistic cache stampede
prevention", VLDB 2015): at each hit an answer that took `d` seconds to make and has `t` seconds left is asked for anew
if `d * beta * -ln(u) >= t`, `u` uniform on (0, 1]. So in a crowd somebody is early, and seldom more than one; here
never, because one key is asked for once at a time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import log
from typing import NamedTuple

from cachetools import LRUCache

from adapters.errors import Torn, UpstreamError
from adapters.tasks import Tasks
from adapters.vocabulary import Call, Clock
from cache.budget import Budget
from cache.entry import Entry
from cache.keeping import under
from cache.leases import Leases

COUNTED = 10_000
"""Entries whose hits are counted."""

TAKES = 1.0
"""Seconds that an answer is taken to take where nobody knows."""

HELD = 60.0
"""Seconds after which another replica may ask for the same answer again."""

Renew = Callable[[Call], Awaitable[float | None]]
"""Asks the provider and keeps the answer: what it cost, in US dollars, None where nobody knows."""


class When(NamedTuple):
    """`min_hits` make an answer hot; `beta` is how early it is asked for, 0 for never."""

    min_hits: int = 3
    beta: float = 1.0


class Refresh:
    """Within `budget`; where that is used up, answers simply expire. `clock` is Unix time."""

    def __init__(
        self,
        renew: Renew,
        budget: Budget,
        leases: Leases,
        tasks: Tasks,
        clock: Clock,
        chance: Callable[[], float],
        when: When,
    ) -> None:
        self._renew, self._budget, self._leases, self._tasks = renew, budget, leases, tasks
        self._clock, self._chance, self._when = clock, chance, when
        self._hits: LRUCache[bytes, tuple[float, int]] = LRUCache(COUNTED)
        self._under_way: set[bytes] = set()
        self.figures = {"early": 0, "stale": 0, "warmed": 0, "failed": 0, "no budget": 0, "elsewhere": 0}
        """By why it was asked, or came to nothing."""
        self.dollars = 0.0

    def hit(self, call: Call, entry: Entry) -> None:
        """Counts a hit of a fresh entry, and begins to ask anew where that is due."""
        stored_at, hits = self._hits.get(entry.key, (entry.stored_at, 0))
        hits = hits + 1 if stored_at == entry.stored_at else 1
        self._hits[entry.key] = entry.stored_at, hits
        if hits >= self._when.min_hits and self._early(entry):
            self.begin(call, entry, "early")

    def begin(self, call: Call, entry: Entry, why: str) -> bool:
        """Whether this entry is being asked for anew now."""
        key = entry.key
        if key in self._under_way:
            return True
        if not self._budget.take(entry.cost):
            self.figures["no budget"] += 1
            return False
        self.figures[why] += 1
        self._under_way.add(key)
        self._tasks.spawn(self._run(under(call, entry), entry))
        return True

    def _early(self, entry: Entry) -> bool:
        left = entry.expires_at - self._clock()
        chance = max(self._chance(), 1e-300)
        return (entry.took or TAKES) * self._when.beta * -log(chance) >= left

    async def _run(self, call: Call, entry: Entry) -> None:
        cost: float | None = 0.0
        name = b"refresh" + entry.key
        try:
            token = await self._leases.acquire(name, HELD)
            if token is None:
                self.figures["elsewhere"] += 1
                return
            cost = None
            try:
                cost = await self._renew(call)
            except (UpstreamError, Torn):
                self.figures["failed"] += 1
            finally:
                await self._leases.release(name, token)
        finally:
            self._under_way.discard(entry.key)
            self._budget.settle(entry.cost, cost)
            self.dollars += cost or 0.0
