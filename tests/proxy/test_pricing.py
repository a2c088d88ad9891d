"""Prices of a configuration."""

from __future__ import annotations

import pytest

from adapters.usage import Usage
from proxy.config_file import loads
from proxy.pricing import prices_of

NOW = 1_795_000_000.0


def test_a_configured_price_goes_before_the_table() -> None:
    prices = prices_of(
        loads("prices: {gpt-4o: {input: 1, output: 2}, mine: {input: 4, output: 8, cache_read: 1}}"), NOW
    )
    assert prices.cost("gpt-4o", Usage(uncached=1_000_000, output=1_000_000)) == 3.0
    assert prices.cost("mine", Usage(uncached=500_000, read=1_000_000)) == 3.0
    assert prices.cost("gpt-4o-mini", Usage(uncached=1_000_000)) == 0.15
    assert prices.cost("nobody-knows-it", Usage(uncached=1)) is None


def test_every_class_can_be_configured() -> None:
    row = "{input: 1, output: 2, cache_read: 0.5, cache_write: 4, cache_write_1h: 8, cache_write_12h: 16, "
    prices = prices_of(loads("prices: {mine: " + row + "output_reasoning: 32}}"), NOW)
    million = 1_000_000
    for usage, dollars in (
        (Usage(uncached=million), 1),
        (Usage(read=million), 0.5),
        (Usage(write_5m=million), 4),
        (Usage(write_30m=million), 4),
        (Usage(write_1h=million), 8),
        (Usage(write_12h=million), 16),
        (Usage(output=million), 2),
        (Usage(output=million, reasoning=million), 32),
    ):
        assert prices.cost("mine", usage) == pytest.approx(dollars)


def test_without_any_the_table_stands_alone() -> None:
    assert prices_of(loads(""), NOW).cost("gpt-4o-mini", Usage(output=1_000_000)) == 0.6
