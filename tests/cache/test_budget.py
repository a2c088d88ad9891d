"""Dollars per day, reserved before they are spent."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.budget import DAY, Budget
from tests.fakes import Clock


def test_what_is_taken_is_gone_until_it_is_settled():
    budget = Budget(1.0, Clock())
    assert budget.take(0.6)
    assert not budget.take(0.6)
    budget.settle(0.6, 0.1)
    assert budget.take(0.6)
    assert budget.left == pytest.approx(0.3)
    assert budget.spent == pytest.approx(0.1)


def test_a_call_that_was_never_made_costs_nothing_and_one_of_unknown_cost_its_estimate():
    budget = Budget(1.0, Clock())
    assert budget.take(0.5)
    budget.settle(0.5, 0.0)
    assert budget.left == 1.0
    assert budget.take(0.5)
    budget.settle(0.5, None)
    assert budget.spent == 0.5


def test_calls_without_a_price_are_counted_all_the_same():
    budget = Budget(0.1, Clock(), unknown=0.03)
    taken = [budget.take(None) for _ in range(5)]
    assert taken == [True] * 3 + [False] * 2
    for _ in range(3):
        budget.settle(None, None)
    assert budget.spent == pytest.approx(0.09)


def test_each_day_has_its_own():
    clock = Clock(10 * DAY - 5)
    budget = Budget(1.0, clock)
    assert budget.take(1.0)
    budget.settle(1.0, 1.0)
    assert not budget.take(0.1)
    clock.tick(10)
    assert budget.spent == 0.0
    assert budget.take(1.0)


def test_what_was_reserved_yesterday_is_paid_today():
    clock = Clock(10 * DAY - 5)
    budget = Budget(1.0, clock)
    assert budget.take(0.4)
    clock.tick(10)
    assert budget.left == pytest.approx(0.6)
    budget.settle(0.4, 0.3)
    assert budget.left == pytest.approx(0.7)


def test_more_than_the_estimate_leaves_less_and_never_a_debt_to_show():
    budget = Budget(1.0, Clock())
    assert budget.take(0.5)
    budget.settle(0.5, 3.0)
    assert budget.left == 0.0
    assert not budget.take(0.0)


@pytest.mark.parametrize("dollars", [0.0, -1.0, math.nan])
def test_no_budget_no_calls(dollars):
    assert not Budget(dollars, Clock()).take(0.0)


def test_any_budget():
    budget = Budget(math.inf, Clock())
    assert all(budget.take(1e9) for _ in range(100))


@given(st.lists(st.tuples(st.floats(0, 2) | st.none(), st.floats(0, 1)), max_size=40))
def test_calls_that_keep_to_their_estimates_keep_to_the_budget(calls):
    budget, open_ = Budget(3.0, Clock(), unknown=0.2), []
    for estimate, used in calls:
        if budget.take(estimate):
            open_.append((estimate, used))
        elif open_:
            known, share = open_.pop(0)
            budget.settle(known, share * (0.2 if known is None else known))
    for known, share in open_:
        budget.settle(known, share * (0.2 if known is None else known))
    assert budget.spent <= 3.0 + 1e-9
