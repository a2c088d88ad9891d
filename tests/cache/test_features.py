"""What the verifier weighs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.features import FEATURES, SYNONYM, UNKNOWN_CROWD, UNTOLD, Pair, crowding, features, head, unknown
from cache.phrase import Phrase


def unasked(one: str, other: str) -> None:
    return None


def named(one: str, other: str, likeness=unasked, similarity: float = 0.9) -> dict[str, float]:
    pair = Pair(Phrase(one), Phrase(other), similarity, 0.5)
    return dict(zip(FEATURES, features(pair, likeness), strict=True))


def test_equal_questions_have_nothing_left_over() -> None:
    found = named("Which rivers cross Nevada?", "Which rivers cross Nevada?")
    assert found == {"similarity": 0.9, "crowding": 0.5, "matched": 3.0, "alike": 1.0, "head": 1.0}


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("List the films of Kurosawa", "List the movies of Kurosawa", SYNONYM),
        ("List the films of Kurosawa", "List the songs of Kurosawa", 0.0),
        ("Where is Kurosava buried?", "Where is Kurosawa buried?", 0.9),
        ("What is the height of K2?", "How tall is K2?", SYNONYM),
        ("Which cities are in Peru?", "Which large cities are in Peru?", 0.0),
        ("please tell me which cities are in Peru", "Which cities are in Peru?", 1.0),
    ],
)
def test_how_alike_the_least_alike_words_are(one: str, other: str, alike: float) -> None:
    assert named(one, other)["alike"] == pytest.approx(alike)
    assert named(other, one)["alike"] == pytest.approx(alike)


def test_what_the_embedder_says_of_two_words_counts_where_no_group_does() -> None:
    said = {frozenset(("kayak", "canoe")): 0.83}
    found = named("Rent a kayak in Bergen", "Rent a canoe in Bergen", lambda a, b: said.get(frozenset((a, b))))
    assert found["alike"] == pytest.approx(0.83)
    pair = Pair(Phrase("Rent a kayak in Bergen"), Phrase("Rent a canoe in Bergen"), 0.9, 0.5)
    assert ("kayak", "canoe") in unknown(pair)


def test_a_word_may_be_said_by_one_that_has_its_own_counterpart() -> None:
    found = named("Which teachers and instructors are paid?", "Which teachers are paid?")
    assert found["alike"] == pytest.approx(SYNONYM * 0.9)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("What state has the shortest river?", "state"),
        ("What is the shortest river in the state?", "river"),
        ("List the names of all pilots", "pilots"),
        ("In winter, which courses are taught?", "courses"),
        ("PreMajor classes are?", "premajor"),
        ("What?", None),
    ],
)
def test_the_head_is_what_is_asked_for(text: str, first: str | None) -> None:
    found = head(Phrase(text))
    assert (found.word if found else None) == first


def test_heads_that_are_missing_say_nothing() -> None:
    assert named("What?", "Which rivers cross Nevada?")["head"] == UNTOLD


def test_the_crowd_is_the_fourth_nearest() -> None:
    assert crowding([0.9, 0.8, 0.7, 0.65, 0.1]) == 0.65
    assert crowding([0.9, 0.8, 0.7]) == UNKNOWN_CROWD
    assert crowding([]) == UNKNOWN_CROWD


@given(st.text(max_size=120), st.text(max_size=120))
def test_any_two_texts_have_features_and_those_are_the_same_both_ways(one: str, other: str) -> None:
    found = named(one, other)
    assert found == pytest.approx(named(other, one))
    assert 0.0 <= found["alike"] <= 1.0
    assert 0.0 <= found["head"] <= 1.0
