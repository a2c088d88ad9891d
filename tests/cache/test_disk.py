from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from cache.disk import Disk
from cache.disk_schema import MIGRATIONS, PRAGMAS
from cache.entry import OVERHEAD
from tests.cache.contract import Clock, Contract, entry_of, key_of
from tests.cache.contract_budgets import Budgets
from tests.cache.putting import allowed, numbered

ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def opened(path: Path, clock: Clock, **other: Any) -> AsyncIterator[Disk]:
    """A patient disk, so that a busy machine fails no test."""
    options: dict[str, Any] = {"max_size": 1000, "max_bytes": 1 << 30, "ttl": 100.0, "patience": 30.0, "busy": 0.01}
    options.update(other)
    disk = Disk(path, clock=clock, **options)
    await disk.open()
    try:
        yield disk
    finally:
        await disk.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "cache.db"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def rows(path: Path, what: str = "count(*)") -> Any:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT {what} FROM entries").fetchone()[0]


def change(path: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement, values)


def content(path: Path) -> bytes:
    return path.read_bytes()


def size_of(path: Path) -> int:
    return path.stat().st_size


def replace(path: Path, body: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(body)


def remove(path: Path) -> None:
    path.unlink()


def scribble(path: Path, offset: int, length: int | None = None) -> None:
    """Overwrite bytes in the middle, to the end of the file unless told how many."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xa5" * (length or size_of(path) - offset))


def putting(path: Path, start: int, lines: int) -> list[bytes]:
    """What a process of its own says that it has committed, until it is killed after so many lines."""
    command = [sys.executable, "-m", "tests.cache.putting", str(path), str(start)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": ""}) as child:
        assert child.stdout is not None
        told = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        told += child.stdout.readlines()
    assert child.returncode == -9
    return told


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "warmgate.cache"]


class TestDisk(Contract, Budgets):
    @asynccontextmanager
    async def level(
        self, clock: Clock, max_size: int = 10, max_bytes: int = 1 << 20, ttl: float = 100.0, **more: Any
    ) -> AsyncIterator[Disk]:
        with TemporaryDirectory() as directory:
            path = Path(directory) / "cache.db"
            async with opened(path, clock, max_size=max_size, max_bytes=max_bytes, ttl=ttl, **more) as disk:
                yield disk
                assert await disk.check() == []


# -- what is kept ----------------------------------------------------------------------------------------------------


async def test_entries_outlive_the_process_and_nobody_else_may_read_them(path: Path, clock: Clock) -> None:
    entries = [entry_of(n, clock, body=b"x" * n * 1000) for n in range(20)]
    async with opened(path, clock) as disk:
        assert await asyncio.gather(*[disk.put(entry) for entry in entries]) == [True] * 20
        modes = [stat.S_IMODE(found.stat().st_mode) for found in (path.parent, *path.parent.iterdir())]
        assert modes == [0o700] + [0o600] * (len(modes) - 1)
        assert len(modes) == 4, "directory, database, -wal, -shm"
    async with opened(path, clock) as disk:
        assert disk.stats()["entries"] == 20
        assert await asyncio.gather(*[disk.get(entry.key) for entry in entries]) == entries
        assert await disk.check() == []


async def test_a_miss_is_known_without_the_disk(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as disk:
        await disk.put(entry_of(1, clock, ttl=10))
        assert disk.might_have(key_of(1))
        assert not disk.might_have(key_of(2))
        with pytest.raises(StopIteration):
            disk.get(key_of(2)).send(None)  # it ends without ever waiting
        clock.tick(10)
        assert not disk.might_have(key_of(1))


async def test_puts_in_flight_together_are_few_transactions(path: Path, clock: Clock) -> None:
    told: list[str] = []
    async with opened(path, clock) as disk:
        await disk._call(lambda store: store._connection.set_trace_callback(told.append), None)
        await asyncio.gather(*[disk.put(entry_of(n, clock)) for n in range(200)])
        assert sum(text.startswith("INSERT") for text in told) < 60
        assert await disk.check() == []


async def test_the_last_of_several_writes_of_one_key_holds(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as disk:
        first, second = entry_of(1, clock, body=b"first"), entry_of(1, clock, body=b"second")
        assert await asyncio.gather(disk.put(first), disk.put(second)) == [True, True]
        assert await disk.get(first.key) == second
        await asyncio.gather(disk.put(first), disk.delete(first.key))
        assert await disk.get(first.key) is None
        await asyncio.gather(disk.delete(first.key), disk.put(second))
        assert await disk.get(first.key) == second
        assert rows(path) == 1


async def test_an_answer_that_sqlite_cannot_hold_is_refused_and_harms_nobody(path: Path, clock: Clock) -> None:
    bad = [
        entry_of(1, clock, model="\ud800"),
        entry_of(2, clock, headers=(("x", "\udcff"),)),
        entry_of(3, clock, cost=float("nan")),
    ]
    async with opened(path, clock) as disk:
        results = await asyncio.gather(*[disk.put(entry) for entry in (*bad, entry_of(4, clock))])
        assert results == [False, False, False, True]
        assert disk.stats()["errors"] == 0


async def test_a_row_from_the_future_is_not_served(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as disk:
        await disk.put(entry_of(1, clock))
        clock.tick(-30)
        assert await disk.get(key_of(1)) is not None
        clock.tick(-86_400)
        assert await disk.get(key_of(1)) is None


# -- what is dropped -------------------------------------------------------------------------------------------------


async def test_the_nearest_to_expiry_goes_first(path: Path, clock: Clock) -> None:
    async with opened(path, clock, max_size=3) as disk:
        for name, ttl in (("long", 90), ("short", 10), ("middle", 50), ("new", 20)):
            await disk.put(entry_of(name, clock, ttl=ttl))
        there = [name for name in ("long", "short", "middle", "new") if disk.might_have(key_of(name))]
        assert there == ["long", "middle", "new"]
        assert rows(path) == 3


async def test_one_write_deletes_a_bounded_number_of_expired_rows(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as disk:
        await asyncio.gather(*[disk.put(entry_of(n, clock, ttl=10)) for n in range(100)])
        clock.tick(20)
        await disk.put(entry_of("next", clock))
        assert disk.stats()["expirations"] == 16
        assert rows(path) == 85
        for n in range(6):
            await disk.put(entry_of(f"more{n}", clock))
        assert disk.stats()["expirations"] == 100
        assert rows(path) == 7


async def test_a_smaller_budget_is_reached_step_by_step(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as disk:
        await asyncio.gather(*[disk.put(entry_of(n, clock)) for n in range(100)])
    async with opened(path, clock, max_size=10) as disk:
        for n in range(10):
            await disk.put(entry_of(f"new{n}", clock, ttl=101))
        assert rows(path) == disk.stats()["entries"] == 10


async def test_the_file_does_not_grow_with_unique_keys(path: Path, clock: Clock) -> None:
    budget = 200 * (OVERHEAD + 5000)
    async with opened(path, clock, max_bytes=budget) as disk:
        sizes = []
        for turn in range(12):
            clock.tick(1)
            batch = [entry_of(turn * 100 + n, clock, body=b"x" * (4000 + n * 20)) for n in range(100)]
            await asyncio.gather(*[disk.put(entry) for entry in batch])
            await disk._call(lambda s: s._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall(), None)
            sizes.append(size_of(path))
        assert disk.stats()["bytes"] <= budget
        assert max(sizes) < 2 * budget
        assert sizes[-1] <= sizes[4]
        await disk.clear()
        assert size_of(path) < 64 * 1024
        assert await disk.check() == []


# -- several processes -----------------------------------------------------------------------------------------------


async def test_workers_on_one_file_see_what_the_other_wrote_and_bear_what_it_deleted(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as ours, opened(path, clock) as theirs:
        await ours.put(entry_of(1, clock))
        await theirs.put(entry_of(2, clock))
        await ours.put(entry_of(3, clock))
        await theirs.refresh()
        await ours.refresh()
        assert [ours.might_have(key_of(n)) for n in (1, 2, 3)] == [True] * 3
        assert [theirs.might_have(key_of(n)) for n in (1, 2, 3)] == [True] * 3
        newer = entry_of(1, clock, body=b"newer")
        await theirs.put(newer)
        assert await ours.get(newer.key) == newer
        await theirs.delete(key_of(2))
        assert await ours.get(key_of(2)) is None
        assert not ours.might_have(key_of(2))
        await theirs.clear()
        assert await ours.get(key_of(3)) is None
        assert await ours.check() == []
        assert await theirs.check() == []
        assert ours.stats()["errors"] == theirs.stats()["errors"] == 0


async def test_workers_may_start_together(path: Path, clock: Clock) -> None:
    disks = [Disk(path, 1000, 1 << 30, 100, clock, patience=30) for _ in range(4)]
    await asyncio.gather(*[disk.open() for disk in disks])
    assert await asyncio.gather(*[disk.put(entry_of(n, clock)) for n, disk in enumerate(disks)]) == [True] * 4
    await asyncio.gather(*[disk.refresh() for disk in disks])
    assert [disk.stats()["entries"] for disk in disks] == [4] * 4
    assert [disk.stats()["errors"] for disk in disks] == [0] * 4
    await asyncio.gather(*[disk.close() for disk in disks])


async def test_an_idle_store_notices_by_itself(path: Path, clock: Clock) -> None:
    async with opened(path, clock, poll=0.001) as ours, opened(path, clock) as theirs:
        await theirs.put(entry_of(1, clock))
        async with asyncio.timeout(30):
            while not ours.might_have(key_of(1)):
                await theirs.check()  # something that takes a moment


async def test_a_file_that_was_replaced_is_opened_anew(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as disk:
        await disk.put(entry_of(1, clock))
        for name in list(path.parent.iterdir()):
            name.unlink()
        async with opened(path, clock) as theirs:
            await theirs.put(entry_of(2, clock))
            await disk.refresh()
            assert [disk.might_have(key_of(n)) for n in (1, 2)] == [False, True]
            assert await disk.put(entry_of(3, clock)) is True
        assert rows(path) == 2


# -- damage ----------------------------------------------------------------------------------------------------------


async def filled(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as disk:
        await asyncio.gather(*[disk.put(entry_of(n, clock, body=b"y" * 3000)) for n in range(200)])


@pytest.mark.parametrize(("offset", "length"), [(0, 4096), (4096, 4096), (16, 2)])
async def test_a_damaged_file_is_set_aside_at_open(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture, offset: int, length: int
) -> None:
    await filled(path, clock)
    scribble(path, offset, length)
    before = content(path)
    async with opened(path, clock) as disk:
        assert disk.stats()["entries"] == 0
        assert await disk.put(entry_of("next", clock)) is True
        assert await disk.get(key_of("next")) is not None
        assert await disk.check() == []
        assert disk.stats()["set_aside"] == 1
    aside = path.with_name(f"cache.db.damaged-{int(clock())}")
    assert aside.read_bytes() == before
    assert len(warnings_in(caplog)) == 1
    assert aside.name in warnings_in(caplog)[0]


async def test_no_database_at_all_is_set_aside(path: Path, clock: Clock) -> None:
    replace(path, b"this is no database, but a text of more than a hundred bytes, " * 5)
    async with opened(path, clock) as disk:
        assert await disk.put(entry_of(1, clock)) is True
    assert path.with_name(f"cache.db.damaged-{int(clock())}").read_bytes().startswith(b"this is no database")


async def test_damage_found_while_running_is_set_aside_and_requests_go_on(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    await filled(path, clock)
    async with opened(path, clock, pragmas=(*PRAGMAS, ("cache_size", 0))) as disk:
        scribble(path, 4096)
        results = [await disk.get(key_of(n)) for n in range(200)]
        assert results == [None] * 200
        assert await disk.put(entry_of("next", clock)) is True
        assert await disk.get(key_of("next")) is not None
        assert await disk.check() == []
        assert disk.stats()["set_aside"] == 1
    assert len(warnings_in(caplog)) == 1
    assert list(path.parent.glob("cache.db.damaged-*"))


async def test_two_workers_who_find_the_damage_set_it_aside_once(path: Path, clock: Clock) -> None:
    await filled(path, clock)
    pragmas = (*PRAGMAS, ("cache_size", 0))
    async with opened(path, clock, pragmas=pragmas) as ours, opened(path, clock, pragmas=pragmas) as theirs:
        scribble(path, 4096)
        await asyncio.gather(*[disk.get(key_of(n)) for n in range(200) for disk in (ours, theirs)])
        assert await ours.put(entry_of(1, clock)) is True
        assert await theirs.put(entry_of(2, clock)) is True
        await ours.refresh()
        assert ours.might_have(key_of(2))
        assert ours.stats()["set_aside"] + theirs.stats()["set_aside"] == 1
        assert await ours.check() == []


@pytest.mark.parametrize(
    "assignment",
    ["body = x'00'", "tenant = 'other'", "status = 500", "headers = '[]'", "usage = NULL", "model = x'ff'", "cost = 1"],
)
async def test_a_row_that_is_not_what_was_written_is_deleted_and_a_miss(
    path: Path, clock: Clock, assignment: str
) -> None:
    async with opened(path, clock) as disk:
        await disk.put(entry_of(1, clock))
        await disk.put(entry_of(2, clock))
        change(path, f"UPDATE entries SET {assignment} WHERE key = ?", key_of(1))
        assert any("row 1" in finding for finding in await disk.check())
        assert await disk.get(key_of(1)) is None
        assert await disk.get(key_of(2)) is not None
        assert disk.stats()["damaged_rows"] == 1
        assert rows(path) == 1
        assert await disk.check() == []


async def test_a_row_moved_to_another_key_is_never_served(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as disk:
        await disk.put(entry_of(1, clock))
    change(path, "UPDATE entries SET key = ?", key_of(2))
    async with opened(path, clock) as disk:
        assert await disk.get(key_of(2)) is None


async def test_check_tells_an_index_that_lost_touch_with_the_rows(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as disk:
        await disk.put(entry_of(1, clock))
        await disk.put(entry_of(2, clock))
        await disk._call(lambda store: store.view.drop(key_of(1)), None)
        assert await disk.check() == ["row 1: the index says None"]
        await disk._call(lambda store: store._connection.execute("DELETE FROM entries WHERE seq = 2"), None)
        assert f"{key_of(2).hex()}: in the index, but no row" in await disk.check()


async def test_a_disk_that_damages_every_file_is_not_filled_with_remains(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as disk:
        for _ in range(12):
            await disk.close()
            replace(path, b"\xa5" * 8192)
            clock.tick(5)
            await disk.open()
        assert disk.stats()["set_aside"] == len(list(path.parent.glob("*damaged*"))) == 8
        assert await disk.put(entry_of(1, clock)) is False
        assert await disk.get(key_of(1)) is None
        remove(path)
        clock.tick(5)
        assert await disk.put(entry_of(1, clock)) is True


# -- versions --------------------------------------------------------------------------------------------------------


async def test_an_older_file_is_brought_up_to_date(path: Path, clock: Clock) -> None:
    entry = entry_of(1, clock)
    async with opened(path, clock) as disk:
        await disk.put(entry)
    later = (*MIGRATIONS, "CREATE TABLE extra (a); INSERT INTO extra VALUES (7)", "ALTER TABLE extra ADD COLUMN b")
    for _ in range(2):
        async with opened(path, clock, migrations=later) as disk:
            assert await disk.get(entry.key) == entry
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(later),)
        assert connection.execute("SELECT a, b FROM extra").fetchall() == [(7, None)]


async def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path, clock: Clock) -> None:
    await filled(path, clock)
    async with opened(path, clock, migrations=(*MIGRATIONS, "CREATE TABLE extra (a); nonsense")) as disk:
        assert await disk.put(entry_of(1, clock)) is False
    async with opened(path, clock) as disk:
        assert disk.stats()["entries"] == 200
        assert await disk.check() == []


async def test_a_newer_file_is_set_aside_as_it_is(path: Path, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(path, clock, migrations=(*MIGRATIONS, "CREATE TABLE extra (a)")) as disk:
        await disk.put(entry_of(1, clock))
    before = content(path)
    async with opened(path, clock) as disk:
        assert disk.stats()["entries"] == 0
        assert await disk.put(entry_of(2, clock)) is True
    assert path.with_name(f"cache.db.version{len(MIGRATIONS) + 1}-{int(clock())}").read_bytes() == before
    assert "later version" in warnings_in(caplog)[0]


async def test_somebody_elses_database_is_left_alone(path: Path, clock: Clock) -> None:
    path.parent.mkdir()
    change(path, "CREATE TABLE theirs (a)")
    before = content(path)
    async with opened(path, clock) as disk:
        assert await disk.put(entry_of(1, clock)) is False
    assert content(path) == before
    assert [name.name for name in path.parent.iterdir()] == ["cache.db"]


# -- faults that pass ------------------------------------------------------------------------------------------------


async def test_a_place_that_cannot_be_written_is_done_without_until_it_can(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    async with opened(tmp_path / "file" / "cache.db", clock, retry_after=5) as disk:
        for _ in range(3):
            assert await disk.put(entry_of(1, clock)) is False
            assert await disk.get(key_of(1)) is None
        assert disk.stats()["errors"] == 1
        assert disk.stats()["skipped"] >= 3
        (tmp_path / "file").unlink()
        assert await disk.put(entry_of(1, clock)) is False, "not yet"
        clock.tick(5)
        assert await disk.put(entry_of(1, clock)) is True
    told = warnings_in(caplog)
    assert len(told) == 2
    assert "failed" in told[0]
    assert "works again" in told[1]


async def test_a_locked_file_costs_one_timeout_and_is_read_meanwhile(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(path, clock) as disk:
        await disk.put(entry_of(1, clock))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert [await disk.put(entry_of(n, clock)) for n in (2, 3, 4)] == [False] * 3
            assert disk.stats()["errors"] == 1
            assert await disk.get(key_of(1)) is not None
            other.execute("ROLLBACK")
        assert await disk.put(entry_of(2, clock)) is False
        clock.tick(5)
        assert await disk.put(entry_of(2, clock)) is True
        assert await disk.check() == []
    bad, good = warnings_in(caplog)
    assert "database is locked" in bad
    assert "works again" in good


async def test_what_could_not_be_replaced_or_deleted_is_not_served_and_goes_later(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as disk:
        for n in (1, 2, 3):
            await disk.put(entry_of(n, clock))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert await disk.delete(key_of(1)) is False
            assert await disk.put(entry_of(2, clock, body=b"newer")) is False
            assert await disk.get(key_of(1)) is None
            assert await disk.get(key_of(2)) is None
            assert await disk.clear() is None
            assert await disk.get(key_of(3)) is None
            other.execute("ROLLBACK")
        assert rows(path) == 3
        clock.tick(5)
        await disk.put(entry_of(4, clock))
        assert rows(path) == 1
        assert await disk.check() == []


async def test_a_file_locked_at_the_start_is_opened_later(path: Path, clock: Clock) -> None:
    await filled(path, clock)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        async with opened(path, clock) as disk:
            assert disk.stats()["errors"] == 1
            assert not disk.might_have(key_of(1))
            other.close()
            clock.tick(5)
            await disk.refresh()
            assert await disk.get(key_of(1)) is not None


async def test_a_full_disk_keeps_what_it_has_and_takes_more_when_there_is_room(path: Path, clock: Clock) -> None:
    async with opened(path, clock, pragmas=(*PRAGMAS, ("max_page_count", 40))) as disk:
        results = [await disk.put(entry_of(n, clock, body=b"x" * 10_000)) for n in range(20)]
        kept = results.index(False)
        assert 5 < kept < 20
        assert not any(results[kept:])
        assert disk.stats()["errors"] == 1
        assert await disk.get(key_of(0)) is not None
        clock.tick(5)
        assert await disk.put(entry_of("still", clock, body=b"x" * 50_000)) is False
        clock.tick(95)  # everything has expired: the next write makes room first
        assert await disk.put(entry_of("next", clock, body=b"x" * 10_000)) is True
        assert await disk.check() == []


async def test_a_read_only_file_is_read(path: Path, clock: Clock) -> None:
    await filled(path, clock)
    async with opened(path, clock, pragmas=(*PRAGMAS, ("query_only", 1))) as disk:
        assert await disk.get(key_of(1)) is not None
        assert await disk.put(entry_of("new", clock)) is False
        clock.tick(1)
        await disk.refresh()
        assert await disk.get(key_of(1)) is not None
        assert disk.stats()["errors"] == 1


# -- time and threads ------------------------------------------------------------------------------------------------


async def test_nobody_waits_longer_than_patience_and_late_results_are_ignored(path: Path, clock: Clock) -> None:
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with opened(path, clock, patience=0.01) as disk:
        gate = threading.Event()
        entry = entry_of(1, clock)
        blocked = asyncio.ensure_future(disk._call(lambda _: gate.wait(30), None))
        await asyncio.sleep(0)
        assert await disk.put(entry) is False
        assert disk.stats()["timeouts"] == 1
        gate.set()
        await blocked
        await disk.refresh()
        assert disk.might_have(entry.key), "the thread went on"
        gate.clear()
        blocked = asyncio.ensure_future(disk._call(lambda _: gate.wait(30), None))
        await asyncio.sleep(0)
        assert await disk.get(entry.key) is None
        assert disk.stats()["timeouts"] == 2
        gate.set()
        await blocked
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


async def test_a_caller_who_leaves_harms_nobody(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as disk:
        gate = threading.Event()
        blocked = asyncio.ensure_future(disk._call(lambda _: gate.wait(30), None))
        leaving = asyncio.ensure_future(disk.put(entry_of(1, clock)))
        staying = asyncio.ensure_future(disk.put(entry_of(2, clock)))
        await asyncio.sleep(0)
        leaving.cancel()
        gate.set()
        assert await staying is True
        await blocked
        assert leaving.cancelled()


async def test_a_slow_disk_holds_a_bounded_number_of_bytes(path: Path, clock: Clock) -> None:
    async with opened(path, clock, patience=0.01, backlog=5 * (OVERHEAD + 1000)) as disk:
        gate = threading.Event()
        blocked = asyncio.ensure_future(disk._call(lambda _: gate.wait(30), None))
        await asyncio.sleep(0)
        assert not any([await disk.put(entry_of(n, clock, body=b"x" * 1000)) for n in range(7)])
        assert disk.stats()["timeouts"] == 5
        assert disk.stats()["skipped"] == 2
        gate.set()
        await blocked
        await disk.refresh()
        assert disk.stats()["entries"] == 5
        assert await disk._call(lambda _: disk._pending, None) == 0


async def test_close_writes_what_waits_and_may_be_called_twice(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as disk:
        puts = [asyncio.ensure_future(disk.put(entry_of(n, clock))) for n in range(300)]
        await asyncio.sleep(0)
        await disk.close()
        assert await asyncio.gather(*puts) == [True] * 300
        assert await disk.put(entry_of(1, clock)) is False
        assert await disk.get(key_of(1)) is None
        assert await disk.check() == ["the store is not open"]
    assert rows(path) == 300
    assert not [thread for thread in threading.enumerate() if thread.name == "warmgate-disk"]


async def test_it_may_be_opened_again(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as disk:
        await disk.put(entry_of(1, clock))
        await disk.close()
        await disk.open()
        assert await disk.get(key_of(1)) is not None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_an_error_of_our_own_ends_the_level_and_nobody_waits_for_ever(path: Path, clock: Clock) -> None:
    def broken(_: Any) -> None:
        raise ZeroDivisionError

    async with opened(path, clock) as disk:
        assert await disk._call(broken, None) is None
        assert await disk.put(entry_of(1, clock)) is False
        assert await disk.get(key_of(1)) is None


# -- kill -9 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
async def test_after_kill_9_every_committed_entry_is_there_and_no_torn_one(path: Path, seed: int) -> None:
    """The same file through five kills, each after a number of committed puts that the seed decides."""
    committed: list[int] = []
    for turn in range(5):
        draw = int.from_bytes(blake2b(b"%d/%d" % (seed, turn), digest_size=4).digest(), "big")
        lines = putting(path, (turn + 1) * 1_000_000, 1 + draw % 400)
        committed += [int(line) for line in lines if line.endswith(b"\n")]
        assert len(committed) > turn
        now = rows(path, "max(stored_at)")
        async with opened(path, Clock(now), max_size=1_000_000, max_bytes=1 << 40, ttl=3600) as disk:
            assert await disk.check() == []
            assert disk.stats()["set_aside"] == 0
            for number in committed:
                found = await disk.get(number.to_bytes(32, "big"))
                assert found is not None, number
                expected = numbered(number, 0)
                assert (found.body, found.labels, found.took) == (expected.body, expected.labels, 0.5)
            assert all(map(allowed, committed))


async def test_only_the_owner_thread_touches_sqlite(path: Path, clock: Clock) -> None:
    """sqlite3 itself raises when a connection is used by another thread than the one that made it."""
    async with opened(path, clock) as disk:
        await disk.put(entry_of(1, clock))
        with pytest.raises(sqlite3.ProgrammingError, match="thread"):
            disk._store._connection.execute("SELECT 1")
