"""What the ladder adds to the levels: an L1 that follows its hit rate, and predictions that are asked for."""

from __future__ import annotations

from bench_cache_simulated import NAMESPACE, TENANT, Asked, Clock, entry_of, key_of

from cache.adaptive import Adaptive
from cache.entry import Entry
from cache.memory import Memory
from cache.sizing import Sizing
from warming.predictive import PredictiveCacheWarmer


class Grown:
    """L1 of 100 to 2,000 entries, which may become another every 300 s, as by default."""

    def __init__(self, memory: Memory, clock: Clock) -> None:
        self._adaptive, self._clock = Adaptive(memory, Sizing(), clock), clock

    def until_now(self) -> None:
        self._adaptive.step(self._clock())


class Predicted:
    """After each access what probably comes next is brought to L1: promoted, or else asked of the upstream.

    All with the defaults: 500 patterns of each kind, n-grams of 3, at most 5 of a confidence of 0.2. Accesses of a
    trace follow each other in one session.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._warmer = PredictiveCacheWarmer(asked.tiers, clock=asked.clock, namespace=NAMESPACE)

    async def after(self, number: int) -> None:
        key = key_of(number)
        self._warmer.record_query(key, user_id=TENANT)
        if found := self._warmer.predict_next(key, user_id=TENANT):
            await self._warmer.prewarm_predictions(found, self._load)

    def _load(self, key: bytes) -> Entry:
        self._asked.loads += 1
        return entry_of(int(key), self._asked.clock(), self._asked.life)

    @property
    def accuracy(self) -> float | None:
        """Share of predictions that came within the next five accesses; None where there were none."""
        accuracy: float | None = self._warmer.get_statistics()["predictions.accuracy"]
        return accuracy
