"""Questions as units: words that say something, expressions as one, groups of synonyms."""

from __future__ import annotations

import pytest

from cache.phrase import Phrase
from cache.synonyms import units


def words(text: str) -> list[str]:
    return [unit.word for unit in units(Phrase(text))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("What is the date of birth of the client?", ["date of birth", "client"]),
        ("Could you please show me the first name of each student?", ["first name", "student"]),
        ("How many people live in Lyon?", ["how many people live", "lyon"]),
        ("", []),
        ("???", []),
        ("the of and", []),
        ("Привет мир", ["привет", "мир"]),
    ],
)
def test_what_is_said(text: str, said: list[str]) -> None:
    assert words(text) == said


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("movies", "films", True),
        ("a client", "the customers", True),
        ("date of birth", "birthday", True),
        ("first name", "forename", True),
        ("surname", "first name", False),
        ("movies", "songs", False),
        ("running", "runs", True),
        ("teacher", "student", False),
        ("more than", "over", True),
        ("more than", "less than", False),
    ],
)
def test_what_means_the_same(one: str, other: str, same: bool) -> None:
    (here,), (there,) = units(Phrase(one)), units(Phrase(other))
    assert here.means(there) is same
    assert there.means(here) is same


def test_a_group_is_not_passed_on_through_a_word_of_two() -> None:
    (film,), (cinema,), (movie,) = (units(Phrase(word)) for word in ("a film", "a cinema", "a motion picture"))
    assert film.means(cinema)
    assert film.means(movie)
    assert not cinema.means(movie)
