from __future__ import annotations

import argparse
import io
import json
from typing import Any

import pytest

from adapters.prices import Prices
from proxy import savings

PRICES = Prices({"mine": {"input": 1, "output": 2, "cache_read": 1}})


def asked(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="warmgate savings")
    savings.add_parser(parser)
    return parser.parse_args(arguments)


def told(*arguments: str) -> str:
    out, err = io.StringIO(), io.StringIO()
    assert savings.run(asked(*arguments), out, err, PRICES) == 0
    assert not err.getvalue()
    return out.getvalue()


def found(*arguments: str) -> list[dict[str, Any]]:
    models: list[dict[str, Any]] = json.loads(told("--json", *arguments))["models"]
    return models


def fanouts(model: str, *arguments: str) -> dict[int, dict[str, Any]]:
    return {fanout["n"]: fanout for fanout in found("--model", model, *arguments)[0]["fanouts"]}


def test_three_requests_to_opus_in_dollars() -> None:
    """By hand: 20,000 shared tokens, 500 own, 800 of output, at 4 dollars a million and 20 for output."""
    assert fanouts("claude-opus-5-5")[3]["dollars"] == {
        "none": 0.294,
        "naive": 0.354,
        "leader": 0.162,
        "call": 0.16624,
        "prewarm": 0.16604,
    }


@pytest.mark.parametrize(
    ("model", "n", "leader", "call"),
    # Percent saved against firing all at once and against not caching.
    [
        ("anthropic/claude-opus-5-5", 1, (0, -20.4), (-3.6, -24.7)),
        ("anthropic/claude-opus-5-5", 3, (54.2, 44.9), (53.0, 43.5)),
        ("anthropic/claude-opus-5-5", 20, (None, None), (77.1, 72.4)),
        ("anthropic/claude-sonnet-5", 3, (52.0, 42.2), (49.6, 39.4)),
        ("anthropic/claude-fable-5-1", 3, (55.4, 46.3), (54.7, 45.5)),
        ("google/gemini-3.8-flash", 3, (49.0, 49.0), (46.1, 46.1)),  # 16 tokens of output; ten: 46.2
        ("xai/grok-4.7", 3, (43.7, 43.7), (36.3, 36.3)),
        ("deepseek/deepseek-v4-pro", 20, (None, None), (80.0, 80.0)),
    ],
)
def test_shares_of_the_whole_bill(
    model: str, n: int, leader: tuple[float | None, float | None], call: tuple[float, float]
) -> None:
    saved = fanouts(model)[n]["saved"]
    for strategy, percents in (("leader", leader), ("call", call)):
        for against, percent in zip(("naive", "none"), percents, strict=True):
            if percent is not None:
                assert 100 * saved[strategy][against] == pytest.approx(percent, abs=0.051)


def test_a_provider_that_writes_all_of_a_request_by_itself() -> None:
    """GPT-5.6 and later: fired at once each writes its own 500 tokens too, 1.25 (20,000 + 500) + 4,000 a request."""
    dollars = fanouts("gpt-6.1-sol", "--n", "3")[3]["dollars"]
    assert dollars["naive"] == pytest.approx(3 * (1.25 * 20_500 + 4_000) * 2e-6)
    assert dollars["leader"] == pytest.approx((25_000 + 2 * 1_000 + 3 * 4_500) * 2e-6)


def test_only_whole_grains_are_read() -> None:
    """GPT-5.5: 9 times 2,048 of the 20,000; the call says 16 tokens at six times the input price."""
    dollars = fanouts("openai/gpt-5.5", "--n", "2")[2]["dollars"]
    own = 2 * (500 + 1_568 + 4_800)
    assert dollars["leader"] == pytest.approx((1.1 * 18_432 + own) * 5e-6)
    assert dollars["call"] == pytest.approx((1.2 * 18_432 + 1_568 + 10 + 96 + own) * 5e-6)


def test_where_it_loses() -> None:
    (model,) = found("--model", "claude-opus-5-5")
    losses = model["losses"]
    assert losses["one came"] == {"leader": 0.02, "call": 0.02424, "prewarm": 0.02404}
    assert losses["nobody came"] == {"leader": 0.0, "call": 0.10024, "prewarm": 0.10004}
    assert losses["warm already"] == {"leader": 0.0, "call": 0.00424, "prewarm": 0.00404}
    assert losses["below minimum"] == {"leader": 0.0, "call": 0.002284, "prewarm": 0.002084}  # 511 + 10 + 50


def test_who_waits_for_an_unneeded_leader_loses_no_money() -> None:
    for model in found():
        for case in ("nobody came", "below minimum", "warm already"):
            assert model["losses"].get(case, {}).get("leader", 0) == 0, (model["model"], case)


def test_a_warm_call_loses_in_every_case_and_auto_passes_where_it_knows() -> None:
    for model in found("--n", "1,8"):
        assert all(lost["call"] > 0 for lost in model["losses"].values()), model["model"]
        assert model["fanouts"][0]["cheapest"] == "none"
        assert model["fanouts"][1]["cheapest"] == (
            "none" if model["local"] else "call" if model["why_no_leader"] else "leader"
        )


def test_a_prefix_that_is_too_short_saves_nothing() -> None:
    (model,) = found("--model", "claude-opus-5-5", "--prefix", "511", "--n", "8")
    fanout = model["fanouts"][0]
    assert (fanout["cheapest"], fanout["why"]) == ("none", "below minimum")
    assert fanout["saved"]["leader"] == {"naive": 0, "none": 0}
    assert fanout["saved"]["call"]["none"] < 0
    assert model["break_even"]["call"] == {"naive": None, "none": None}


def test_a_local_engine_is_told_of_without_money() -> None:
    for name in ("vllm/any-model", "llamacpp/x", "vllm"):
        (model,) = found("--model", name)
        assert model["local"]
        assert model["losses"] == model["break_even"] == {}
        assert all(fanout["dollars"] == {} for fanout in model["fanouts"])
        assert "local engine" in model["fanouts"][0]["why"]


def test_a_provider_of_whole_units_has_no_leader() -> None:
    (model,) = found("--model", "deepseek-v4-pro")
    assert "leader" not in model["fanouts"][0]["dollars"]
    assert "leader" not in model["losses"]["one came"]
    assert model["why_no_leader"]


def test_a_cache_that_nobody_knows_is_not_calculated() -> None:
    (model,) = found("--model", "openrouter/someone/gpt-4o")
    assert model["fanouts"][0]["dollars"] == {}
    assert model["fanouts"][0]["why"] == "nothing is known of this cache"


def test_a_fan_out_above_a_tier_costs_what_that_tier_costs() -> None:
    below, above = (fanouts("claude-haiku-5-5", "--n", "2", "--prefix", prefix)[2] for prefix in ("99500", "99501"))
    assert below["dollars"]["none"] == pytest.approx(2 * (100_000 * 0.1e-6 + 800 * 0.5e-6))
    assert above["dollars"]["none"] == pytest.approx(2 * (100_001 * 0.5e-6 + 800 * 2.5e-6))


def test_from_which_number_on_it_pays() -> None:
    opus, half = found("--model", "claude-opus-5-5", "gpt-4o")
    assert opus["break_even"]["leader"] == {"naive": 2, "none": 2}
    assert opus["break_even"]["call"] == {"naive": 2, "none": 2}
    assert half["break_even"] == {"leader": {"naive": 2, "none": 2}, "call": {"naive": 3, "none": 3}}


def test_a_price_of_ones_own_counts() -> None:
    (model,) = found("--model", "mine", "--n", "8")
    assert (model["write"], model["read"]) == (1, 1)
    assert model["fanouts"][0]["why"] == "uniform price"
    assert model["fanouts"][0]["saved"]["leader"]["none"] == 0


def test_whose_price_and_rules_it_is() -> None:
    """Bedrock in a region takes a tenth more. A name with a stroke that is no provider's is all the model's."""
    plain, bedrock = (
        fanouts(name)[2]["dollars"]["none"] for name in ("claude-opus-5-5", "bedrock/us.anthropic.claude-opus-5-5")
    )
    assert bedrock == pytest.approx(1.1 * plain)
    assert found("--model", "nobody/claude-opus-4-7")[0]["minimum"] == 2048
    assert found("--model", "bedrock/anthropic.claude-opus-4-7")[0]["minimum"] == 4096


def test_models_without_a_price_are_an_error_that_names_them() -> None:
    out, err = io.StringIO(), io.StringIO()
    assert savings.run(asked("--model", "claude-opus-5-5", "foo", "--model", "bar/x"), out, err, PRICES) == 2
    assert out.getvalue() == ""
    assert err.getvalue().splitlines() == [
        "warmgate savings: there is no price for `foo`",
        "warmgate savings: there is no price for `bar/x`",
    ]


def test_models_named_twice_stand_once() -> None:
    assert [model["model"] for model in found("--model", "gpt-4o", "vllm", "gpt-4o")] == ["gpt-4o", "vllm"]


def test_the_default_is_one_of_each_kind() -> None:
    models = found()
    assert [model["model"] for model in models] == list(savings.MODELS)
    assert [fanout["n"] for fanout in models[0]["fanouts"]] == [1, 2, 3, 8, 20, 32]
    assert {model["local"] for model in models} == {True, False}
    assert all(model["write"] for model in models if not model["local"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("--n", "0"),
        ("--n", "2,"),
        ("--n", ""),
        ("--n", "two"),
        ("--n", "-1"),
        ("--n", "²"),
        ("--n", "99999999999999999999"),
        ("--prefix", "1.5"),
        ("--suffix", "-1"),
        ("--output", "10000001"),
        ("--json", "--markdown"),
    ],
)
def test_bad_arguments(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        asked(*arguments)
    assert stopped.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_counts_stay_in_their_order_and_stand_once() -> None:
    assert asked("--n", "8,2,8").n == [8, 2]


def test_nothing_at_all_is_no_error() -> None:
    (model,) = found("--model", "claude-opus-5-5", "--prefix", "0", "--suffix", "0", "--output", "0", "--n", "2")
    assert model["fanouts"][0]["saved"]["leader"] == {"naive": 0, "none": 0}


def test_three_forms_of_the_same() -> None:
    assert "| claude-opus-5-5 | 54/53 |" in told("--model", "claude-opus-5-5", "--n", "3", "--markdown")
    assert "claude-opus-5-5  54/53" in told("--model", "claude-opus-5-5", "--n", "3")
