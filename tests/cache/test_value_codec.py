from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.value_codec import BYTES, JSON, TEXT, decoded, encoded

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(value=PLAIN | st.binary() | st.text(alphabet=st.characters(codec=None)))
def test_each_comes_back_as_its_kind(value: Any) -> None:
    kind, body = encoded(value)
    back = decoded((("x", "y"), ("Content-Type", kind)), body)
    assert back == value
    assert type(back) is type(value)
    assert kind == {bytes: BYTES, str: TEXT}.get(type(value), JSON)


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, (1, 2), [1, (2,)], {1: "a"}, float("nan"), [float("inf")], {"a": b"bytes"}, bytearray(b"a")],
)
def test_what_would_not_come_back_as_it_is_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="a value is bytes, a text, or anything that JSON can say"):
        encoded(value)


def test_what_has_no_end_is_refused() -> None:
    deep: list[Any] = []
    deep.append(deep)
    with pytest.raises(TypeError):
        encoded(deep)


@pytest.mark.parametrize(
    ("kind", "body", "value"),
    [
        ("application/json; charset=utf-8", b"[1]", [1]),
        ("APPLICATION/JSON", b"[1]", [1]),
        ("application/json", b"[1", b"[1"),
        ("application/json", b"\xff", b"\xff"),
        ("application/json", b"[" * 100_000, b"[" * 100_000),
        ("text/plain; charset=utf-8", b"\xff", b"\xff"),
        ("text/html", b"<p>", b"<p>"),
        ("", b"1", b"1"),
    ],
)
def test_what_others_wrote_is_read_as_far_as_it_is_what_it_claims(kind: str, body: bytes, value: Any) -> None:
    assert decoded((("content-type", kind),), body) == value
    assert decoded((), body) == body
