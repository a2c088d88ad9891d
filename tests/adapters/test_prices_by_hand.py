"""Bills worked out by hand, in plain arithmetic: tokens times dollars per million, from the providers' price lists."""

from __future__ import annotations

import pytest

from adapters.prices import Costs, Prices, Rates
from adapters.usage import Usage

MILLION = 1_000_000
PRICES = Prices(
    {
        "mine": {"input": 3, "output": 7, "cache_read": 0.5},
        "azure/gpt-4o": {"input": 1, "output": 1},
        "gpt-4.1": {"input": 4, "output": 5, "cache_write": 5, "output_reasoning": 6},
    }
)
# An agent's turn: much read, a little written, a short answer.
TURN = Usage(uncached=50, read=100_000, write_5m=1_000, output=800)

BILLS: list[tuple[str, Usage, float | None]] = [
    # Anthropic. Opus 5.5 reads at 0.05 of its 4 dollars, 5-minute writes at 1.25, 1-hour writes at 2.
    ("claude-opus-5-5", Usage(uncached=1_000), 0.004),
    ("claude-opus-5-5", Usage(read=1_000_000), 0.20),
    ("claude-opus-5-5", Usage(write_5m=200_000), 1.00),
    ("claude-opus-5-5", Usage(write_1h=200_000), 1.60),
    ("claude-opus-5-5", Usage(output=50_000), 1.00),
    ("claude-opus-5-5", Usage(output=50_000, reasoning=40_000), 1.00),  # reasoning is a part of the output
    ("claude-opus-5-5", TURN, 0.0002 + 0.02 + 0.005 + 0.016),
    ("claude-opus-5-5", Usage(10, 20_000, 3_000, 4_000, 500), 0.00004 + 0.004 + 0.015 + 0.032 + 0.01),
    ("claude-opus-5", TURN, 0.00025 + 0.05 + 0.00625 + 0.02),
    # Fable 5.1 reads at 0.025 of 10 dollars.
    ("claude-fable-5-1", Usage(read=1_000_000), 0.25),
    ("claude-fable-5-1", TURN, 0.0005 + 0.025 + 0.0125 + 0.04),
    ("claude-fable-5", Usage(read=1_000_000), 1.00),
    ("claude-mythos-5-1", Usage(read=1_000_000, output=10_000), 0.25 + 0.50),  # ours: the table has no Mythos
    ("claude-mythos-5", Usage(read=1_000_000, write_1h=100_000), 1.00 + 2.00),
    ("claude-sonnet-5-5", Usage(read=1_000_000), 0.10),
    ("claude-sonnet-5", Usage(read=1_000_000), 0.20),
    ("claude-haiku-4-5", Usage(100, 10_000, 10_000, 10_000, 100), 0.0001 + 0.001 + 0.0125 + 0.02 + 0.0005),
    # Haiku 5.5: above 100,000 tokens of prompt five times on every token, the answer's too.
    ("claude-haiku-5-5", Usage(uncached=99_999, output=1_000), 0.0099999 + 0.0005),
    ("claude-haiku-5-5", Usage(uncached=100_000, output=1_000), 0.01 + 0.0005),
    ("claude-haiku-5-5", Usage(uncached=100_001, output=1_000), 0.0500005 + 0.0025),
    ("claude-haiku-5-5", Usage(uncached=1, read=100_000, output=1_000), 0.0000005 + 0.005 + 0.0025),  # reads count
    ("claude-haiku-5-5", Usage(write_5m=60_000, write_1h=40_000), 0.0075 + 0.008),
    ("claude-haiku-5-5", Usage(write_5m=60_000, write_1h=40_001), 0.0375 + 0.040001),
    ("claude-haiku-5-5", Usage(uncached=1_000, output=200_000), 0.0001 + 0.1),  # the answer is no prompt
    # Sonnet 4.5: above 200,000 input doubles, output grows by half.
    ("claude-sonnet-4-5", Usage(uncached=200_000, output=1_000), 0.60 + 0.015),
    ("claude-sonnet-4-5", Usage(uncached=200_001, output=1_000), 1.200006 + 0.0225),
    ("claude-sonnet-4-6", Usage(uncached=200_001, output=1_000), 0.600003 + 0.015),  # no tier since 2026-03-13
    # OpenAI up to 5.5: writes are free, that is, billed as any input.
    ("gpt-4o", Usage(uncached=1_000, read=9_000, output=100), 0.0025 + 0.01125 + 0.001),  # reads at a half
    ("gpt-4o", Usage(write_30m=1_000), 0.0025),
    ("gpt-4o", Usage(write_12h=1_000), 0.0025),
    ("gpt-4o-mini", Usage(read=1_000_000), 0.075),
    ("o3", Usage(read=1_000_000, output=1_000, reasoning=900), 0.50 + 0.008),  # reads at a quarter
    ("gpt-5.5", Usage(uncached=272_000, output=1_000), 1.36 + 0.03),
    ("gpt-5.5", Usage(uncached=272_001, output=1_000), 2.72001 + 0.045),
    ("gpt-5.5", Usage(uncached=1, read=272_000), 0.00001 + 0.272),  # read at 1 dollar then, not at 0.5
    # OpenAI from 5.6 on: 30 minutes at 1.25, 12 hours at 2.5.
    ("gpt-5.6-sol", Usage(uncached=500, read=20_000, output=800), 0.002 + 0.008 + 0.016),
    ("gpt-5.6-sol", Usage(write_30m=20_000), 0.10),
    ("gpt-5.6-sol", Usage(write_12h=20_000), 0.20),
    ("gpt-5.6-sol", Usage(write_30m=10_000, write_12h=10_000, output=100), 0.05 + 0.10 + 0.002),
    ("gpt-5.6-sol", Usage(write_12h=272_000), 2.72),
    ("gpt-5.6-sol", Usage(write_12h=272_001), 5.44002),
    ("gpt-5.6-luna", Usage(write_30m=100_000, write_12h=100_000), 0.025 + 0.05),
    ("gpt-6.1-sol", Usage(read=100_000), 0.01),  # reads at 0.05
    ("gpt-6-astra", Usage(write_30m=100_000), 1.25),
    ("gpt-6-luna", Usage(uncached=272_001, output=1_000), 0.0544002 + 0.00075),
    # Gemini: above 200,000 tokens; its own price for writing is none.
    ("gemini-2.5-pro", Usage(uncached=200_000, output=1_000), 0.25 + 0.01),
    ("gemini-2.5-pro", Usage(uncached=200_001, output=1_000), 0.5000025 + 0.015),
    ("gemini-2.5-pro", Usage(uncached=100_001, read=100_000), 0.2500025 + 0.025),
    ("gemini-3.8-flash", Usage(read=1_000_000, output=1_000), 0.075 + 0.00375),  # a launch price until 2027
    # DeepSeek: peak prices; a miss costs what input costs, also where it is told as a write.
    ("deepseek-v4-pro", Usage(uncached=10_000, read=90_000, output=1_000), 0.0132 + 0.00396 + 0.00396),
    ("deepseek-v4-pro", Usage(write_5m=10_000), 0.0132),
    ("deepseek-flash", Usage(uncached=1_000_000, read=1_000_000), 0.30 + 0.006),
    ("deepseek-flash", Usage(write_30m=1_000_000), 0.30),
    ("grok-4.7", Usage(read=100_000, output=1_000), 0.05 + 0.006),
    # The operator's own prices: what they do not say is billed as input, or as output.
    ("mine", Usage(1_000, 1_000, 1_000, 1_000, 1_000), 0.003 + 0.0005 + 0.003 + 0.003 + 0.007),
    ("mine", Usage(uncached=2_000_000, write_30m=1_000, write_12h=1_000), 6.0 + 0.003 + 0.003),
    ("gpt-4.1", Usage(uncached=1_000, output=1_000, reasoning=250), 0.004 + 0.00375 + 0.0015),
    ("gpt-4.1", Usage(write_30m=1_000, write_12h=1_000), 0.005 + 0.010),
    # Nothing is nothing, and nobody's model has no price.
    ("gpt-4o", Usage(), 0.0),
    ("nobodys-model", Usage(uncached=1_000), None),
    ("", Usage(uncached=1_000), None),
    # More reasoning than output is nonsense: the output bounds it.
    ("gpt-4.1", Usage(output=100, reasoning=500), 0.0006),
]


@pytest.mark.parametrize(("model", "usage", "dollars"), BILLS)
def test_bills(model: str, usage: Usage, dollars: float | None) -> None:
    cost = PRICES.cost(model, usage)
    assert cost == (None if dollars is None else pytest.approx(dollars, rel=1e-12))


HINTED: list[tuple[str, str, Usage, float | None]] = [
    # Who is asked goes before whose name it is.
    ("deepseek/deepseek-v4-pro", "openrouter", Usage(uncached=1_000_000), 1.416),
    ("deepseek-v4-pro", "deepseek", Usage(uncached=1_000_000), 1.32),
    ("us.anthropic.claude-opus-5-5", "aws", Usage(read=1_000_000, output=1_000), 0.22 + 0.022),  # a region: +10 %
    ("us.anthropic.claude-opus-5-5", "bedrock", Usage(write_1h=1_000), 0.0088),
    ("claude-opus-5-5", "vertex", Usage(write_1h=1_000), 0.008),
    ("anthropic/claude-opus-5.5", "openrouter", Usage(write_1h=1_000), 0.008),  # no price for it there: twice input
    ("gpt-5.6-sol", "azure", Usage(write_12h=1_000), 0.010),
    # It has its own override, and who has none takes the one of the name alone.
    ("gpt-4o", "azure", Usage(uncached=1_000_000), 1.0),
    ("mine", "azure", Usage(uncached=1_000_000), 3.0),
    # Whoever does not sell the model, or is nobody, leads back to the name.
    ("gpt-4o", "deepseek", Usage(uncached=1_000_000), 2.5),
    ("gpt-4o", "my-own-engine", Usage(uncached=1_000_000), 2.5),
    ("nobodys-model", "azure", Usage(uncached=1_000_000), None),
    # A price for each request, 12 dollars a thousand.
    ("sonar", "perplexity", Usage(uncached=1_000, output=1_000), 0.001 + 0.001 + 0.012),
    # Reasoning at 3 dollars, what is seen at 8.
    ("sonar-deep-research", "perplexity", Usage(output=1_000, reasoning=400), 0.0048 + 0.0012),
]


@pytest.mark.parametrize(("model", "provider", "usage", "dollars"), HINTED)
def test_bills_of_a_provider(model: str, provider: str, usage: Usage, dollars: float | None) -> None:
    cost = PRICES.cost(model, usage, provider)
    assert cost == (None if dollars is None else pytest.approx(dollars, rel=1e-12))


def test_batches_are_not_priced() -> None:
    """Nothing in a usage tells a batch: it is billed here as any other request, twice what it costs."""
    assert PRICES.cost("claude-opus-5-5", Usage(uncached=MILLION)) == pytest.approx(4.0)
    assert "batch" not in " ".join((*Rates._fields, *Costs._fields))
