from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cache.dependencies import Cycle, Dependencies, Missing
from cache.entry import Entry, Shape
from cache.files import BadFile, Changed
from cache.invalidation import Invalidation
from cache.invalidation_api import CacheInvalidator, InvalidationConfig, InvalidationStrategy
from cache.labels import MOST, BadLabel
from cache.memory import Memory
from cache.replicas import Reached
from cache.tiers import Tiers
from cache.value_key import value_key
from tests.cache.contract import Clock, entry_of


class Cache:
    """Values in memory."""

    tenant = "local"

    def __init__(self) -> None:
        self.clock = Clock()
        self.tiers = Tiers(Memory(100, 1 << 20, 10_000, self.clock), None, clock=self.clock)

    async def set(self, key: str, namespace: str = "tool", ttl: float = 5000.0) -> None:
        entry = entry_of(0, self.clock, ttl=ttl, tenant=self.tenant, namespace=namespace, shape=Shape.VALUE)
        own = value_key(self.tenant, namespace, key)
        assert await self.tiers.put(Entry(own, *[getattr(entry, name) for name in Entry.__slots__[1:]]))

    async def get(self, key: str, namespace: str = "tool") -> Entry | None:
        found = await self.tiers.get(value_key(self.tenant, namespace, key))
        return None if found is None else found[0]

    async def held(self, *keys: str) -> str:
        return "".join([key for key in keys if await self.get(key) is not None])


@pytest.fixture
async def cache() -> Cache:
    cache = Cache()
    for key in "abcd":
        await cache.set(key)
    return cache


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


async def test_tags_take_what_is_tagged(cache: Cache) -> None:
    invalidator = CacheInvalidator(cache)
    assert await invalidator.tag("a", "tool", ["doc:1", "x"])
    assert await invalidator.tag("b", "tool", ["doc:1"])
    assert not await invalidator.tag("none", "tool", ["doc:1"])
    assert not await invalidator.tag("a", "other", ["doc:1"])
    assert await invalidator.tag("c", "tool", [])
    assert await invalidator.invalidate_tag("doc:1") == 2
    assert await cache.held(*"abcd") == "cd"
    assert await invalidator.invalidate("c", "tool")
    assert not await invalidator.invalidate("c", "tool")
    assert await cache.held(*"abcd") == "d"


async def test_dependencies_take_what_depends_directly_or_not(cache: Cache) -> None:
    invalidator = CacheInvalidator(cache, dependencies=Dependencies({"agent": ["prompt:support"]}))
    assert await invalidator.add_dependency("b", "tool", on=("a", "tool"))
    assert await invalidator.add_dependency("c", "tool", on=("b", "tool"))
    assert await invalidator.add_dependency("d", "tool", name="agent")
    assert await invalidator.invalidate("a", "tool")
    assert await cache.held(*"abcd") == "d"
    assert await invalidator.invalidate_dependents(name="prompt:support") == 1
    await cache.set("a")
    await cache.set("b")
    await invalidator.add_dependency("b", "tool", on=("a", "tool"))
    with pytest.raises(Cycle):
        await invalidator.add_dependency("a", "tool", on=("b", "tool"))
    with pytest.raises(Missing):
        await invalidator.add_dependency("a", "tool", on=("d", "tool"))
    assert await invalidator.invalidate_dependents(on=("a", "tool")) == 1
    assert await cache.held(*"abcd") == "a"


async def test_what_depends_on_a_file_goes_when_it_changes(cache: Cache, tmp_path: Path) -> None:
    invalidator = CacheInvalidator(cache, roots=[tmp_path])
    path = write(tmp_path / "file", "one")
    assert await invalidator.add_dependency("a", "tool", path)
    assert await invalidator.add_dependency("b", "tool", on=("a", "tool"))
    assert await invalidator.check_files() == 0
    entry = await cache.get("b")
    assert entry is not None
    assert invalidator.current(entry)
    write(path, "longer")
    assert not invalidator.current(entry)
    with pytest.raises(Changed):
        await invalidator.add_dependency("c", "tool", on=("b", "tool"))
    assert await invalidator.check_files() == 2
    assert await cache.held(*"abcd") == "cd"
    assert await invalidator.add_dependency("c", "tool", path)
    assert await invalidator.invalidate_dependents(str(path)) == 1
    with pytest.raises(BadFile):
        await invalidator.add_dependency("d", "tool", "/etc/passwd")


async def test_files_are_watched_where_the_strategy_says_so(cache: Cache, tmp_path: Path) -> None:
    gone = asyncio.Event()
    async with CacheInvalidator(cache, roots=[tmp_path], rewarm=lambda keys: gone.set()) as invalidator:
        await invalidator.add_dependency("a", "tool", tmp_path / "file")
        write(tmp_path / "file", "one")
        async with asyncio.timeout(60):
            await gone.wait()
    assert await cache.held(*"abcd") == "bcd"
    async with CacheInvalidator(cache, InvalidationConfig(InvalidationStrategy.MANUAL), roots=[tmp_path]) as manual:
        await manual.add_dependency("b", "tool", tmp_path / "file")
        assert manual.files.paths


@pytest.mark.parametrize(("strategy", "ends"), [("ttl", True), ("hybrid", True), ("event", False), ("manual", False)])
async def test_what_depends_on_something_ends_by_itself(cache: Cache, strategy: str, ends: bool) -> None:
    config = InvalidationConfig(InvalidationStrategy(strategy), default_ttl=50)
    invalidator = CacheInvalidator(cache, config)
    await invalidator.tag("a", "tool", ["x"])
    await cache.set("b", ttl=20)
    await invalidator.add_dependency("b", "tool", name="y")
    cache.clock.tick(19)
    assert await cache.held(*"ab") == "ab"
    cache.clock.tick(2)
    assert await cache.held(*"ab") == "a"
    cache.clock.tick(30)
    assert await cache.held(*"acd") == ("cd" if ends else "acd")


async def test_what_is_no_dependency_is_refused(cache: Cache) -> None:
    invalidator = CacheInvalidator(cache)
    none: list[dict[str, Any]] = [{}, {"path": "/a", "name": "b"}, {"on": ("a", "b"), "name": "b"}]
    for wrong in none:
        with pytest.raises(ValueError, match="one thing"):
            await invalidator.add_dependency("a", "tool", **wrong)
    with pytest.raises(BadLabel):
        await invalidator.tag("a", "tool", ["two words"])
    with pytest.raises(BadLabel):
        await invalidator.add_dependency("a", "tool", name="file:/x")
    with pytest.raises(BadLabel):
        await invalidator.tag("a", "tool", [f"t{n}" for n in range(MOST + 1)])
    await invalidator.tag("a", "tool", [f"t{n}" for n in range(MOST)])
    with pytest.raises(BadLabel):
        await invalidator.tag("a", "tool", ["more"])


async def test_what_is_off_is_refused(cache: Cache) -> None:
    invalidator = CacheInvalidator(cache, InvalidationConfig(enable_tagging=False, enable_dependencies=False))
    with pytest.raises(ValueError, match="enable_tagging is off"):
        await invalidator.tag("a", "tool", ["x"])
    with pytest.raises(ValueError, match="enable_dependencies is off"):
        await invalidator.add_dependency("a", "tool", "/x")
    for seconds in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="default_ttl"):
            InvalidationConfig(default_ttl=seconds)


def test_what_is_promised() -> None:
    config = InvalidationConfig()
    assert config == InvalidationConfig(
        strategy=InvalidationStrategy.HYBRID, default_ttl=3600, enable_tagging=True, enable_dependencies=True
    )


class Away:
    trusted = True

    async def publish(self, what: Invalidation) -> Reached:
        return Reached(False, ("other",))


async def test_what_is_not_gone_everywhere_is_told(cache: Cache) -> None:
    invalidator = CacheInvalidator(cache, replicas=Away())
    with pytest.raises(OSError, match="other"):
        await invalidator.invalidate("a", "tool")
    assert await cache.held(*"ab") == "b"
