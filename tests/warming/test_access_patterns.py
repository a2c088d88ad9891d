"""What is remembered of accesses: decay, hours on the wall, users, a clock that goes back, and what files are told."""

from __future__ import annotations

from datetime import timedelta, timezone
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import Clock
from warming.access_patterns import AccessPatterns, Pattern
from warming.access_rows import Ident
from warming.scores import WarmingStrategy, scores

HOUR = 3600.0
NINE = 9 * HOUR
"""On the first of January 1970, in UTC."""

by = {strategy: partial(scores, strategy=strategy, recency_weight=0.5, hour=9) for strategy in WarmingStrategy}


def patterns(clock=None, **more):
    return AccessPatterns(clock or Clock(NINE), **{"half_life": 100.0, **more})


def keys(found):
    return [each.ident.key for each in found]


def weight(some, key, user=""):
    return some.rows.weight[some.rows.find(Ident(user, "default", key))]


def test_an_access_counts_half_after_the_half_life():
    clock = Clock(NINE)
    some = patterns(clock)
    for _ in range(4):
        some.note("a")
    clock.tick(100)
    some.note("a")
    assert weight(some, "a") == 3
    clock.tick(50)
    some.note("a")
    assert weight(some, "a") == pytest.approx(3 * 0.5**0.5 + 1)


def test_the_order_is_the_one_of_the_strategy():
    clock = Clock(NINE)
    some = patterns(clock, half_life=1e6)
    for key, times in (("often", 5), ("sometimes", 2)):
        for _ in range(times):
            some.note(key)
    clock.tick(1)
    some.note("once")
    assert keys(some.top(3, by[WarmingStrategy.FREQUENCY])) == ["often", "sometimes", "once"]
    assert keys(some.top(3, by[WarmingStrategy.RECENCY]))[0] == "once"
    assert keys(some.top(1, by[WarmingStrategy.FREQUENCY])) == ["often"]
    assert some.top(0, by[WarmingStrategy.FREQUENCY]) == []
    assert some.top(5, by[WarmingStrategy.FREQUENCY], namespace="other") == []
    assert patterns().top(5, by[WarmingStrategy.HYBRID]) == []


def test_hours_are_those_of_the_wall_in_the_time_zone():
    east = timezone(timedelta(hours=5, minutes=45))
    clock = Clock(NINE - 1)
    there, here = patterns(clock, timezone=east), patterns(clock)
    for some, hours in ((here, [8, 9]), (there, [14, 14])):
        clock.now = NINE - 1
        some.note("a")
        clock.now = NINE
        some.note("a")
        found = some.rows.hours(np.array([some.rows.find(Ident("", "default", "a"))]))[0]
        assert [hour for hour, count in enumerate(found.tolist()) for _ in range(count)] == hours


def test_what_is_asked_for_at_this_hour_comes_first():
    clock = Clock(NINE)
    some = patterns(clock, half_life=1e9)
    for day in range(5):
        clock.now = NINE + day * 24 * HOUR
        some.note("morning")
        clock.tick(12 * HOUR)
        some.note("evening")
        some.note("evening")
    best = some.top(2, by[WarmingStrategy.TIME_BASED], hourly=True)
    assert keys(best) == ["morning", "evening"]
    assert keys(some.top(2, by[WarmingStrategy.FREQUENCY])) == ["evening", "morning"]


def test_users_are_kept_apart_and_taken_together():
    some = patterns()
    for user in ("u", "v", "w"):
        some.note("shared", user=user)
    some.note("own", user="u")
    some.note("own", user="u")
    assert keys(some.top(9, by[WarmingStrategy.FREQUENCY], user="u")) == ["own", "shared"]
    assert keys(some.top(9, by[WarmingStrategy.FREQUENCY], user="v")) == ["shared"]
    assert some.top(9, by[WarmingStrategy.FREQUENCY], user="x") == []
    assert len(some.top(9, by[WarmingStrategy.FREQUENCY])) == 4
    whole = some.top(9, by[WarmingStrategy.FREQUENCY], together=True)
    assert keys(whole) == ["shared", "own"]
    assert [each.score for each in whole] == pytest.approx([1, 2 / 3])
    assert some.distinct() == (2, 3)
    nobody = patterns(users=False)
    nobody.note("a", user="u")
    nobody.note("a", user="v")
    assert nobody.distinct() == (1, 0)
    assert weight(nobody, "a") == 2


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=60))
def test_taken_together_is_as_if_one_user_had_done_it_all(accesses):
    clock = Clock(NINE)
    apart, one = patterns(clock), patterns(clock, users=False)
    for user, namespace, key in accesses:
        clock.tick(7)
        apart.note(f"k{key}", f"n{namespace}", user=f"u{user}")
        one.note(f"k{key}", f"n{namespace}")
    for strategy in WarmingStrategy:
        told = [
            {each.ident._replace(user=""): round(each.score, 5) for each in some.top(99, by[strategy], **more)}
            for some, more in ((apart, {"together": True}), (one, {}))
        ]
        assert told[0] == told[1]


def test_a_clock_that_goes_back_takes_no_time_and_changes_no_order():
    clock = Clock(NINE)
    some = patterns(clock)
    some.note("first")
    clock.tick(10)
    some.note("second")
    clock.tick(-5000)
    assert some.now() == NINE + 10
    clock.tick(1)
    some.note("third")
    assert keys(some.top(3, by[WarmingStrategy.RECENCY])) == ["third", "second", "first"]
    some.note("second")
    assert weight(some, "second") == pytest.approx(1 + 0.5**0.01)
    (last,) = [each.last for each in some.told(some.unsaved()) if each.ident.key == "third"]
    assert last == clock()


def test_what_was_warmed_is_of_use_once():
    some = patterns()
    for key in ("a", "b", "c"):
        some.note(key, hit=False)
        some.warmed(Ident("", "default", key))
    some.warmed(Ident("", "default", "unknown"))
    some.note("a", hit=True)
    some.note("a", hit=True)
    some.note("b", hit=False)
    assert some.used == 1
    assert (some.hits, some.misses) == (2, 4)


@pytest.mark.parametrize("key", [None, 3, 1.5, True, ["a"], {"a": 1}, "a" * 5000])
def test_keys_of_any_type_are_taken(key):
    some = patterns()
    some.note(key, hit=False)
    some.note("a", key)
    some.note("a", "n", True, key)
    assert some.rows.refused >= 2
    assert some.hits + some.misses == 3


# Files


def test_what_is_told_is_what_was_not_told_before():
    clock = Clock(NINE)
    some = patterns(clock)
    some.note("a")
    some.note("a")
    (first,) = some.told(some.unsaved())
    assert first[:3] == (Ident("", "default", "a"), 2.0, NINE)
    assert (sum(first.hours), first.hours[9]) == (2, 2)
    some.note("a")
    some.saved([first])
    (rest,) = some.told(some.unsaved())
    assert rest.weight == 1
    some.saved([rest])
    assert some.unsaved() == []
    some.saved([rest])
    assert some.unsaved() == []


def test_a_row_that_went_meanwhile_is_not_told():
    some = patterns(max_keys=1)
    some.note("a")
    (slot,) = some.unsaved()
    told = some.told([slot])
    some.note("b")
    assert [each.ident.key for each in some.told([slot])] == ["b"]
    some.saved(told)
    assert len(some.unsaved()) == 1


def test_to_hear_twice_changes_nothing_and_what_was_not_told_is_added():
    clock = Clock(NINE)
    some = patterns(clock)
    some.note("a")
    hours = (*[0] * 8, 40, *[0] * 15)
    told = [
        Pattern(Ident("", "default", "a"), 8.0, NINE - 100, hours),
        Pattern(Ident("", "default", "b"), 2.0, NINE - 50, hours),
    ]
    for _ in range(2):
        assert some.heard(told) == 2
        assert (weight(some, "a"), weight(some, "b")) == (5, 2)
        assert keys(some.top(2, by[WarmingStrategy.RECENCY])) == ["a", "b"]
    assert [each.ident.key for each in some.told(some.unsaved())] == ["a"]
    row = some.rows.hours(np.array([some.rows.find(Ident("", "default", "a"))]))[0]
    assert (row[8], row[9]) == (10, 0)


def test_a_file_from_the_future_is_of_now():
    some = patterns(Clock(NINE))
    some.heard([Pattern(Ident("", "default", "a"), 3.0, NINE + 1e6, (0,) * 24)])
    some.note("b")
    some.note("a")
    assert weight(some, "a") == 4
