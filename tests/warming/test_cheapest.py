from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.prices import Prices
from adapters.profiles import profile_of
from tests.warming.prompts import terms
from warming.cheapest import Choice, call_output, cheapest, for_fanout
from warming.economics import Fan, Rates, cost, is_cached, priced

PRICES = Prices()
TYPICAL = Fan(8, 20_000, 500, 800)


def choice(model: str, fan: Fan = TYPICAL, **more: Any) -> Choice:
    profile = profile_of("maker", model)
    return cheapest(profile, priced(PRICES, model, fan.shared + fan.own, life=profile.life), fan, **more)


@pytest.mark.parametrize(
    ("model", "strategy"),
    [
        ("claude-opus-5-5", "leader"),
        ("claude-sonnet-5", "leader"),
        ("claude-fable-5-1", "leader"),
        ("gpt-6.1-sol", "leader"),
        ("gpt-5.5", "leader"),
        ("gpt-4o", "leader"),
        ("gemini-3.8-flash", "leader"),
        ("grok-4.7", "leader"),
        ("deepseek-v4-pro", "call"),  # entries are whole units: only a request that ends with the prefix makes one
    ],
)
def test_what_is_cheapest_for_a_fan_out(model: str, strategy: str) -> None:
    found = choice(model)
    assert found.strategy == strategy
    assert found.warms
    assert f"{strategy} costs" in found.why
    assert found.costs[found.strategy] == min(found.costs.values())


def test_the_reason_says_what_it_is_worth_and_what_was_not_possible() -> None:
    """Eight requests to Opus: 36,000 + 160,000 without caching, 36,000 + 25,000 + 7,000 with a leader."""
    assert choice("claude-opus-5-5").why == "leader costs 65% less"
    assert choice("deepseek-v4-pro").why.endswith(
        "no leader: no entry of the first request ends where the shared prefix ends"
    )


@pytest.mark.parametrize(
    ("model", "fan", "more", "strategy", "why"),
    [
        ("vllm", TYPICAL, {}, "none", "local engine: tokens cost time, no money"),
        ("claude-opus-5-5", TYPICAL._replace(n=1), {}, "none", "alone"),
        ("claude-opus-5-5", TYPICAL._replace(n=0), {}, "none", "alone"),
        ("claude-opus-5-5", TYPICAL._replace(shared=511), {}, "none", "below minimum"),
        ("gpt-5.5", TYPICAL._replace(shared=2_047), {}, "none", "below minimum"),
        ("gemini-3.8-flash", TYPICAL._replace(shared=4_095), {}, "none", "below minimum"),
        ("claude-opus-5-5", TYPICAL, {"warm": 1.0}, "naive", "warm"),
        ("claude-opus-5-5", TYPICAL._replace(n=1), {"warm": 1.0}, "naive", "alone"),
        ("nobodys-model", TYPICAL, {}, "none", "no price"),
        # Of unit caches only a call can make an entry, and a surface may have no legal one.
        ("deepseek-v4-pro", TYPICAL, {"forms": ()}, "none", "warming costs more than it saves"),
        # Two requests at half price: a call reads and writes as much as it saves, and says something besides.
        ("gpt-4o", TYPICAL._replace(n=2), {"ends": False}, "none", "warming costs more than it saves"),
    ],
)
def test_where_warming_loses_nobody_waits(model: str, fan: Fan, more: dict[str, Any], strategy: str, why: str) -> None:
    found = choice(model, fan, **more)
    assert (found.strategy, found.why.split("; no")[0]) == (strategy, why)
    assert not found.warms


def test_at_uniform_prices_nobody_waits() -> None:
    for rates in (Rates(1, 1, 5), Rates(1.25, 1, 5), Rates(1, 1.2, 5)):
        found = cheapest(profile_of("anthropic", "claude-opus-5-5"), rates, TYPICAL)
        assert (found.strategy, found.why) == ("none", "uniform price")


def test_an_unknown_provider_is_left_alone() -> None:
    found = cheapest(profile_of("nobody", "gpt-5.5"), Rates(1, 0.1, 5), TYPICAL)
    assert found == Choice("none", "nothing is known of this cache", {})


def test_where_no_entry_can_end_there_only_a_call_that_does_can_warm() -> None:
    cut = choice("gpt-6.1-sol", ends=False)
    assert "leader" not in cut.costs
    assert "call" not in cut.costs  # its warm forms are not cut off at the prefix
    assert cut.strategy == "none"
    assert set(choice("deepseek-v4-pro").costs) == {"none", "naive", "call"}
    assert choice("deepseek-v4-pro", ends=True).strategy == "leader"


def test_a_call_without_output_needs_a_form_without_output() -> None:
    assert "prewarm" in choice("claude-opus-5-5").costs
    assert "prewarm" in choice("gpt-6.1-sol").costs
    assert "prewarm" not in choice("gpt-5.5").costs
    assert {"call", "prewarm"}.isdisjoint(choice("claude-opus-5-5", forms=()).costs)
    assert choice("claude-opus-5-5", forms=()).strategy == "leader"


def test_a_call_can_be_cheaper_than_a_leader_where_its_prompt_is_below_a_tier() -> None:
    fan, model = Fan(8, 99_990, 500, 800), "claude-haiku-5-5"
    life = profile_of("maker", model).life
    below = priced(PRICES, model, fan.shared + fan.call_own, life=life)
    assert choice(model, fan).strategy == "leader"
    assert choice(model, fan, call=below).strategy == "prewarm"


@pytest.mark.parametrize(
    ("model", "tokens"),
    [("claude-opus-5-5", 10), ("gpt-5.5", 16), ("gpt-6.1-sol", 16), ("deepseek-v4-pro", 10), ("vllm", 10)],
)
def test_what_a_warm_call_says(model: str, tokens: int) -> None:
    assert call_output(profile_of("maker", model)) == tokens


@settings(deadline=None)
@given(
    model=st.sampled_from(
        ["claude-opus-5-5", "gpt-5.6-sol", "gpt-5.5", "gpt-4o", "deepseek-v4-pro", "gemini-3.8-flash"]
    ),
    n=st.integers(0, 64),
    shared=st.integers(0, 300_000),
    own=st.integers(0, 5_000),
    output=st.integers(0, 5_000),
    warm=st.floats(0, 1),
    implicit=st.booleans(),
)
def test_it_never_costs_more_than_what_it_could_have_done(
    model: str, n: int, shared: int, own: int, output: int, warm: float, implicit: bool
) -> None:
    fan, profile = Fan(n, shared, own, output, implicit=implicit), profile_of("maker", model)
    rates = priced(PRICES, model, shared + own, life=profile.life)
    assert rates is not None
    found = cheapest(profile, rates, fan, warm=warm)
    cached, grained = is_cached(profile, shared), fan.grained(profile.granularity)._replace(implicit=False)
    spent = found.costs[found.strategy]
    assert spent == pytest.approx(cost(found.strategy, grained, rates, warm=warm, cached=cached))
    for other in ("none", "naive", *(["leader"] if profile.boundary != "unit" else []), "call"):
        assert spent <= cost(other, grained, rates, warm=warm, cached=cached) * (1 + 1e-9)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "shared", "warm", "n", "strategy"),
    [
        ("claude-sonnet-5", 20_000, 0, 8, "leader"),
        ("claude-sonnet-5", 20_000, 19_900, 8, "leader"),
        ("claude-sonnet-5", 20_000, 20_000, 8, "none"),
        ("claude-sonnet-5", 20_000, 0, 1, "none"),
        ("deepseek-v4-pro", 20_000, 0, 8, "call"),
        # A call that reads 20,000 tokens again costs more than the few that eight would each pay for.
        ("deepseek-v4-pro", 20_000, 19_950, 8, "none"),
        ("deepseek-v4-pro", 20_000, 19_000, 8, "call"),
    ],
)
def test_by_what_the_planner_knows(model: str, shared: int, warm: int, n: int, strategy: str) -> None:
    assert for_fanout(terms(model), n, shared=shared, warm=warm, own=50).strategy == strategy
