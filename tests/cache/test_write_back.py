from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from adapters.tasks import Tasks
from cache.descent import TOGETHER, Descent, Parcel
from cache.disk import Disk
from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.write_back import WriteBack
from tests.cache.contract import Clock, entry_of, key_of
from tests.cache.putting_back import numbered

CLOCK = Clock()


class Scene:
    def __init__(self) -> None:
        self.memory: dict[bytes, Entry] = {}
        self.below: dict[bytes, bytes] = {}
        self.failing = False
        self.meanwhile: Entry | None = None
        self.tasks = Tasks()
        self.descent = Descent(self.write, self.tasks, lambda parcel: self.back.failed(parcel))
        self.back = WriteBack(self.descent, lambda entry: self.memory.get(entry.key) is entry)

    async def write(self, parcel: Parcel) -> bool:
        if self.meanwhile is not None:
            entry, self.meanwhile = self.meanwhile, None
            self.note(entry)
        if not self.failing:
            self.below[parcel.entry.key] = parcel.entry.body
        return not self.failing

    def note(self, entry: Entry) -> Entry:
        self.memory[entry.key] = entry
        self.back.note(entry, 0)
        return entry


async def test_what_memory_was_told_goes_down_with_the_flush() -> None:
    at = Scene()
    count = 2 * TOGETHER + 3
    for number in range(count):
        at.note(entry_of(number, CLOCK))
    at.note(entry_of(0, CLOCK, body=b"newer"))
    assert len(at.back.dirty) == count
    assert await at.back.flush() == count
    assert len(at.below) == count
    assert at.below[key_of(0)] == b"newer"
    assert not at.back.dirty
    assert await at.back.flush() == 0


async def test_what_comes_while_it_is_flushed_waits_for_the_next() -> None:
    at = Scene()
    at.note(entry_of(1, CLOCK, body=b"old"))
    at.meanwhile = entry_of(1, CLOCK, body=b"new")
    assert await at.back.flush() == 1
    assert at.below == {key_of(1): b"old"}
    found = at.back.get(key_of(1))
    assert found is not None
    assert found.body == b"new"
    await at.back.flush()
    assert at.below == {key_of(1): b"new"}


async def test_what_memory_drops_goes_down_at_once() -> None:
    at = Scene()
    one, two = at.note(entry_of(1, CLOCK)), entry_of(2, CLOCK)
    assert at.back.left(two) is False, "it is below already"
    assert at.back.left(entry_of(1, CLOCK, body=b"older")) is False
    assert at.back.left(one) is True
    assert at.descent.get(one.key) is one
    await at.tasks.drain(1)
    assert set(at.below) == {one.key}


async def test_what_fails_is_tried_again_while_memory_has_it() -> None:
    at = Scene()
    one, two = at.note(entry_of(1, CLOCK)), at.note(entry_of(2, CLOCK))
    at.failing = True
    assert await at.back.flush() == 0
    assert set(at.back.dirty) == {one.key, two.key}
    del at.memory[two.key]
    assert await at.back.flush() == 0
    assert set(at.back.dirty) == {one.key}
    at.failing = False
    assert await at.back.flush() == 1
    assert set(at.below) == {one.key}


async def test_what_is_invalidated_never_goes_down() -> None:
    at = Scene()
    for number in range(3):
        at.note(entry_of(number, CLOCK))
    assert at.back.invalidate(Invalidation(keys=(key_of(0), key_of(7)))) == {key_of(0)}
    assert at.back.discard(key_of(1)) is True
    assert at.back.discard(key_of(1)) is False
    await at.back.flush()
    assert set(at.below) == {key_of(2)}


@pytest.mark.parametrize("writes", [300, 2500])
async def test_a_process_that_is_killed_loses_what_came_after_its_last_flush_and_nothing_else(
    tmp_path: Path, writes: int
) -> None:
    path = tmp_path / "cache.db"
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.cache.putting_back", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, text=True) as child:  # noqa: ASYNC220
        assert child.stdout is not None
        put = flushed = -1
        while put < writes or flushed < 0:
            verb, number = child.stdout.readline().split()
            put, flushed = (int(number), flushed) if verb == "put" else (put, int(number))
        child.kill()
        for line in child.stdout:  # what it had said by then
            if line.endswith("\n") and line.startswith("flushed"):
                flushed = int(line.split()[1])
    clock = Clock()
    disk = Disk(path, 1_000_000, 1 << 40, 3600, clock, patience=30)
    await disk.open()
    try:
        assert 0 < flushed <= put
        for number in range(flushed + 1):
            assert await disk.get(key_of(number)) == numbered(number, clock)
    finally:
        await disk.close()
