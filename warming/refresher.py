"""Makes answers anew through a value loader: a few at once, each key by one at a time, within dollars per day.

Whatever a loader does stays here: what it raises is counted and logged, and one that hangs is waited for so long and no
longer. A task can't be killed: one that goes on all the same keeps its turn and its key until it ends, so that loaders
that hang can't pile up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from math import isfinite
from typing import Any

from adapters.tasks import Tasks
from adapters.vocabulary import Sleep
from cache.budget import Budget
from warming.access_rows import Ident, Key
from warming.waits import Waits
from warming.warmable import Loaded, Warmable

log = logging.getLogger("warmgate.warming")


Loader = Callable[[Any, str], Awaitable[Any]]
"""Is given a key and its namespace: a value, a `Loaded`, or None for nothing."""

OUTCOMES = ("refreshed", "nothing", "not_kept", "failed", "slow", "busy", "unpaid")
"""What becomes of a refresh: the value is kept; there was none; the cache did not keep it, also because it was
invalidated meanwhile; the loader raised; it took too long; that key is on its way already; the budget is used up."""


class Refresher:
    def __init__(
        self,
        cache: Warmable,
        loader: Loader | None,
        budget: Budget,
        tasks: Tasks,
        sleep: Sleep,
        *,
        at_once: int = 4,
        timeout: float = 60.0,
        estimate: Callable[[Ident], float | None] | None = None,
    ) -> None:
        """`timeout`: seconds. `estimate`: dollars that making it will cost; None: nobody knows."""
        self.budget = budget
        self.counts = Counter[str]()
        self._cache, self._loader, self._tasks = cache, loader, tasks
        self._estimate, self._timeout = estimate, timeout
        self._turns, self._waits = asyncio.Semaphore(at_once), Waits(tasks, sleep)
        self._busy: set[Ident] = set()

    @property
    def able(self) -> bool:
        """Whether there is a loader, and anything left to spend."""
        return self._loader is not None and self.budget.left > 0

    def stats(self) -> dict[str, int]:
        return {outcome: self.counts[outcome] for outcome in OUTCOMES} | {"under_way": len(self._busy)}

    async def refresh(self, ident: Ident, loader: Loader | None = None) -> bool:
        """Whether it lies in the cache now, made anew. `loader`: another than the usual one."""
        loader = loader or self._loader
        if loader is None:
            return False
        outcome = await self._outcome(ident, loader)
        self.counts[outcome] += 1
        return outcome == "refreshed"

    async def _outcome(self, ident: Ident, loader: Loader) -> str:
        if not self._cache.apart:
            ident = ident._replace(user="")
        if ident in self._busy:
            return "busy"
        self._busy.add(ident)
        work: asyncio.Task[tuple[str, float | None]] | None = None
        try:
            await self._turns.acquire()
            try:
                estimate = self._estimate(ident) if self._estimate is not None else None
                if not self.budget.take(estimate):
                    return "unpaid"
                work = self._tasks.spawn(self._load(ident, loader))
                work.add_done_callback(lambda done: self._ended(ident, done))
            finally:
                if work is None:
                    self._turns.release()
            return await self._result(ident, work, estimate)
        finally:
            if work is None:
                self._busy.discard(ident)

    async def _result(self, ident: Ident, work: asyncio.Task[tuple[str, float | None]], estimate: float | None) -> str:
        cost: float | None = None
        try:
            if not await self._waits.until(ident, self._timeout):
                self._told("slow", ident, f"took more than {self._timeout:g} s")
                return "slow"
            error = None if work.cancelled() else work.exception()
            if work.cancelled() or error is not None:
                self._told("failed", ident, "was cancelled" if error is None else f"{type(error).__name__}: {error}")
                return "failed"
            outcome, cost = work.result()
            return outcome
        finally:
            work.cancel()
            self.budget.settle(estimate, cost)

    async def _load(self, ident: Ident, loader: Loader) -> tuple[str, float | None]:
        since = self._cache.mark()
        value = await loader(ident.key, ident.namespace)
        loaded = value if isinstance(value, Loaded) else Loaded(value)
        cost = loaded.dollars if _number(loaded.dollars) else None
        if loaded.kept:
            return "refreshed", cost
        if loaded.value is None:
            return "nothing", cost
        kept = await self._cache.keep(ident, loaded, since)
        return "refreshed" if kept else "not_kept", cost

    def _ended(self, ident: Ident, work: asyncio.Task[Any]) -> None:
        self._busy.discard(ident)
        self._turns.release()
        self._waits.over(ident)
        if not work.cancelled():
            work.exception()  # asked for, so that nobody complains that nobody did

    def _told(self, outcome: str, ident: Ident, why: str) -> None:
        times = self.counts[outcome] + 1
        if times & (times - 1) == 0:  # the 1st, 2nd, 4th, 8th ...: a broken loader must not fill the log
            name = ident.key.hex()[:16] if isinstance(ident.key, bytes) else shortened(ident.key)
            log.warning("refreshing %s of %s: %s (%d times so far)", name, ident.namespace, why, times)


def shortened(key: Key) -> str:
    return repr(key if len(key) <= 64 else key[:64])


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value >= 0
