"""Shares and sums of bills: not a token and not a cent gets lost."""

from __future__ import annotations

from math import isclose

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.usage import Usage
from cache.bills import NOTHING, Bill, shared, total


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 2**40),
    st.none() | st.floats(0, 1000),
    st.lists(st.integers(1, 10_000), min_size=1, max_size=50),
)
def test_shares_add_up(tokens: int, cost: float | None, weights: list[int]) -> None:
    bill = Bill(Usage(uncached=tokens), cost)
    shares = shared(bill, weights)
    assert len(shares) == len(weights)
    whole = total(shares)
    assert whole.usage is not None
    assert whole.usage.prompt == tokens
    assert all(share.usage is not None and share.usage.prompt >= 0 for share in shares)
    if cost is None:
        assert whole.cost is None
    else:
        assert whole.cost is not None
        assert isclose(whole.cost, cost, rel_tol=1e-12, abs_tol=1e-300)


def test_shares_follow_the_weights() -> None:
    assert shared(Bill(Usage(uncached=100), 0.5), [1, 3, 1]) == [
        Bill(Usage(uncached=20, estimated=True), 0.1),
        Bill(Usage(uncached=60, estimated=True), 0.3),
        Bill(Usage(uncached=20, estimated=True), 0.1),
    ]


def test_one_item_takes_all_and_nothing_of_it_is_an_estimate() -> None:
    bill = Bill(Usage(uncached=7, read=3), 0.5)
    assert shared(bill, [4]) == [bill]


@pytest.mark.parametrize("weights", [[1, 1], [0, 0]])
def test_without_tokens_the_cost_is_split_evenly(weights: list[int]) -> None:
    assert [share.cost for share in shared(Bill(Usage(), 0.5), weights)] == [0.25, 0.25]


def test_what_is_unknown_stays_unknown() -> None:
    assert shared(NOTHING, [1, 2]) == [NOTHING, NOTHING]
    assert [share.cost for share in shared(Bill(Usage(uncached=2), None), [1, 1])] == [None, None]
    known = Bill(Usage(uncached=2), 0.5)
    assert total([known, NOTHING]) == NOTHING
    assert total([known, Bill(Usage(uncached=1), None)]) == Bill(Usage(uncached=3), None)


def test_sums() -> None:
    assert total([]) == NOTHING
    alone = Bill(Usage(uncached=2, read=3, output=4), 0.5)
    assert total([alone]) is alone
    assert total([Bill(Usage(uncached=2, read=3), 0.1)] * 10) == Bill(Usage(uncached=50), 1.0)
    estimated = Bill(Usage(uncached=1, estimated=True), 0.0)
    assert total([alone, estimated]).usage == Usage(uncached=6, estimated=True)
