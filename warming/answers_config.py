"""What is configured for the warming of answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from math import isfinite
from typing import Any

from warming.scores import WarmingStrategy


@dataclass(frozen=True, slots=True)
class WarmingConfig:
    """Times in seconds. Raises ValueError for what makes no sense, with the name of the setting.

    A `warm_interval` of 60 to 120 suits answers that change fast, 300 to 600 most, 900 to 1,800 those that hardly do.
    """

    strategy: WarmingStrategy = WarmingStrategy.HYBRID
    """Or its name."""
    preload_count: int = 100
    """Entries that a round looks at, the best first; 0: none."""
    warm_interval: float = 300.0
    recency_weight: float = 0.5
    enable_time_based: bool = True
    """Whether the hours of accesses are kept."""
    enable_user_specific: bool = True
    """Whether accesses are kept by user."""
    half_life: float = 6 * 3600.0
    """After this time an access counts half."""
    max_keys: int = 10_000
    """Keys that are tracked at most (of each user apart); then the least valuable go."""
    dollars: float = 0.0
    """That refreshing may cost a day; 0: nothing is refreshed; `math.inf`: loaders that cost nothing."""
    at_once: int = 4
    """Refreshes under way."""
    timeout: float = 60.0
    """Of one refresh."""
    timezone: tzinfo = UTC
    """Of the hours of the day."""

    def __post_init__(self) -> None:
        names = [strategy.value for strategy in WarmingStrategy]
        _held("strategy", self.strategy, lambda it: it in names, "one of " + ", ".join(names))
        object.__setattr__(self, "strategy", WarmingStrategy(self.strategy))
        _number("preload_count", self.preload_count, lambda it: it >= 0 and it == int(it), "a whole number from 0")
        _number("max_keys", self.max_keys, lambda it: it >= 1 and it == int(it), "a whole number from 1")
        _number("at_once", self.at_once, lambda it: it >= 1 and it == int(it), "a whole number from 1")
        _number("recency_weight", self.recency_weight, lambda it: 0 <= it <= 1, "a number from 0 to 1")
        for name in ("warm_interval", "half_life", "timeout"):
            _number(name, getattr(self, name), lambda it: it > 0, "a number of seconds above 0")
        _held("dollars", self.dollars, lambda it: _plain(it) and it >= 0, "a number from 0")
        if self.strategy is WarmingStrategy.TIME_BASED and not self.enable_time_based:
            raise ValueError("strategy time_based needs enable_time_based")


def _plain(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(name: str, value: Any, rule: Callable[[Any], bool], words: str) -> None:
    _held(name, value, lambda it: _plain(it) and isfinite(it) and rule(it), words)


def _held(name: str, value: Any, rule: Callable[[Any], bool], words: str) -> None:
    if not rule(value):
        raise ValueError(f"{name} has to be {words}, and is {value!r}")
