"""Bounds of numbers, and lists that are to be sorted."""

from __future__ import annotations

import pytest

from cache.guard_bounds import guard_bounds, guard_sorting
from cache.phrase import Phrase

SAME = [
    ("Hotels under 100 euros", "Hotels for less than 100 euros"),
    ("Cities with more than 5 museums", "Cities with over 5 museums"),
    ("People older than 30", "People above 30"),
    ("At least 3 goals", "3 goals or more"),
    ("At most 3 goals", "No more than 3 goals"),
    ("Up to 10 users", "A maximum of 10 users"),
    ("Children under the age of 12", "Children younger than 12"),
    ("Bridges over the Seine", "Bridges across the Seine"),
    ("What is under the bed?", "What lies below the bed?"),
]
APART = [
    ("Hotels under 100 euros", "Hotels over 100 euros"),
    ("Papers with more than 5 citations", "Papers with at least 5 citations"),
    ("At most 3 goals", "At least 3 goals"),
    ("Less than 10 users", "10 users"),
    ("Exactly 10 users", "10 users"),
    ("Bigger than 2 metres", "Smaller than 2 metres"),
    ("18 or older", "18 or younger"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_bound_in_other_words(one: str, other: str) -> None:
    assert guard_bounds(Phrase(one), Phrase(other)) is None


@pytest.mark.parametrize(("one", "other"), APART)
def test_another_bound(one: str, other: str) -> None:
    assert guard_bounds(Phrase(one), Phrase(other)) is not None
    assert guard_bounds(Phrase(other), Phrase(one)) is not None


def test_it_says_which() -> None:
    found = guard_bounds(Phrase("more than 5 stars"), Phrase("at least 5 stars"))
    assert str(found) == "bounds: more / at least"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("List all pilots sorted by age", "List all pilots in order of age", True),
        ("List all pilots", "List all pilots sorted by age", False),
        ("List all pilots alphabetically", "List all pilots in alphabetical order", True),
        ("Films from oldest to youngest", "Films", False),
        ("Order a pizza", "Get a pizza", True),
        ("How do I sort a list in Python?", "How can a list be sorted in Python?", True),
    ],
)
def test_a_list_that_is_to_be_sorted(one: str, other: str, same: bool) -> None:
    assert (guard_sorting(Phrase(one), Phrase(other)) is None) is same
    assert (guard_sorting(Phrase(other), Phrase(one)) is None) is same
