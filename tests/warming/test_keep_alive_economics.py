"""The figures of keeping a prefix alive, worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warming.economics import Rates
from warming.keep_alive_economics import (
    hazard,
    lapse_cost,
    longer_pays,
    most_pings,
    next_ping_pays,
    ping_cost,
    pings_for_longer,
    pings_needed,
    pings_within,
)

TENTH, TWENTIETH, FORTIETH = Rates(1.25, 0.1, 5), Rates(1.25, 0.05, 5), Rates(1.25, 0.025, 5)


@pytest.mark.parametrize(("rates", "pings", "percent"), [(TENTH, 11.5, 8.7), (TWENTIETH, 24, 4.2), (FORTIETH, 49, 2.0)])
def test_the_most_pings_before_a_loss_and_the_hazard_that_pays(rates: Rates, pings: float, percent: float) -> None:
    assert most_pings(rates) == pytest.approx(pings)
    assert 100 * hazard(rates) == pytest.approx(percent, abs=0.05)
    assert math.floor(pings) * ping_cost(1000, rates) <= lapse_cost(1000, rates) + 1e-9
    assert (math.floor(pings) + 1) * ping_cost(1000, rates) > lapse_cost(1000, rates)


@pytest.mark.parametrize(("rates", "pings", "minutes"), [(TENTH, 7.5, 34), (TWENTIETH, 15, 67.5), (FORTIETH, 30, 135)])
def test_five_minutes_with_pings_against_an_hour(rates: Rates, pings: float, minutes: float) -> None:
    """The hour costs 0.75 P more, once; a ping every four and a half minutes."""
    hour = rates._replace(w=2)
    assert pings_for_longer(rates, hour) == pytest.approx(pings)
    assert pings * 4.5 == pytest.approx(minutes, abs=0.5)
    assert not longer_pays(pings - 0.5, rates, hour)
    assert longer_pays(pings + 0.5, rates, hour)


def test_thirty_minutes_with_pings_against_twelve_hours() -> None:
    """OpenAI: 11.5 pings, one every 25 minutes, are about 4.8 hours; twelve hours cost 1.25 P more, 12.5 pings."""
    assert most_pings(TENTH) * 25 / 60 == pytest.approx(4.8, abs=0.05)
    assert pings_for_longer(TENTH, TENTH._replace(w=2.5)) == pytest.approx(12.5)


def test_a_ping_costs_what_it_reads_says_and_is_told() -> None:
    rates = TENTH._replace(price=4e-6)
    assert ping_cost(20_000, rates, own=10, output=3) == pytest.approx(4e-6 * (2000 + 10 + 15))
    assert lapse_cost(20_000, rates) == pytest.approx(4e-6 * 1.15 * 20_000)


@pytest.mark.parametrize(("rates", "chance"), [(TENTH, 0.1 / 1.15), (TWENTIETH, 0.05 / 1.2), (Rates(1, 0.5, 4), 1.0)])
def test_the_next_ping_pays_above_the_hazard(rates: Rates, chance: float) -> None:
    assert hazard(rates) == pytest.approx(chance)
    assert not next_ping_pays(chance * 0.999, 20_000, rates)
    assert next_ping_pays(chance * 1.001, 20_000, rates)


def test_of_a_short_prefix_what_the_ping_says_counts() -> None:
    """(w-r) P = 1,150 a lapse; 100 read, 10 own and 50 for ten tokens of output a ping: 13.9% and not 8.7%."""
    assert not next_ping_pays(0.139, 1000, TENTH, own=10, output=10)
    assert next_ping_pays(0.140, 1000, TENTH, own=10, output=10)


def test_a_ping_that_only_breaks_even_does_not_pay() -> None:
    assert not next_ping_pays(1.0, 20_000, Rates(1, 0.5, 4))


def test_where_nothing_is_saved_no_ping_pays() -> None:
    uniform = Rates(1, 1, 5)
    assert hazard(uniform) == hazard(Rates(1, 1.5, 5)) == math.inf
    assert not next_ping_pays(1.0, 20_000, uniform)
    assert most_pings(uniform) == 0
    assert lapse_cost(20_000, Rates(1, 1.5, 5)) == 0


def test_free_reads_cost_nothing_to_keep() -> None:
    free = Rates(1.25, 0, 5)
    assert most_pings(free) == math.inf
    assert pings_within(1.0, 20_000, free) == math.inf
    assert pings_within(1.0, 20_000, free._replace(price=4e-6), own=10) == 2500  # 0.1 dollars of a lapse, 0.00004 each


@pytest.mark.parametrize(
    ("dollars", "pings"),
    # One ping on 20,000 tokens of Opus 5.5 is 0.004 dollars, and a lapse 0.096.
    [(0.0, 0), (-1.0, 0), (0.0039, 0), (0.004, 1), (0.01, 2), (0.012, 3), (0.096, 24), (100.0, 24)],
)
def test_a_budget_pays_for_so_many_pings(dollars: float, pings: int) -> None:
    assert pings_within(dollars, 20_000, TWENTIETH._replace(price=4e-6)) == pings


@settings(deadline=None)
@given(dollars=st.floats(0, 1), shared=st.integers(1, 10**6), r=st.floats(0.001, 1), own=st.integers(0, 100))
def test_a_budget_is_never_exceeded(dollars: float, shared: int, r: float, own: int) -> None:
    rates = Rates(1.25, r, 5, 4e-6)
    pings, each = pings_within(dollars, shared, rates, own=own), ping_cost(shared, rates, own=own)
    assert pings * each <= min(dollars, lapse_cost(shared, rates)) + 1e-8 * each
    assert (pings + 1) * each > min(dollars, lapse_cost(shared, rates)) * (1 - 1e-9)


@pytest.mark.parametrize(
    ("seconds", "life", "every", "pings"),
    [
        (300, 300, 270, 0),
        (0, 300, 270, 0),
        (301, 300, 270, 1),
        (570, 300, 270, 1),
        (571, 300, 270, 2),
        (3600, 300, 240, 14),
    ],
)
def test_pings_needed_to_last_so_long(seconds: float, life: float, every: float, pings: int) -> None:
    assert pings_needed(seconds, life, every) == pings
    assert life + pings * every >= seconds
