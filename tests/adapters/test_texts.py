"""What two texts begin with in common."""

from __future__ import annotations

from itertools import takewhile

from hypothesis import given
from hypothesis import strategies as st

from adapters.texts import common_prefix


@given(st.text("ab"), st.text("ab"), st.text("ab\U0001f600"))
def test_it_is_what_they_begin_with(a: str, b: str, start: str) -> None:
    assert common_prefix(start + a, start + b) == len(
        list(takewhile(lambda pair: pair[0] == pair[1], zip(start + a, start + b, strict=False)))
    )
    assert common_prefix(a, a + b) == len(a)
