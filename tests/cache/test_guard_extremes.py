"""What superlatives are said of."""

from __future__ import annotations

import pytest

from cache.guard_extremes import guard_extremes
from cache.phrase import Phrase


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The biggest city in the smallest state", "The smallest city in the biggest state"),
        ("Which state has the shortest river?", "Which river crosses the shortest state?"),
        ("the oldest player of the tallest team", "the tallest player of the oldest team"),
    ],
)
def test_the_other_way_round(one: str, other: str) -> None:
    found = guard_extremes(Phrase(one), Phrase(other))
    assert found is not None
    assert found.guard == "extremes"
    assert guard_extremes(Phrase(other), Phrase(one)) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The biggest city in Ohio", "Ohio's largest city"),
        ("Which mountain is the highest?", "What is the highest mountain?"),
        ("The biggest city in the smallest state", "What is the largest city of the tiniest state?"),
        ("The best phone", "The best camera"),
        ("", "The best phone"),
        ("interest rates in the west", "interest rates out west"),
    ],
)
def test_the_same_or_none_of_its_business(one: str, other: str) -> None:
    assert guard_extremes(Phrase(one), Phrase(other)) is None
    assert guard_extremes(Phrase(other), Phrase(one)) is None
