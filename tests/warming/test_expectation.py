"""What is learned about how often written prefixes are read."""

from __future__ import annotations

import pytest

from warming.expectation import PRIOR, WEIGHT, Expectation

A, B = b"family a", b"family b"


@pytest.mark.parametrize("kind", PRIOR)
def test_before_anything_is_known_the_prior_counts(kind):
    assert Expectation().reads(A, kind) == PRIOR[kind]


def test_an_entry_that_is_read_raises_and_one_that_expires_lowers_what_is_expected():
    seen = Expectation()
    seen.wrote(b"1", A, "tail", until=300)
    seen.met([b"0", b"1"], now=10)
    assert seen.reads(A, "tail") == (1 + WEIGHT * 0.5) / (1 + WEIGHT)
    seen.wrote(b"2", A, "tail", until=300)
    seen.met([b"x"], now=400)
    assert seen.reads(A, "tail") == (1 + WEIGHT * 0.5) / (2 + WEIGHT)


def test_of_a_conversation_only_the_first_read_counts_of_static_text_each():
    seen = Expectation()
    for kind in ("tail", "static"):
        seen.wrote(kind.encode(), A, kind, until=300)
        for _ in range(5):
            seen.met([kind.encode()], now=1)
    assert seen.reads(A, "tail") == (1 + WEIGHT * 0.5) / (1 + WEIGHT)
    assert seen.reads(A, "static") == (5 + WEIGHT * 1) / (1 + WEIGHT)


def test_what_expired_is_read_by_nobody():
    seen = Expectation()
    seen.wrote(b"1", A, "tail", until=300)
    seen.met([b"1"], now=301)
    assert seen.reads(A, "tail") < PRIOR["tail"]


def test_families_are_told_apart_and_a_new_one_is_taken_for_an_average_one():
    seen = Expectation()
    for number in range(20):
        seen.wrote(b"%d" % number, A, "tail", until=300)
    for _ in range(20):
        seen.met([], now=301)
    assert seen.reads(A, "tail") < 0.05
    assert 0.2 < seen.reads(B, "tail") < PRIOR["tail"]
    assert seen.reads(A, "static") == PRIOR["static"]


def test_writing_again_what_was_read_does_not_count_it_as_unread():
    seen = Expectation()
    seen.wrote(b"1", A, "static", until=300)
    seen.met([b"1"], now=1)
    seen.wrote(b"1", A, "static", until=301)
    seen.met([], now=400)
    assert seen.reads(A, "static") == (1 + WEIGHT) / (1 + WEIGHT)


def test_it_is_bounded():
    seen = Expectation(kept=100)
    for number in range(1000):
        seen.wrote(b"%d" % number, b"%d" % number, "tail", until=300)
    assert len(seen) == 100
