from __future__ import annotations

import math

import pytest

from warming.answers_config import WarmingConfig
from warming.scores import WarmingStrategy


def test_the_promised_defaults():
    config = WarmingConfig()
    assert config.strategy is WarmingStrategy.HYBRID
    assert (config.preload_count, config.warm_interval, config.recency_weight) == (100, 300, 0.5)
    assert config.enable_time_based
    assert config.enable_user_specific
    assert config.dollars == 0


@pytest.mark.parametrize("name", ["frequency", "recency", "hybrid", "time_based"])
def test_a_strategy_by_its_name(name):
    assert WarmingConfig(strategy=name).strategy is WarmingStrategy(name)
    assert WarmingConfig(strategy=WarmingStrategy(name)).strategy is WarmingStrategy(name)


@pytest.mark.parametrize(
    "sound",
    [
        {"preload_count": 0},
        {"recency_weight": 0},
        {"recency_weight": 1},
        {"dollars": math.inf},
        {"dollars": 0},
        {"max_keys": 1},
    ],
)
def test_bounds_that_are_allowed(sound):
    assert {name: getattr(WarmingConfig(**sound), name) for name in sound} == sound


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("strategy", "best"),
        ("strategy", None),
        ("strategy", ["hybrid"]),
        ("preload_count", -1),
        ("preload_count", 1.5),
        ("preload_count", True),
        ("preload_count", "100"),
        ("warm_interval", 0),
        ("warm_interval", -300),
        ("warm_interval", math.inf),
        ("recency_weight", -0.1),
        ("recency_weight", 1.1),
        ("recency_weight", math.nan),
        ("recency_weight", None),
        ("half_life", 0),
        ("max_keys", 0),
        ("dollars", -1),
        ("dollars", math.nan),
        ("dollars", "1"),
        ("at_once", 0),
        ("timeout", 0),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(name, value):
    with pytest.raises(ValueError, match=f"{name} has to be"):
        WarmingConfig(**{name: value})


def test_hours_that_are_not_kept_can_not_be_a_strategy():
    with pytest.raises(ValueError, match="enable_time_based"):
        WarmingConfig(strategy="time_based", enable_time_based=False)
