from __future__ import annotations

import pytest

from cache.adaptive import Adaptive, AdaptiveLRUCache
from cache.memory import Memory
from cache.sizing import Sizing
from tests.cache.contract import Clock, entry_of, key_of


def small(clock: Clock, max_bytes: int = 1 << 20) -> Memory:
    return Memory(10, max_bytes, 1000, clock)


def test_a_memory_that_drops_what_is_asked_for_grows_and_then_finds_it() -> None:
    clock = Clock()
    memory = small(clock)
    adaptive = Adaptive(memory, Sizing(5, 40, 60), clock)

    def round_trip() -> int:
        before = memory.hits
        for number in range(20):
            if memory.get(key_of(number)) is None:
                memory.put(entry_of(number, clock, ttl=10_000))
        return memory.hits - before

    assert [round_trip(), round_trip()] == [0, 0], "what goes round and round is always dropped too early"
    assert adaptive.step(clock()) is None, "too early"
    clock.tick(60)
    first = adaptive.step(clock())
    assert first is not None
    assert (first.old_size, first.new_size, memory.max_size) == (10, 15, 15)
    for _ in range(2):
        round_trip()
        clock.tick(60)
        adaptive.step(clock())
    assert memory.max_size >= 20
    round_trip()
    assert round_trip() == 20
    told = adaptive.stats()
    assert (told["grown"], told["shrunk"], told["size"]) == (told["adjustments"], 0, memory.max_size)
    assert told["latest"][0] == {"old_size": 10, "new_size": 15, "reason": first.reason}


def test_a_memory_that_is_nearly_full_and_finds_nearly_all_shrinks() -> None:
    clock = Clock()
    size = entry_of(1, clock).size
    memory = small(clock, max_bytes=10 * size)
    adaptive = Adaptive(memory, Sizing(5, 40, 60), clock)
    for number in range(10):
        memory.put(entry_of(number, clock, ttl=10_000))
    for number in range(10):
        memory.get(key_of(number))
    adjustment = adaptive.adjust(clock())
    assert (adjustment.new_size, memory.max_size, len(memory)) == (8, 8, 8)
    memory.get(key_of(9))
    assert adaptive.adjust(clock()).new_size == 8, "what it dropped itself is no sign of too little room"


def test_a_clock_that_is_set_back_puts_it_off_by_one_interval_at_most() -> None:
    clock = Clock()
    adaptive = Adaptive(small(clock), Sizing(5, 40, 60), clock)
    clock.tick(-1000)
    assert adaptive.due(clock()) is False
    clock.tick(60)
    assert adaptive.due(clock()) is True


def test_a_size_outside_of_what_was_asked_for_is_brought_inside() -> None:
    clock = Clock()
    memory = small(clock)
    adaptive = Adaptive(memory, Sizing(20, 40), clock)
    assert memory.max_size == 20
    assert adaptive.stats()["latest"][0]["reason"] == "outside of what was asked for"


async def test_it_goes_on_for_ever() -> None:
    clock = Clock()
    memory = small(clock)
    adaptive = Adaptive(memory, Sizing(5, 40, 60), clock)
    slept: list[float] = []

    class Enough(Exception):
        pass

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 2:
            raise Enough
        memory.get(key_of("nothing"))

    with pytest.raises(Enough):
        await adaptive.adjust_for_ever(sleep)
    assert slept == [60, 60, 60]
    assert memory.max_size == 22


def test_the_cache_by_itself_is_used_as_promised() -> None:
    clock = Clock()
    cache: AdaptiveLRUCache[str, str] = AdaptiveLRUCache(
        initial_size=500, max_size=2000, min_size=100, target_hit_rate=0.6, adjustment_interval=300, clock=clock
    )
    assert cache.get("a") is None
    assert cache.get("a", "else") == "else"
    assert cache.put("a", "1") is True
    assert (cache.get("a"), "a" in cache, len(cache)) == ("1", True, 1)
    metrics = cache.get_metrics()
    assert metrics["performance"]["hit_rate"] == pytest.approx(1 / 3)
    assert (metrics["size"]["current"], metrics["adaptive"]["adjustments"]) == (500, 0)
    assert cache.should_adjust() is False
    clock.tick(300)
    assert cache.should_adjust() is True
    told = cache.adjust_size()
    assert (told["old_size"], told["new_size"], told["reason"]) == (
        500,
        500,
        "hit rate 33%, memory use 0%: as it should be",
    )
    for _ in range(10):
        cache.get("nothing")
    assert cache.adjust_size()["new_size"] == 750
    assert cache.metrics["adaptive"]["adjustments"] == 1
    assert cache.delete("a") is True
    assert cache.delete("a") is False
    assert cache.bytes == 0


def test_who_uses_it_adjusts_it() -> None:
    clock = Clock()
    cache: AdaptiveLRUCache[int, bytes] = AdaptiveLRUCache(10, 20, 5, clock=clock)
    for number in range(40):
        cache.get(number)
        cache.put(number, b"")
    assert (len(cache), cache.evictions, 39 in cache, 29 in cache) == (10, 30, True, False)
    clock.tick(300)
    cache.get(0)
    assert cache.max_size == 15


def test_bytes_are_bounded_too() -> None:
    cache: AdaptiveLRUCache[str, bytes] = AdaptiveLRUCache(10, 20, 5, max_bytes=100, getsizeof=len, clock=Clock())
    assert cache.put("a", b"x" * 101) is False
    cache.put("b", b"x" * 60)
    cache.put("a", b"x" * 40)
    cache.get("b")
    cache.put("c", b"x" * 30)
    assert [key in cache for key in "abc"] == [False, True, True]
    assert cache.put("b", b"x" * 101) is False
    assert ("b" in cache, cache.bytes) == (False, 30)
    cache.clear()
    assert (len(cache), cache.bytes) == (0, 0)


@pytest.mark.parametrize("wrong", [{"initial_size": 50}, {"initial_size": 3000}, {"max_size": -1}, {"max_bytes": 0}])
def test_what_makes_no_sense_is_told(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"size|max_bytes"):
        AdaptiveLRUCache(**wrong)
