"""The frame alone; what it does for the stores is tested with them, in `test_disk` and `test_frozen_disk`."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cache.disk_file import DiskFile
from tests.cache.contract import Clock

LOG = logging.getLogger("warmgate.cache")


class Notes(DiskFile):
    """One table of lines, and what it was told by the frame."""

    def __init__(self, path: Path | None, clock: Clock, table: str = "notes") -> None:
        script = f"CREATE TABLE {table} (line TEXT NOT NULL)"
        super().__init__(
            path, "notes", table, clock, retry_after=5.0, busy=0.01, pragmas=(), migrations=(script,), log=LOG
        )
        self.told: list[str] = []

    def _began(self, connection: sqlite3.Connection, *, same: bool) -> None:
        self.told.append("same" if same else "other")

    def _ended(self) -> None:
        self.told.append("ended")

    def add(self, line: str) -> bool:
        def deed(connection: sqlite3.Connection) -> bool:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO notes VALUES (?)", (line,))
            connection.execute("SELECT 1 FROM nowhere" if line == "bad" else "COMMIT")
            return True

        return self._attempt(self.writes, deed, False)

    def lines(self) -> list[bytes]:
        return self._attempt(
            self.reads, lambda connection: [line for (line,) in connection.execute("SELECT * FROM notes")], []
        )


@pytest.mark.parametrize("where", ["disk", "memory"])
def test_a_deed_opens_what_is_not_open(where: str, tmp_path: Path) -> None:
    notes = Notes(tmp_path / "a" / "b.db" if where == "disk" else None, Clock())
    assert notes.add("one")
    assert notes.lines() == [b"one"]
    assert (notes.told, notes.replaced) == (["other"], False)
    notes.close()
    notes.close()
    assert notes.lines() == ([b"one"] if where == "disk" else []), "memory is gone with its connection"
    assert notes.told == ["other", "ended", "ended", "same" if where == "disk" else "other"]
    assert list(tmp_path.iterdir()) == ([tmp_path / "a"] if where == "disk" else [])
    notes.close()


@pytest.mark.parametrize("where", ["disk", "memory"])
def test_a_deed_that_fails_leaves_no_half_behind_and_the_file_is_left_alone_for_a_while(
    where: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    notes = Notes(tmp_path / "b.db" if where == "disk" else None, clock)
    assert notes.add("one")
    assert not notes.add("bad")
    assert not notes.add("two")
    assert (notes.faults, notes.skipped) == (1, 1)
    clock.tick(5)
    assert notes.add("three")
    assert notes.lines() == ([b"one", b"three"] if where == "disk" else [b"three"])
    notes.close()
    assert len(caplog.records) == 2, "one line when it goes bad, one when it is good again"


def test_a_file_of_ours_of_another_kind_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "b.db"
    other = Notes(path, Clock(), table="letters")
    assert other.lines() == [], "there are no notes in it"
    other.close()
    before = path.read_bytes()
    notes = Notes(path, Clock())
    assert not notes.add("one")
    assert "another kind" in notes.opens.reason
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (before, [path])


def test_a_file_that_was_replaced_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "b.db"
    notes = Notes(path, Clock())
    assert notes.add("one")
    path.rename(tmp_path / "elsewhere.db")  # unlinked, its number could be given to the next one
    assert notes.replaced
    notes.close()
    assert notes.lines() == []
    assert notes.told == ["other", "ended", "other"]
    notes.close()


def test_damage_is_set_aside_once_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "b.db"
    path.write_bytes(b"this is no database, but a text of more than a hundred bytes, " * 5)
    notes = Notes(path, Clock())
    assert notes.add("one")
    assert notes.set_aside == len(list(tmp_path.glob("b.db.damaged-*"))) == 1
    (record,) = caplog.records
    assert str(path) in record.getMessage()
    notes.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT line FROM notes").fetchall() == [("one",)]
