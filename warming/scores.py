"""Which kept answers are worth warming first: what is known of their accesses, as numbers between 0 and 1. Pure.

This is the warming of *answers* (what a cache of ours keeps); that of providers' prompt caches is in `warming.warm`.

    frequency   the number of accesses, each worth half as much after `half_life`, divided by the largest
    recency     1 for the candidate that was accessed last, 0 for the one longest ago, in between by time
    hybrid      recency_weight * recency + (1 - recency_weight) * frequency
    time_based  frequency * the share of its accesses that falls into this hour of the day, divided by the largest

The share alone would put what was accessed once, at this hour, before everything that is in use all day. It counts the
two neighbouring hours half, and begins with `PRIOR` accesses spread evenly over the day.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

HOURS = 24

PRIOR = 4.0
"""Accesses that every candidate is taken to have had, evenly over the day: a few prove no habit."""

Numbers = NDArray[np.float64]


class WarmingStrategy(StrEnum):
    FREQUENCY = "frequency"
    RECENCY = "recency"
    HYBRID = "hybrid"
    TIME_BASED = "time_based"


class Facts(NamedTuple):
    """Of the candidates, in one order."""

    weights: Numbers
    """(candidates,) accesses, decayed to one moment."""
    last: Numbers
    """(candidates,) seconds, when each was accessed last."""
    hours: NDArray[np.int64]
    """(candidates, 24) accesses in each hour of the day."""


def scores(facts: Facts, strategy: WarmingStrategy, recency_weight: float, hour: int) -> Numbers:
    """(candidates,) between 0 and 1. `hour`: of the day, 0 to 23, for which `time_based` asks."""
    if strategy is WarmingStrategy.FREQUENCY:
        return frequency(facts)
    if strategy is WarmingStrategy.RECENCY:
        return recency(facts)
    if strategy is WarmingStrategy.TIME_BASED:
        return _scaled(frequency(facts) * share(facts.hours, hour))
    return recency_weight * recency(facts) + (1 - recency_weight) * frequency(facts)


def frequency(facts: Facts) -> Numbers:
    return _scaled(facts.weights)


def recency(facts: Facts) -> Numbers:
    """By time and not by rank or half-life: those spread what was asked for a moment ago over the whole range, where it
    outweighs frequency (hybrid on a generated day: 32.0% of accesses from L1, 30.4% by rank, 26.5% to 28.0% by
    half-life, `./scripts/bench cache --only hits`)."""
    first, last = facts.last.min(initial=np.inf), facts.last.max(initial=-np.inf)
    if not last > first:
        return np.ones(len(facts.last))
    between: Numbers = (facts.last - first) / (last - first)
    return between


def share(hours: NDArray[np.int64], hour: int) -> Numbers:
    """(candidates,) of each one's accesses, in this hour; over all 24 hours they sum to 1."""
    near = (hours[:, hour] + 0.5 * (hours[:, hour - 1] + hours[:, (hour + 1) % HOURS])) / 2
    shared: Numbers = (near + PRIOR / HOURS) / (hours.sum(axis=1) + PRIOR)
    return shared


def _scaled(values: Numbers) -> Numbers:
    most = values.max(initial=0.0)
    return values / most if most > 0 else np.zeros(len(values))
