"""Prices of a configuration."""

from __future__ import annotations

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


def test_without_any_the_table_stands_alone() -> None:
    assert prices_of(loads(""), NOW).cost("gpt-4o-mini", Usage(output=1_000_000)) == 0.6
