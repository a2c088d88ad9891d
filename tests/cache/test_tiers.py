from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cache.descent import TOGETHER
from cache.disk import Disk
from cache.memory import Memory
from cache.tiers import Options, Tiers
from tests.cache.contract import Clock, entry_of, key_of


@asynccontextmanager
async def both(
    path: Path, clock: Clock, *, l1: float = 10, l2: float = 100, patience: float = 5
) -> AsyncIterator[tuple[Tiers, Memory, Disk]]:
    memory = Memory(10, 1 << 20, l1, clock)
    disk = Disk(path / "cache.db", 100, 1 << 20, l2, clock, patience=patience)
    levels = Tiers(memory, disk, options=Options(promote_after=1))
    await levels.open()
    try:
        yield levels, memory, disk
    finally:
        await levels.close()


async def test_a_put_goes_through_to_both(tmp_path: Path) -> None:
    clock = Clock()
    entry = entry_of(1, clock)
    async with both(tmp_path, clock) as (levels, memory, disk):
        assert await levels.put(entry) is True
        assert levels.peek(entry.key) == entry
        assert await levels.get(entry.key) == (entry, "l1")
        assert memory.get(entry.key) == await disk.get(entry.key) == entry


async def test_what_left_memory_comes_back_from_disk_and_stays_there(tmp_path: Path) -> None:
    clock = Clock()
    entry = entry_of(1, clock)
    async with both(tmp_path, clock) as (levels, _, _):
        await levels.put(entry)
        clock.tick(11)
        assert levels.peek(entry.key) is None
        assert await levels.get(entry.key) == (entry, "l2")
        assert levels.peek(entry.key) == entry
        assert await levels.get(entry.key) == (entry, "l1")
        clock.tick(90)
        assert await levels.get(entry.key) is None


async def test_whether_it_lies_in_memory_can_be_asked_without_a_trace(tmp_path: Path) -> None:
    clock = Clock()
    entry = entry_of(1, clock)
    async with both(tmp_path, clock) as (levels, memory, _):
        assert levels.holds(entry.key) is False
        await levels.put(entry)
        before = memory.stats()
        assert levels.holds(entry.key) is True
        assert memory.stats() == before
        clock.tick(11)
        assert levels.holds(entry.key) is False  # on disk it still is, but that is not asked
    assert Tiers(None, None).holds(entry.key) is False


async def test_the_disk_outlives_the_process(tmp_path: Path) -> None:
    clock = Clock()
    entry = entry_of(1, clock)
    async with both(tmp_path, clock) as (levels, _, _):
        await levels.put(entry)
    async with both(tmp_path, clock) as (levels, _, _):
        assert await levels.get(entry.key) == (entry, "l2")


async def test_delete_and_clear_reach_both(tmp_path: Path) -> None:
    clock = Clock()
    async with both(tmp_path, clock) as (levels, _, _):
        for number in range(3):
            await levels.put(entry_of(number, clock))
        assert await levels.delete(key_of(0)) is True
        assert await levels.delete(key_of(0)) is False
        assert await levels.get(key_of(0)) is None
        await levels.clear()
        assert await levels.get(key_of(1)) is None
    async with both(tmp_path, clock) as (levels, _, _):
        assert await levels.get(key_of(2)) is None


class Slow(Disk):
    """A disk on which something happens while it is asked."""

    meanwhile = staticmethod(lambda: None)

    async def get(self, key):
        found = await super().get(key)
        self.meanwhile()
        return found


async def test_what_was_removed_while_the_disk_was_read_does_not_come_back(tmp_path: Path) -> None:
    clock = Clock()
    disk = Slow(tmp_path / "cache.db", 100, 1 << 20, 100, clock, patience=5)
    levels = Tiers(Memory(10, 1 << 20, 10, clock), disk, options=Options(promote_after=1))
    await levels.open()
    try:
        entry, newer = entry_of(1, clock), entry_of(1, clock, body=b"newer")
        await levels.put(entry)
        clock.tick(11)
        removal = []
        disk.meanwhile = lambda: removal.append(levels.delete(entry.key).send(None))
        await levels.get(entry.key)
        assert removal
        assert levels.peek(entry.key) is None
        await levels.put(entry)
        clock.tick(11)
        disk.meanwhile = lambda: levels.l1.put(newer)
        assert await levels.get(entry.key) == (newer, "l1")
        assert levels.peek(entry.key) == newer
    finally:
        await levels.close()


async def test_a_disk_that_fails_is_a_miss_and_memory_goes_on(tmp_path: Path) -> None:
    clock = Clock()
    (tmp_path / "file").write_bytes(b"not a directory")
    levels = Tiers(Memory(10, 1 << 20, 10, clock), Disk(tmp_path / "file" / "cache.db", 100, 1 << 20, 100, clock))
    await levels.open()
    entry = entry_of(1, clock)
    assert await levels.put(entry) is True
    assert await levels.get(entry.key) == (entry, "l1")
    clock.tick(11)
    assert await levels.get(entry.key) is None
    assert await levels.delete(entry.key) is False
    await levels.clear()
    assert levels.stats()["l2"]["errors"] == 2, "one try at the start, one after the time to try again"
    await levels.close()


async def test_either_level_may_be_absent(tmp_path: Path) -> None:
    clock = Clock()
    entry = entry_of(1, clock)
    memory_only = Tiers(Memory(10, 1 << 20, 10, clock), None)
    disk_only = Tiers(None, Disk(tmp_path / "cache.db", 100, 1 << 20, 100, clock))
    neither = Tiers(None, None)
    for levels, found in ((memory_only, (entry, "l1")), (disk_only, (entry, "l2")), (neither, None)):
        await levels.open()
        assert await levels.put(entry) is (found is not None)
        assert await levels.get(entry.key) == found
        assert await levels.delete(entry.key) is (found is not None)
        await levels.clear()
        await levels.close()
    assert [levels.ttl for levels in (memory_only, disk_only, neither)] == [10, 100, 0]
    assert [set(levels.stats()) for levels in (memory_only, disk_only, neither)] == [{"l1"}, {"l2"}, set()]
    assert disk_only.peek(entry.key) is None


async def test_stats_tell_every_level_apart(tmp_path: Path) -> None:
    clock = Clock()
    async with both(tmp_path, clock) as (levels, _, _):
        await levels.put(entry_of(1, clock))
        levels.peek(key_of(2))
        await levels.get(key_of(2))
        clock.tick(11)
        await levels.get(key_of(1))
        stats = levels.stats()
    names = {"entries", "bytes", "hits", "misses", "evictions", "expirations", "errors"}
    assert names <= stats["l1"].keys()
    assert names <= stats["l2"].keys()
    assert (stats["l1"]["hits"], stats["l1"]["misses"]) == (0, 2)
    assert (stats["l2"]["hits"], stats["l2"]["misses"]) == (1, 1)


@pytest.mark.parametrize(("l1", "l2"), [(10, 100), (100, 10)])
async def test_the_longest_time_of_any_level_is_that_of_the_levels(tmp_path: Path, l1: float, l2: float) -> None:
    async with both(tmp_path, Clock(), l1=l1, l2=l2) as (levels, _, _):
        assert levels.ttl == 100


async def test_many_are_found_wherever_each_of_them_is(tmp_path: Path) -> None:
    clock = Clock()
    count = 2 * TOGETHER + 1
    entries = [entry_of(number, clock) for number in range(count)]
    disk = Disk(tmp_path / "cache.db", 1000, 1 << 20, 100, clock, patience=30)
    levels = Tiers(Memory(1000, 1 << 20, 100, clock), disk, options=Options(promote_after=1))
    await levels.open()
    try:
        assert await levels.put_many(entries) == [True] * count
        assert levels.l1 is not None
        levels.l1.clear()
        levels.l1.put(entries[7])
        found = await levels.get_many([key_of(number) for number in range(count + 3)])
        assert found == {entry.key: (entry, "l1" if entry is entries[7] else "l2") for entry in entries}
        stats = levels.stats()
        assert [(stats[name]["hits"], stats[name]["misses"]) for name in ("l1", "l2")] == [
            (1, count + 2),
            (count - 1, 3),
        ]
        found = await levels.get_many([entry.key for entry in entries])
        assert {level for _, level in found.values()} == {"l1"}
    finally:
        await levels.close()


class Silent(Disk):
    """A disk that has everything and gives nothing."""

    asked = 0

    def might_have(self, key):
        return True

    async def get(self, key):
        self.asked += 1


async def test_a_disk_that_does_not_answer_is_waited_for_once(tmp_path: Path) -> None:
    disk = Silent(tmp_path / "cache.db", 1000, 1 << 20, 100, Clock())
    assert await Tiers(None, disk).get_many([key_of(number) for number in range(3 * TOGETHER)]) == {}
    assert disk.asked == TOGETHER


@pytest.mark.parametrize("which", ["memory", "neither"])
async def test_many_without_a_disk(which: str) -> None:
    clock = Clock()
    levels = Tiers(Memory(10, 1 << 20, 10, clock) if which == "memory" else None, None)
    entry = entry_of(1, clock)
    kept = which == "memory"
    assert await levels.put_many([entry]) == [kept]
    assert await levels.get_many([key_of(1), key_of(2)]) == ({entry.key: (entry, "l1")} if kept else {})
    assert await levels.put_many([]) == []
    assert await levels.get_many([]) == {}


async def test_looking_leaves_no_trace(tmp_path: Path) -> None:
    clock = Clock()
    async with both(tmp_path, clock) as (levels, memory, _):
        memory.resize(2)
        one, two = entry_of(1, clock), entry_of(2, clock)
        await levels.put(one)
        await levels.put(two)
        before = levels.stats()
        assert await levels.look(one.key) == (one, "l1")
        assert await levels.look(key_of(9)) is None
        assert levels.stats() == before
        await levels.put(entry_of(3, clock))  # the first is still the one not used for longest
        assert [memory.holds(key_of(number)) for number in (1, 2, 3)] == [False, True, True]
        before = levels.stats()
        assert await levels.look(one.key) == (one, "l2")
        assert not memory.holds(one.key)
        assert levels.stats() == before
        clock.tick(11)
        assert await levels.look(two.key) == (two, "l2")
        clock.tick(100)
        assert await levels.look(two.key) is None


async def test_keys_are_found_by_how_they_begin(tmp_path: Path) -> None:
    clock = Clock()
    async with both(tmp_path, clock) as (levels, memory, _):
        entries = [replace(entry_of(number, clock), key=bytes([number]) * 32) for number in range(5)]
        for entry in entries:
            await levels.put(entry)
        memory.delete(entries[0].key)
        assert [levels.starting(entry.key[:8]) for entry in entries] == [[entry.key] for entry in entries]
        assert len(levels.starting(b"")) == 5
        assert levels.starting(b"nothing begins like this") == []
    assert Tiers(None, None).starting(b"") == []


async def test_a_tenant_is_purged_from_both_and_nobody_else(tmp_path: Path) -> None:
    clock = Clock()
    async with both(tmp_path, clock) as (levels, memory, disk):
        mine = [replace(entry_of(number, clock), tenant="mine") for number in range(4)]
        other = replace(entry_of(9, clock), tenant="other")
        for entry in (*mine, other):
            await levels.put(entry)
        memory.delete(mine[0].key)
        await disk.delete(mine[1].key)
        assert await levels.purge("mine") == 4
        assert [await levels.get(entry.key) for entry in mine] == [None] * 4
        assert await levels.get(other.key) == (other, "l1")
        assert await disk.get(other.key) == other
        assert await levels.purge("mine") == 0
    assert await Tiers(None, None).purge("mine") == 0
    assert await Tiers(Memory(10, 1 << 20, 10, clock), None).purge("mine") == 0


async def test_what_another_worker_wrote_is_purged_too(tmp_path: Path) -> None:
    clock = Clock()
    async with both(tmp_path, clock) as (ours, _, disk), both(tmp_path, clock) as (theirs, _, _):
        for number in range(200):
            await theirs.put(replace(entry_of(number, clock), tenant="mine"))
        assert await ours.purge("mine") == 100  # as many as the disk keeps
        await disk.refresh()
        assert disk.held() == []


async def test_a_purge_that_the_disk_fails_says_so(tmp_path: Path) -> None:
    clock = Clock()
    async with both(tmp_path, clock) as (levels, memory, disk):
        entry = replace(entry_of(1, clock), tenant="mine")
        await levels.put(entry)
        await disk.close()
        assert await levels.purge("mine") is None
        assert not memory.holds(entry.key)
