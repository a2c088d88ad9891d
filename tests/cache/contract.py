"""What every level of the exact cache promises, and the small fakes its tests need."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.usage import Usage
from cache.entry import OVERHEAD, Entry, Shape

START = 1_800_000_000.0


class Clock:
    """Wall-clock seconds that pass when told to."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += seconds


def key_of(name: int | str) -> bytes:
    return str(name).encode().rjust(32, b"\0")


def entry_of(name: int | str, clock: Clock, *, body: bytes = b"{}", ttl: float = 100.0, **other: Any) -> Entry:
    facts: dict[str, Any] = {
        "tenant": "team-ü",
        "namespace": "",
        "model": "gpt-5-mini",
        "shape": Shape.MESSAGE,
        "status": 200,
        "headers": (("Content-Type", "application/json"), ("x-request-id", "r\x00é\u2028")),
        "with_usage": True,
        "usage": Usage(10, 20, 0, 0, 30, 5),
        "cost": 0.0125,
    }
    facts.update(other)
    return Entry(key=key_of(name), body=body, stored_at=clock(), expires_at=clock() + ttl, **facts)


async def settled(value: Any) -> Any:
    """The value, also where it has to be awaited: the contract is the same for both kinds of level."""
    return await value if inspect.isawaitable(value) else value


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 5), st.integers(1, 60)),
        st.tuples(st.just("get"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("delete"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("clear"), st.just(0), st.just(0)),
        st.tuples(st.just("tick"), st.just(0), st.integers(1, 30)),
    ),
    max_size=40,
)


class Contract:
    """Mix in and say how a level of that kind is opened."""

    @asynccontextmanager
    async def level(
        self, clock: Clock, max_size: int = 10, max_bytes: int = 1 << 20, ttl: float = 100.0
    ) -> AsyncIterator[Any]:
        raise NotImplementedError
        yield

    async def test_what_is_put_comes_back_with_every_fact(self) -> None:
        clock = Clock()
        plain = {"usage": None, "cost": None, "with_usage": False, "shape": Shape.FRAMES, "headers": (), "tenant": ""}
        entries = [
            entry_of(1, clock, body=b"\x00\xff" * 5000, namespace="n", status=203),
            entry_of(2, clock, body=b"", **plain),
            entry_of(3, clock, cost=0.0, usage=Usage(estimated=True)),
        ]
        async with self.level(clock) as level:
            for entry in entries:
                assert await settled(level.put(entry)) is True
            assert [await settled(level.get(entry.key)) for entry in entries] == entries
            assert await settled(level.get(key_of(9))) is None
            stats = level.stats()
            assert (stats["entries"], stats["hits"], stats["misses"], stats["errors"]) == (3, 3, 1, 0)
            assert stats["bytes"] == sum(entry.size for entry in entries)

    async def test_an_entry_ends_at_its_own_time_or_that_of_the_level(self) -> None:
        clock = Clock()
        async with self.level(clock, ttl=50) as level:
            await settled(level.put(entry_of("own", clock, ttl=20)))
            await settled(level.put(entry_of("long", clock, ttl=500)))
            assert await settled(level.put(entry_of("over", clock, ttl=0))) is False
            clock.tick(19.5)
            assert await settled(level.get(key_of("own"))) is not None
            clock.tick(0.5)
            assert await settled(level.get(key_of("own"))) is None
            clock.tick(29.5)
            assert await settled(level.get(key_of("long"))) is not None
            clock.tick(0.5)
            assert await settled(level.get(key_of("long"))) is None
            await settled(level.put(entry_of("next", clock)))
            assert level.stats()["expirations"] == 2
            assert level.stats()["entries"] == 1

    async def test_both_budgets_hold(self) -> None:
        clock = Clock()
        async with self.level(clock, max_size=3, max_bytes=4 * (OVERHEAD + 100)) as level:
            for number in range(8):
                clock.tick(1)
                assert await settled(level.put(entry_of(number, clock, body=b"x" * 100))) is True
            assert level.stats()["entries"] == 3
            assert level.stats()["evictions"] == 5
            assert await settled(level.get(key_of(7))) is not None
            assert await settled(level.put(entry_of("wide", clock, body=b"x" * (2 * OVERHEAD + 300), ttl=101))) is True
            assert level.stats()["bytes"] <= 4 * (OVERHEAD + 100)
            assert await settled(level.get(key_of("wide"))) is not None

    async def test_what_exceeds_a_budget_by_itself_is_refused_and_so_is_what_it_replaces(self) -> None:
        clock = Clock()
        async with self.level(clock, max_bytes=OVERHEAD + 10) as level:
            assert await settled(level.put(entry_of(1, clock, body=b"x" * 10))) is True
            assert await settled(level.put(entry_of(1, clock, body=b"x" * 11))) is False
            assert await settled(level.get(key_of(1))) is None
            assert level.stats()["bytes"] == 0
        async with self.level(clock, max_size=0) as level:
            assert await settled(level.put(entry_of(1, clock))) is False

    async def test_a_newer_answer_replaces_the_older(self) -> None:
        clock = Clock()
        async with self.level(clock) as level:
            for body in (b"first", b"second, which is longer", b"3"):
                clock.tick(1)
                await settled(level.put(entry_of(1, clock, body=body)))
            assert (await settled(level.get(key_of(1)))).body == b"3"
            assert level.stats()["bytes"] == OVERHEAD + 1
            assert level.stats()["evictions"] == 0

    async def test_delete_and_clear(self) -> None:
        clock = Clock()
        async with self.level(clock) as level:
            for number in range(4):
                await settled(level.put(entry_of(number, clock)))
            assert await settled(level.delete(key_of(0))) is True
            assert await settled(level.delete(key_of(0))) is False
            assert await settled(level.get(key_of(0))) is None
            assert await settled(level.clear()) == 3
            assert await settled(level.get(key_of(1))) is None
            assert (level.stats()["entries"], level.stats()["bytes"]) == (0, 0)
            assert await settled(level.put(entry_of(1, clock))) is True

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(operations=OPERATIONS)
    async def test_it_behaves_like_a_dictionary_with_deadlines(self, operations: list[tuple[str, int, int]]) -> None:
        clock = Clock()
        model: dict[bytes, Entry] = {}
        async with self.level(clock, ttl=40) as level:
            for turn, (verb, number, seconds) in enumerate(operations):
                key = key_of(number)
                kept = model.get(key)
                fresh = kept is not None and clock() < min(kept.expires_at, kept.stored_at + 40)
                if verb == "put":
                    model[key] = entry_of(number, clock, body=b"%d" % turn, ttl=seconds)
                    assert await settled(level.put(model[key])) is True
                elif verb == "get":
                    found = await settled(level.get(key))
                    assert (found and found.body) == (kept.body if kept is not None and fresh else None)
                elif verb == "delete":
                    # an expired one that still lies there may count as one or not
                    assert await settled(level.delete(key)) is fresh or (kept is not None and not fresh)
                    model.pop(key, None)
                elif verb == "clear":
                    await settled(level.clear())
                    model.clear()
                else:
                    clock.tick(seconds)
