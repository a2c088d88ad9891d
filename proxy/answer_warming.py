"""The warming of answers, put together from the settings: it sees each request when it is over, and asks anew for what
is hot and has expired as the client that asked for it last would.

Requests are remembered for that in memory only, and only where there is a budget: a file of them would hold what users
wrote, and their keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cachetools import LRUCache

from adapters.tasks import Tasks
from adapters.vocabulary import Call
from cache.exact import Exact
from cache.keeping import namespace_of
from cache.tiers import Tiers
from proxy.config import Settings
from proxy.config_rules import store_path, stores_on_disk
from proxy.events import Event
from proxy.upstreams import World
from warming.access_rows import Ident
from warming.answers import CacheWarmer
from warming.answers_config import WarmingConfig
from warming.pattern_store import PatternStore
from warming.predictive import PredictiveCacheWarmer
from warming.scores import WarmingStrategy
from warming.warmable import Loaded

PATTERNS = "patterns.sqlite"
"""Beside L2."""

REMEMBERED = 16 * 1024 * 1024
"""Bytes of requests that are remembered."""

FROM_MEMORY = frozenset({"l1", "l2", "l3"})
ANSWERED = FROM_MEMORY | {"upstream", "collapsed"}

Figures = dict[tuple[str, ...], float]


class AnswerWarming:
    def __init__(self, tiers: Tiers, exact: Exact, settings: Settings, env: Mapping[str, str], world: World) -> None:
        given = settings.cache.warming
        self._exact, self._tasks = exact, Tasks()
        self._requests: LRUCache[bytes, Call] | None = LRUCache(REMEMBERED, _size) if given.dollars else None
        self.dollars = 0.0
        self._costs: LRUCache[bytes, float] = LRUCache(given.preload_count * 10 + 1)
        config = WarmingConfig(
            strategy=WarmingStrategy(given.strategy),
            preload_count=given.preload_count,
            warm_interval=given.warm_interval,
            recency_weight=given.recency_weight,
            enable_time_based=given.enable_time_based,
            enable_user_specific=given.enable_user_specific,
            dollars=given.dollars,
        )
        path = store_path(settings, env).with_name(PATTERNS) if stores_on_disk(settings) else None
        self.warmer = CacheWarmer(
            tiers,
            config,
            self._load if given.dollars else None,
            clock=world.wall,
            sleep=world.sleep,
            tasks=self._tasks,
            history=PatternStore(path, world.wall, config.half_life) if path is not None else None,
            estimate=self._estimate,
        )
        self._startup, self._interval, self._sleep = given.startup, given.warm_interval, world.sleep
        ahead = given.predictive
        self.predictive: PredictiveCacheWarmer | None = None
        if ahead.enabled:
            self.predictive = PredictiveCacheWarmer(
                tiers,
                ahead.max_patterns,
                ahead.ngram_size,
                clock=world.wall,
                refresher=self.warmer.refresher,
                tasks=self._tasks,
                top_k=ahead.top_k,
                min_confidence=ahead.min_confidence,
            )

    def open(self, tasks: Tasks) -> None:
        """Begins with a round, or without one after the first interval."""
        tasks.spawn(self._begin(), endless=True)

    async def _begin(self) -> None:
        if not self._startup:
            await self._sleep(self._interval)
        await self.warmer.start_background_warming()

    async def close(self) -> None:
        await self.warmer.close()
        await self._tasks.drain(1.0)

    def note(self, event: Event) -> None:
        """A sink of events. Only what the policy lets be kept has a key."""
        call = event.call
        if call is None or not call.key or event.status >= 400 or event.source not in ANSWERED:
            return
        if call.warmup is not None or call.controls.no_store:
            return
        namespace = namespace_of(call)
        self.warmer.record_access(call.key, namespace, event.source in FROM_MEMORY, call.tenant)
        if self._requests is not None:
            cost = event.trace.saved if event.source in FROM_MEMORY else event.trace.cost
            self._costs[call.key] = cost or 0.0
            if _size(call) < REMEMBERED // 64:
                self._requests[call.key] = self._tagged(call)
        # Where the requests of several conversations are mixed up, nothing that follows can be foreseen.
        session = call.headers.get("x-session-id", "")[:256]
        if self.predictive is not None and session:
            self.predictive.follow(call.key, user_id=call.tenant, session=session)

    def _tagged(self, call: Call) -> Call:
        """As all have asked who asked the same: what is asked for anew is kept under the tags of each."""
        known = self._requests.get(call.key) if self._requests is not None else None
        tags = known.controls.tags if known is not None else ()
        if set(tags) <= set(call.controls.tags):
            return call
        together = tuple(dict.fromkeys((*call.controls.tags, *tags)))
        return replace(call, controls=replace(call.controls, tags=together))

    async def _load(self, key: object, namespace: str) -> Loaded:
        call = self._requests.get(key) if self._requests is not None and isinstance(key, bytes) else None
        if call is None:
            return Loaded(None, 0.0)
        call = call.apart()
        cost = await self._exact.renew(call)
        self.dollars += cost or 0.0
        return Loaded(None, cost, kept=call.trace.stored)

    def _estimate(self, ident: Ident) -> float | None:
        known = self._requests is not None and isinstance(ident.key, bytes) and ident.key in self._requests
        # Nothing is asked, and nothing spent, where it is not known what.
        return self._costs.get(ident.key) if known and isinstance(ident.key, bytes) else 0.0

    def figures(self) -> Figures:
        """For metrics."""
        told = self.warmer.get_stats()
        figures: Figures = {
            ("cache_warming", what): float(told["warmed"][what]) for what in ("promoted", "held", "used")
        }
        figures |= {("cache_warming", what): float(told["refresh"][what]) for what in ("refreshed", "failed", "unpaid")}
        figures["cache_warming", "rounds"] = float(told["rounds"]["done"])
        figures["cache_background_dollars", "warming"] = self.dollars
        if self.predictive is not None:
            seen = self.predictive.get_statistics()["predictions"]
            figures |= {("cache_predictions", what): float(seen[what]) for what in ("total", "came", "in_time")}
        return figures


def _size(call: Call) -> int:
    return len(call.body) + 2000 if isinstance(call.body, bytes) else REMEMBERED
