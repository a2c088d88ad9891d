"""When a prune has paid for itself: the table cell by cell, and the formula against a turn-by-turn account."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warming.economics import Rates
from warming.prune_economics import free_case, prune_pays, prune_saving, refetch_cost, turns_needed

# (w-r)/r = 11.5, 24, 49, 49, 9, 3, 1
COLUMNS = (
    Rates(1.25, 0.1, 5),
    Rates(1.25, 0.05, 5),
    Rates(1.25, 0.025, 5),
    Rates(1, 0.02, 4),
    Rates(1, 0.1, 6),
    Rates(1, 0.25, 4),
    Rates(1, 0.5, 4),
)
TENTH = COLUMNS[0]


@pytest.mark.parametrize(
    ("percent", "turns"),
    [
        (10, (103.5, 216, 441, 441, 81, 27, 9)),
        (20, (46, 96, 196, 196, 36, 12, 4)),
        (30, (26.8, 56, 114.3, 114.3, 21, 7, 2.3)),
        (50, (11.5, 24, 49, 49, 9, 3, 1)),
        (70, (4.9, 10.3, 21, 21, 3.9, 1.3, 0.4)),
        (80, (2.9, 6, 12.25, 12.25, 2.25, 0.75, 0.25)),
        (90, (1.3, 2.7, 5.4, 5.4, 1, 0.3, 0.1)),
    ],
)
def test_turns_to_break_even(percent: int, turns: tuple[float, ...]) -> None:
    for rates, printed in zip(COLUMNS, turns, strict=True):
        needed = turns_needed(1000, 10 * percent, rates)
        assert needed == pytest.approx(printed, abs=0.051)
        assert turns_needed(1000, 10 * percent, rates, siblings=8) == pytest.approx(needed / 8)


RATES = st.builds(Rates, st.floats(1, 3), st.floats(0.01, 1), st.just(5.0), st.sampled_from([1.0, 4e-6]))


@settings(deadline=None)
@given(
    cached=st.integers(2, 10**5),
    share=st.floats(0.01, 1),
    rates=RATES,
    siblings=st.integers(1, 32),
    turns=st.integers(1, 50),
)
def test_the_formula_is_the_account_of_the_turns(
    cached: int, share: float, rates: Rates, siblings: int, turns: int
) -> None:
    pruned = max(1, round(cached * share))
    w, r, _, price = rates
    kept, requests = cached - pruned, turns * siblings
    unpruned = requests * r * cached
    cut = w * kept + (requests - 1) * r * kept
    saved = prune_saving(cached, pruned, turns, rates, siblings=siblings)
    assert saved == pytest.approx(price * (unpruned - cut), abs=1e-6 * price * requests * cached)
    needed = turns_needed(cached, pruned, rates, siblings=siblings)
    assert prune_saving(cached, pruned, needed, rates, siblings=siblings) == pytest.approx(0, abs=1e-6 * price * cached)
    if abs(turns - needed) > 1e-6 * needed:
        assert prune_pays(cached, pruned, turns, rates, siblings=siblings) is (turns > needed)


@settings(deadline=None)
@given(cached=st.integers(1, 10**5), share=st.floats(0.01, 1), rates=RATES, turns=st.integers(1, 50))
def test_where_all_is_written_anyway_pruning_saves_at_once(cached: int, share: float, rates: Rates, turns: int) -> None:
    pruned = max(1, round(cached * share))
    without = rates.w * cached + (turns - 1) * rates.r * cached
    kept = cached - pruned
    with_ = rates.w * kept + (turns - 1) * rates.r * kept
    saved = prune_saving(cached, pruned, turns, rates, free=True)
    assert saved == pytest.approx(rates.price * (without - with_), rel=1e-6)
    assert prune_pays(cached, pruned, 1, rates, free=True)


def test_what_is_free() -> None:
    assert free_case(rates=TENTH) == ""
    assert free_case() == ""
    assert free_case(cold=True, rates=TENTH) == "cold"
    assert free_case(unsent=True, rates=TENTH) == "unsent"
    assert free_case(breaking=True, rates=TENTH) == "breaking anyway"
    assert free_case(rates=Rates(1, 1, 5)) == "uniform price"
    assert turns_needed(1000, 1, Rates(1, 1, 5)) == 0
    assert prune_pays(1000, 1, 1, Rates(1, 1, 5))


def test_nothing_pruned_never_pays() -> None:
    for pruned in (0, -5):
        assert turns_needed(1000, pruned, TENTH) == math.inf
        assert not prune_pays(1000, pruned, 10**6, TENTH)
        assert prune_saving(1000, pruned, 100, TENTH) == 0
    assert turns_needed(1000, 1000, TENTH) == turns_needed(1000, 2000, TENTH) == 0
    assert turns_needed(1000, 500, Rates(1.25, 0, 5)) == math.inf
    assert not prune_pays(1000, 500, 0, TENTH, free=True)


def test_what_is_fetched_again_is_paid_again() -> None:
    """Half of 10,000 tokens go. Over 20 turns that saves 20 * 0.1 * 5,000 - 1.15 * 5,000 = 4,250. Fetching it again
    reads 10,000, asks with 100 and writes 5,000: 7,750, and pruning pays up to a chance of 54.8%."""
    again = refetch_cost(5_000, TENTH, prompt=10_000, output=100)
    assert again == pytest.approx(6_250 + 1_000 + 500)
    assert prune_saving(10_000, 5_000, 20, TENTH) == pytest.approx(4_250)
    assert prune_saving(10_000, 5_000, 20, TENTH, again=0.5 * again) == pytest.approx(4_250 - 3_875)
    assert prune_pays(10_000, 5_000, 20, TENTH, again=0.548 * again)
    assert not prune_pays(10_000, 5_000, 20, TENTH, again=0.549 * again)
    assert not prune_pays(10_000, 5_000, 2, TENTH, free=True, again=again)
    assert refetch_cost(5_000, TENTH._replace(price=4e-6)) == pytest.approx(0.025)


def test_a_margin_asks_for_more_than_break_even() -> None:
    """At 11.5 turns it is even; at 13 it has gained 13% more than it cost."""
    assert not prune_pays(1000, 500, 11.5, TENTH)
    assert prune_pays(1000, 500, 13, TENTH, margin=0.13)
    assert not prune_pays(1000, 500, 13, TENTH, margin=0.14)


def test_staying_below_a_tier_counts() -> None:
    assert not prune_pays(1000, 100, 10, TENTH)
    assert prune_pays(1000, 100, 10, TENTH, jump=1000)
    assert prune_saving(1000, 100, 10, TENTH, jump=1000) == pytest.approx(100 - 1.15 * 900 + 1000)
