from __future__ import annotations

import sqlite3
from dataclasses import replace
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
label = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\0"), min_size=1)
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
    labels=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\0"), min_size=1)).map(
        tuple
    ),
    took=real,
)


def stored(row: schema.Row) -> Any:
    """The row after a journey through SQLite."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.text_factory = bytes
        for script in schema.MIGRATIONS:
            connection.executescript(script)
        connection.execute(schema.INSERT[1], row)
        return connection.execute(schema.SELECT[1], (row[0],)).fetchone()
    finally:
        connection.close()


@settings(max_examples=100, deadline=None)
@given(entries)
def test_an_entry_survives_the_journey(entry: Entry) -> None:
    assert schema.entry_of(stored(schema.row_of(entry, entry.expires_at, whole=True))) == entry


@settings(max_examples=50, deadline=None)
@given(entries)
def test_an_answer_does_so_without_what_only_the_whole_has(entry: Entry) -> None:
    row = [value.encode() if isinstance(value, str) else value for value in schema.row_of(entry, entry.expires_at)]
    assert len(row) == schema.WIDTH
    assert schema.entry_of(tuple(row)) == replace(entry, labels=(), took=0.0)


def test_a_row_without_labels_is_the_row_of_the_version_that_knew_of_none() -> None:
    entry = entry_of(1, Clock())
    assert schema.row_of(entry, 5.0)[-2] == schema.row_of(entry, 5.0, whole=True)[-2]
    assert schema.row_of(replace(entry, took=1.0), 5.0, whole=True)[-2] != schema.row_of(entry, 5.0)[-2]


@pytest.mark.parametrize("labels", [("",), ("a\nb",), ("a", "b\0")])
def test_labels_that_cannot_be_told_apart_are_refused(labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="label"):
        schema.row_of(entry_of(1, Clock(), labels=labels), 5.0, whole=True)
    assert schema.line_of(labels[-1]) is None


def test_a_label_that_no_text_can_hold_is_looked_for_nowhere() -> None:
    assert schema.line_of("\ud800") is None
    assert schema.line_of("doc:1") == "\ndoc:1\n"


@pytest.mark.parametrize("column", range(schema.WIDTH + 2))
@pytest.mark.parametrize("value", [None, b"\xff", 7, 0.5, b""])
def test_any_other_value_in_any_column_is_damage(column: int, value: Any) -> None:
    labelled = {"labels": ("a", "b"), "took": 0.25}
    row = list(stored(schema.row_of(entry_of(1, Clock(), body=b"body", namespace="n", **labelled), 5.0, whole=True)))
    assert row[column] != value
    row[column] = value
    with pytest.raises(schema.Damaged):
        schema.entry_of(tuple(row))


def test_named_columns_are_where_they_are_said_to_be() -> None:
    places = schema.KEY, schema.TENANT, schema.NAMESPACE, schema.EXPIRES_AT, schema.SIZE
    for columns in (schema.COLUMNS, schema.WHOLE):
        names = [name.strip() for name in columns.split(",")]
        assert [names[place] for place in places] == ["key", "tenant", "namespace", "expires_at", "size"]
        assert names[-2:] == ["checksum", "body"]


@pytest.mark.parametrize("count", [0, 1, 3, 63, 64, 65, 200])
def test_pieces_lose_nothing(count: int) -> None:
    cut = list(schema.pieces(list(range(count))))
    assert [number for piece in cut for number in piece] == list(range(count))
    assert all(len(piece) in schema.SIZES for piece in cut)
