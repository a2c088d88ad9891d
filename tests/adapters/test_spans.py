from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.spans import Edit, Path, Span, edited, spans, value_at

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)
INDENTS = st.sampled_from([None, 0, 2, "\t"])


def all_paths(value: Any, path: Path = ()) -> list[Path]:
    steps: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        steps = list(value.items())
    elif isinstance(value, list):
        steps = list(enumerate(value))
    return [path, *(below for step, inner in steps for below in all_paths(inner, (*path, step)))]


@given(VALUES, INDENTS, st.booleans())
def test_every_value_is_found_where_it_stands(value: Any, indent: Any, escape: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=escape).encode("utf-8", "surrogatepass")
    raw = b" \r\n\t" + text + b"\n"
    paths = all_paths(value)
    found = spans(raw, paths)
    assert set(found) == set(paths)
    for path, (start, end) in found.items():
        assert json.loads(raw[start:end]) == value_at(value, path)
        assert raw[start:end] == raw[start:end].strip()


RAW = rb'{ "a" : [ 1 , {"b\"]": "}, \\"} ,[] ], "m\u0065": -1.50e+10 , "s":"\u00e9,:{" }'


@pytest.mark.parametrize(
    ("path", "slice_"),
    [
        ((), RAW),
        (("a",), rb'[ 1 , {"b\"]": "}, \\"} ,[] ]'),
        (("a", 0), b"1"),
        (("a", 1, 'b"]'), rb'"}, \\"'),
        (("a", 2), b"[]"),
        (("me",), b"-1.50e+10"),
        (("s",), rb'"\u00e9,:{"'),
    ],
)
def test_values_are_given_as_they_came(path: Path, slice_: bytes) -> None:
    ((start, end),) = spans(RAW, [path]).values()
    assert RAW[start:end] == slice_


@pytest.mark.parametrize("path", [("b",), ("a", 3), ("a", -1), ("a", "0"), ("a", 0, 0), ("s", 0), (0,)])
def test_what_is_not_there_is_not_found(path: Path) -> None:
    assert spans(RAW, [path]) == {}
    assert value_at(msgspec.json.decode(RAW), path) is None


@pytest.mark.parametrize("raw", [b'{"a":1,"a":2}', b'{"a":1,"a":22,"b":3}', b'{"a":[1],"b":0,"a":[]}'])
def test_a_name_that_stands_twice_is_told(raw: bytes) -> None:
    with pytest.raises(ValueError, match="twice"):
        spans(raw, [("b",)])


def test_beside_the_way_nothing_is_looked_at() -> None:
    assert spans(b'{"a":{"x":1,"x":2},"b":3}', [("b",)]) == {("b",): Span(23, 24)}


@given(st.binary(max_size=40), st.lists(st.tuples(st.integers(0, 40), st.binary(max_size=3)), max_size=5))
def test_edits_in_any_order(raw: bytes, inserted: list[tuple[int, bytes]]) -> None:
    edits = [Edit(place, place, by) for place, by in {min(at, len(raw)): by for at, by in inserted}.items()]
    expected = raw
    for edit in sorted(edits, reverse=True):
        expected = expected[: edit.start] + edit.by + expected[edit.end :]
    assert edited(raw, edits) == expected


def test_an_edit_replaces() -> None:
    assert edited(b"0123456789", [Edit(8, 10, b"x"), Edit(1, 3, b""), Edit(5, 5, b"--")]) == b"034--567x"
