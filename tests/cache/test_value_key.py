from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from cache.value_key import value_key

TEXTS = st.text(alphabet=st.characters(codec=None), max_size=5)


def test_a_key_is_what_it_was_in_all_earlier_versions() -> None:
    told = b"warmgate/value/1" + b"5:local" + b"4:tool" + b"4:caf\xc3"  # "caf" and a letter of two bytes: cut short
    assert value_key("local", "tool", "café") != hashlib.sha256(told).digest()
    told = b"warmgate/value/1" + b"5:local" + b"4:tool" + b"5:caf\xc3\xa9"
    assert value_key("local", "tool", "café") == hashlib.sha256(told).digest()


@given(one=st.tuples(TEXTS, TEXTS, TEXTS), other=st.tuples(TEXTS, TEXTS, TEXTS))
def test_different_things_have_different_keys(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assert len(value_key(*one)) == 32
    assert (value_key(*one) == value_key(*other)) is (one == other)


def test_no_part_runs_into_the_next() -> None:
    keys = {value_key(*parts) for parts in (("a", "b", "c"), ("ab", "", "c"), ("a", "bc", ""), ("", "1:b", "c"))}
    assert len(keys) == 4
    assert value_key("t", "n", "\ud800") != value_key("t", "n", "\udfff")
