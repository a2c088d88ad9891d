from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache import semantic_schema as schema
from cache.disk_files import connect
from cache.disk_schema import Damaged
from cache.near import Judgement
from tests.cache.contract import Clock
from tests.cache.neighbours import kept, scattered

VECTOR = scattered(1, 8)[0]


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(connect(None, 1.0, schema.PRAGMAS, schema.MIGRATIONS)) as opened:
        yield opened


def row(**other: Any) -> tuple[Any, ...]:
    one = kept(1, Clock(), VECTOR, **other)
    return schema.question_row(one, VECTOR, 7, one.entry.expires_at, 5.0)


def stored(connection: sqlite3.Connection, values: tuple[Any, ...]) -> tuple[Any, ...]:
    connection.execute(schema.INSERT_QUESTION, values)
    found: tuple[Any, ...] = connection.execute(schema.SELECT_NEWER, (0,)).fetchall()[-1]
    return found


@pytest.mark.parametrize("text", ["Why?", "", "ünï\x00çø\u2028 \U0001f600", "x" * 100_000])
def test_a_question_comes_back_as_it_was(connection: sqlite3.Connection, text: str) -> None:
    one = kept(1, Clock(), VECTOR, text=text)
    question = schema.question_of(stored(connection, row(text=text)))
    assert (question.id, question.scope, question.route, question.text) == (1, one.scope, "chat", text)
    assert (question.key, question.tenant, question.embedder) == (one.entry.key, one.entry.tenant, 7)
    assert (question.stored_at, question.expires_at) == (one.entry.stored_at, one.entry.expires_at)
    assert question.size == one.entry.size + len(text.encode()) + 32
    assert (question.used, question.quarantined, schema.observed_of(question.observed)) == (5.0, False, ())
    assert np.array_equal(schema.vectors_of([question.vector, question.vector], 8), [VECTOR, VECTOR])


@pytest.mark.parametrize("other", [{"text": "\ud800"}, {"tenant": "\udcff"}])
def test_what_sqlite_cannot_hold_is_told_before(other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="surrogates"):
        row(**other)


@pytest.mark.parametrize("column", [name.strip() for name in schema.QUESTION.split(",")][:11])
@pytest.mark.parametrize("value", [None, b"\xff\x00", 3, 2.5, "other"], ids=repr)
def test_whatever_stands_in_a_row_instead_is_damage(column: str, value: Any) -> None:
    names = [name.strip() for name in schema.QUESTION.split(",")]
    good = [1, *(v.encode() if isinstance(v, str) else v for v in row())]
    place = 1 + names.index(column)
    stands = value.encode() if isinstance(value, str) else value
    assert good[place] != stands
    with pytest.raises(Damaged):
        schema.question_of([*good[:place], stands, *good[place + 1 :]])


def test_damage_that_carries_its_own_checksum_is_damage_all_the_same() -> None:
    facts = [b"s", b"k", b"\xff", None, 1, 1.0, 2.0, 3, b"v", b"t"]
    with pytest.raises(Damaged):
        schema.question_of([1, *facts, schema.checksum(facts), 0.0, 0, b"[]"])


@pytest.mark.parametrize("blob", [b"", b"[", b"[1]", b'[["x", true]]', b"[[0.5, 1]]", b"{}", b"\xff", b"[[NaN, true]]"])
def test_what_was_learned_and_is_damaged_was_never_learned(blob: bytes) -> None:
    assert schema.observed_of(blob) == ()
    assert schema.observed_of(schema.observed_and(blob, 0.5, True)) == ((0.5, True),)


@given(st.lists(st.tuples(st.floats(-1, 1), st.booleans()), max_size=100))
def test_the_latest_observations_are_kept(observed: list[tuple[float, bool]]) -> None:
    blob = schema.NOTHING_OBSERVED
    for similarity, correct in observed:
        blob = schema.observed_and(blob, similarity, correct)
    assert schema.observed_of(blob) == tuple(observed[-schema.OBSERVED :])


@pytest.mark.parametrize("score", [None, 0.25])
@pytest.mark.parametrize("correct", [None, True, False])
def test_a_judgement_comes_back_as_it_was(
    connection: sqlite3.Connection, score: float | None, correct: bool | None
) -> None:
    judgement = Judgement(12.5, "chat", "shadow", 3, 0.93, score, correct, "model")
    connection.execute(schema.INSERT_JUDGEMENT, schema.judgement_row(judgement))
    (told,) = connection.execute(schema.SELECT_JUDGEMENTS, (12.5,)).fetchall()
    assert schema.judgement_of(told) == judgement
    assert connection.execute(schema.SELECT_JUDGEMENTS, (12.6,)).fetchall() == []


@pytest.mark.parametrize(
    "other",
    [
        {"similarity": float("nan")},
        {"at": float("inf")},
        {"score": float("-inf")},
        {"entry": 2**63},
        {"route": "\ud800"},
        {"how": "\udfff"},
    ],
)
def test_a_judgement_that_sqlite_cannot_hold_is_told_before(other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        schema.judgement_row(Judgement(1.0, "chat", "shadow", 3, 0.9, None, None)._replace(**other))


@pytest.mark.parametrize("place", range(8))
def test_a_damaged_judgement_is_none(place: int) -> None:
    told: list[Any] = [1.0, b"chat", b"shadow", 3, 0.9, 0.5, 1, b"model"]
    assert schema.judgement_of(told) is not None
    told[place] = b"\xff"
    assert (schema.judgement_of(told) is None) == (place != 6)


def test_an_answer_goes_with_its_question(connection: sqlite3.Connection) -> None:
    stored(connection, row())
    connection.execute(
        f"INSERT INTO semantic_answers (id, {schema.ANSWER}) VALUES"
        " (1, 'k', 't', 'n', 'm', 's', 1, 'h', 1, NULL, NULL, 1, 2, 3, '', 0.0, 'c', 'b')"
    )
    connection.execute(schema.DELETE[1], (1,))
    assert connection.execute("SELECT count(*) FROM semantic_answers").fetchone() == (0,)
    connection.execute(schema.INSERT_QUESTION, row())
    assert connection.execute("SELECT id FROM semantic_questions").fetchall() == [(2,)], "no number is used twice"
