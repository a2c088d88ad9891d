"""Warming of answers: what is hot comes to the fastest level before it is asked for, and is made anew once it expired.

What a round does: of the `preload_count` keys that are worth most, those that lie in a lower level move up, and those
that no level has any more are made by the value loader, if there is one and as far as `dollars` a day go. No request
waits for any of it, and none fails because of it. That of providers' prompt caches is in `warming.warm`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection
from functools import partial
from types import TracebackType
from typing import Any

from adapters.tasks import Tasks
from adapters.vocabulary import Clock, Sleep
from cache.budget import Budget
from cache.tiers import Tiers
from warming.access_patterns import AccessPatterns, Candidate
from warming.access_rows import Ident, Key
from warming.answers_config import WarmingConfig
from warming.pattern_store import History, PatternStore
from warming.refresher import Loader, Refresher
from warming.scores import HOURS, WarmingStrategy, scores
from warming.warmable import Levels, Loaded, Warmable, clock_of, warmable

log = logging.getLogger("warmgate.warming")

TOGETHER = 64
"""Candidates that are looked at between two turns of the event loop, where nothing is waited for."""

NAMESPACE = "default"


class CacheWarmer:
    def __init__(
        self,
        cache: Warmable | Tiers | Levels,
        config: WarmingConfig | None = None,
        value_loader: Loader | None = None,
        *,
        clock: Clock | None = None,
        sleep: Sleep = asyncio.sleep,
        tasks: Tasks | None = None,
        history: PatternStore | None = None,
        estimate: Callable[[Ident], float | None] | None = None,
    ) -> None:
        """`clock`: wall time; without one, the cache's own. `tasks`: who brings them drains them. `history`: where
        patterns outlive the process; it is closed with this. `estimate`: dollars that making a value will cost; None:
        nobody knows, a cent counts. Raises TypeError or ValueError for a cache that can't be warmed."""
        self.config = config = config or WarmingConfig()
        self.cache, clock = warmable(cache), clock_of(cache, clock)
        self.patterns = AccessPatterns(
            clock,
            max_keys=config.max_keys,
            half_life=config.half_life,
            hourly=config.enable_time_based,
            users=config.enable_user_specific,
            timezone=config.timezone,
        )
        self._tasks, self._sleep = Tasks() if tasks is None else tasks, sleep
        self._history = History(self.patterns, history, self._tasks)
        self.refresher = Refresher(
            self.cache,
            value_loader,
            Budget(config.dollars, clock),
            self._tasks,
            sleep,
            at_once=config.at_once,
            timeout=config.timeout,
            estimate=estimate,
        )
        if value_loader is not None and not config.dollars:
            log.info("a value loader is there, but no budget (dollars is 0): nothing is made anew")
        self._counts = Counter[str]()
        self._loop: asyncio.Task[None] | None = None

    async def __aenter__(self) -> CacheWarmer:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stops, saves, and closes the file."""
        await self.stop_background_warming()
        await self._history.close()

    def record_access(self, key: Key, namespace: str = NAMESPACE, hit: bool = True, user_id: str | None = None) -> None:
        """A few microseconds. Raises nothing, for keys of any type."""
        self.patterns.note(key, namespace, hit, user_id)

    # Warming

    async def warm_top_items(
        self,
        n: int | None = None,
        namespace: str | None = None,
        user_id: str | None = None,
        hour: int | None = None,
    ) -> int:
        """Warms the best; how many of them lie in the first level now that did not before.

        None: `preload_count`; of all namespaces; of all users; as the strategy says. With an `hour` of the day, 0 to
        23, what is asked for at that hour. Raises ValueError for what makes no sense or is not tracked.
        """
        if user_id is not None and not self.config.enable_user_specific:
            raise ValueError("accesses are not kept by user: enable_user_specific is off")
        return await self._warm(self._top(self.config.preload_count if n is None else n, namespace, user_id, hour))

    async def warm_item(
        self,
        key: Key,
        value: Any = None,
        namespace: str = NAMESPACE,
        ttl: float | None = None,
        user_id: str | None = None,
    ) -> bool:
        """Keeps that value (or a `Loaded` that says more of it); without one, promotes the key or has it made. Whether
        a level has it now. Raises what the cache raises for values of a wrong kind."""
        ident = Ident(user_id or "", namespace, key)
        if value is None:
            return await self._warm([Candidate(ident, 1.0)]) > 0 or await self.cache.fresh(ident)
        loaded = value if isinstance(value, Loaded) else Loaded(value, ttl=ttl)
        kept = await self.cache.keep(ident, loaded, self.cache.mark())
        self._counts["given"] += kept
        return kept

    def rewarm(self, keys: Collection[Key]) -> int:
        """What of these, which were invalidated, is hot is made anew in the background: how many that are. Keys are
        those of accesses, or those by which the cache tells what it removed."""
        if not self.refresher.able:
            return 0
        best = [each.ident for each in self._top(self.config.preload_count, None, None, None)]
        hot = [ident for ident in best if ident.key in keys or self.cache.key(ident) in keys]
        if hot:
            self._tasks.spawn(self._refresh(hot))
        return len(hot)

    # In the background

    async def start_background_warming(self) -> bool:
        """A round at once, in which what is in the file is heard first, and one every `warm_interval`. False where
        that runs already. Waits for nothing."""
        if self._running:
            return False
        self._loop = self._tasks.spawn(self._run(), endless=True)
        return True

    async def stop_background_warming(self) -> bool:
        """Ends it and saves. False where it did not run: then nothing is saved."""
        loop, self._loop = self._loop, None
        if loop is None or loop.done():
            return False
        loop.cancel()
        await asyncio.wait({loop})
        await self.save_patterns_to_history()
        return True

    async def save_patterns_to_history(self) -> int:
        """Adds what this process saw since the last time to the file: how many keys. What could not be written is
        written the next time."""
        return await self._history.save()

    async def load_patterns_from_history(self) -> int:
        """What all processes that share the file have seen: how many keys. To load twice changes nothing."""
        return await self._history.load()

    def get_stats(self) -> dict[str, Any]:
        patterns, rows, budget = self.patterns, self.patterns.rows, self.refresher.budget
        keys, users = patterns.distinct()
        return {
            "strategy": self.config.strategy.value,
            "total_patterns": len(patterns),
            "unique_keys": keys,
            "users_tracked": users,
            "background_running": self._running,
            "accesses": {"hits": patterns.hits, "misses": patterns.misses},
            "tracking": {"refused": rows.refused, "dropped": rows.dropped},
            "rounds": {"done": self._counts["rounds"], "failed": self._counts["rounds_failed"]},
            "warmed": {name: self._counts[name] for name in ("promoted", "held", "absent", "given")}
            | {"used": patterns.used},
            "refresh": self.refresher.stats() | {"spent": budget.spent, "left": budget.left},
            "history": self._history.stats(),
        }

    @property
    def _running(self) -> bool:
        return self._loop is not None and not self._loop.done()

    async def _run(self) -> None:
        loaded = False
        while True:
            try:
                if not loaded:
                    loaded = True
                    await self.load_patterns_from_history()
                await self.warm_top_items()
                await self.save_patterns_to_history()
                self._counts["rounds"] += 1
            except Exception:
                # A loop that nobody awaits: what goes wrong in one round must be seen, and must not end the others.
                self._counts["rounds_failed"] += 1
                log.exception("a round of warming has failed")
            await self._sleep(self.config.warm_interval)

    def _top(self, n: int, namespace: str | None, user: str | None, hour: int | None) -> list[Candidate]:
        if n < 0:
            raise ValueError(f"a number of items from 0, and not {n}")
        if hour is not None and not self.config.enable_time_based:
            raise ValueError("hours are not kept: enable_time_based is off")
        if hour is not None and not 0 <= hour < HOURS:
            raise ValueError(f"an hour of the day is 0 to 23, and not {hour}")
        strategy = self.config.strategy if hour is None else WarmingStrategy.TIME_BASED
        if hour is None:
            self.patterns.now()
            hour = self.patterns.hour()
        scored = partial(scores, strategy=strategy, recency_weight=self.config.recency_weight, hour=hour)
        return self.patterns.top(
            n,
            scored,
            hourly=strategy is WarmingStrategy.TIME_BASED,
            namespace=namespace,
            user=user,
            together=not self.cache.apart,
        )

    async def _warm(self, best: list[Candidate]) -> int:
        warmed, gone = 0, []
        for turn, (ident, _) in enumerate(reversed(best)):  # the best comes last: it goes last, if not all fit in
            if turn % TOGETHER == TOGETHER - 1:
                await asyncio.sleep(0)
            if self.cache.held(ident):
                self._counts["held"] += 1
            elif await self.cache.promote(ident):
                self._counts["promoted"] += 1
                self.patterns.warmed(ident)
                warmed += 1
            elif not await self.cache.fresh(ident):  # it may be too large to move up
                self._counts["absent"] += 1
                gone.append(ident)
        return warmed + await self._refresh(gone[::-1])

    async def _refresh(self, idents: list[Ident]) -> int:
        """Best first, a few at once, while there is anything left to spend."""
        made, step = 0, self.config.at_once
        for start in range(0, len(idents), step):
            if not self.refresher.able:
                break
            some = idents[start : start + step]
            for ident, done in zip(some, await asyncio.gather(*map(self.refresher.refresh, some)), strict=True):
                if done:
                    self.patterns.warmed(ident)
                    made += 1
        return made
