from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cache.invalidation_api import CacheInvalidator
from cache.labels import BadLabel
from cache.level import Share
from cache.levels import CacheLevelConfig, EvictionPolicy, MultiLevelCache, WritePolicy
from cache.sizing import Sizing
from tests.cache.contract import Clock


def on_disk(path: Path, **more: Any) -> CacheLevelConfig:
    return CacheLevelConfig(
        max_size=10000,
        ttl=3600,
        eviction_policy=EvictionPolicy.TTL,
        enable_persistence=True,
        persistence_path=path / "cache.db",
        **more,
    )


@asynccontextmanager
async def both(path: Path, clock: Clock | None = None, **more: Any) -> AsyncIterator[MultiLevelCache]:
    l1 = CacheLevelConfig(max_size=1000, ttl=300, eviction_policy=EvictionPolicy.LRU)
    async with MultiLevelCache(l1_config=l1, l2_config=on_disk(path), clock=clock or Clock(), **more) as cache:
        yield cache


@pytest.mark.parametrize("policy", list(WritePolicy))
@pytest.mark.parametrize("value", [b"\x00\xff", "text ü", {"a": [1, 2.5, None, True]}, [], None, 7, ""])
async def test_what_was_set_comes_back_as_its_kind(tmp_path: Path, policy: WritePolicy, value: Any) -> None:
    async with both(tmp_path, write_policy=policy) as cache:
        assert await cache.set("key", value, namespace="tool", ttl=60) is True
        found = await cache.get("key", namespace="tool", default="nothing")
        assert found == value
        assert type(found) is type(value)
        assert await cache.get("key", default="else") == "else", "of another namespace"
        assert await cache.get("key", namespace="tool", tenant="other", default="else") == "else"
        assert await cache.delete("key", namespace="tool") is True
        assert await cache.delete("key", namespace="tool") is False
        assert await cache.get("key", namespace="tool") is None


async def test_it_lasts_as_long_as_it_was_told_and_no_longer_than_its_levels(tmp_path: Path) -> None:
    clock = Clock()
    async with both(tmp_path, clock) as cache:
        await cache.set("short", 1, ttl=10)
        await cache.set("long", 1, ttl=1e9)
        clock.tick(10)
        assert [await cache.get(key) for key in ("short", "long")] == [None, 1]
        clock.tick(3590)
        assert await cache.get("long") is None


async def test_what_is_on_disk_outlives_the_process(tmp_path: Path) -> None:
    clock = Clock()
    async with both(tmp_path, clock, write_policy=WritePolicy.WRITE_BACK) as cache:
        await cache.set("key", "value")
        assert (await cache.flush(), await cache.flush()) == (1, 0)
        await cache.set("other", "written at the end")
    async with both(tmp_path, clock) as cache:
        assert [await cache.get(key) for key in ("key", "other")] == ["value", "written at the end"]


async def test_namespaces_and_tenants_are_cleared_apart(tmp_path: Path) -> None:
    async with both(tmp_path) as cache:
        for namespace in ("tool", "file"):
            for key in "ab":
                await cache.set(key, 1, namespace=namespace)
        await cache.set("a", 1, namespace="tool", tenant="other")
        assert await cache.clear_namespace("tool") == 2
        assert [await cache.get("a", namespace=each) for each in ("tool", "file")] == [None, 1]
        assert await cache.clear() == 2
        assert await cache.get("a", namespace="file") is None
        assert await cache.get("a", namespace="tool", tenant="other") == 1


async def test_statistics_are_those_that_were_promised(tmp_path: Path) -> None:
    clock = Clock()
    async with both(tmp_path, clock) as cache:
        await cache.set("a", 1, namespace="tool")
        await cache.get("a", namespace="tool")
        await cache.get("b", namespace="tool")
        clock.tick(301)
        await cache.get("a", namespace="tool")
        told = cache.get_stats()
    assert told["write_policy"] == "write_through"
    assert told["combined_hit_rate"] == pytest.approx(2 / 3)
    assert (told["l1"]["hit_rate"], told["l2"]["hit_rate"]) == (pytest.approx(1 / 3), pytest.approx(1 / 2))
    tool = told["namespaces"]["tool"]
    assert (tool["hits"], tool["misses"], tool["l2"]["entries"]) == (2, 1, 1)
    assert "l3" not in told


async def test_tags_and_what_it_depends_on(tmp_path: Path) -> None:
    async with both(tmp_path) as cache:
        invalidator = CacheInvalidator(cache)
        await cache.set("weather", 21, namespace="tool", tags=("weather", "paris"))
        assert await cache.set("report", "warm", depends=("entry:tool/weather",)) is True
        assert await cache.set("letter", "warm", depends=("entry:default/report",)) is True
        assert await cache.set("orphan", "x", depends=("entry:tool/nothing",)) is False
        await cache.set("weather", 22, namespace="tool", tags=("weather",))
        assert [await cache.get(key) for key in ("report", "letter")] == [None, None]
        assert await cache.get("weather", namespace="tool") == 22
        await cache.set("report", "warm", depends=("entry:tool/weather",))
        assert await invalidator.invalidate_tag("weather") == 2
        assert await cache.get("report") is None


async def test_an_analysis_goes_when_its_file_changes(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("one")
    async with both(tmp_path) as cache:
        await cache.set("words", 1, namespace="file", depends=(f"file:{text}",))
        await cache.set("summary", "one", depends=("entry:file/words",))
        assert await cache.get("words", namespace="file") == 1
        text.write_text("one two")
        assert await cache.get("words", namespace="file") is None
        assert await cache.get("summary") is None
        assert await cache.set("late", 1, depends=(f"file:{text};mtime=1",)) is False, "read before it changed"


async def test_what_was_invalidated_while_it_was_made_is_not_kept(tmp_path: Path) -> None:
    async with both(tmp_path) as cache:
        since = cache.tiers.mark()
        await cache.clear_namespace("tool")
        assert await cache.set("key", 1, namespace="tool", since=since) is False
        assert await cache.set("key", 1, namespace="tool") is True


async def test_one_loader_call_for_many_who_wait(tmp_path: Path) -> None:
    async with both(tmp_path) as cache:
        gate, calls = asyncio.Event(), []

        async def load() -> dict[str, int]:
            calls.append(1)
            await gate.wait()
            return {"number": len(calls)}

        waiting = [asyncio.ensure_future(cache.get_or_load("key", load, "tool", 60, ("tag",))) for _ in range(20)]
        await asyncio.sleep(0)
        gate.set()
        assert await asyncio.gather(*waiting) == [{"number": 1}] * 20
        assert await cache.get_or_load("key", load, "tool") == {"number": 1}
        assert len(calls) == 1
        assert await CacheInvalidator(cache).invalidate_tag("tag") == 1
        assert await cache.get_or_load("key", load, "tool") == {"number": 2}


async def test_nobody_gets_what_was_begun_before_it_was_invalidated(tmp_path: Path) -> None:
    async with both(tmp_path) as cache:
        gates, begun = ([asyncio.Event(), asyncio.Event()] for _ in range(2))
        numbers = iter(range(2))

        async def load() -> int:
            number = next(numbers)
            begun[number].set()
            await gates[number].wait()
            return number

        first = asyncio.ensure_future(cache.get_or_load("key", load))
        await begun[0].wait()
        await cache.delete("key")
        second = asyncio.ensure_future(cache.get_or_load("key", load))
        await begun[1].wait()
        gates[0].set()
        assert await first == 0
        assert await cache.get("key") is None
        gates[1].set()
        assert await second == 1
        assert await cache.get("key") == 1


async def test_a_loader_that_fails_is_told_and_what_cannot_be_kept_too(tmp_path: Path) -> None:
    async with both(tmp_path) as cache:

        async def fails() -> int:
            raise OSError("no weather today")

        async def strange() -> object:
            return object()

        with pytest.raises(OSError, match="no weather"):
            await cache.get_or_load("key", fails)
        with pytest.raises(TypeError, match="a value is"):
            await cache.get_or_load("key", strange)

        async def fine() -> None:
            return None

        assert await cache.get_or_load("key", fine, depends=("entry:tool/nothing",)) is None
        assert await cache.get("key", default="not kept") == "not kept"


async def test_processes_that_share_a_file_hear_of_each_other(tmp_path: Path) -> None:
    clock = Clock()
    async with both(tmp_path, clock) as one, both(tmp_path, clock) as two:
        await one.set("key", 1, tags=("tag",))
        await one.get("key")
        await two.delete("key")
        assert await one.get("key") is None


async def test_the_first_level_takes_the_size_it_needs(tmp_path: Path) -> None:
    slept: list[float] = []
    turn, turned = asyncio.Event(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        turned.set()
        await turn.wait()
        turn.clear()

    async with both(tmp_path, adaptive=Sizing(100, 2000, 60), sleep=sleep) as cache:
        await turned.wait()
        for number in range(10):
            await cache.get(f"{number}")
        turned.clear()
        turn.set()
        await turned.wait()
        adaptive = cache.get_stats()["adaptive"]
    assert (adaptive["size"], adaptive["adjustments"], slept) == (1500, 1, [60, 60])
    assert "hit rate 0% below 30%" in adaptive["latest"][0]["reason"]


async def test_every_level_is_optional_and_has_budgets_for_namespaces(tmp_path: Path) -> None:
    l2 = CacheLevelConfig(100, 600, namespaces={"tool": Share(max_size=1)})
    async with MultiLevelCache(None, l2, clock=Clock()) as cache:
        for key in "ab":
            await cache.set(key, key, namespace="tool")
            await cache.set(key, key)
        assert [await cache.get(key, namespace="tool") for key in "ab"] == [None, "b"]
        assert [await cache.get(key) for key in "ab"] == ["a", "b"]
    async with MultiLevelCache(clock=Clock()) as cache:
        await cache.set("key", 1)
        assert await cache.get("key") == 1
    async with MultiLevelCache(None, clock=Clock()) as cache:
        assert await cache.set("key", 1) is False
    del cache
    gc.collect()


async def test_where_a_level_fails_removing_says_so(tmp_path: Path) -> None:
    async with both(tmp_path) as cache:
        await cache.set("key", 1)
        assert cache.tiers.l2 is not None
        await cache.tiers.l2.close()
        with pytest.raises(OSError, match="not removed everywhere"):
            await cache.delete("key")
        assert await cache.get("key") is None


async def test_a_file_that_cannot_be_opened_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"no directory")
    cache = MultiLevelCache(l2_config=on_disk(tmp_path / "file"), clock=Clock())
    with pytest.raises(OSError, match="the log of invalidations"):
        await cache.open()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"write_policy": "write_behind"}, "no write policy is called 'write_behind'"),
        ({"write_policy": "write_around"}, "write_around goes past the first level"),
        ({"flush_interval": 0}, "flush_interval"),
        ({"promote_after": -1}, "promote_after"),
        ({"l3_config": CacheLevelConfig()}, "the third level needs a url"),
        ({"l3_config": CacheLevelConfig(url="http://127.0.0.1")}, "scheme"),
    ],
)
def test_what_makes_no_sense_is_told_at_once(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        MultiLevelCache(**wrong)


async def test_wrong_arguments_are_told(tmp_path: Path) -> None:
    async with both(tmp_path) as cache:
        for ttl in (0, -1, float("nan")):
            with pytest.raises(ValueError, match="ttl has to be more than 0 seconds"):
                await cache.set("key", 1, ttl=ttl)
        with pytest.raises(BadLabel):
            await cache.set("key", 1, tags=("two words",))
        with pytest.raises(BadLabel):
            await cache.set("key", 1, depends=("file:relative",))
        await cache.set("key", 1)
        await cache.set("other", 1, depends=("entry:default/key",))
        with pytest.raises(ValueError, match="depend on itself"):
            await cache.set("key", 1, depends=("entry:default/other",))
        with pytest.raises(TypeError, match="a value is"):
            await cache.set("key", object())
