from __future__ import annotations

import pytest

from adapters.tasks import Tasks
from cache import shared_level as module
from cache.levels import CacheLevelConfig, MultiLevelCache
from cache.shared_level import shared_level
from tests.cache.contract import Clock
from tests.redis_server import Server, new_prefix, redis_for_all

__all__ = ["redis_for_all"]


async def test_two_processes_share_what_a_server_keeps(redis: Server) -> None:
    prefix = new_prefix()

    def cache(l1: CacheLevelConfig | None) -> MultiLevelCache:
        l3 = CacheLevelConfig(100, 3600, url=redis.url, prefix=prefix)
        return MultiLevelCache(l1, l3_config=l3, clock=Clock())

    async with cache(None) as one, cache(None) as two:
        assert await one.set("key", {"a": 1}, namespace="tool", tags=("tag",)) is True
        assert await two.get("key", namespace="tool") == {"a": 1}
        assert two.get_stats()["l3"]["hit_rate"] == 1.0
        assert await two.delete("key", namespace="tool") is True
        assert await one.get("key", namespace="tool") is None
    async with cache(CacheLevelConfig()) as one:
        await one.set("key", 1)
        assert await one.clear() == 1


async def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_missing", "a Redis needs the library for it: pip install 'warmgate[redis]'")
    with pytest.raises(ImportError, match="pip install"):
        MultiLevelCache(l3_config=CacheLevelConfig(url="redis://127.0.0.1:1"))


def test_an_address_has_to_be_one() -> None:
    with pytest.raises(ValueError, match=r".+"):
        shared_level(
            "http://127.0.0.1", prefix="x", ttl=1, max_size=1, max_bytes=None, eviction="lru", clock=Clock(),
            tasks=Tasks(),
        )  # fmt: skip
