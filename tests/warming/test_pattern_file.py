"""The file of access patterns, with real files: sums over processes, bounds, damage, strangers, locks."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import Clock
from warming.access_patterns import Pattern
from warming.access_rows import Ident
from warming.pattern_file import MIGRATIONS, PatternFile

NOW = 1_800_000_000.0
LIFE = 100.0


def file(path: Path | None, clock: Clock | None = None, *, rows: int = 1000) -> PatternFile:
    return PatternFile(path, clock or Clock(NOW), LIFE, rows=rows, busy=0.01, retry_after=5.0)


def pattern(key="k", weight=1.0, last=NOW, user="", namespace="n", **hours) -> Pattern:
    counts = [0] * 24
    for name, count in hours.items():
        counts[int(name[1:])] = count
    return Pattern(Ident(user, namespace, key), weight, last, tuple(counts))


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "below" / "patterns.db"


def test_what_was_added_is_there_after_a_restart_best_first(path: Path) -> None:
    first = file(path)
    told = [pattern("a", 1.0, h3=1), pattern(b"\x00\xff", 4.0, user="u", h4=4), pattern("a\ud800é", 2.0, user="\udc00")]
    assert first.add(told)
    first.close()
    second = file(path)
    assert second.best(10) == [told[1], told[2], told[0]]
    assert second.best(1) == [told[1]]
    second.close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_texts_and_bytes_are_different_keys(path: Path) -> None:
    one = file(path)
    one.add([pattern("k", 1.0), pattern(b"k", 2.0)])
    assert [each.ident.key for each in one.best(9) or []] == [b"k", "k"]
    one.close()


def test_processes_that_share_a_file_add_to_each_other(path: Path) -> None:
    one, other = file(path), file(path)
    one.add([pattern(weight=4.0, last=NOW - LIFE, h1=4)])
    other.add([pattern(weight=3.0, last=NOW, h1=1, h2=2)])
    one.add([pattern(weight=8.0, last=NOW - 2 * LIFE, h2=8)])
    expected = [pattern(weight=4 / 2 + 3 + 8 / 4, last=NOW, h1=5, h2=10)]
    assert one.best(9) == other.best(9) == expected
    one.close()
    other.close()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(1, 300), st.integers(0, 50)), max_size=25))
def test_whoever_adds_the_sum_is_the_same(accesses):
    """Two processes, and one that does the work of both."""
    clock = Clock(NOW)
    both, alone = file(None, clock), file(None, clock)
    by_two: dict[str, float] = {}
    for _, key, count, ago in accesses:
        told = [pattern(f"k{key}", float(count), NOW - ago)]
        assert both.add(told)
        by_two[f"k{key}"] = by_two.get(f"k{key}", 0.0) + count * 0.5 ** (-((NOW - ago) - NOW) / LIFE)
    for told in sorted(((f"k{key}", float(count), NOW - ago) for _, key, count, ago in accesses), key=lambda it: it[2]):
        assert alone.add([pattern(*told)])
    for one in (both, alone):
        found = {each.ident.key: each.weight * 0.5 ** ((NOW - each.last) / LIFE) for each in one.best(9) or []}
        assert found == pytest.approx(by_two)
        one.close()


def test_hours_of_years_fit_into_their_bytes(path: Path) -> None:
    one = file(path)
    for _ in range(3):
        one.add([pattern(weight=65535.0, h1=65535, h2=65)])
    (found,) = one.best(9) or []
    assert found.weight == 3 * 65535
    assert 127 < found.hours[1] <= 255
    assert found.hours[2] == 0
    one.close()


def test_the_least_worth_go(path: Path) -> None:
    one = file(path, rows=10)
    one.add([pattern(f"k{number}", 1.0 + number) for number in range(10)])
    assert one.dropped == 0
    one.add([pattern("old", 1000.0, NOW - 20 * LIFE)])
    assert one.dropped == 2
    assert {each.ident.key for each in one.best(99) or []} == {f"k{number}" for number in range(1, 10)}
    one.close()


def test_what_was_written_before_the_clock_was_set_back_is_of_now(path: Path) -> None:
    one = file(path)
    one.add([pattern(weight=2.0, last=NOW + 1000 * LIFE)])
    one.add([pattern(weight=3.0, last=NOW)])
    assert one.best(9) == [pattern(weight=5.0, last=NOW)]
    one.close()


# Damage


def fill(path: Path) -> None:
    one = file(path)
    one.add([pattern(f"k{number}") for number in range(300)])
    one.close()


@pytest.mark.parametrize("damage", ["header", "pages", "text", "empty"])
def test_a_damaged_file_is_set_aside_with_a_message(path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    fill(path)
    whole = path.read_bytes()
    path.write_bytes(
        {
            "header": b"x" * 100 + whole[100:],
            "pages": whole[:100] + b"\xff" * (len(whole) - 100),
            "text": b"this is no database at all " * 100,
            "empty": b"",
        }[damage]
    )
    one = file(path, Clock(2000.0))
    one.best(9)
    assert one.add([pattern("new")])
    assert [each.ident.key for each in one.best(9) or []] == ["new"]
    one.close()
    if damage == "empty":
        return
    assert one.set_aside == 1
    assert list(path.parent.glob("patterns.db.damaged-2000"))
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "set aside as patterns.db.damaged-2000, starting empty" in record.getMessage()


@pytest.mark.parametrize(
    "change",
    [
        "weight = 'x'",
        "weight = 9e999",
        "weight = -1",
        "weight = x'00'",
        "last = 'x'",
        "last = 9e999",
        "hours = 7",
        "hours = 'x'",
        "hours = x'00'",
        "user = 5",
        "namespace = 5",
        "user = x'ff'",
        "key = 5",
    ],
)
def test_a_row_that_is_not_what_was_written_is_none(path: Path, change: str) -> None:
    one = file(path)
    one.add([pattern("a"), pattern("b")])
    one.close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE access_patterns SET {change} WHERE key = x'61'")
    connection.close()
    again = file(path)
    assert [each.ident.key for each in again.best(9) or []] == ["b"]
    assert again.damaged_rows == 1
    assert again.add([pattern("a"), pattern("b")])
    assert {each.ident.key: each.weight for each in again.best(9) or []} == {"a": 1, "b": 2}
    again.close()


def test_a_later_version_is_set_aside_and_strangers_are_not_touched(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    one = file(path, Clock(7.0))
    assert one.add([pattern()])
    one.close()
    assert list(path.parent.glob("*.version2-7"))
    other = path.with_name("other.db")
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = other.read_bytes()
    stranger = file(other)
    assert not stranger.add([pattern()])
    assert stranger.best(9) is None
    assert other.read_bytes() == before
    assert "the database of another program" in caplog.text


def test_a_locked_file_is_left_alone_for_a_while(path: Path) -> None:
    clock = Clock(NOW)
    one = file(path, clock)
    one.add([pattern("a")])
    locker = sqlite3.connect(path, isolation_level=None)
    locker.execute("BEGIN EXCLUSIVE")
    assert not one.add([pattern("b")])
    faults = one.faults
    assert not one.add([pattern("b")])
    assert one.faults == faults  # not even tried
    locker.execute("ROLLBACK")
    locker.close()
    clock.tick(5)
    assert one.add([pattern("b")])
    assert len(one.best(9) or []) == 2
    one.close()


def test_a_directory_in_its_place_is_told_and_no_crash(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.mkdir(parents=True)
    one = file(path)
    assert one.best(9) is None
    assert not one.add([pattern()])
    assert len(caplog.records) == 1
