from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.invalidation import Invalidation
from cache.invalidation_lines import HEADER, MAGIC, Unheard, header, line_of, lines_of, sound

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SOME = st.builds(
    Invalidation,
    st.none() | WORDS,
    st.lists(st.binary(min_size=32, max_size=32), max_size=3).map(tuple),
    st.lists(WORDS, max_size=3).map(tuple),
    st.lists(WORDS, max_size=3).map(tuple),
    st.booleans(),
)


def lines(*whats: Invalidation, first: int = 1) -> bytes:
    return b"".join(line_of(what, number, 1000) for number, what in enumerate(whats, first))


@given(st.lists(SOME, max_size=5), st.integers(0, 2**60), st.binary(max_size=30))
def test_lines_come_back_as_they_were_whatever_follows(whats: list[Invalidation], before: int, rest: bytes) -> None:
    data = lines(*whats, first=before + 1)
    assert lines_of(data + rest, before + 1, before + len(whats)) == (whats, len(data))
    assert data.count(b"\n") == len(whats)
    assert [json.loads(line)["n"] for line in data.splitlines()] == [before + 1 + at for at in range(len(whats))]


@pytest.mark.parametrize("change", [(b'"n":2', b'"n":3'), (b'"n":2', b'"n":22'), (b'"keys"', b'"k"'), (b"]", b"")])
def test_a_line_that_is_not_what_it_has_to_be_is_no_line(change: tuple[bytes, bytes]) -> None:
    one = Invalidation(labels=("a",))
    data = lines(one, one, one)
    assert len(lines_of(data, 1, 3)[0]) == 3
    start = len(lines(one))
    with pytest.raises(Unheard):
        lines_of(data[:start] + data[start:].replace(*change, 1), 1, 3)


def test_half_a_line_is_no_line() -> None:
    data = lines(Invalidation(everything=True), Invalidation(labels=("a",)))
    for length in range(len(data)):
        with pytest.raises(Unheard):
            lines_of(data[:length], 1, 2)


def test_a_line_that_is_too_long_stands_for_everything_of_its_tenant() -> None:
    what = Invalidation("team", tuple(bytes([n]) * 32 for n in range(50)))
    line = line_of(what, 7, 1000)
    assert lines_of(line, 7, 7)[0] == [Invalidation("team", everything=True)]
    assert lines_of(line_of(what, 7, 100_000), 7, 7)[0] == [what]


def test_a_header_of_another_version_is_not_ours() -> None:
    assert sound(header())
    assert sound(header() + b"anything")
    assert len(header()) == HEADER
    assert not any(map(sound, [b"", header()[:-1], header().replace(b"1", b"2"), b"SQLite format 3\0" * 8, MAGIC]))
