from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cache.level import Share
from cache.level_config import CacheLevelConfig, EvictionPolicy, WritePolicy, known_policy, seconds


def test_names_and_defaults_are_those_that_were_promised() -> None:
    config = CacheLevelConfig(
        max_size=10000,
        ttl=3600,
        eviction_policy=EvictionPolicy.TTL,
        enable_persistence=True,
        persistence_path="/somewhere/cache.db",
    )
    assert config.path == Path("/somewhere/cache.db")
    assert CacheLevelConfig() == CacheLevelConfig(max_size=1000, ttl=300, eviction_policy=EvictionPolicy.LRU)
    assert [each.value for each in EvictionPolicy] == ["lru", "lfu", "fifo", "ttl"]
    assert [each.value for each in WritePolicy] == ["write_through", "write_back", "write_around"]


def test_policies_may_be_given_by_name() -> None:
    assert CacheLevelConfig(eviction_policy="lfu").eviction_policy is EvictionPolicy.LFU
    assert known_policy("write_back") is known_policy(WritePolicy.WRITE_BACK) is WritePolicy.WRITE_BACK


def test_without_persistence_a_path_is_not_used() -> None:
    assert CacheLevelConfig(persistence_path="/somewhere").path is None


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"max_size": -1}, "max_size has to be 1 entry or more, not -1"),
        ({"max_size": 0}, "max_size"),
        ({"max_size": 1.5}, "max_size"),
        ({"max_size": True}, "max_size"),
        ({"max_size": "10"}, "max_size"),
        ({"max_bytes": 0}, "max_bytes"),
        ({"ttl": 0}, "ttl has to be more than 0 seconds, not 0"),
        ({"ttl": -5}, "ttl"),
        ({"ttl": float("nan")}, "ttl"),
        ({"ttl": float("inf")}, "ttl"),
        ({"ttl": None}, "ttl"),
        ({"eviction_policy": "mru"}, "no order of eviction is called 'mru': there are lru, lfu, fifo, ttl"),
        ({"eviction_policy": None}, "no order of eviction is called None"),
        ({"enable_persistence": True}, "enable_persistence needs a persistence_path"),
        ({"namespaces": {"tool": Share(ttl=0)}}, "ttl of 'tool'"),
    ],
)
def test_what_makes_no_sense_is_told(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        CacheLevelConfig(**wrong)


def test_the_same_for_write_policies_and_seconds() -> None:
    with pytest.raises(
        ValueError, match="no write policy is called 'write_behind': there are write_through, write_back"
    ):
        known_policy("write_behind")
    assert seconds(5, "x") == 5.0
    with pytest.raises(ValueError, match="x has to be more than 0 seconds, not True"):
        seconds(True, "x")
