"""Numbers in answers: what they amount to, and when two of them are the same."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.agreement_number import LONGEST, agree, numbers, quantity

VALUES = [
    ("0", 0, "", ""),
    ("-17", -17, "", ""),
    ("1,234,567.5", Fraction("1234567.5"), "", ""),
    ("1.234.567,5", Fraction("1234567.5"), "", ""),
    ("1 234 567", 1234567, "", ""),
    ("1'234'567", 1234567, "", ""),
    ("0,125", Fraction("0.125"), "", ""),
    ("0.125", Fraction("0.125"), "", ""),
    ("3,5", Fraction("3.5"), "", ""),
    ("zero", 0, "", ""),
    ("twenty-one", 21, "", ""),
    ("one hundred and five", 105, "", ""),
    ("two thousand three hundred", 2300, "", ""),
    ("three million", 3_000_000, "", ""),
    ("minus four", -4, "", ""),
    ("2.5 billion", 2_500_000_000, "", ""),
    ("5k", 5000, "", ""),
    ("$5k", 5000, "dollars", ""),
    ("-$5", -5, "dollars", ""),
    ("5 euros", 5, "euros", ""),
    ("3 km", 3000, "length", ""),
    ("six feet", Fraction("1.8288"), "length", ""),
    ("100 km/h", Fraction(100) / Fraction("3.6"), "speed", ""),
    ("2 gb", 2_000_000_000, "data", ""),
    ("18 months", Fraction("1.5"), "years", ""),
    ("30 years old", 30, "years", ""),
    ("50%", 50, "percent", ""),
    ("eight planets", 8, "", "planet"),
    ("12 angry men", 12, "", "angry men"),
    ("the 5th", None, "", ""),
]


@pytest.mark.parametrize(("text", "value", "kind", "counted"), VALUES)
def test_what_a_number_amounts_to(text, value, kind, counted):
    found = quantity(text)
    assert (found is None) == (value is None)
    assert found is None or (found.value, found.kind, found.counted) == (value, kind, counted)


@pytest.mark.parametrize(
    "text",
    ["", "paris", "1.2.3", "10:30", "2024-05-01", "5-7", "1/2", "two two", "hundred", "and", "five and", "five or six",
     "k", "3 1/2", "9" * (LONGEST + 1), "$", "-", "5 or 6", "1,23,456", "192.168.0.1"],
)  # fmt: skip
def test_what_is_not_one_number(text):
    assert quantity(text) is None


AGREED = [
    ("5 km", "5000 m", True),
    ("5 km", "5.0 km", True),
    ("20 minutes", "21 minutes", False),
    ("20 minutes", "1200 s", True),
    ("5 km", "3.1 mi", None),
    ("5 km", "5 mi", False),
    ("$50", "49 dollars", False),
    ("$5", "€5", None),
    ("3", "3.14", None),
    ("3.1", "3.14", None),
    ("3.2", "3.14", False),
    ("$1.5 million", "$1,480,000", None),
    ("$1.5 million", "$1,400,000", False),
    ("about 5", "6", None),
    ("about 5", "5", True),
    ("1,234", "1.234", None),
    ("1,234", "1234", True),
    ("1.234", "1234", None),
    ("1,234", "2345", False),
    ("5 apples", "5 pears", None),
    ("5 apples", "6 apples", False),
    ("5 apples", "6", False),
    ("5 apples", "5", True),
    ("5 kg", "5", None),
]


@pytest.mark.parametrize(("one", "other", "told"), AGREED)
def test_whether_two_are_the_same(one, other, told):
    this, that = quantity(one), quantity(other)
    assert this is not None
    assert that is not None
    assert agree(this, that) is told
    assert agree(that, this) is told


@given(st.integers(-(10**15), 10**15))
def test_every_way_to_write_an_integer(value):
    for text in (str(value), f"{value:,}", f"{value:,}".replace(",", "'"), f"{value}.0"):
        found = quantity(text)
        assert found is not None
        assert found.value == value


@given(st.text(max_size=100) | st.text("0123456789.,' -+$€%kmgand", max_size=30))
def test_any_text(text):
    found = quantity(text)
    assert found is None or agree(found, found) in (True, None)


def test_words_that_are_numbers():
    told = list(numbers(["there", "are", "three", "of", "12", "5th", "1,000"]))
    assert [None if found is None else int(found.value) for found in told] == [None, None, 3, None, 12, None, 1000]
