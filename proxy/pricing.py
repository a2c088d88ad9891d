"""The price table of a configuration."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec.structs import asdict

from adapters.prices import Prices
from proxy.config import Settings


def prices_of(settings: Settings, now: float) -> Prices:
    """The library's prices of the day of `now` (epoch seconds), with the configured ones over them."""
    rows = {model: asdict(price) for model, price in settings.prices.items()}
    overrides = {
        model: {name: value for name, value in row.items() if value is not None} for model, row in rows.items()
    }
    return Prices(overrides, on=datetime.fromtimestamp(now, UTC).date())
