from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cache.memory import Memory
from tests.cache.contract import Clock, Contract, entry_of, key_of


class TestMemory(Contract):
    @asynccontextmanager
    async def level(
        self, clock: Clock, max_size: int = 10, max_bytes: int = 1 << 20, ttl: float = 100.0
    ) -> AsyncIterator[Memory]:
        yield Memory(max_size, max_bytes, ttl, clock)


def test_the_least_recently_used_goes_first() -> None:
    clock = Clock()
    memory = Memory(2, 1 << 20, 100, clock)
    memory.put(entry_of(1, clock))
    memory.put(entry_of(2, clock))
    assert memory.get(key_of(1)) is not None
    memory.put(entry_of(3, clock))
    assert [memory.get(key_of(n)) is not None for n in (1, 2, 3)] == [True, False, True]


def test_length_and_bytes_do_not_count_the_expired() -> None:
    clock = Clock()
    memory = Memory(10, 1 << 20, 100, clock)
    memory.put(entry_of(1, clock, ttl=5))
    memory.put(entry_of(2, clock, ttl=50))
    clock.tick(10)
    assert len(memory) == 1
    assert memory.bytes == entry_of(2, clock).size
    assert memory.expirations == 1
    assert memory.evictions == 0


def test_a_clock_set_back_prolongs_nothing() -> None:
    clock = Clock()
    memory = Memory(10, 1 << 20, 100, clock)
    memory.put(entry_of("before", clock, ttl=100))
    clock.tick(60)
    assert memory.get(key_of("before")) is not None  # seen at that time: what passes unseen can't be told from a step
    clock.tick(-86_400)
    assert memory.get(key_of("before")) is not None
    memory.put(entry_of("after", clock, ttl=100))
    clock.tick(40)
    assert memory.get(key_of("before")) is None
    clock.tick(59)
    assert memory.get(key_of("after")) is not None
    clock.tick(1)
    assert memory.get(key_of("after")) is None


def test_an_expired_entry_stays_expired_when_the_clock_goes_back() -> None:
    clock = Clock()
    memory = Memory(10, 1 << 20, 100, clock)
    memory.put(entry_of(1, clock, ttl=10))
    clock.tick(11)
    assert memory.get(key_of(1)) is None
    clock.tick(-11)
    assert memory.get(key_of(1)) is None


def test_the_last_entry_may_expire_while_room_is_made() -> None:
    """Every look at this clock costs two seconds, so that time runs out between any two lines."""
    ticks = Clock()

    def hurried() -> float:
        ticks.tick(2)
        return ticks()

    memory = Memory(1, 1 << 20, 15, hurried)
    for number in range(50):
        memory.put(entry_of(number, ticks, ttl=1000))
        assert len(memory) <= 1


def test_a_peek_that_finds_nothing_is_no_miss() -> None:
    clock = Clock()
    memory = Memory(10, 1 << 20, 100, clock)
    assert memory.peek(key_of(1)) is None
    memory.put(entry_of(1, clock))
    assert memory.peek(key_of(1)) is not None
    assert (memory.hits, memory.misses) == (1, 0)


def test_unique_keys_do_not_pile_up() -> None:
    clock = Clock()
    memory = Memory(50, 1 << 20, 100, clock)
    for number in range(5_000):
        memory.put(entry_of(number, clock))
        clock.tick(0.01)
    assert len(memory) == 50
    assert memory.evictions == 4_950
