"""Beliefs about what can be read, at their bounds. What bills teach is in test_planner.py."""

from __future__ import annotations

from adapters.profiles import profile_of
from adapters.usage import Usage
from warming.beliefs import LONGEST_LAG, Beliefs

CLAUDE = profile_of("anthropic", "claude-sonnet-5")


def test_a_prefix_is_warm_until_its_life_ends():
    beliefs = Beliefs()
    beliefs.believe(b"p", now=1.0, begun=0.0, life=300.0)
    assert beliefs.is_warm(b"p", 299.9)
    assert not beliefs.is_warm(b"p", 300.0)
    assert not beliefs.is_warm(b"q", 0.0)


def test_a_read_begins_a_life_anew_but_wakes_nothing_that_has_expired():
    beliefs = Beliefs()
    beliefs.believe(b"p", now=1.0, begun=0.0, life=300.0)
    beliefs.refresh([b"p", b"unknown"], 200.0)
    assert beliefs.is_warm(b"p", 499.0)
    beliefs.refresh([b"p"], 600.0)
    assert not beliefs.is_warm(b"p", 601.0)


def test_writing_again_keeps_the_longer_life():
    beliefs = Beliefs()
    beliefs.believe(b"p", now=1.0, begun=0.0, life=3600.0)
    beliefs.believe(b"p", now=11.0, begun=10.0, life=300.0)
    assert beliefs.is_warm(b"p", 3500.0)


def test_lives_follow_the_mark_the_profile_and_what_was_learned():
    beliefs = Beliefs()
    assert beliefs.life("m", CLAUDE) == 300
    assert beliefs.life("m", CLAUDE, "1h") == 3600
    assert beliefs.life("m", profile_of("xai", "grok-4.7")) == 300  # nothing is promised
    beliefs.of("m").life = 120.0
    assert beliefs.life("m", CLAUDE, "1h") == 120


def test_the_least_recently_used_are_forgotten_first():
    beliefs = Beliefs(max_prefixes=2)
    for name in (b"1", b"2"):
        beliefs.believe(name, now=0.0, begun=0.0, life=300.0)
    beliefs.refresh([b"1"], 1.0)
    beliefs.believe(b"3", now=2.0, begun=2.0, life=300.0)
    assert list(beliefs.warm) == [b"1", b"3"]


def test_a_lag_grows_with_misses_up_to_a_bound_and_shrinks_with_reads():
    beliefs = Beliefs()
    for _ in range(8):
        beliefs.believe(b"p", now=0.0, begun=0.0, life=300.0)
        assert not beliefs.judge("m", CLAUDE, b"p", 5000, Usage(uncached=5000), begun=0.1)
    assert beliefs.lag("m", CLAUDE) == LONGEST_LAG
    beliefs.believe(b"p", now=0.0, begun=0.0, life=300.0)
    assert beliefs.judge("m", CLAUDE, b"p", 5000, Usage(read=4600), begun=0.7)
    assert beliefs.lag("m", CLAUDE) == 0.7


def test_names_of_models_do_not_fill_the_memory():
    beliefs = Beliefs()
    for number in range(5000):
        beliefs.of(f"model {number}")
    assert len(beliefs.models) <= 1024
