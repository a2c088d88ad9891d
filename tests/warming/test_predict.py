"""The model of what comes next: its formula worked out by hand, its bounds, and that it learns and forgets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warming.predict import DOUBT, SESSIONS, Followers, Model, Prediction


def told(model, *queries, hour=9, session=""):
    for query in queries:
        model.note(query, hour, session)


def next_of(model, current, hour=9, session="", **more):
    return {each.query: each.confidence for each in model.next(current, hour, session, **more)}


def test_the_formula():
    model = Model(ngram_size=3)
    told(model, "a", "b", "c", "a", "b", "d", "a", "b")
    # After b: c once, d once. After a, b: c once, d once. This hour: a 3, b 3, c 1, d 1.
    expected = 0.6 * 1 / (2 + DOUBT) + 0.3 * 1 / (2 + DOUBT) + 0.1 * 1 / (8 + DOUBT)
    assert next_of(model, "b") == pytest.approx({"c": expected, "d": expected})
    # Three hours later nothing is known of that hour.
    assert next_of(model, "b", hour=12)["c"] == pytest.approx(expected - 0.1 / (8 + DOUBT))
    # An hour later what is known counts half: half the accesses of half of all.
    assert next_of(model, "b", hour=10)["c"] == pytest.approx(expected - 0.1 / (8 + DOUBT) + 0.1 * 0.5 / (4 + DOUBT))


def test_another_question_than_the_last_follows_the_last():
    model = Model(ngram_size=3)
    told(model, "x", "a", "b", "x", "a")
    assert next_of(model, "a", hour=0) == pytest.approx({"b": 0.6 / (1 + DOUBT) + 0.3 / (1 + DOUBT)})
    told(model, "y")
    # `a` has not been asked for after y: the two before are (y, a), after which nothing is known to come.
    assert next_of(model, "a", hour=0, min_confidence=0.0)["b"] == pytest.approx(0.6 / (2 + DOUBT))


def test_the_longer_context_tells_apart_what_the_shorter_can_not():
    model = Model(ngram_size=3)
    for _ in range(10):
        told(model, "from x", "q", "answer x", "from y", "q", "answer y")
    told(model, "from x", "q")
    found = next_of(model, "q")
    assert found["answer x"] > found["answer y"]
    assert next(iter(found)) == "answer x"


@pytest.mark.parametrize("size", [2, 3, 4, 6])
def test_ngrams_of_any_length_know_a_routine(size):
    model = Model(ngram_size=size)
    for _ in range(30):
        told(model, *"abcdefg")
    best = model.next("g", 9)[0]
    assert best.query == "a"
    assert best.confidence > 0.8


def test_sessions_do_not_mix():
    model = Model()
    for turn in range(8):
        model.note(("a", "b")[turn % 2], 0, "one")
        model.note(("x", "y")[turn % 2], 0, "other")
    assert set(next_of(model, "a", 5, "one")) == {"b"}
    assert set(next_of(model, "x", 5, "other")) == {"y"}
    for number in range(2 * SESSIONS):
        model.note("q", 0, f"s{number}")
    assert len(model._sessions) == SESSIONS


def test_top_k_and_the_least_confidence_are_kept():
    model = Model()
    for then in "bbbbccd":
        told(model, "a", then)
    assert list(next_of(model, "a", min_confidence=0.0, top_k=2)) == ["b", "c"]
    assert list(next_of(model, "a", min_confidence=0.25)) == ["b"]
    assert next_of(model, "a", top_k=0) == {}
    assert next_of(model, "unknown") == {}
    assert model.next("a", 9, min_confidence=1.0) == []


def test_the_hour_alone_is_enough_where_so_little_is_asked():
    model = Model()
    told(model, *["news"] * 50, hour=7)
    assert set(next_of(model, "never", hour=7, min_confidence=0.09)) == {"news"}
    assert next_of(model, "never", hour=7, min_confidence=0.11) == {}
    assert next_of(model, "never", hour=12, min_confidence=0.05) == {}


def test_the_least_useful_pattern_goes():
    followers = Followers(16)
    for _ in range(5):
        followers.note("often", "x")
    for number in range(15):
        followers.note(number, "y")
    followers.note("new", "z")
    assert len(followers) == 16
    assert followers.count("often", "x") == 5
    assert followers.count(0, "y") == followers.total(0) == 0
    assert followers.count("new", "z") == 1


def test_what_was_useful_once_is_not_kept_for_ever():
    followers = Followers(4)
    for _ in range(8):
        followers.note("old", "x")
    for turn in range(200):
        followers.note(turn % 4, "y")
    assert followers.count("old", "x") == 0


def test_what_was_forgotten_still_makes_the_rest_less_sure():
    followers = Followers(2)
    followers.note("a", "x")
    followers.note("a", "y")
    followers.note("a", "y")
    followers.note("b", "z")
    followers.note("a", "y")
    assert (followers.count("a", "x"), followers.count("a", "y"), followers.total("a")) == (0, 3, 4)


@settings(max_examples=60)
@given(
    st.integers(1, 8),
    st.integers(2, 4),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 23), st.integers(0, 2)), max_size=150),
    st.floats(0, 1),
    st.integers(0, 7),
)
def test_bounds_hold_whatever_comes(most, size, queries, least, top_k):
    model = Model(most, size)
    for query, hour, session in queries:
        model.note(f"q{query}", hour, str(session))
        assert len(model) <= 3 * most
        found = model.next(f"q{query}", hour, str(session), top_k=top_k, min_confidence=least)
        assert len(found) <= top_k
        assert all(least <= each.confidence <= 1 for each in found)
        assert [each.confidence for each in found] == sorted((each.confidence for each in found), reverse=True)
        assert len({each.query for each in found}) == len(found)


def test_keys_may_be_bytes():
    model = Model()
    told(model, b"a", b"b", b"a")
    assert model.next(b"a", 9) == [Prediction(b"b", pytest.approx(0.6 / (1 + DOUBT) + 0.1 / (3 + DOUBT)))]
