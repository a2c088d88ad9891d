"""Who is worth warming first, in numbers worked out by hand, and what holds for any numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warming.scores import HOURS, PRIOR, Facts, WarmingStrategy, frequency, recency, scores, share


def facts(weights, last, hours=None):
    table = np.zeros((len(weights), HOURS), np.int64) if hours is None else np.array(hours, np.int64)
    return Facts(np.array(weights, float), np.array(last, float), table)


def day(**counts):
    """`h9=3`: three accesses at nine."""
    row = [0] * HOURS
    for name, count in counts.items():
        row[int(name[1:])] = count
    return row


def test_frequency_is_a_part_of_the_largest():
    assert frequency(facts([4, 1, 2], [0, 0, 0])).tolist() == [1, 0.25, 0.5]
    assert frequency(facts([0, 0], [0, 0])).tolist() == [0, 0]


def test_recency_is_a_share_of_the_time_since_the_first():
    assert recency(facts([1, 1, 1], [100, 0, 75])).tolist() == [1, 0, 0.75]
    assert recency(facts([1, 1, 1], [5, 5, 4])).tolist() == [1, 1, 0]
    assert recency(facts([1, 1], [7, 7])).tolist() == [1, 1]


def test_hybrid_is_the_promised_sum():
    some = facts([4, 1, 2], [100, 0, 75])
    for weight in (0.0, 0.25, 0.5, 1.0):
        expected = weight * recency(some) + (1 - weight) * frequency(some)
        assert scores(some, WarmingStrategy.HYBRID, weight, 0).tolist() == expected.tolist()
    assert scores(some, WarmingStrategy.HYBRID, 0.5, 0).tolist() == [1.0, 0.125, 0.625]


def test_neighbouring_hours_count_half_around_midnight_as_well():
    rows = np.array([day(h0=8), day(h23=8), day(h1=8), day(h2=8)])
    base = PRIOR / HOURS
    assert share(rows, 0) == pytest.approx([(4 + base) / (8 + PRIOR), *[(2 + base) / (8 + PRIOR)] * 2, base / 12])
    assert share(rows, 23)[0] == pytest.approx((2 + base) / (8 + PRIOR))


@given(st.lists(st.integers(0, 15), min_size=HOURS, max_size=HOURS))
def test_the_shares_of_a_day_sum_to_one(row):
    assert sum(share(np.array([row]), hour)[0] for hour in range(HOURS)) == pytest.approx(1)


def test_time_of_day_wants_what_is_asked_for_now_and_often():
    hours = [day(h9=12), day(h21=12), day(h9=1)]
    some = facts([12, 12, 1], [0, 0, 0], hours)
    morning = scores(some, WarmingStrategy.TIME_BASED, 0.5, 9)
    assert morning[0] == 1
    assert morning[0] > morning[1]
    assert morning[0] > morning[2]  # all of its accesses, but one
    evening = scores(some, WarmingStrategy.TIME_BASED, 0.5, 21)
    assert evening[1] == 1
    assert evening[1] > evening[0] > 0


@given(
    st.lists(st.tuples(st.floats(0, 1e9), st.floats(-1e9, 1e12)), min_size=1, max_size=20),
    st.sampled_from(WarmingStrategy),
    st.floats(0, 1),
    st.integers(0, 23),
)
def test_every_score_lies_between_0_and_1(rows, strategy, weight, hour):
    found = scores(facts(*zip(*rows, strict=True)), strategy, weight, hour)
    assert len(found) == len(rows)
    assert ((found >= 0) & (found <= 1)).all()


def test_nobody_to_choose_from():
    nobody = facts([], [])
    assert [len(scores(nobody, strategy, 0.5, 0)) for strategy in WarmingStrategy] == [0, 0, 0, 0]
