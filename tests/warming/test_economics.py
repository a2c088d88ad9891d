"""The tables of the arithmetic, cell by cell, to the digit that stands here."""

from __future__ import annotations

import math
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.prices import Prices
from adapters.profiles import Multipliers, multipliers, profile_of
from warming.economics import (
    STRATEGIES,
    Fan,
    Rates,
    Strategy,
    bill,
    break_even,
    breakpoint_pays,
    cost,
    crossing,
    is_cached,
    needed,
    padding_from,
    prefix_needed,
    priced,
    rates_of,
    reads_needed,
    saving,
)

PRICES = Prices({"free": {"input": 0, "output": 0}})

FIVE_MINUTES = Rates(1.25, 0.1, 5)
HOUR = Rates(2, 0.1, 5)
HALF_DAY = Rates(2.5, 0.1, 5)
OPUS_5_5 = Rates(1.25, 0.05, 5)
FABLE = Rates(1.25, 0.025, 5)
DEEPSEEK = Rates(1, 0.02, 4)


def unpaid(r: float) -> Rates:
    """Writing costs nothing extra."""
    return Rates(1, r, 5)


def prefix(n: int) -> Fan:
    return Fan(n, 1_000_000).prefix


def prefix_saved(n: int, strategy: Strategy, against: Strategy, rates: Rates) -> float:
    """Percent."""
    return 100 * saving(cost(strategy, prefix(n), rates), cost(against, prefix(n), rates))


# What each costs, by the formulas, with N = 4, P = 1,000, S = 30, O = 20, k = 7, s = 3 and w, r, o = 1.25, 0.1, 5.

FAN = Fan(4, 1000, 30, 20, call_output=7, call_own=3)
COMMON = 4 * (30 + 5 * 20)


@pytest.mark.parametrize(
    ("strategy", "cold", "warm", "below"),
    [
        ("none", 4000, 4000, 4000),
        ("naive", 5000, 400, 4000),
        ("leader", 1250 + 300, 400, 4000),
        ("call", 1250 + 3 + 35 + 400, 500 + 3 + 35, 5000 + 3 + 35),
        ("prewarm", 1250 + 3 + 400, 500 + 3, 5000 + 3),
    ],
)
def test_costs(strategy: Strategy, cold: float, warm: float, below: float) -> None:
    assert cost(strategy, FAN, FIVE_MINUTES) == pytest.approx(cold + COMMON)
    assert cost(strategy, FAN, FIVE_MINUTES, warm=1) == pytest.approx(warm + COMMON)
    assert cost(strategy, FAN, FIVE_MINUTES, cached=False) == pytest.approx(below + COMMON)
    assert cost(strategy, FAN, FIVE_MINUTES, warm=0.25) == pytest.approx(0.75 * cold + 0.25 * warm + COMMON)


def test_every_strategy_is_there() -> None:
    assert get_args(Strategy) == STRATEGIES


def test_costs_are_in_the_money_of_the_price() -> None:
    for strategy in STRATEGIES:
        tokens, dollars = (cost(strategy, FAN, FIVE_MINUTES._replace(price=price)) for price in (1.0, 4e-6))
        assert dollars == pytest.approx(tokens * 4e-6)


def test_implicit_breakpoints_write_each_requests_own_tokens_as_well() -> None:
    implicit = FAN._replace(implicit=True)
    assert cost("naive", implicit, FIVE_MINUTES) == pytest.approx(1.25 * 4 * (1000 + 30) + 4 * 5 * 20)
    assert cost("naive", implicit, FIVE_MINUTES, cached=False) == pytest.approx(4000 + COMMON)
    for strategy in set(STRATEGIES) - {"naive"}:
        assert cost(strategy, implicit, FIVE_MINUTES) == cost(strategy, FAN, FIVE_MINUTES)


def test_a_fan_out_to_which_nobody_comes_has_paid_for_its_warm_call() -> None:
    nobody = FAN._replace(n=0)
    assert cost("call", nobody, FIVE_MINUTES) == pytest.approx(1250 + 3 + 35)
    assert [cost(strategy, nobody, FIVE_MINUTES) for strategy in ("none", "naive", "leader")] == [0, 0, 0]


def test_what_over_estimating_loses() -> None:
    """One request came. A call loses r P + s + o k, and (w-1) P more where nothing would have been written."""
    one = FAN._replace(n=1)
    costs = {strategy: cost(strategy, one, FIVE_MINUTES) for strategy in STRATEGIES}
    assert costs["call"] - costs["naive"] == pytest.approx(100 + 3 + 35)
    assert costs["call"] - costs["none"] == pytest.approx(100 + 3 + 35 + 250)
    assert costs["leader"] - costs["none"] == pytest.approx(250)
    assert costs["leader"] == pytest.approx(costs["naive"])


@settings(deadline=None)
@given(
    n=st.integers(1, 1000),
    shared=st.integers(0, 10**6),
    own=st.integers(0, 10**4),
    w=st.floats(1, 3),
    r=st.floats(0, 1),
    warm=st.floats(0, 1),
)
def test_a_call_costs_more_than_a_leader_by_what_it_reads_and_says(
    n: int, shared: int, own: int, w: float, r: float, warm: float
) -> None:
    fan, rates = Fan(n, shared, own, 100), Rates(w, r, 5)
    leader, call, prewarm = (cost(strategy, fan, rates, warm=warm) for strategy in ("leader", "call", "prewarm"))
    assert call - leader == pytest.approx(r * shared + 10 + 50, rel=1e-6)
    assert prewarm - leader == pytest.approx(r * shared + 10, rel=1e-6)
    assert leader <= cost("naive", fan, rates, warm=warm) * (1 + 1e-12)


def test_a_cache_that_misses_writes_anew() -> None:
    rates = FIVE_MINUTES.missing(0.6)
    assert rates.r == pytest.approx(0.6 * 0.1 + 0.4 * 1.25)
    assert rates.w == 1.25
    assert FIVE_MINUTES.missing(1) == FIVE_MINUTES
    assert unpaid(0.1).missing(0).r == 1
    fan = prefix(4)
    assert cost("leader", fan, rates) == pytest.approx((1.25 + 3 * (0.6 * 0.1 + 0.4 * 1.25)) * fan.shared)


# From which N on. The bound as printed, the integer, and the same against `naive`.


@pytest.mark.parametrize(
    ("strategy", "rates", "bound", "n", "naive_bound", "naive_n"),
    [
        ("call", FIVE_MINUTES, 1.39, 2, 1.09, 2),
        ("call", HOUR, 2.22, 3, 1.05, 2),
        ("call", HALF_DAY, 2.78, 3, 1.04, 2),
        ("call", unpaid(0.1), 1.11, 2, 1.11, 2),
        ("call", unpaid(0.25), 1.33, 2, 1.33, 2),
        ("call", unpaid(0.5), 2.0, 3, 2.0, 3),
        ("leader", FIVE_MINUTES, 1.28, 2, 1, 2),
        ("leader", unpaid(0.1), 1, 2, 1, 2),
        ("leader", unpaid(0.25), 1, 2, 1, 2),
        ("leader", unpaid(0.5), 1, 2, 1, 2),
    ],
)
def test_break_even(strategy: Strategy, rates: Rates, bound: float, n: int, naive_bound: float, naive_n: int) -> None:
    this = bill(strategy, prefix(1), rates)
    for against, at, whole in (("none", bound, n), ("naive", naive_bound, naive_n)):
        that = bill(against, prefix(1), rates)  # type: ignore[arg-type]
        assert crossing(this, that) == pytest.approx(at, abs=0.005)
        assert break_even(this, that) == whole


def test_break_even_at_half_price_is_two_only_before_what_the_call_says() -> None:
    """At r = 0.5 two requests tie on the prefix; with what the call sends and says they lose."""
    fan = Fan(2, 20_000, 500, 800)
    assert cost("call", fan.prefix, unpaid(0.5)) == cost("none", fan.prefix, unpaid(0.5))
    assert cost("call", fan, unpaid(0.5)) - cost("none", fan, unpaid(0.5)) == pytest.approx(60)


def test_what_never_pays_and_what_always_does() -> None:
    fan = Fan(1, 20_000)
    same = Rates(1, 1, 1)
    assert break_even(bill("call", fan, same), bill("none", fan, same)) is None
    assert break_even(bill("leader", fan, same), bill("none", fan, same)) is None
    assert break_even(bill("leader", fan, FIVE_MINUTES), bill("call", fan, FIVE_MINUTES)) == 1
    assert break_even(bill("call", fan, FIVE_MINUTES), bill("leader", fan, FIVE_MINUTES)) is None
    assert break_even(bill("naive", fan, FIVE_MINUTES), bill("none", fan, FIVE_MINUTES)) is None


PAIRS = st.tuples(
    st.sampled_from(STRATEGIES),
    st.sampled_from(STRATEGIES),
    st.integers(1, 10**5),
    st.floats(1, 3),
    st.floats(0.01, 0.99),
)


@settings(deadline=None)
@given(PAIRS)
def test_break_even_is_where_it_first_is_cheaper_for_good(pair: tuple[Strategy, Strategy, int, float, float]) -> None:
    strategy, against, shared, w, r = pair
    this, that = (bill(each, Fan(1, shared, 100, 50), Rates(w, r, 5)) for each in (strategy, against))
    n = break_even(this, that)
    if n is None:
        assert this.of(10**7) >= that.of(10**7) * (1 - 1e-6)
    else:
        assert this.of(n) < that.of(n) * (1 + 1e-9)
        assert this.of(n + 1) < that.of(n + 1)
        assert n == 1 or this.of(n - 1) >= that.of(n - 1) * (1 - 1e-9)


# Shares of the prefix that three requests save: call and leader, against naive and against none.


@pytest.mark.parametrize(
    ("rates", "call_naive", "call_none", "leader_naive", "leader_none"),
    [
        (FIVE_MINUTES, 58.7, 48.3, 61.3, 51.7),
        (OPUS_5_5, 62.7, 53.3, 64.0, 55.0),
        (FABLE, 64.7, 55.8, 65.3, 56.7),
        (HOUR, 61.7, 23.3, 63.3, 26.7),
        (HALF_DAY, 62.7, 6.7, 64.0, 10.0),
        (unpaid(0.1), 56.7, 56.7, 60.0, 60.0),
        (unpaid(0.25), 41.7, 41.7, 50.0, 50.0),
        (unpaid(0.5), 16.7, 16.7, 33.3, 33.3),
        (DEEPSEEK, 64.7, 64.7, 65.3, 65.3),
        (unpaid(0), 66.7, 66.7, 66.7, 66.7),
        (Rates(1.25, 0, 5), 66.7, 58.3, 66.7, 58.3),
    ],
)
def test_share_of_the_prefix_that_three_requests_save(
    rates: Rates, call_naive: float, call_none: float, leader_naive: float, leader_none: float
) -> None:
    for strategy, against, percent in (
        ("call", "naive", call_naive),
        ("call", "none", call_none),
        ("leader", "naive", leader_naive),
        ("leader", "none", leader_none),
    ):
        assert prefix_saved(3, strategy, against, rates) == pytest.approx(percent, abs=0.05)  # type: ignore[arg-type]


def test_a_share_that_is_only_approached_is_never_reached() -> None:
    """At r = 0.3 ever more requests come ever closer to 70%."""
    assert needed(bill("call", prefix(1), unpaid(0.3)), bill("none", prefix(1), unpaid(0.3)), 0.7) is None
    assert needed(bill("call", prefix(1), unpaid(0.3)), bill("none", prefix(1), unpaid(0.3)), 0.69) == 100


def test_writing_for_naught_costs_a_quarter_of_the_prefix_or_all_of_it_again() -> None:
    assert prefix_saved(3, "naive", "none", FIVE_MINUTES) == pytest.approx(-25)
    assert prefix_saved(3, "naive", "none", HOUR) == pytest.approx(-100)
    assert prefix_saved(3, "naive", "call", FIVE_MINUTES) == pytest.approx(-142, abs=0.5)


# How many requests it takes to save four fifths of the prefix.


@pytest.mark.parametrize(
    ("rates", "call_naive", "call_none", "leader_naive", "leader_none"),
    [
        (FIVE_MINUTES, 9, 13, 8, 12),
        (OPUS_5_5, 7, 9, 6, 8),
        (FABLE, 6, 8, 6, 7),
        (HOUR, 7, 20, 7, 19),
        (unpaid(0.1), 10, 10, 9, 9),
        (unpaid(0.25), None, None, None, None),
        (unpaid(0.5), None, None, None, None),
        (DEEPSEEK, 6, 6, 6, 6),
    ],
)
def test_requests_needed_for_four_fifths_of_the_prefix(
    rates: Rates, call_naive: int | None, call_none: int | None, leader_naive: int | None, leader_none: int | None
) -> None:
    bills = {strategy: bill(strategy, prefix(1), rates) for strategy in STRATEGIES}
    assert needed(bills["call"], bills["naive"], 0.8) == call_naive
    assert needed(bills["call"], bills["none"], 0.8) == call_none
    assert needed(bills["leader"], bills["naive"], 0.8) == leader_naive
    assert needed(bills["leader"], bills["none"], 0.8) == leader_none


@settings(deadline=None)
@given(PAIRS, st.floats(0.05, 0.9))
def test_the_requests_needed_are_the_fewest(pair: tuple[Strategy, Strategy, int, float, float], share: float) -> None:
    strategy, against, shared, w, r = pair
    this, that = (bill(each, Fan(1, shared, 100, 50), Rates(w, r, 5)) for each in (strategy, against))
    n = needed(this, that, share)
    if n is not None:
        assert saving(this.of(n), that.of(n)) >= share - 1e-6
        assert n == 1 or saving(this.of(n - 1), that.of(n - 1)) <= share + 1e-6


# The whole bill: 20,000 tokens shared, 500 own, 800 of output, ten from the warm call. Percent saved against naive and
# none: by a call with one request and with three, a leader with three, a call with ten and with twenty.

TYPICAL = Fan(1, 20_000, 500, 800)
READS_FREE_WRITES = [
    ("gpt-5.5", -8.2, 44.7, 47.4, 63.2, 67.2),
    ("gemini-3.1-pro-preview", -8.2, 44.7, 47.4, 63.2, 67.2),
    ("gemini-3.8-flash", -8.4, 46.2, 49.0, 65.3, 69.4),
    ("gpt-4.1", -21.3, 35.1, 42.2, 54.8, 59.1),
    ("gpt-4o", -42.4, 14.0, 28.1, 33.7, 38.0),
    ("grok-4.7", -22.0, 36.3, 43.7, 56.8, 61.1),
    ("deepseek-flash", -1.9, 54.5, 55.1, 74.2, 78.5),
    ("deepseek-v4-pro", -3.1, 55.3, 56.3, 75.7, 80.0),
]
PAID_WRITES = [
    *[
        (model, (-3.6, -24.7), (53.0, 43.5), (54.2, 44.9), (72.9, 67.3), (77.1, 72.4))
        for model in ("claude-opus-5-5", "claude-sonnet-5-5", "gpt-6.1-sol")
    ],
    *[
        (model, (-7.0, -28.8), (49.6, 39.4), (52.0, 42.2), (69.5, 63.2), (73.7, 68.4))
        for model in ("claude-opus-5", "claude-haiku-5-5", "gpt-6-luna", "gpt-5.6-sol")
    ],
    ("claude-fable-5-1", (-1.9, -22.7), (54.7, 45.5), (55.4, 46.3), (74.6, 69.4), (78.8, 74.5)),
]
ROWS = PAID_WRITES + [(model, *((cell, cell) for cell in cells)) for model, *cells in READS_FREE_WRITES]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[0]))
def test_the_whole_bill(row: tuple[str, *tuple[tuple[float, float], ...]]) -> None:
    model, *cells = row
    found = multipliers(PRICES, model, 20_500)
    assert found is not None
    rates = rates_of(found, profile_of("maker", model).life)
    cases: list[tuple[int, Strategy]] = [(1, "call"), (3, "call"), (3, "leader"), (10, "call"), (20, "call")]
    for (n, strategy), percents in zip(cases, cells, strict=True):
        fan = TYPICAL._replace(n=n)
        for against, percent in zip(("naive", "none"), percents, strict=True):
            saved = saving(cost(strategy, fan, rates), cost(against, fan, rates))  # type: ignore[arg-type]
            assert 100 * saved == pytest.approx(percent, abs=0.051), (model, n, strategy, against)


@pytest.mark.parametrize(
    ("strategy", "dollars"),
    [("none", 0.29400), ("naive", 0.35400), ("call", 0.16624), ("leader", 0.16200), ("prewarm", 0.16604)],
)
def test_three_requests_to_opus_in_dollars(strategy: Strategy, dollars: float) -> None:
    rates = priced(PRICES, "claude-opus-5-5", 20_500, life=profile_of("anthropic", "claude-opus-5-5").life)
    assert rates is not None
    assert cost(strategy, TYPICAL._replace(n=3), rates) == pytest.approx(dollars, abs=5e-6)


@pytest.mark.parametrize(("model", "percent"), [("claude-opus-5-5", 2.6), ("gpt-4.1", 10.9), ("gpt-4o", 16.4)])
def test_how_much_less_than_a_call_a_leader_costs(model: str, percent: float) -> None:
    found = multipliers(PRICES, model)
    assert found is not None
    rates = rates_of(found, profile_of("maker", model).life)
    fan = TYPICAL._replace(n=3)
    assert 100 * saving(cost("leader", fan, rates), cost("call", fan, rates)) == pytest.approx(percent, abs=0.05)


def test_four_fifths_of_the_whole_bill_are_not_reached_at_twenty() -> None:
    rates = FIVE_MINUTES
    n = needed(bill("call", TYPICAL, rates), bill("none", TYPICAL, rates), 0.8)
    assert n is None or n > 20


# Breakpoints, short prefixes


@pytest.mark.parametrize(
    ("rates", "reads"),
    [(FIVE_MINUTES, 0.28), (OPUS_5_5, 0.26), (HOUR, 1.11), (Rates(2, 0.05, 5), 1.05), (HALF_DAY, 1.67)],
)
def test_reads_that_a_breakpoint_needs(rates: Rates, reads: float) -> None:
    assert reads_needed(rates) == pytest.approx(reads, abs=0.005)
    assert not breakpoint_pays(reads_needed(rates), rates)
    assert breakpoint_pays(reads_needed(rates) + 0.001, rates)


def test_a_breakpoint_at_no_price_needs_a_read_and_one_that_saves_nothing_never_pays() -> None:
    assert reads_needed(unpaid(0.5)) == 0
    assert not breakpoint_pays(0, unpaid(0.5))
    assert not breakpoint_pays(1e9, Rates(1.25, 1, 5))


def test_the_prefix_that_a_call_needs() -> None:
    """s + o k = 60: at two requests 109 tokens. Hidden reasoning of 100 to 200 tokens makes 510 to 1,010 of the 60."""
    assert prefix_needed(Fan(2, 0), FIVE_MINUTES) == pytest.approx(109.1, abs=0.05)
    for reasoning, spent in ((100, 510), (200, 1010)):
        fan = Fan(2, 0, call_output=reasoning)
        assert prefix_needed(fan, FIVE_MINUTES) == pytest.approx(spent / 0.55)
    assert prefix_needed(Fan(1, 0), FIVE_MINUTES) == math.inf
    assert prefix_needed(Fan(2, 0), unpaid(0.5)) == math.inf
    assert prefix_needed(Fan(2, 0), FIVE_MINUTES, "naive") == pytest.approx(60 / (2 * 1.15 - 1.25))
    for against in ("none", "naive"):
        at = prefix_needed(Fan(2, 0), FIVE_MINUTES, against)  # type: ignore[arg-type]
        for shared, pays in ((math.floor(at), False), (math.ceil(at), True)):
            fan = Fan(2, shared)
            assert (cost("call", fan, FIVE_MINUTES) < cost(against, fan, FIVE_MINUTES)) is pays  # type: ignore[arg-type]


def test_padding_a_prefix_up_to_the_minimum() -> None:
    """1,024 (0.1 + 1.15 / 10) = 220.2: from 221 tokens on."""
    at = padding_from(1024, 10, FIVE_MINUTES)
    assert math.floor(at) + 1 == 221
    padded = cost("leader", Fan(10, 1024), FIVE_MINUTES)
    assert cost("none", Fan(10, 220), FIVE_MINUTES) < padded < cost("none", Fan(10, 221), FIVE_MINUTES)


# Rates and tiers


def test_rates_are_those_of_the_life_that_is_asked_for() -> None:
    found = multipliers(PRICES, "claude-opus-5-5")
    assert found is not None
    lives = profile_of("anthropic", "claude-opus-5-5").lives
    assert [rates_of(found, life).w for life in lives] == [pytest.approx(1.25), pytest.approx(2)]
    assert rates_of(found, None).w == 1
    assert rates_of(Multipliers(1, 0.1, 2, 3, 4, 5, 6), lives[1]) == Rates(3, 0.1, 6)


@pytest.mark.parametrize(
    ("model", "shared", "own", "dollars"),
    [
        # Haiku 5.5 costs five times as much above 100,000 tokens, on every token.
        ("claude-haiku-5-5", 99_000, 1_000, 0.1e-6),
        ("claude-haiku-5-5", 99_000, 1_001, 0.5e-6),
        ("gpt-6.1-sol", 271_000, 1_000, 2e-6),
        ("gpt-6.1-sol", 271_000, 1_001, 4e-6),
    ],
)
def test_a_fan_out_above_a_tier_is_priced_there(model: str, shared: int, own: int, dollars: float) -> None:
    rates = priced(PRICES, model, shared + own, life=profile_of("maker", model).life)
    assert rates is not None
    assert rates.price == pytest.approx(dollars)
    assert rates.w == pytest.approx(1.25)


def test_a_warm_call_below_the_tier_of_its_siblings_is_cheaper() -> None:
    """99,990 tokens are written at 0.125 dollars a million, and read by longer prompts at 0.05."""
    life = profile_of("anthropic", "claude-haiku-5-5").life
    fan = Fan(8, 99_990, 500, 800)
    rates, call = (priced(PRICES, "claude-haiku-5-5", fan.shared + own, life=life) for own in (fan.own, fan.call_own))
    assert rates is not None
    assert call is not None
    siblings = 8 * (99_990 * 0.05e-6 + 500 * 0.5e-6 + 800 * 2.5e-6)
    expected = 99_990 * 0.125e-6 + 10 * 0.1e-6 + 10 * 0.5e-6 + siblings
    assert cost("call", fan, rates, call=call) == pytest.approx(expected)
    assert cost("call", fan, rates, call=call) < cost("leader", fan, rates)
    warm = 99_990 * 0.01e-6 + 10 * 0.1e-6 + 10 * 0.5e-6 + siblings
    assert cost("call", fan, rates, warm=1, call=call) == pytest.approx(warm)


def test_no_price_is_none_and_not_nothing() -> None:
    assert priced(PRICES, "nobodys-model", 1000) is None
    assert priced(PRICES, "free", 1000) is None


def test_what_does_not_fill_a_grain_is_not_shared() -> None:
    fan = Fan(3, 20_000, 500).grained(2048)
    assert (fan.shared, fan.own, fan.call_own) == (18_432, 500 + 1_568, 10 + 1_568)
    assert Fan(3, 20_000, 500).grained(1) == Fan(3, 20_000, 500).grained(0) == Fan(3, 20_000, 500)


@pytest.mark.parametrize(
    ("model", "shared", "cached"),
    [
        ("claude-opus-5-5", 511, False),
        ("claude-opus-5-5", 512, True),
        ("gpt-5.5", 1024, False),  # entries end at multiples of 2,048
        ("gpt-5.5", 2048, True),
        ("gpt-4o", 1023, False),
        ("gpt-4o", 1024, True),
        ("deepseek-v4-pro", 0, False),
        ("deepseek-v4-pro", 1, True),
    ],
)
def test_what_is_cached(model: str, shared: int, cached: bool) -> None:
    assert is_cached(profile_of("maker", model), shared) is cached


def test_a_saving_of_nothing_is_nothing() -> None:
    assert saving(0, 0) == 0
    assert saving(1, 0) == 0
