"""Disagreement made by hand, found and mended."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from cache import semantic_schema as schema
from cache.semantic_rows import Rows
from tests.cache.contract import Clock
from tests.cache.neighbours import kept, scattered, scope
from tests.cache.test_semantic_rows import near, put, rows_at

POOL = scattered(100, 8)
COUNT = 40


@pytest.fixture(params=[1000, 8], ids=["exact", "approximate"], name="rows")
def _rows(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rows]:
    clock = Clock()
    rows = rows_at(tmp_path / "semantic.db", clock, many=request.param)
    put(rows, *[kept(n, clock, POOL[n]) for n in range(COUNT)])
    while rows.work():
        pass
    yield rows
    rows.close()


def sql(rows: Rows, statement: str, *values: object) -> None:
    """Behind the back of the store, and yet by its own connection: it is not another process."""
    assert rows._connection is not None
    rows._connection.execute(statement, values)


def plainly(path: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = 1")
        return connection.execute(statement, values).fetchall()


def behind(statement: str, *values: object) -> Callable[[Rows], None]:
    return lambda rows: sql(rows, statement, *values)


def other_vector(rows: Rows) -> None:
    slot = rows.view.slots[5]
    vectors = rows.view.scopes[slot.scope]
    vectors.remove(slot)
    vectors.add([slot], POOL[99:100])


def shifted(rows: Rows) -> None:
    slots = rows.view.scopes[scope(0)].slots
    slots[3].place, slots[4].place = slots[4].place, slots[3].place


def vanished(rows: Rows) -> None:
    clusters = rows.view.scopes[scope(0)]._clusters
    if clusters is None:
        rows.view.scopes[scope(0)]._resize(COUNT)
        rows.view.scopes[scope(0)]._matrix[4] = 0  # type: ignore[index]
    else:
        clusters.remove(5)
        clusters.add([rows.view.slots[5]], POOL[99:100])


def another_scope(rows: Rows) -> None:
    slot = rows.view.slots[5]
    size = slot.size
    rows.view.drop(5)
    rows.view.add(b"elsewhere", [(5, size)], POOL[4:5])


def size(rows: Rows) -> None:
    rows.view.slots[5].size += 1
    rows.view.bytes += 1


def count(rows: Rows) -> None:
    rows.view.bytes += 1


NAN = np.full(8, np.nan, "<f4").tobytes()

WRONG: dict[str, tuple[Callable[[Rows], object], str, int]] = {
    "row gone": (behind("DELETE FROM semantic_questions WHERE id = 5"), "5: in memory, but no row", COUNT - 1),
    "vector damaged": (
        behind("UPDATE semantic_questions SET vector = zeroblob(32) WHERE id = 5"),
        "row 5: checksum does not match",
        COUNT - 1,
    ),
    "not a number": (
        behind("UPDATE semantic_questions SET vector = ? WHERE id = 5", NAN),
        "row 5: checksum does not match",
        COUNT - 1,
    ),
    "text damaged": (
        behind("UPDATE semantic_questions SET text = 'What?' WHERE id = 5"),
        "row 5: checksum does not match",
        COUNT - 1,
    ),
    "body damaged": (
        behind("UPDATE semantic_answers SET body = x'00' WHERE id = 5"),
        "row 5: checksum does not match",
        COUNT - 1,
    ),
    "no answer": (behind("DELETE FROM semantic_answers WHERE id = 5"), "row 5: no answer", COUNT - 1),
    "swapped answers": (
        behind("UPDATE semantic_answers SET id = CASE id WHEN 5 THEN 1005 WHEN 6 THEN 5 END WHERE id IN (5, 6)"),
        "row 5: the answer is to another question",
        COUNT - 2,
    ),
    "no question": (
        behind("INSERT INTO semantic_answers SELECT 1000, " + schema.ANSWER + " FROM semantic_answers WHERE id = 5"),
        "answer 1000: to no question",
        COUNT,
    ),
    "row unknown": (lambda rows: rows.view.drop(5), "row 5: not in memory", COUNT),
    "row hidden": (lambda rows: rows.view.hide(5), "row 5: not in the index", COUNT),
    "quarantine forgotten": (
        behind("UPDATE semantic_questions SET quarantined = 1 WHERE id = 5"),
        "row 5: in the index",
        COUNT - 1,
    ),
    "another vector": (other_vector, "row 5: another vector in the index", COUNT),
    "vector lost": (vanished, "row 5: another vector in the index", COUNT),
    "places": (shifted, "5 is not where it says", COUNT),
    "scope": (another_scope, "row 5: in the index of another scope", COUNT),
    "size": (size, f"row 5: {kept(4, Clock(), POOL[4]).entry.size + 45 + 1} bytes in memory, not", COUNT),
    "sum": (count, "the count of bytes is lost", COUNT),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_found_and_mended(rows: Rows, what: str) -> None:
    assert rows.check(mend=False) == []
    spoil, told, left = WRONG[what]
    spoil(rows)
    findings = rows.check(mend=False)
    assert any(finding.startswith(told) for finding in findings), findings
    assert rows.check(mend=False) == findings, "looking changes nothing"
    assert rows.check(mend=True) == findings
    assert rows.check(mend=True) == []
    assert len(near(rows, POOL[0])) == left
    while rows.work():
        pass
    assert rows.check(mend=False) == []
    assert len(near(rows, POOL[0])) == left


def test_the_vector_of_a_sound_row_is_judged_too(rows: Rows) -> None:
    """A row whose checksum is right and whose vector is none, as a later version may write it."""
    assert rows._connection is not None
    row = list(rows._connection.execute(schema.SELECT_QUESTIONS[1], (5,)).fetchone())
    row[9] = NAN
    sql(rows, "UPDATE semantic_questions SET vector = ?, checksum = ? WHERE id = 5", NAN, schema.checksum(row[1:11]))
    assert "row 5: no vector of length 1" in rows.check(mend=True)
    assert rows.check(mend=False) == []
    assert len(near(rows, POOL[0])) == COUNT - 1


def test_damaged_pages_are_set_aside_by_mending(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "semantic.db"
    rows = rows_at(path, clock)
    put(rows, *[kept(n, clock, POOL[n]) for n in range(COUNT)])
    rows.close()
    index = "name = 'semantic_questions_end'"
    (kind,) = plainly(path, f"SELECT * FROM sqlite_master WHERE {index}")
    plainly(path, f"DELETE FROM sqlite_master WHERE {index}")
    plainly(path, "DELETE FROM semantic_questions WHERE id = 5")  # which the index does not hear of
    plainly(path, "INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", *kind)
    rows = rows_at(path, clock)
    findings = rows.check(mend=False)
    assert findings
    assert rows.set_aside == 0
    rows.check(mend=True)
    assert rows.set_aside == len(list(tmp_path.glob("*.damaged-*"))) == 1
    assert rows.check(mend=False) == []
    assert len(put(rows, kept("new", clock, POOL[0]))) == len(near(rows, POOL[0])) == 1
    rows.close()


def test_a_check_of_a_store_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "semantic.db").mkdir()
    rows = rows_at(tmp_path / "semantic.db", Clock())
    assert len(rows.check(mend=True)) == 1
    assert "cannot be read" in rows.check(mend=True)[0]
    rows.close()
