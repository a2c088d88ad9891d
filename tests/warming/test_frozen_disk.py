"""The file of edits, with real files: damage, strangers, bounds, and two who share one."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest

from tests.fakes import Clock
from warming.frozen_disk import KEYS, MIGRATIONS, TRIM_EVERY, FrozenDisk, Row


def disk(path: Path, clock: Clock | None = None, *, rows: int = 1000, size: int = 10**6) -> FrozenDisk:
    return FrozenDisk(path, clock or Clock(), rows=rows, size=size, busy=0.01, retry_after=5.0)


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "below" / "frozen.db"


def test_what_was_written_is_there_after_a_restart(path: Path) -> None:
    clock = Clock(1000.0)
    first = disk(path, clock)
    assert first.write({b"a": b"1", b"b": b"2"})
    assert first.write({b"a": b"3"})
    first.close()
    second = disk(path, clock)
    assert second.find([b"a", b"b", b"c"]) == {b"a": Row(1000, b"3"), b"b": Row(1000, b"2")}
    assert second.sound
    second.close()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("count", [0, 1, KEYS - 1, KEYS, KEYS + 1, 3 * KEYS + 7])
def test_any_number_of_keys(path: Path, count: int) -> None:
    store = disk(path)
    rows = {b"%d" % number: b"x%d" % number for number in range(count)}
    store.write(rows)
    assert {key: row.edits for key, row in store.find([*rows, b"none"]).items()} == rows
    store.close()


def test_two_processes_share_a_file(path: Path) -> None:
    one, other = disk(path), disk(path)
    one.write({b"a": b"1"})
    other.write({b"b": b"2"})
    assert set(one.find([b"a", b"b"])) == set(other.find([b"a", b"b"])) == {b"a", b"b"}
    one.close()
    other.close()


def fill(path: Path) -> None:
    store = disk(path)
    store.write({b"%d" % number: bytes(200) for number in range(500)})
    store.close()


@pytest.mark.parametrize("damage", ["header", "pages", "text", "empty"])
def test_a_damaged_file_is_set_aside_with_a_message(path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    fill(path)
    whole = path.read_bytes()
    broken = {
        "header": b"x" * 100 + whole[100:],
        "pages": whole[:100] + b"\xff" * (len(whole) - 100),
        "text": b"this is no database at all " * 100,
        "empty": b"",
    }[damage]
    path.write_bytes(broken)
    store = disk(path, Clock(2000.0))
    assert store.find([b"1"]) == {}
    assert store.write({b"1": b"new"})
    assert store.find([b"1"]) == {b"1": Row(2000, b"new")}
    assert store.sound
    store.close()
    if damage == "empty":
        return
    assert store.set_aside == 1
    (aside,) = path.parent.glob("frozen.db.damaged-2000")
    assert aside.read_bytes()[:100] == broken[:100]
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "set aside as frozen.db.damaged-2000, starting empty" in record.getMessage()


def test_a_row_that_is_not_what_was_written_is_none(path: Path) -> None:
    store = disk(path)
    store.write({b"a": b"right", b"b": b"right", b"c": b"right"})
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE frozen_edits SET edits = edits || 'x' WHERE key = ?", (b"a",))
        connection.execute("UPDATE frozen_edits SET edits = 7 WHERE key = ?", (b"b",))
    connection.close()
    again = disk(path)
    assert set(again.find([b"a", b"b", b"c"])) == {b"c"}
    assert again.damaged_rows == 2
    again.close()


def test_a_later_version_is_set_aside_and_a_stranger_is_not_touched(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    store = disk(path, Clock(7.0))
    assert store.write({b"a": b"1"})
    store.close()
    assert [each.name for each in path.parent.glob("*.version2-7")]
    other = path.with_name("other.db")
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = other.read_bytes()
    stranger = disk(other)
    assert not stranger.write({b"a": b"1"})
    assert not stranger.sound
    assert other.read_bytes() == before
    assert "the database of another program" in caplog.text


def test_a_store_of_ours_of_another_kind_is_not_touched(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill(path)
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE frozen_edits RENAME TO entries")
    connection.close()
    store = disk(path)
    assert not store.write({b"a": b"1"})
    assert store.set_aside == 0
    assert "of another kind" in caplog.text


def test_a_locked_file_is_left_alone_for_a_while(path: Path) -> None:
    clock = Clock()
    store = disk(path, clock)
    store.write({b"a": b"1"})
    locker = sqlite3.connect(path, isolation_level=None)
    locker.execute("BEGIN EXCLUSIVE")
    assert not store.write({b"b": b"2"})
    assert not store.sound
    faults = store.faults
    assert not store.write({b"b": b"2"})
    assert store.faults == faults  # not even tried
    assert set(store.find([b"a"])) == {b"a"}  # readers do not mind
    locker.execute("ROLLBACK")
    locker.close()
    assert not store.write({b"b": b"2"})
    clock.tick(5)
    assert store.write({b"b": b"2"})
    assert store.sound
    store.close()


def test_a_directory_in_its_place_is_told_and_no_crash(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.mkdir(parents=True)
    store = disk(path)
    assert not store.open()
    assert store.find([b"a"]) == {}
    assert not store.write({b"a": b"1"})
    assert len(caplog.records) == 1


def test_a_file_that_vanishes_is_made_anew(path: Path) -> None:
    store = disk(path)
    store.write({b"a": b"1"})
    for each in path.parent.glob("frozen.db*"):
        each.unlink()
    assert store.find([b"a"]) == {}
    assert store.write({b"a": b"2"})
    assert path.exists()
    store.close()


@pytest.mark.parametrize("bound", [{"rows": 100}, {"size": 100 * 84}])
def test_the_longest_unused_rows_go(path: Path, bound: dict[str, int]) -> None:
    clock = Clock(0.0)
    store = disk(path, clock, **bound)
    for number in range(4 * TRIM_EVERY):
        clock.tick(1)
        store.touch([b"0"])
        store.write({b"%d" % number: bytes(12)})  # 84 bytes with the checksum and what a row costs
    clock.tick(1)
    left = store.find([b"%d" % number for number in range(4 * TRIM_EVERY)])
    assert len(left) <= 100 + TRIM_EVERY
    assert store.dropped == 4 * TRIM_EVERY - len(left)
    kept = sorted(int(key) for key in left)
    assert kept[0] == 0
    assert kept[1:] == list(range(kept[1], 4 * TRIM_EVERY))
    store.close()


def test_touching_never_makes_a_row_older(path: Path) -> None:
    clock = Clock(100.0)
    store = disk(path, clock)
    store.write({b"a": b"1"})
    clock.now = 50.0
    store.touch([b"a", b"none"])
    assert store.find([b"a", b"none"]) == {b"a": Row(100, b"1")}
    clock.now = 150.0
    store.touch([b"a"])
    assert store.find([b"a"]) == {b"a": Row(150, b"1")}
    store.close()
