"""What is decided in the transaction of a write: whether a put is still valid, whether there is one already, and what
an invalidation takes along."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.usage import Usage
from cache import disk_schema as schema
from cache.disk import Disk
from cache.entry import Entry, Shape
from cache.invalidation import Alone, Invalidation
from tests.cache.contract import Clock, entry_of, key_of
from tests.cache.test_disk import ROOT, change, opened, rows
from tests.cache.test_disk import replace as replace_file

ALL = Invalidation(everything=True, tenant="team-ü")
LABELLED = Invalidation(labels=("doc:1",))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "cache.db"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def never() -> bool:
    return False


def bodies(path: Path) -> list[bytes]:
    with closing(sqlite3.connect(path)) as connection:
        return [body for (body,) in connection.execute("SELECT body FROM entries ORDER BY seq")]


async def of(disk: Disk, *names: int | str) -> list[bytes | None]:
    found = [await disk.get(key_of(name)) for name in names]
    return [entry and entry.body for entry in found]


# -- valid -----------------------------------------------------------------------------------------------------------


async def test_a_put_that_is_not_valid_is_dropped_and_touches_nobody(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as disk:
        await disk.put(entry_of(1, clock, body=b"old"))
        puts = [
            disk.put(entry_of(1, clock, body=b"new"), never),
            disk.put(entry_of(2, clock, body=b"two"), lambda: True),
            disk.put(entry_of(3, clock, body=b"three"), never),
            disk.put(entry_of(4, clock, body=b"four")),
            disk.put(entry_of(4, clock, body=b"late"), never),
        ]
        assert await asyncio.gather(*puts) == [False, True, False, True, False]
        assert await of(disk, 1, 2, 3, 4) == [b"old", b"two", None, b"four"]
        assert sorted(bodies(path)) == [b"four", b"old", b"two"]
        assert (disk.stats()["errors"], await disk.check()) == (0, [])


async def test_valid_is_asked_when_nobody_else_can_write(path: Path, clock: Clock) -> None:
    tried: list[str] = []

    def valid() -> bool:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
            try:
                other.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                tried.append(str(error))
        return True

    async with opened(path, clock) as disk:
        assert await disk.put(entry_of(1, clock), valid) is True
        assert await asyncio.gather(*[disk.put(entry_of(n, clock), valid) for n in range(5)]) == [True] * 5
    assert tried == ["database is locked"] * 6


async def test_a_put_whose_caller_has_given_up_is_asked_for_all_the_same(path: Path, clock: Clock) -> None:
    log = Alone()
    async with opened(path, clock, patience=0.0) as disk:
        mark = log.count
        await disk.put(entry_of(1, clock), lambda: log.count == mark)  # may be committed by now, or may be going to
        log.append(ALL)
        assert await disk.invalidate(ALL) is not None
        assert bodies(path) == []


@pytest.mark.parametrize("seed", range(3))
async def test_between_threads_nothing_is_left_of_what_an_acknowledged_invalidation_covers(
    path: Path, clock: Clock, seed: int
) -> None:
    """Each store has its thread and its connection, as workers have. What was made before the invalidation may be
    written by anyone at any moment, and must not be there after it was acknowledged, nor later."""
    log = Alone()
    number = seed * 1_000_000
    async with opened(path, clock, busy=30) as ours, opened(path, clock, busy=30) as theirs:

        async def put(disk: Disk) -> None:
            nonlocal number
            number += 1
            mark = log.count
            labels = ("doc:1",) if number % 2 else ()
            entry = entry_of(number % 50, clock, body=b"%d" % mark, labels=labels, namespace="xy"[number % 2])
            await disk.put(entry, lambda: log.count == mark, only_new=number % 5 == 0)

        for turn in range(30):
            puts = [asyncio.ensure_future(put(disk)) for _ in range(12) for disk in (ours, theirs)]
            draw = blake2b(b"%d/%d" % (seed, turn), digest_size=1).digest()[0]
            for _ in range(draw % 7):
                await asyncio.sleep(0)
            what = [ALL, LABELLED, Invalidation(namespaces=("y",))][turn % 3]
            log.append(what)
            gone = await (ours, theirs)[draw % 2].invalidate(what)
            assert gone is not None
            for _ in range(2):
                with closing(sqlite3.connect(path)) as connection:
                    left = connection.execute("SELECT namespace, labels, body FROM entries").fetchall()
                early = [row for row in left if int(row[2]) < log.count]
                assert not [row for row in early if turn % 3 == 0 or row[0] == "y"], turn
                await asyncio.gather(*puts)
        assert await ours.check() == await theirs.check() == []


@contextmanager
def writing(path: Path, log: Path) -> Iterator[None]:
    """A process that puts what is valid, until the end."""
    command = [sys.executable, "-m", "tests.cache.invalidating", str(path), str(log)]
    environment = {**os.environ, "PYTHONPATH": ""}
    with subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1, env=environment) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"going\n"
            yield
        finally:
            child.communicate(b"", timeout=60)
    assert child.returncode == 0


def add_to(log: Path) -> None:
    with log.open("ab") as file:
        file.write(b"x")


async def test_between_processes_nothing_is_left_of_what_an_acknowledged_invalidation_covers(path: Path) -> None:
    log = path.with_name("log")
    path.parent.mkdir()
    replace_file(log, b"")
    asked = [Invalidation(labels=("all",)), Invalidation(namespaces=("n",))]
    with writing(path, log):
        clock = Clock(rows(path, "max(stored_at)"))
        async with opened(path, clock, max_size=1_000_000, max_bytes=1 << 40, ttl=3600, busy=30) as disk:
            removed = 0
            for turn in range(1, 41):
                add_to(log)
                gone = await disk.invalidate(asked[turn % 2])
                assert gone is not None
                removed += len(gone)
                assert [int(body) for body in bodies(path) if int(body) < turn] == []
            assert removed > 40, "it has written meanwhile"
    assert {int(body) for body in bodies(path)} <= {40}


# -- only_new --------------------------------------------------------------------------------------------------------


async def test_only_new_leaves_a_fresh_one_and_replaces_one_that_is_over(path: Path, clock: Clock) -> None:
    async with opened(path, clock, grace=50.0) as disk, opened(path, clock) as theirs:
        await disk.put(entry_of(1, clock, body=b"fresh"))
        await disk.put(entry_of(2, clock, body=b"stale", ttl=10))
        await disk.put(entry_of(3, clock, body=b"small"))
        await theirs.put(entry_of(4, clock, body=b"theirs"))
        clock.tick(20)
        assert await disk.put(entry_of(2, clock, labels=("",)), only_new=True) is False
        assert (await disk.look(key_of(2))).body == b"stale", "what can't be kept was to replace nothing"
        again = [entry_of(n, clock, body=b"demoted") for n in (1, 2, 4, 5)]
        assert await asyncio.gather(*[disk.put(entry, only_new=True) for entry in again]) == [True] * 4
        assert await of(disk, 1, 2, 3, 4, 5) == [b"fresh", b"demoted", b"small", b"theirs", b"demoted"]
        both = [disk.put(entry_of(6, clock, body=b"first")), disk.put(entry_of(6, clock, body=b"then"), only_new=True)]
        assert await asyncio.gather(*both) == [True, True]
        gone = [disk.delete(key_of(1)), disk.put(entry_of(1, clock, body=b"after"), only_new=True)]
        assert await asyncio.gather(*gone) == [True, True]
        assert await of(disk, 6, 1) == [b"first", b"after"]
        assert await disk.check() == []


async def test_only_new_does_not_count_on_what_is_forgotten(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as disk:
        await disk.put(entry_of(1, clock, body=b"to be replaced"))
        await disk.put(entry_of(2, clock, body=b"stays"))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert await disk.put(entry_of(1, clock, body=b"x")) is False
            clock.tick(5)
            assert await disk.put(entry_of(2, clock, body=b"x"), only_new=True) is False
            other.execute("ROLLBACK")
        assert await of(disk, 1, 2) == [None, b"stays"], "what was not to be replaced is not forgotten"
        clock.tick(5)
        assert await disk.put(entry_of(1, clock, body=b"demoted"), only_new=True) is True
        assert await of(disk, 1, 2) == [b"demoted", b"stays"]
        assert await disk.check() == []


# -- invalidate ------------------------------------------------------------------------------------------------------


async def test_it_takes_what_waits_to_be_written_and_what_others_wrote(path: Path, clock: Clock) -> None:
    async with opened(path, clock, poll=3600.0) as ours, opened(path, clock, poll=3600.0) as theirs:
        await asyncio.gather(*[theirs.put(entry_of(n, clock, labels=("doc:1",))) for n in range(100)])
        assert ours.stats()["entries"] == 0
        puts = [asyncio.ensure_future(ours.put(entry_of(n, clock, labels=("doc:1",)))) for n in range(100, 200)]
        await asyncio.sleep(0)
        gone = await ours.invalidate(LABELLED)
        assert gone == {key_of(n) for n in range(200)}
        assert await asyncio.gather(*puts) == [True] * 100
        assert rows(path) == 0
        assert await theirs.get(key_of(1)) is None
        assert await ours.check() == await theirs.check() == []


async def test_what_another_commits_at_the_last_moment_goes_as_well(path: Path, clock: Clock) -> None:
    """It was found valid before there was an invalidation, and is committed after we looked for what is new."""
    entered, ours_waits = threading.Event(), threading.Event()

    def valid() -> bool:
        entered.set()
        return ours_waits.wait(30)

    def began(statement: str) -> None:
        if statement.startswith("BEGIN"):
            ours_waits.set()

    async with opened(path, clock, busy=30) as ours, opened(path, clock, busy=30) as theirs:
        await ours._call(lambda store: store._connection.set_trace_callback(began), None)
        put = asyncio.ensure_future(theirs.put(entry_of(1, clock), valid))
        assert await asyncio.to_thread(entered.wait, 30)
        assert await ours.invalidate(ALL) == {key_of(1)}
        assert await put is True
        assert rows(path) == 0


async def test_what_others_deleted_is_not_counted(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as ours, opened(path, clock) as theirs:
        for n in range(5):
            await ours.put(entry_of(n, clock))
        await theirs.refresh()
        await theirs.delete(key_of(0))
        assert await ours.invalidate(ALL) == {key_of(n) for n in range(1, 5)}
        assert await ours.invalidate(Invalidation(everything=True)) == set()


async def test_labels_of_rows_that_others_wrote_count_in_the_budget(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as ours, opened(path, clock) as theirs:
        labels = ("doc:ü", "b" * 200)
        await theirs.put(entry_of(1, clock, labels=labels))
        await theirs.put(entry_of(2, clock))
        await ours.refresh()
        expected = [entry_of(1, clock, labels=labels), entry_of(2, clock)]
        assert ours.stats()["bytes"] == theirs.stats()["bytes"] == sum(entry.size for entry in expected)
        assert await ours.check() == []


@pytest.mark.parametrize("what", [ALL, LABELLED, Invalidation(everything=True), Invalidation(keys=(key_of(1),))])
async def test_one_that_fails_holds_at_once_and_is_made_good_with_the_next_write(
    path: Path, clock: Clock, what: Invalidation
) -> None:
    async with opened(path, clock, poll=3600.0) as disk, opened(path, clock) as theirs:
        entry = entry_of(1, clock, labels=("doc:1",))
        await disk.put(entry)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert await disk.invalidate(what) is None
            assert await disk.get(entry.key) is None
            other.execute("ROLLBACK")
        await theirs.put(entry)  # nobody has told them
        await disk.refresh()
        assert await disk.get(entry.key) is None
        assert rows(path) == 1
        clock.tick(5)
        newer = entry_of(1, clock, body=b"newer", labels=("doc:1",))
        assert await disk.put(newer) is True
        assert await disk.get(entry.key) == newer, "what comes after it is not covered"
        assert bodies(path) == [b"newer"]
        assert await disk.check() == []


async def test_one_that_failed_is_made_good_without_a_write_too(path: Path, clock: Clock) -> None:
    async with opened(path, clock, poll=3600.0) as disk:
        for n in range(200):
            await disk.put(entry_of(n, clock, labels=("doc:1",) if n % 2 else ()))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(3):
                assert await disk.invalidate(LABELLED) is None
            other.execute("ROLLBACK")
        clock.tick(5)
        await disk.refresh()
        assert rows(path) == 100
        assert await disk.invalidate(LABELLED) == set()
        assert await disk.check() == []


async def test_more_of_them_than_can_be_remembered_are_all_there_is(path: Path, clock: Clock) -> None:
    async with opened(path, clock, poll=3600.0, retry_after=1e6) as disk:
        await disk.put(entry_of(1, clock))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for n in range(1001):
                assert await disk.invalidate(Invalidation(labels=(f"n:{n}",))) is None
            other.execute("ROLLBACK")
        assert await disk.get(key_of(1)) is None


async def test_a_store_that_is_closed_or_cannot_be_opened_says_so(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    async with opened(tmp_path / "file" / "cache.db", clock) as disk:
        assert await disk.invalidate(ALL) is None
    assert await disk.invalidate(ALL) is None


# -- who leaves ------------------------------------------------------------------------------------------------------


async def test_rows_that_were_there_before_come_in_the_order_in_which_they_were_written(
    path: Path, clock: Clock
) -> None:
    async with opened(path, clock, eviction="lru") as disk:
        for n in (3, 1, 2):
            await disk.put(entry_of(n, clock))
        await disk.get(key_of(3))
    async with opened(path, clock, eviction="lru", max_size=3) as disk:
        await disk.get(key_of(1))
        for n, left in ((4, {1, 2, 4}), (5, {1, 4, 5})):
            await disk.put(entry_of(n, clock))
            assert {name for name in range(9) if disk.might_have(key_of(name))} == left


@pytest.mark.parametrize("eviction", ["lru", "lfu", "fifo", "ttl"])
async def test_a_write_that_fails_changes_no_order(path: Path, clock: Clock, eviction: Any) -> None:
    told: list[Entry] = []
    async with opened(path, clock, eviction=eviction, max_size=3, evicted=told.extend) as disk:
        for n in range(3):
            await disk.put(entry_of(n, clock, ttl=50 + n))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert await disk.put(entry_of(3, clock)) is False
            other.execute("ROLLBACK")
        assert told == []
        clock.tick(5)
        for n in (4, 5):
            assert await disk.put(entry_of(n, clock)) is True
        assert [entry.key for entry in told] == [key_of(0), key_of(1)]
        assert await disk.check() == []


async def test_what_is_dropped_is_read_first_and_only_if_it_is_there_and_sound(path: Path, clock: Clock) -> None:
    told: list[Entry] = []
    async with (
        opened(path, clock, eviction="fifo", max_size=3, evicted=told.extend) as disk,
        opened(path, clock) as theirs,
    ):
        entries = [entry_of(n, clock, body=b"%d" % n, labels=(f"n:{n}",), took=1.5) for n in range(6)]
        for entry in entries[:3]:
            await disk.put(entry)
        await theirs.delete(entries[0].key)
        change(path, "UPDATE entries SET body = x'00' WHERE key = ?", entries[1].key)
        assert await asyncio.gather(*map(disk.put, entries[3:])) == [True] * 3
        assert told == [entries[2]]
        disk.evicted = None
        await disk.put(entry_of(9, clock))
        assert told == [entries[2]]


# -- versions and damage ---------------------------------------------------------------------------------------------

OLD = (
    b"k" * 32,
    "team-ü",
    "llm.response",
    "gpt-5-mini",
    "message",
    200,
    '[["content-type","application/json"]]',
    1,
    "[10,20,0,0,30,5,false,0,0]",
    0.0125,
    1_800_000_000.0,
    1_800_000_090.0,
    721,
    bytes.fromhex("e3fed73dc2baadf4a7a8ff0756f2637d"),
    b'{"a":1}{"a":1}{"a":1}',
)
"""A row as version 1 wrote it."""


def written_by_version_1(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(schema.MIGRATIONS[0])
        connection.execute(f"INSERT INTO entries ({schema.COLUMNS}) VALUES ({','.join('?' * len(OLD))})", OLD)
        connection.execute("PRAGMA user_version = 1")
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")


async def test_a_file_of_version_1_is_brought_up_to_date_in_place(path: Path, clock: Clock) -> None:
    written_by_version_1(path)
    usage = Usage(10, 20, 0, 0, 30, 5)
    old = Entry(
        key=b"k" * 32, tenant="team-ü", namespace="llm.response", model="gpt-5-mini", shape=Shape.MESSAGE, status=200,
        headers=(("content-type", "application/json"),), body=b'{"a":1}' * 3, with_usage=True, usage=usage, cost=0.0125,
        stored_at=1_800_000_000.0, expires_at=1_800_000_090.0,
    )  # fmt: skip
    for _ in range(2):
        async with opened(path, clock) as disk:
            assert await disk.get(old.key) == old
            assert disk.stats()["set_aside"] == disk.stats()["damaged_rows"] == 0
            await disk.put(entry_of(1, clock, labels=("doc:1",), took=2.5))
            assert await disk.check() == []
    async with opened(path, clock) as disk:
        assert (await disk.get(key_of(1))).took == 2.5
        assert await disk.invalidate(LABELLED) == {key_of(1)}
        assert await disk.get(old.key) == old
        assert await disk.invalidate(Invalidation(namespaces=("llm.response",))) == {old.key}
        assert list(path.parent.glob("*.version*")) == []


async def test_a_row_of_a_kind_that_nobody_knows_yet_is_a_counted_miss(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as disk:
        await disk.put(entry_of(1, clock))
        await disk.put(entry_of(2, clock))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.text_factory = bytes
        (row,) = connection.execute(schema.SELECT[1], (key_of(1),)).fetchall()
        facts = [*row[:13]]
        facts[4] = b"hologram"
        digest = blake2b(msgspec.msgpack.encode(facts), digest_size=16)
        digest.update(row[-1])
        connection.execute(
            "UPDATE entries SET shape = 'hologram', checksum = ? WHERE key = ?", (digest.digest(), key_of(1))
        )
    async with opened(path, clock) as disk:
        assert await disk.get(key_of(1)) is None
        assert await disk.get(key_of(2)) is not None
        assert (disk.stats()["damaged_rows"], disk.stats()["misses"]) == (1, 1)


@pytest.mark.parametrize("assignment", ["labels = 'x'", "labels = x'ff'", "labels = ''", "took = 7", "tenant = x'ff'"])
async def test_labels_that_are_not_what_was_written_are_damage(path: Path, clock: Clock, assignment: str) -> None:
    async with opened(path, clock) as disk:
        await disk.put(entry_of(1, clock, labels=("doc:1",)))
    change(path, f"UPDATE entries SET {assignment}")
    async with opened(path, clock) as disk:
        assert await disk.get(key_of(1)) is None
        await disk.put(entry_of(2, clock))
        assert disk.stats()["damaged_rows"] == 1
        assert await disk.invalidate(LABELLED) == set()
        assert await disk.check() == []
        assert rows(path) == 1


async def test_labels_that_no_row_can_hold_are_refused_with_their_entry(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as disk:
        bad = [entry_of(n, clock, labels=labels) for n, labels in enumerate([("",), ("a\nb",), ("\ud800",)])]
        assert await asyncio.gather(*map(disk.put, bad)) == [False] * 3
        assert await disk.put(replace(bad[0], labels=())) is True
