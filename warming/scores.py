"""Which kept answers are worth warming first: what is known of their accesses, as numbers between 0 and 1. Pure.

This is the warming of *answers* (what a cache of ours keeps); that of providers' prompt caches is in `warming.warm`.

    frequency   the number of accesses, each worth half as much after `half_life`, divided by the largest
    recency     1 for the candidate that was accessed last, 0 for the first, in between by rank
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
    """By rank and not by seconds: one candidate that nobody has asked for in a month would put all others near 1.
    Those accessed at the same moment share the highest rank among them."""
    moments, rank = np.unique(facts.last, return_inverse=True)
    if len(moments) < 2:
        return np.ones(len(facts.last))
    return rank / (len(moments) - 1)


def share(hours: NDArray[np.int64], hour: int) -> Numbers:
    """(candidates,) of each one's accesses, in this hour; over all 24 hours they sum to 1."""
    near = (hours[:, hour] + 0.5 * (hours[:, hour - 1] + hours[:, (hour + 1) % HOURS])) / 2
    shared: Numbers = (near + PRIOR / HOURS) / (hours.sum(axis=1) + PRIOR)
    return shared


def _scaled(values: Numbers) -> Numbers:
    most = values.max(initial=0.0)
    return values / most if most > 0 else np.zeros(len(values))
