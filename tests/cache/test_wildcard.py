from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.wildcard import BadPattern, matcher

TEXT = st.text("ab*?[.\n", max_size=8)


@given(TEXT, TEXT)
def test_it_is_what_a_regular_expression_says(pattern: str, text: str) -> None:
    expected = "".join(".*" if one == "*" else "." if one == "?" else re.escape(one) for one in pattern)
    assert matcher(pattern)(text) == bool(re.fullmatch(expected, text, re.DOTALL))


@given(st.text(max_size=5), st.text(max_size=5))
def test_the_empty_pattern_is_the_empty_text(one: str, other: str) -> None:
    assert matcher("")(one) == (one == "")
    assert matcher("*" + other)(one + other)


def test_what_would_take_long_is_no_pattern() -> None:
    assert not matcher("*a" * 16)("b" * 100_000)
    assert matcher("*" * 500)("x")
    for pattern in ("*a" * 17, "a" * 1025):
        with pytest.raises(BadPattern):
            matcher(pattern)
