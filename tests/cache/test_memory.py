from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from cache.entry import Entry
from cache.memory import Memory
from tests.cache.contract import Clock, Contract, entry_of, key_of
from tests.cache.contract_budgets import Budgets


class TestMemory(Contract, Budgets):
    @asynccontextmanager
    async def level(
        self, clock: Clock, max_size: int = 10, max_bytes: int = 1 << 20, ttl: float = 100.0, **more: Any
    ) -> AsyncIterator[Memory]:
        yield Memory(max_size, max_bytes, ttl, clock, **more)


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


def test_what_it_drops_goes_down_as_it_came_while_its_own_time_lasts() -> None:
    clock, told = Clock(), []
    memory = Memory(1, 1 << 20, 50, clock, grace=100, evicted=told.append)
    long, next_one = entry_of(1, clock, ttl=500), entry_of(2, clock, ttl=500)
    memory.put(long)
    clock.tick(60)
    assert memory.get(long.key) == replace(long, expires_at=long.stored_at + 50)
    memory.put(next_one)
    assert told == [[long]], "only its time in this level was over"


def test_whoever_is_told_may_put_into_it_at_once() -> None:
    clock = Clock()
    memory = Memory(2, 1 << 20, 50, clock)
    told: list[bytes] = []

    def evicted(entries: list[Entry]) -> None:
        told.extend(entry.key for entry in entries)
        if len(told) < 4:
            memory.put(entries[0])

    memory.evicted = evicted
    for number in range(3):
        memory.put(entry_of(number, clock))
    assert told == [key_of(n) for n in (0, 1, 2, 0)]
    assert memory.held() == [key_of(1), key_of(2)]
    assert memory.bytes == 2 * entry_of(0, clock).size


def test_a_smaller_size_takes_the_first_ones_at_once_and_a_larger_one_gives_room() -> None:
    clock, told = Clock(), []
    memory = Memory(5, 1 << 20, 50, clock, evicted=told.append)
    for number in range(5):
        memory.put(entry_of(number, clock))
    assert memory.resize(2) == 3
    assert [[entry.key for entry in entries] for entries in told] == [[key_of(n) for n in range(3)]]
    assert (memory.max_size, len(memory), memory.evictions) == (2, 2, 3)
    assert memory.resize(4) == 0
    for number in range(5, 7):
        memory.put(entry_of(number, clock))
    assert len(memory) == 4
    with pytest.raises(ValueError, match="max_size"):
        memory.resize(-1)
    assert memory.resize(0) == 4
    assert memory.put(entry_of(1, clock)) is False


def test_a_clock_set_back_gives_no_grace_anew() -> None:
    clock = Clock()
    memory = Memory(10, 1 << 20, 1000, clock, grace=20)
    memory.put(entry_of(1, clock, ttl=10))
    clock.tick(12)
    assert not memory.get(key_of(1)).fresh(clock())
    clock.tick(-3600)
    found = memory.get(key_of(1))
    assert found is not None
    assert not found.fresh(clock()), "its end has moved with the clock"
    clock.tick(18)
    assert memory.get(key_of(1)) is None


def test_what_was_never_there_is_a_miss_of_no_namespace() -> None:
    clock = Clock()
    memory = Memory(10, 1 << 20, 1000, clock)
    memory.put(entry_of(1, clock, namespace="tool"))
    memory.get(key_of(2))
    memory.peek(key_of(1))
    assert memory.namespaces()["tool"] == {
        "entries": 1,
        "bytes": entry_of(1, clock).size,
        "hits": 1,
        "misses": 0,
        "evictions": 0,
    }


def test_namespaces_that_clients_name_at_will_do_not_pile_up() -> None:
    clock = Clock()
    memory = Memory(10, 1 << 20, 1000, clock)
    for number in range(3000):
        memory.put(entry_of(number, clock, namespace=f"n{number}"))
        memory.put(entry_of("wide", clock, namespace=f"m{number}", body=b"x" * (1 << 20)))
    assert len(memory) == 10
    assert len(memory.namespaces()) < 120
