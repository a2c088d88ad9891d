from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.tasks import Tasks
from cache import shared_level as module
from cache.levels import CacheLevelConfig, MultiLevelCache
from cache.shared_level import shared_level
from tests.cache.contract import Clock
from tests.redis_server import Server, new_prefix, redis_for_all

__all__ = ["redis_for_all"]


def cache(redis: Server, prefix: str, **more: Any) -> MultiLevelCache:
    l3 = CacheLevelConfig(100, 3600, url=redis.url, prefix=prefix)
    return MultiLevelCache(**{"l1_config": CacheLevelConfig(), "l3_config": l3, "clock": Clock(), **more})


async def test_processes_share_what_a_server_keeps_and_hear_of_each_other(redis: Server) -> None:
    prefix = new_prefix()
    async with cache(redis, prefix) as one, cache(redis, prefix) as two:
        assert await one.set("key", {"a": 1}, namespace="tool", tags=("tag",)) is True
        for _ in range(4):
            assert await two.get("key", namespace="tool") == {"a": 1}
        stats = two.get_stats()
        assert (stats["l3"]["hits"], stats["l1"]["hits"]) == (3, 1)
        assert await one.delete("key", namespace="tool") is True
        assert await two.get("key", namespace="tool") is None
        await two.set("other", 1)
        assert await one.clear() == 1


async def test_one_that_uses_the_server_alone_needs_nobody(redis: Server) -> None:
    async with cache(redis, new_prefix(), alone=True) as one:
        await one.set("key", 1)
        assert await one.delete("key") is True
        assert await one.get("key") is None
        await one.set("key", 2)
        assert await one.get("key") == 2


async def test_what_was_removed_while_it_was_away_does_not_come_back_from_its_disk(
    redis: Server, tmp_path: Path
) -> None:
    prefix = new_prefix()
    l2 = CacheLevelConfig(100, 3600, enable_persistence=True, persistence_path=tmp_path / "cache.db")
    async with cache(redis, prefix) as two:
        async with cache(redis, prefix, l2_config=l2) as one:
            await one.set("key", 1)
            await one.set("other", 1)
        assert await two.delete("key") is True
    async with cache(redis, prefix, l2_config=l2) as one:
        assert await one.get("key") is None
        assert await one.get("other") == 1


async def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_missing", "a Redis needs the library for it: pip install 'warmgate[redis]'")
    with pytest.raises(ImportError, match="pip install"):
        MultiLevelCache(l3_config=CacheLevelConfig(url="redis://127.0.0.1:1"))


def test_an_address_has_to_be_one() -> None:
    for url, told in (("http://127.0.0.1", "scheme"), (None, "the third level needs a url")):
        with pytest.raises(ValueError, match=told):
            shared_level(CacheLevelConfig(url=url), clock=Clock(), tasks=Tasks())
