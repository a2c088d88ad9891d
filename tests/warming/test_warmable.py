"""The caches that can be warmed, with real levels."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cache.invalidation import Invalidation
from cache.level_config import CacheLevelConfig
from cache.levels import MultiLevelCache
from cache.memory import Memory
from cache.tiers import Tiers
from cache.value_key import value_key
from tests.cache.contract import Clock, entry_of, key_of
from tests.cache.scripted_level import ScriptedLevel
from tests.warming.shelves import Shelves
from warming.access_rows import Ident
from warming.warmable import Loaded, OfLevels, OfTiers, clock_of, warmable

TENANT = "team-ü"


def levels(clock, *, l1=10):
    return Tiers(Memory(l1, 1 << 20, 100, clock), ScriptedLevel("l2", 1000, clock), clock=clock)


def ident(name, user=TENANT):
    return Ident(user, "llm.response", key_of(name))


async def test_what_left_memory_is_brought_back_without_being_counted():
    clock = Clock()
    tiers = levels(clock)
    cache = OfTiers(tiers)
    await tiers.put(entry_of("a", clock))
    assert cache.held(ident("a"))
    tiers.l1.clear()
    before = tiers.stats()
    assert not cache.held(ident("a"))
    assert await cache.fresh(ident("a"))
    assert await cache.promote(ident("a"))
    assert cache.held(ident("a"))
    for level in ("l1", "l2"):
        assert {name: tiers.stats()[level][name] for name in ("hits", "misses")} == {
            name: before[level][name] for name in ("hits", "misses")
        }
    clock.tick(100)
    assert not cache.held(ident("a"))
    assert not await cache.promote(ident("a"))
    assert not await cache.fresh(ident("a"))


async def test_what_does_not_fit_into_memory_stays_below():
    clock = Clock()
    tiers = levels(clock, l1=0)
    cache = OfTiers(tiers)
    await tiers.put(entry_of("a", clock))
    assert not await cache.promote(ident("a"))
    assert await cache.fresh(ident("a"))


async def test_only_the_entry_that_was_asked_for_is_kept_and_only_of_that_tenant():
    clock = Clock()
    tiers = levels(clock)
    cache = OfTiers(tiers)
    entry = entry_of("a", clock)
    assert await cache.keep(ident("a"), Loaded(entry), cache.mark())
    for wrong in (entry_of("b", clock), replace(entry, tenant="other")):
        with pytest.raises(ValueError, match="another one"):
            await cache.keep(ident("a"), Loaded(wrong), cache.mark())
    with pytest.raises(TypeError, match="no bytes"):
        await cache.keep(ident("a"), Loaded(b"{}"), cache.mark())
    assert await tiers.get(key_of("b")) is None


async def test_what_was_invalidated_meanwhile_is_not_kept():
    clock = Clock()
    tiers = levels(clock)
    cache = OfTiers(tiers)
    since = cache.mark()
    await tiers.invalidate(Invalidation(keys=(key_of("a"),)))
    assert not await cache.keep(ident("a"), Loaded(entry_of("a", clock)), since)
    assert await cache.keep(ident("a"), Loaded(entry_of("a", clock)), cache.mark())


async def test_a_text_names_nothing_in_the_levels_of_the_proxy():
    cache = OfTiers(levels(Clock()))
    text = Ident(TENANT, "llm.response", "a")
    assert not cache.held(text)
    assert not await cache.promote(text)
    assert not await cache.fresh(text)


async def test_an_application_s_cache_knows_no_users():
    clock = Clock()
    async with MultiLevelCache(l2_config=CacheLevelConfig(10_000, 3_600.0), clock=clock) as application:
        cache = warmable(application)
        one, other = Ident("u", "tool", "search:x"), Ident("v", "tool", "search:x")
        assert await cache.keep(one, Loaded({"found": 1}, ttl=50.0), cache.mark())
        assert cache.held(other)
        assert cache.key(one) == cache.key(other) == value_key("local", "tool", "search:x")
        assert await application.get("search:x", "tool") == {"found": 1}
        application.tiers.l1.clear()
        assert await cache.promote(other)
        assert cache.held(one)
        clock.tick(50)
        assert not await cache.fresh(one)


async def test_what_is_made_anew_still_goes_by_its_tags():
    clock = Clock()
    async with MultiLevelCache(clock=clock) as application:
        cache = warmable(application)
        one, other = Ident("", "tool", "one"), Ident("", "tool", "other")
        since = cache.mark()
        assert await cache.keep(one, Loaded("1", tags=("red",)), since)
        assert await cache.keep(other, Loaded("2", tags=("blue",)), since)
        await application.tiers.invalidate(Invalidation(labels=("red",)))
        assert not cache.held(one)
        assert cache.held(other)
        assert not await cache.keep(one, Loaded("1", tags=("red",)), since)
        assert not await cache.keep(other, Loaded("2", tags=("blue",), depends=("entry:tool/one",)), cache.mark())
        with pytest.raises(TypeError):
            await cache.keep(one, Loaded(object()), cache.mark())


async def test_what_can_be_warmed_is_known_by_what_it_does():
    clock = Clock()
    shelves = Shelves()
    assert warmable(shelves) is shelves
    assert isinstance(warmable(levels(clock)), OfTiers)
    assert isinstance(warmable(MultiLevelCache(clock=clock)), OfLevels)
    for nothing in (None, {}, 7, object()):
        with pytest.raises(TypeError, match="no cache that can be warmed"):
            warmable(nothing)


def test_the_clock_is_the_cache_s_own_where_none_is_given():
    clock, other = Clock(), Clock()
    assert clock_of(MultiLevelCache(clock=clock), None) is clock
    assert clock_of(MultiLevelCache(clock=clock), other) is other
    with pytest.raises(ValueError, match="give one"):
        clock_of(Shelves(), None)
