import gzip
import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import genai_prices
import pytest
from genai_prices.data import providers
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.prices import Costs, Prices, Rates, _lacking
from adapters.usage import Usage

DATA = Path(os.environ.get("WARMGATE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
PRICES = Prices()
COUNTS = st.integers(0, 400_000)


def test_classes_each_have_their_price() -> None:
    def cost(usage: Usage) -> float:
        found = PRICES.cost("claude-opus-5-5", usage)
        assert found is not None
        return round(found, 9)

    million = 1_000_000
    assert cost(Usage(uncached=million)) == 4
    assert cost(Usage(read=million)) == 0.2
    assert cost(Usage(write_5m=million)) == 5
    assert cost(Usage(write_1h=million)) == 8
    assert cost(Usage(output=million)) == 20
    assert cost(Usage(output=million, reasoning=million)) == 20  # a part of the output, not in addition
    assert cost(Usage()) == 0


def test_writes_without_a_price_cost_what_input_costs() -> None:
    for model in ("gpt-4o", "deepseek-chat"):
        plain = PRICES.cost(model, Usage(uncached=1000))
        assert plain
        assert PRICES.cost(model, Usage(write_5m=1000)) == PRICES.cost(model, Usage(write_1h=1000)) == plain


def test_a_tier_counts_for_the_whole_request_and_by_all_of_the_prompt() -> None:
    below, above = Usage(uncached=40_000, read=60_000, output=1000), Usage(uncached=40_001, read=60_000, output=1000)
    low, high = PRICES.cost("claude-haiku-5-5", below), PRICES.cost("claude-haiku-5-5", above)
    assert low == pytest.approx((40_000 * 0.1 + 60_000 * 0.01 + 1000 * 0.5) / 1e6)
    assert high == pytest.approx((40_001 * 0.5 + 60_000 * 0.05 + 1000 * 2.5) / 1e6)


@pytest.mark.parametrize(
    "model", ["gpt-4o", "claude-sonnet-4-5", "gpt-5.5", "gemini-2.5-pro", "claude-haiku-5-5", "gpt-4"]
)
@settings(max_examples=40)
@given(uncached=COUNTS, read=COUNTS, write=COUNTS, hour=COUNTS, output=COUNTS)
def test_agrees_with_the_library(model: str, uncached: int, read: int, write: int, hour: int, output: int) -> None:
    priced = next(p.find_model(model) for p in providers if p.model_match and p.model_match.is_match(model))
    assert priced is not None
    prices = priced.get_prices(datetime(2026, 11, 10, tzinfo=UTC))
    if prices.cache_read_mtok is None:
        read = 0
    if prices.cache_write_mtok is None:
        write = hour = 0
    theirs = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=uncached + read + write + hour,
            cache_read_tokens=read,
            cache_write_tokens=write + hour,
            cache_write_1h_tokens=hour if prices.cache_write_1h_mtok is not None else None,
            output_tokens=output,
        ),
        model,
        genai_request_timestamp=datetime(2026, 11, 10, tzinfo=UTC),
    )
    ours = PRICES.cost(model, Usage(uncached, read, write, hour, output))
    assert ours == pytest.approx(float(theirs.total_price), rel=1e-9, abs=1e-12)


@given(
    st.builds(Usage, *[COUNTS] * 6, write_30m=COUNTS, write_12h=COUNTS),
    st.sampled_from(["claude-haiku-5-5", "gpt-5.6-sol", "gpt-4o", "deepseek-flash", "sonar", "nobodys"]),
    st.sampled_from(["", "perplexity", "azure"]),
)
def test_the_classes_add_up_to_the_cost_to_the_last_bit(usage: Usage, model: str, provider: str) -> None:
    costs, cost = PRICES.split(model, usage, provider), PRICES.cost(model, usage, provider)
    assert (None if costs is None else sum(costs)) == cost
    if costs is not None:
        assert min(costs) >= 0
        assert len(costs) == len(Costs._fields) == len(Rates._fields) - 1


@pytest.mark.parametrize("model", ["", "no-such-model", "no/such/model", "/", "x" * 100_000])
def test_an_unknown_model_has_no_price(model: str) -> None:
    assert PRICES.cost(model, Usage(1000, output=10)) is None


@pytest.mark.parametrize("model", sorted(_lacking()))
def test_what_is_added_to_the_table_is_still_missing_there(model: str) -> None:
    """Where this fails the library knows the model by now, and our row in adapters/data/prices.toml is to go."""
    assert PRICES._find(model) is None
    assert PRICES.cost(f"anthropic/{model}", Usage(1_000_000)) == PRICES.cost(model, Usage(1_000_000)) == 10


def test_rates_are_those_of_the_length() -> None:
    low, high = PRICES.rates("claude-haiku-5-5", 100_000), PRICES.rates("claude-haiku-5-5", 100_001)
    assert low is not None
    assert high is not None
    assert (low.uncached, high.uncached) == (pytest.approx(0.1e-6), pytest.approx(0.5e-6))
    assert PRICES.rates("nobodys") is None


def test_a_row_without_an_input_price_is_not_free() -> None:
    # Sold by subscription: the table lists the model and no price.
    assert PRICES.cost("github-copilot/gpt-4.1", Usage(1000)) is None


def test_names_as_gateways_write_them() -> None:
    usage = Usage(1000, 2000, output=50)
    assert (
        PRICES.cost("openai/gpt-4o", usage) == PRICES.cost("GPT-4o", usage) == PRICES.cost("gpt-4o", usage) is not None
    )
    assert PRICES.cost("anthropic/claude-sonnet-4-5", usage) == PRICES.cost("claude-sonnet-4-5-20250929", usage)


def test_the_dearer_hour_counts() -> None:
    # deepseek-chat is listed at 0.135 by night (UTC) and 0.27 by day.
    assert PRICES.cost("deepseek-chat", Usage(1_000_000)) == pytest.approx(0.27)


def test_the_day_chooses_among_dated_prices() -> None:
    changed = [
        (m.id, m.prices[0].prices.input_mtok, m.prices[-1].prices.input_mtok)
        for p in providers
        if p.id == "openai"
        for m in p.models
        if isinstance(m.prices, list)
        and isinstance(m.prices[0].prices.input_mtok, Decimal)
        and isinstance(m.prices[-1].prices.input_mtok, Decimal)
        and m.prices[0].prices.input_mtok != m.prices[-1].prices.input_mtok
    ]
    model, before, after = changed[0]
    assert Prices(on=date(2020, 1, 1)).cost(model, Usage(1_000_000)) == pytest.approx(float(before))
    assert Prices(on=date(2030, 1, 1)).cost(model, Usage(1_000_000)) == pytest.approx(float(after))


def test_overrides_go_first_and_fall_back_to_their_input() -> None:
    prices = Prices({"gpt-4o": {"input": 1, "output": 2}, "local": {"input": 0, "output": 0}})
    for usage in (Usage(uncached=10**6), Usage(read=10**6), Usage(write_5m=10**6), Usage(write_1h=10**6)):
        assert prices.cost("gpt-4o", usage) == 1
    assert prices.cost("gpt-4o", Usage(output=10**6)) == 2
    assert prices.cost("local", Usage(5, 5, 5, 5, 5)) == 0
    row = {"input": 1.0, "output": 2.0, "cache_read": 0.1, "cache_write": 1.25}
    full = Prices({"m": row})
    assert full.cost("m", Usage(10**6, 10**6, 10**6, 0, 10**6)) == pytest.approx(4.35)
    assert full.cost("m", Usage(write_1h=10**6)) == pytest.approx(1.25)
    assert Prices({"m": {**row, "cache_write_1h": 2.0}}).cost("m", Usage(write_1h=10**6)) == pytest.approx(2)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"output": 1.0}, "`input` is missing"),
        ({"input": 1.0, "inptu": 1.0}, "no such member `inptu`"),
        ({"input": -1.0}, "0 or more"),
        ({"input": float("nan")}, "0 or more"),
        ({"input": True}, "0 or more"),
    ],
)
def test_a_bad_override_is_refused_at_the_start(row: dict[str, float], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Prices({"m": row})


def test_the_table_says_what_it_is() -> None:
    assert PRICES.table.startswith("genai-prices 0.2")
    assert PRICES.as_of == "2026-11-10" or "unknown" in PRICES.as_of


def test_names_of_clients_do_not_fill_the_memory() -> None:
    prices = Prices()
    for number in range(3000):
        prices.cost(f"gpt-4o-{number}", Usage(1))
    assert len(prices._known) <= 1024


def test_the_library_is_not_imported_with_the_module() -> None:
    code = "import sys, adapters.prices; sys.exit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0


def test_a_recorded_bill() -> None:
    path = DATA / "sessions" / "pi.delta.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"measurement data is not at {DATA}")
    with gzip.open(path, "rt") as lines:
        usages = [json.loads(line)["usage"] for line in lines]
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    bill = 0.0
    for usage in usages:
        uncached, read, write = (usage[name] for name in names)
        bill += PRICES.cost("claude-sonnet-4-5", Usage(uncached, read, write, output=usage["output_tokens"])) or 0.0
    assert bill == pytest.approx(sum(usage["cost_usd"] for usage in usages), rel=0.02)
    assert bill == pytest.approx(30.33, rel=0.02)
