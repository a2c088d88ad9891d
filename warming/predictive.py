"""Predictive warming of answers: what probably comes next is brought to the first level before it comes.

Each tenant has a model of its own (`warming.predict`), so that nobody's questions tell anything of another's. Whether
predictions come true is counted: one is right when its question comes within the next `within` of its session, and in
time when it lay in the first level by then.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sized
from datetime import UTC, datetime, tzinfo
from inspect import isawaitable
from math import inf
from typing import Any, NamedTuple

from adapters.tasks import Tasks
from adapters.vocabulary import Clock, Sleep
from cache.budget import Budget
from cache.tiers import Tiers
from warming.access_patterns import QUARTER
from warming.access_rows import Ident, Key
from warming.predict import SESSIONS, Model
from warming.refresher import Loader, Refresher
from warming.warmable import Levels, Warmable, clock_of, warmable

log = logging.getLogger("warmgate.warming")

LONGEST = 4096
"""Characters or bytes of a question; longer ones are not followed."""

TENANTS = 100
"""With a model; then the longest silent loses his."""

UNDER_WAY = 16
"""Questions whose successors are being warmed at the same time."""

TOP_K, MIN_CONFIDENCE = 5, 0.2
"""0.3 to 0.4 is careful, 0.1 to 0.2 bold."""

SelectionFn = Callable[[Any], Any]
"""Is given a question: its value, or an awaitable of it; None for nothing."""


class Prediction(NamedTuple):
    query: Key
    confidence: float
    """0 to 1."""
    user: str = ""
    session: str = ""


class _Open:
    """A prediction that may still come true."""

    __slots__ = ("left", "ready")

    def __init__(self, left: int) -> None:
        self.left, self.ready = left, False


class _Tenant:
    def __init__(self, model: Model) -> None:
        self.model = model
        self.open: OrderedDict[str, dict[Key, _Open]] = OrderedDict()
        """By session."""


class PredictiveCacheWarmer:
    def __init__(
        self,
        cache: Warmable | Tiers | Levels,
        max_patterns: int = 500,
        ngram_size: int = 3,
        *,
        clock: Clock | None = None,
        refresher: Refresher | None = None,
        tasks: Tasks | None = None,
        sleep: Sleep = asyncio.sleep,
        namespace: str = "default",
        top_k: int = TOP_K,
        min_confidence: float = MIN_CONFIDENCE,
        within: int = 5,
        timezone: tzinfo = UTC,
    ) -> None:
        """`max_patterns`: of each kind and tenant. `ngram_size`: questions, from 2. `clock`: wall
        time; without one, the cache's own. `refresher`:
        makes what no level has, within its budget; without one only a `selection_fn` does. `within`: questions in which
        a prediction has to come true. Raises ValueError."""
        _whole("max_patterns", max_patterns, 1)
        _whole("ngram_size", ngram_size, 2)
        _whole("within", within, 1)
        _asked(top_k, min_confidence)
        self.cache, clock = warmable(cache), clock_of(cache, clock)
        self._most, self._size, self._within = max_patterns, ngram_size, within
        self._top_k, self._min_confidence = top_k, min_confidence
        self._clock, self._timezone, self._namespace = clock, timezone, namespace
        self._tasks = Tasks() if tasks is None else tasks
        self._refresher = refresher or Refresher(self.cache, None, Budget(inf, clock), self._tasks, sleep)
        self._tenants: OrderedDict[str, _Tenant] = OrderedDict()
        self._counts = Counter[str]()
        self._under_way = 0
        self._quarter, self._hour = -1.0, 0

    def record_query(
        self, query: Key, results: object = None, *, user_id: str | None = None, session: str = ""
    ) -> None:
        """It was asked for. One with `results` of length 0 is never foreseen: there is nothing to warm for it. Sessions
        of one user follow each their own thread; mixed up, nothing can be foreseen. Raises nothing."""
        if not self._follows(query, user_id, session):
            self._counts["refused"] += 1
            return
        self._counts["queries"] += 1
        tenant = self._tenant(user_id)
        self._resolve(tenant, query, session)
        if not isinstance(results, Sized) or len(results):
            tenant.model.note(query, self._now(), session)

    def predict_next_queries(
        self,
        current_query: Key,
        top_k: int | None = None,
        min_confidence: float | None = None,
        *,
        user_id: str | None = None,
        session: str = "",
    ) -> list[Prediction]:
        """What probably comes next, the likeliest first; 5 with at least 0.2 where nothing else is said. Raises
        ValueError for a negative number, or a confidence that is not 0 to 1."""
        top_k = self._top_k if top_k is None else top_k
        least = self._min_confidence if min_confidence is None else min_confidence
        _asked(top_k, least)
        if not self._follows(current_query, user_id, session) or (user_id or "") not in self._tenants:
            return []
        tenant = self._tenant(user_id)
        found = tenant.model.next(current_query, self._now(), session, top_k=top_k, min_confidence=least)
        waiting = tenant.open.setdefault(session, {}) if found else {}
        for query, _ in found:
            if query in waiting:
                waiting[query].left = self._within
            else:
                waiting[query] = _Open(self._within)
                self._counts["total"] += 1
        while len(tenant.open) > SESSIONS:
            self._counts["forgotten"] += len(tenant.open.popitem(last=False)[1])
        return [Prediction(query, confidence, user_id or "", session) for query, confidence in found]

    predict_next = predict_next_queries

    async def prewarm_predictions(
        self, predictions: Iterable[Prediction], selection_fn: SelectionFn | None = None
    ) -> int:
        """Brings them to the first level: how many lie there now that did not before. What no level has is made by
        `selection_fn`, or else by the loader, within the budget of the refresher. Raises nothing that these raise."""
        warmed = 0
        for query, _, user, session in predictions:
            ident = Ident(user, self._namespace, query)
            if self.cache.held(ident):
                self._counts["held"] += 1
            elif await self.cache.promote(ident):
                self._counts["promoted"] += 1
                warmed += 1
            elif await self.cache.fresh(ident):  # it can't move up
                continue
            elif await self._refresher.refresh(ident, None if selection_fn is None else _loader(selection_fn)):
                self._counts["loaded"] += 1
                warmed += 1
            else:
                continue
            self._ready(query, user, session)
        return warmed

    def follow(self, query: Key, results: object = None, *, user_id: str | None = None, session: str = "") -> None:
        """Records it, and warms in the background what probably comes next. Waits for nothing, raises nothing."""
        self.record_query(query, results, user_id=user_id, session=session)
        if self._under_way >= UNDER_WAY:
            self._counts["skipped"] += 1
        elif found := self.predict_next_queries(query, user_id=user_id, session=session):
            self._under_way += 1
            self._tasks.spawn(self.prewarm_predictions(found)).add_done_callback(self._done)

    def clear_patterns(self, user_id: str | None = None) -> None:
        """Of one user, or of all."""
        for user in list(self._tenants) if user_id is None else [user_id]:
            self._forget(user)

    def get_statistics(self) -> dict[str, Any]:
        """Nested, and the promised figures under their dotted names as well. An accuracy is of predictions of which it
        is known whether they came true; None where there are none yet."""
        counts, models = self._counts, [tenant.model for tenant in self._tenants.values()]
        known = counts["came"] + counts["lapsed"]
        predictions = {name: counts[name] for name in ("total", "came", "in_time", "lapsed", "forgotten")} | {
            "accuracy": counts["came"] / known if known else None,
            "in_time_rate": counts["in_time"] / known if known else None,
        }
        patterns = {"total": sum(map(len, models)), "tenants": len(models)}
        return {
            "queries": counts["queries"],
            "refused": counts["refused"],
            "predictions": predictions,
            "prewarmed": {name: counts[name] for name in ("held", "promoted", "loaded", "skipped", "failed")},
            "patterns": patterns,
            "predictions.accuracy": predictions["accuracy"],
            "predictions.total": predictions["total"],
            "patterns.total": patterns["total"],
        }

    def _follows(self, query: object, user: object, session: object) -> bool:
        return (
            isinstance(query, str | bytes)
            and 0 < len(query) <= LONGEST
            and (user is None or (isinstance(user, str) and len(user) <= LONGEST))
            and isinstance(session, str)
            and len(session) <= LONGEST
        )

    def _tenant(self, user: str | None) -> _Tenant:
        tenant = self._tenants.pop(user or "", None) or _Tenant(Model(self._most, self._size))
        self._tenants[user or ""] = tenant
        if len(self._tenants) > TENANTS:
            self._forget(next(iter(self._tenants)))
        return tenant

    def _forget(self, user: str) -> None:
        tenant = self._tenants.pop(user, None)
        self._counts["forgotten"] += sum(map(len, tenant.open.values())) if tenant is not None else 0

    def _resolve(self, tenant: _Tenant, query: Key, session: str) -> None:
        waiting = tenant.open.get(session)
        if not waiting:
            return
        tenant.open.move_to_end(session)
        if (came := waiting.pop(query, None)) is not None:
            self._counts["came"] += 1
            self._counts["in_time"] += came.ready
        for late in [each for each, waits in waiting.items() if waits.left <= 1]:
            del waiting[late]
            self._counts["lapsed"] += 1
        for waits in waiting.values():
            waits.left -= 1

    def _ready(self, query: Key, user: str, session: str) -> None:
        tenant = self._tenants.get(user)
        waits = tenant.open.get(session, {}).get(query) if tenant is not None else None
        if waits is not None:
            waits.ready = True

    def _done(self, task: asyncio.Task[int]) -> None:
        self._under_way -= 1
        if not task.cancelled() and (error := task.exception()) is not None:
            self._counts["failed"] += 1
            log.error("warming what comes next has failed", exc_info=error)

    def _now(self) -> int:
        """The hour of the day."""
        now = self._clock()
        if now // QUARTER != self._quarter:
            self._quarter, self._hour = now // QUARTER, datetime.fromtimestamp(now, self._timezone).hour
        return self._hour


def _loader(select: SelectionFn) -> Loader:
    async def load(query: Key, _namespace: str) -> Any:
        value = select(query)
        return await value if isawaitable(value) else value

    return load


def _asked(top_k: int, min_confidence: float) -> None:
    _whole("top_k", top_k, 0)
    if isinstance(min_confidence, bool) or not isinstance(min_confidence, int | float) or not 0 <= min_confidence <= 1:
        raise ValueError(f"min_confidence has to be a number from 0 to 1, and is {min_confidence!r}")


def _whole(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} has to be a whole number from {least}, and is {value!r}")
