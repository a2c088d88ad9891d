"""The warmer of answers: what it brings to the front, what it has made, when, and what can't stop it."""

from __future__ import annotations

import asyncio
import logging
import math
from pathlib import Path

import pytest

from adapters.tasks import Tasks
from cache.invalidation import Invalidation
from cache.level_config import CacheLevelConfig
from cache.levels import MultiLevelCache
from cache.memory import Memory
from cache.tiers import Tiers
from tests.cache.contract import entry_of, key_of
from tests.cache.scripted_level import ScriptedLevel
from tests.fakes import Clock, Time, until
from tests.warming.shelves import Shelves, named
from warming.answers import CacheWarmer
from warming.answers_config import WarmingConfig
from warming.pattern_store import PatternStore
from warming.scores import WarmingStrategy

NINE = 9 * 3600.0


def warmer(cache, loader=None, time=None, *, tasks=None, history=None, **config):
    time = time or Time(NINE)
    return CacheWarmer(
        cache, WarmingConfig(**config), loader, clock=time, sleep=time.sleep, tasks=tasks, history=history
    )


def accessed(some, **times):
    for key, count in times.items():
        for _ in range(count):
            some.record_access(key, hit=False)


def names(shelves):
    return [ident.key for ident in shelves.first]


async def made(key, namespace):
    return f"{namespace}:{key}"


async def test_the_best_come_from_below_the_best_of_all_last():
    shelves = Shelves(most=2)
    some = warmer(shelves, preload_count=3, strategy="frequency")
    accessed(some, a=1, b=4, c=3, d=2, gone=9)
    shelves.below = dict.fromkeys(map(named, "abcd"), "v")
    assert await some.warm_top_items() == 2
    assert names(shelves) == ["c", "b"]
    assert some.get_stats()["warmed"] == {"promoted": 2, "held": 0, "absent": 1, "given": 0, "used": 0}
    assert await some.warm_top_items() == 0
    assert some.get_stats()["warmed"]["held"] == 2
    some.record_access("b", hit=True)
    some.record_access("b", hit=True)
    assert some.get_stats()["warmed"]["used"] == 1


async def test_n_namespace_user_and_hour_are_the_callers():
    shelves = Shelves(apart=True)
    some = warmer(shelves)
    for user, namespace, key in (("u", "m", "k1"), ("u", "n", "k2"), ("v", "n", "k3")):
        some.record_access(key, namespace, True, user)
        shelves.below[named(key, user, namespace)] = "v"
    assert await some.warm_top_items(5, namespace="m") == 1
    assert names(shelves) == ["k1"]
    assert await some.warm_top_items(5, user_id="v") == 1
    assert names(shelves) == ["k1", "k3"]
    assert await some.warm_top_items(0) == 0
    assert await some.warm_top_items(9, "x", "y") == 0
    assert await some.warm_top_items(9, hour=3) == 1
    stats = some.get_stats()
    assert (stats["total_patterns"], stats["unique_keys"], stats["users_tracked"]) == (3, 3, 2)
    assert (stats["strategy"], stats["background_running"]) == ("hybrid", False)


async def test_an_hour_asks_for_what_is_asked_for_then():
    time, shelves = Time(NINE), Shelves()
    some = warmer(shelves, time=time, half_life=1e9)
    for day in range(4):
        time.now = NINE + day * 86400
        some.record_access("morning")
        time.now += 12 * 3600
        some.record_access("evening")
    shelves.below = dict.fromkeys((named("morning"), named("evening")), "v")
    await some.warm_top_items(1, hour=9)
    assert names(shelves) == ["morning"]
    shelves.first.clear()
    await some.warm_top_items(1, hour=21)
    assert names(shelves) == ["evening"]


@pytest.mark.parametrize(
    ("arguments", "config"),
    [
        ({"n": -1}, {}),
        ({"hour": 24}, {}),
        ({"hour": -1}, {}),
        ({"hour": 3}, {"enable_time_based": False}),
        ({"user_id": "u"}, {"enable_user_specific": False}),
    ],
)
async def test_what_can_not_be_asked_for_is_refused(arguments, config):
    with pytest.raises(ValueError):  # noqa: PT011 - five messages
        await warmer(Shelves(), **config).warm_top_items(**arguments)


async def test_users_of_a_cache_that_knows_none_count_together():
    shelves = Shelves()
    some = warmer(shelves, preload_count=1, strategy="frequency")
    for user in "uvw":
        some.record_access("shared", user_id=user)
    for _ in range(2):
        some.record_access("own", user_id="u")
    shelves.below = dict.fromkeys((named("shared"), named("own")), "v")
    await some.warm_top_items()
    assert names(shelves) == ["shared"]


async def test_a_cache_that_knows_users_is_never_warmed_for_another():
    shelves = Shelves(apart=True)
    some = warmer(shelves, made, dollars=math.inf)
    some.record_access("k", user_id="u")
    shelves.below[named("k", "v")] = "of v"
    await some.warm_top_items()
    assert shelves.first == {named("k", "u"): "default:k"}


# Making anew


async def test_what_expired_is_made_anew_the_best_first_while_there_is_money():
    shelves = Shelves()
    some = warmer(shelves, made, dollars=0.02, strategy="frequency", at_once=1)
    accessed(some, a=1, b=2, c=3, below=9)
    shelves.below[named("below")] = "v"
    assert await some.warm_top_items() == 3
    assert names(shelves) == ["below", "c", "b"]
    stats = some.get_stats()
    assert stats["refresh"]["refreshed"] == 2
    assert stats["refresh"]["spent"] == pytest.approx(0.02)
    assert stats["refresh"]["left"] == pytest.approx(0)


async def test_without_a_budget_nothing_is_made_and_that_is_told(caplog):
    shelves = Shelves()
    with caplog.at_level(logging.INFO):
        some = warmer(shelves, made)
    accessed(some, a=3)
    assert await some.warm_top_items() == 0
    assert shelves.first == {}
    assert "dollars is 0" in caplog.text
    assert some.rewarm(["a"]) == 0


async def test_what_is_fresh_but_can_not_move_up_is_not_made_anew():
    shelves = Shelves()
    some = warmer(shelves, made, dollars=math.inf)
    accessed(some, large=1)
    shelves.below[named("large")] = "v"
    shelves.unmovable.add("large")
    assert await some.warm_top_items() == 0
    assert some.get_stats()["refresh"]["refreshed"] == 0
    assert some.get_stats()["warmed"]["absent"] == 0


async def test_an_item_is_given_promoted_or_made():
    shelves = Shelves()
    some = warmer(shelves, made, dollars=math.inf)
    assert await some.warm_item("given", "value", "n", ttl=9.0, user_id="u")
    assert shelves.first == {named("given", namespace="n"): "value"}
    assert shelves.ttls == {named("given", namespace="n"): 9.0}
    assert await some.warm_item("given", namespace="n")
    shelves.below[named("k")] = "v"
    assert await some.warm_item("k")
    assert await some.warm_item("new", namespace="tool")
    assert shelves.first[named("new", namespace="tool")] == "tool:new"
    poor = warmer(Shelves())
    assert not await poor.warm_item("k")


async def test_what_is_hot_is_made_anew_after_it_was_invalidated():
    shelves, tasks = Shelves(), Tasks()
    some = warmer(shelves, made, tasks=tasks, dollars=math.inf, preload_count=2, strategy="frequency")
    accessed(some, hot=5, warm=3, cold=1)
    assert some.rewarm(["hot", "cold", "unknown"]) == 1
    await tasks.drain(5)
    assert names(shelves) == ["hot"]


async def test_levels_tell_what_they_removed_by_their_own_keys():
    time, tasks = Time(NINE), Tasks()
    tiers = Tiers(Memory(10, 1 << 20, 1e6, time), ScriptedLevel("l2", 1e6, time), clock=time)

    async def again(key, namespace):
        return entry_of("hot", time, namespace=namespace)

    some = warmer(tiers, again, time, tasks=tasks, dollars=1.0)
    await tiers.put(entry_of("hot", time))
    some.record_access(key_of("hot"), "llm.response", True, "team-ü")
    removed = await tiers.invalidate(Invalidation(keys=(key_of("hot"),)))
    assert some.rewarm(removed) == 1
    await tasks.drain(5)
    assert tiers.holds(key_of("hot"))


async def test_the_promised_way_around_an_application_s_cache():
    asked = []

    async def value_loader(key, namespace):
        asked.append((key, namespace))
        return {"made of": key}

    clock = Clock(NINE)
    small, large = CacheLevelConfig(max_size=2), CacheLevelConfig(10_000, 3600.0)
    async with MultiLevelCache(l1_config=small, l2_config=large, clock=clock) as cache:
        config = WarmingConfig(
            strategy=WarmingStrategy.HYBRID,
            preload_count=100,
            warm_interval=300,
            recency_weight=0.5,
            enable_time_based=True,
            enable_user_specific=True,
            dollars=1.0,
        )
        some = CacheWarmer(cache, config=config, value_loader=value_loader)
        for name in ("a", "b", "c"):
            await cache.set(name, name.upper(), namespace="tool")
            some.record_access(name, "tool", True, "user")
        some.record_access("a", "tool", True, "user")
        cache.tiers.l1.clear()
        assert await some.warm_top_items(1, "tool", "user", 9) == 1
        assert cache.get_stats()["l2"]["misses"] == 0
        assert await cache.get("a", "tool") == "A"
        assert await some.warm_item("d", "D", namespace="tool", ttl=60.0)
        clock.tick(3600)
        assert await some.warm_top_items(1) == 1
        assert asked == [("a", "tool")]
        assert await cache.get("a", "tool") == {"made of": "a"}
        stats = some.get_stats()
        told = ("strategy", "total_patterns", "unique_keys", "users_tracked", "background_running")
        assert [stats[name] for name in told] == ["hybrid", 3, 3, 1, False]
        await some.close()


# In the background


async def test_rounds_begin_at_once_and_come_every_interval():
    time, shelves, tasks = Time(NINE), Shelves(), Tasks()
    some = warmer(shelves, time=time, tasks=tasks, warm_interval=60)
    accessed(some, a=1)
    shelves.below[named("a")] = "v"

    async def look():
        assert await some.start_background_warming()
        assert not await some.start_background_warming()
        await time.sleep(1)
        assert names(shelves) == ["a"]
        assert some.get_stats()["background_running"]
        shelves.first.clear()
        await time.sleep(58)
        assert names(shelves) == []
        await time.sleep(2)
        assert names(shelves) == ["a"]
        assert some.get_stats()["rounds"] == {"done": 2, "failed": 0}
        assert await some.stop_background_warming()
        assert not await some.stop_background_warming()
        shelves.first.clear()
        await time.sleep(500)
        assert names(shelves) == []
        assert await some.start_background_warming()
        await time.sleep(1)
        assert names(shelves) == ["a"]
        await some.close()

    assert await time.run(look()) == [None]
    assert not some.get_stats()["background_running"]


async def test_to_stop_before_the_start_is_nothing():
    some = warmer(Shelves())
    assert not await some.stop_background_warming()
    await some.close()


async def test_a_round_that_fails_is_told_and_the_next_one_comes(caplog):
    time = Time(NINE)

    class Broken(Shelves):
        async def promote(self, ident):
            raise RuntimeError("a level that breaks its word")

    shelves = Broken()
    some = warmer(shelves, time=time, warm_interval=60)
    accessed(some, a=1)

    async def look():
        await some.start_background_warming()
        await time.sleep(130)
        assert some.get_stats()["rounds"] == {"done": 0, "failed": 3}
        await some.close()

    assert await time.run(look()) == [None]
    assert "breaks its word" in caplog.text


async def test_a_loader_that_hangs_does_not_end_the_rounds():
    time, asked = Time(NINE), []

    async def hangs(key, namespace):
        asked.append(key)
        await asyncio.Event().wait()

    some = warmer(Shelves(), hangs, time, dollars=math.inf, warm_interval=60, timeout=10)
    accessed(some, a=1, b=1)

    async def look():
        await some.start_background_warming()
        await time.sleep(75)
        await some.close()

    assert await time.run(look()) == [None]
    assert len(asked) == 4
    assert some.get_stats()["refresh"]["slow"] == 2  # the second round is still waiting


async def test_what_is_drained_with_all_tasks_is_over():
    time, tasks = Time(NINE), Tasks()
    some = warmer(Shelves(), time=time, tasks=tasks)
    await some.start_background_warming()
    assert await tasks.drain(1) == 0
    assert not some.get_stats()["background_running"]
    await some.close()


# History


async def test_a_restart_begins_with_what_was_hot(tmp_path: Path):
    time = Time(NINE)
    first = warmer(Shelves(), time=time, history=PatternStore(tmp_path / "p.db", time, 6 * 3600.0))
    accessed(first, a=3, b=1)
    assert await first.save_patterns_to_history() == 2
    accessed(first, b=9)
    await first.close()
    shelves = Shelves()
    shelves.below = dict.fromkeys((named("a"), named("b"), named("c")), "v")
    second = warmer(shelves, time=time, history=PatternStore(tmp_path / "p.db", time, 6 * 3600.0), preload_count=1)
    await second.start_background_warming()
    await until(lambda: second.get_stats()["rounds"]["done"])
    assert names(shelves) == ["b"]
    assert await second.load_patterns_from_history() == 2
    assert second.get_stats()["history"]["errors"] == 0
    await second.stop_background_warming()
    await second.close()


async def test_a_file_that_can_not_be_opened_stops_nothing(tmp_path: Path):
    time, shelves = Time(NINE), Shelves()
    (tmp_path / "p.db").mkdir()
    async with warmer(shelves, time=time, history=PatternStore(tmp_path / "p.db", time, 6 * 3600.0)) as some:
        accessed(some, a=1)
        shelves.below[named("a")] = "v"
        await some.start_background_warming()
        await until(lambda: some.get_stats()["rounds"]["done"])
        assert names(shelves) == ["a"]
        assert await some.save_patterns_to_history() == 0
        assert await some.load_patterns_from_history() == 0
        assert some.get_stats()["history"]["errors"] > 0


@pytest.mark.parametrize("strategy", WarmingStrategy)
async def test_every_strategy_warms_from_real_levels(strategy):
    time = Time(NINE)
    tiers = Tiers(Memory(10, 1 << 20, 1e6, time), ScriptedLevel("l2", 1e6, time), clock=time)
    some = warmer(tiers, time=time, strategy=strategy)
    for number in range(5):
        await tiers.put(entry_of(number, time))
        some.record_access(key_of(number), "llm.response", True, "team-ü")
    tiers.l1.clear()
    assert await some.warm_top_items(3) == 3
    assert sum(tiers.holds(key_of(number)) for number in range(5)) == 3
