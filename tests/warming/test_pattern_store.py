"""Access patterns go to the file and come back: two workers, a file that is locked, a save that is given up."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from adapters.tasks import Tasks
from tests.fakes import Clock
from warming.access_patterns import AccessPatterns, Pattern
from warming.access_rows import Ident
from warming.pattern_store import TOGETHER, History, PatternStore
from warming.scores import frequency

NOW = 1_800_000_000.0


class Worker:
    """What one process has."""

    def __init__(self, path: Path, clock: Clock, **more) -> None:
        self.patterns = AccessPatterns(clock, half_life=100.0, **more)
        self.tasks = Tasks()
        self.store = PatternStore(path, clock, 100.0, busy=0.01)
        self.history = History(self.patterns, self.store, self.tasks)

    def note(self, *keys: str) -> None:
        for key in keys:
            self.patterns.note(key)

    def best(self) -> dict[object, float]:
        found = self.patterns.top(9999, lambda facts: facts.weights)
        return {each.ident.key: round(each.score, 4) for each in found}


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "patterns.db"


async def test_what_was_known_is_known_after_a_restart(path: Path) -> None:
    clock = Clock(NOW)
    first = Worker(path, clock)
    first.note("a", "a", "b")
    assert await first.history.save() == 2
    assert await first.history.save() == 0
    first.note("b", "b")
    await first.history.close()
    clock.tick(100)
    second = Worker(path, clock)
    assert await second.history.load() == 2
    assert second.best() == {"a": 1, "b": 1.5}
    slot = second.patterns.rows.find(Ident("", "default", "b"))
    assert second.patterns.rows.hours(np.array([slot])).sum() == 3
    assert second.patterns.unsaved() == []
    assert await second.history.load() == 2
    assert second.best() == {"a": 1, "b": 1.5}
    await second.history.close()


async def test_workers_add_to_each_other(path: Path) -> None:
    clock = Clock(NOW)
    one, other = Worker(path, clock), Worker(path, clock)
    for _ in range(3):
        one.note("a", "b")
        other.note("b", "c")
        await one.history.save()
        await other.history.save()
    one.note("a")
    await one.history.load()
    await other.history.load()
    assert one.best() == {"a": 4, "b": 6, "c": 3}
    assert other.best() == {"a": 3, "b": 6, "c": 3}
    await one.history.close()
    await other.history.close()


async def test_many_go_in_pieces(path: Path) -> None:
    clock, count = Clock(NOW), 2 * TOGETHER + 7
    one = Worker(path, clock)
    one.note(*[f"k{number}" for number in range(count)])
    assert await one.history.save() == count
    await one.history.close()
    other = Worker(path, clock)
    assert await other.history.load() == count
    assert len(other.patterns) == count
    await other.history.close()


async def test_only_the_best_are_heard_where_there_is_not_room_for_all(path: Path) -> None:
    clock = Clock(NOW)
    one = Worker(path, clock)
    for number in range(10):
        one.note(*[f"k{number}"] * (number + 1))
    await one.history.close()
    other = Worker(path, clock, max_keys=3)
    assert await other.history.load() == 3
    assert other.best() == {"k9": 10, "k8": 9, "k7": 8}
    await other.history.close()


async def test_what_can_not_be_written_is_written_later(path: Path) -> None:
    clock = Clock(NOW)
    one = Worker(path, clock)
    await one.history.load()
    locker = sqlite3.connect(path, isolation_level=None)
    locker.execute("BEGIN EXCLUSIVE")
    one.note("a")
    assert await one.history.save() == 0
    assert one.store.stats()["errors"] == 1
    locker.execute("ROLLBACK")
    locker.close()
    one.note("a")
    clock.tick(10)
    assert await one.history.save() == 1
    other = Worker(path, clock)
    await other.history.load()
    assert other.best() == {"a": round(2 * 0.5**0.1, 4)}
    await one.history.close()
    await other.history.close()


class Slow(PatternStore):
    """Says that it has begun, and waits to be told to go on."""

    def __init__(self, *args, **more) -> None:
        super().__init__(*args, **more)
        self.began, self.go = asyncio.Event(), asyncio.Event()

    async def add(self, patterns: list[Pattern]) -> bool:
        self.began.set()
        await self.go.wait()
        return await super().add(patterns)


async def test_a_save_that_nobody_waits_for_any_more_counts_nothing_twice(path: Path) -> None:
    clock, tasks = Clock(NOW), Tasks()
    patterns = AccessPatterns(clock, half_life=100.0)
    store = Slow(path, clock, 100.0)
    history = History(patterns, store, tasks)
    patterns.note("a")
    saving = asyncio.ensure_future(history.save())
    await store.began.wait()
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    again = asyncio.ensure_future(history.save())
    await asyncio.sleep(0)
    store.go.set()
    assert await again == 0
    (found,) = await store.best(9) or []
    assert found.weight == 1
    await history.close()


async def test_accesses_that_come_while_a_save_is_on_its_way_are_saved_later(path: Path) -> None:
    clock = Clock(NOW)
    patterns = AccessPatterns(clock, half_life=100.0)
    store = Slow(path, clock, 100.0)
    history = History(patterns, store, Tasks())
    patterns.note("a")
    saving = asyncio.ensure_future(history.save())
    await store.began.wait()
    patterns.note("a")
    store.go.set()
    assert await saving == 1
    assert await history.save() == 1
    (found,) = await store.best(9) or []
    assert found.weight == 2
    await history.close()


async def test_without_a_store_nothing_goes_anywhere() -> None:
    patterns = AccessPatterns(Clock(NOW))
    patterns.note("a")
    history = History(patterns, None, Tasks())
    assert await history.save() == 0
    assert await history.load() == 0
    assert history.stats() == {}
    await history.close()
    assert [each.score for each in patterns.top(1, frequency)] == [1]
