from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.usage import Usage
from cache import disk_schema as schema
from cache.entry import Entry, Shape
from tests.cache.contract import Clock, entry_of

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
real = st.floats(allow_nan=False, allow_infinity=False)
small = st.integers(0, 2**40)
usages = st.builds(Usage, small, small, small, small, small, small, st.booleans())
entries = st.builds(
    Entry,
    key=st.binary(max_size=32),
    tenant=text,
    namespace=text,
    model=text,
    shape=st.sampled_from(Shape),
    status=st.integers(100, 599),
    headers=st.lists(st.tuples(text, text), max_size=3).map(tuple),
    body=st.binary(max_size=100),
    with_usage=st.booleans(),
    usage=st.none() | usages,
    cost=st.none() | real,
    stored_at=real,
    expires_at=real,
)


def stored(row: schema.Row) -> Any:
    """The row after a journey through SQLite."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.text_factory = bytes
        connection.executescript(schema.MIGRATIONS[0])
        connection.execute(schema.INSERT[1], row)
        return connection.execute(schema.SELECT[1], (row[0],)).fetchone()
    finally:
        connection.close()


@settings(max_examples=100, deadline=None)
@given(entries)
def test_an_entry_survives_the_journey(entry: Entry) -> None:
    assert schema.entry_of(stored(schema.row_of(entry, entry.expires_at))) == entry


@pytest.mark.parametrize("column", range(schema.WIDTH))
@pytest.mark.parametrize("value", [None, b"\xff", 7, 0.5, b""])
def test_any_other_value_in_any_column_is_damage(column: int, value: Any) -> None:
    row = list(stored(schema.row_of(entry_of(1, Clock(), body=b"body", namespace="n"), 5.0)))
    assert row[column] != value
    row[column] = value
    with pytest.raises(schema.Damaged):
        schema.entry_of(tuple(row))


def test_named_columns_are_where_they_are_said_to_be() -> None:
    names = [name.strip() for name in schema.COLUMNS.split(",")]
    assert (names[schema.EXPIRES_AT], names[schema.SIZE]) == ("expires_at", "size")
    assert names[-1] == "body"


@pytest.mark.parametrize("count", [0, 1, 3, 63, 64, 65, 200])
def test_pieces_lose_nothing(count: int) -> None:
    cut = list(schema.pieces(list(range(count))))
    assert [number for piece in cut for number in piece] == list(range(count))
    assert all(len(piece) in schema.SIZES for piece in cut)
