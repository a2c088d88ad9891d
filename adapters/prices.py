"""What an answer cost, in US dollars, from the price table of `genai-prices` and the operator's own overrides.

The library's `calc_price` takes 115 µs: it resolves the model, validates and adds Decimals each time. Here a model is
resolved once, into plain numbers for each price tier, and a cost is one multiplication per class of tokens.

What is not priced: batch and service-tier discounts, regional surcharges, web searches. Where a price depends on the
time of day the dearer one is taken: a cost is never understated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from importlib.metadata import version
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from adapters.usage import Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

RELEASED = {"0.2.3": date(2026, 11, 10)}
"""When a version of the table came out; the table itself carries no date."""

CLASSES = ("input", "output", "cache_read", "cache_write", "cache_write_1h")
"""Members of an override, dollars per million tokens. Only `input` is required."""

LONGEST_NAME = 256
REMEMBERED = 1024
"""Model names are the client's to choose: neither their length nor their number may fill the memory."""


class Rates(NamedTuple):
    """Dollars per token of each class (and per request), for prompts of more than `above` tokens."""

    above: int
    uncached: float
    read: float
    write_5m: float
    write_1h: float
    output: float
    reasoning: float
    request: float = 0.0


class Prices:
    def __init__(self, overrides: Mapping[str, Mapping[str, float]] | None = None, *, on: date | None = None) -> None:
        """`overrides`: prices by exact model name. `on`: the day whose prices count (the table knows some past and
        future ones); the day of the table's release where it is not given. Raises `ValueError` for a bad override.

        The library takes 0.3 s to import. It is imported here: at start, not with the module (a command line that
        prints its help) and not with the first request (which would stall all others).
        """
        from genai_prices.data import providers

        self._providers: Sequence[Provider] = providers
        table = version("genai-prices")
        released = RELEASED.get(table)
        self.table = f"genai-prices {table}"
        self.as_of = released.isoformat() if released else f"release date of {table} unknown"
        self._on = on or released or max(RELEASED.values())
        self._overrides = {name: _override(name, row) for name, row in (overrides or {}).items()}
        self._known: dict[str, tuple[Rates, ...]] = {}

    def cost(self, model: str, usage: Usage) -> float | None:
        """US dollars; None where the model has no price, never zero for want of one."""
        tiers = self._known.get(model)
        if tiers is None:
            tiers = self._remember(model)
        prompt = usage.prompt
        for rates in tiers:
            if prompt > rates.above:
                seen = usage.output - usage.reasoning if usage.reasoning < usage.output else 0
                return (
                    rates.request
                    + usage.uncached * rates.uncached
                    + usage.read * rates.read
                    + usage.write_5m * rates.write_5m
                    + usage.write_1h * rates.write_1h
                    + seen * rates.output
                    + (usage.output - seen) * rates.reasoning
                )
        return None

    def _remember(self, model: str) -> tuple[Rates, ...]:
        tiers = self._overrides.get(model)
        if tiers is None:
            found = self._find(model) if 0 < len(model) <= LONGEST_NAME else None
            tiers = _tiers(_prices_on(found, self._on)) if found else ()
        if len(model) <= LONGEST_NAME:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[model] = tiers
        return tiers

    def _find(self, model: str) -> ModelInfo | None:
        """The model under its own name, or under `provider/name` as gateways write it."""
        # Not the library's own lookup: it remembers every name it was ever asked for.
        ref = model.lower()
        for provider in self._providers:
            if provider.model_match is not None and provider.model_match.is_match(ref):
                found = provider.find_model(ref, all_providers=list(self._providers))
                if found is not None:
                    return found
                break
        prefix, slash, rest = ref.partition("/")
        if not slash or not rest:
            return None
        for provider in self._providers:
            if provider.id == prefix:
                return provider.find_model(rest, all_providers=list(self._providers))
        return self._find(rest)


def _override(name: str, row: Mapping[str, float]) -> tuple[Rates, ...]:
    unknown = [member for member in row if member not in CLASSES]
    if unknown:
        raise ValueError(f"price of {name}: no such member `{unknown[0]}`; it knows {', '.join(CLASSES)}")
    if "input" not in row:
        raise ValueError(f"price of {name}: `input` is missing (dollars per million tokens)")
    for member, value in row.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value < 0:
            raise ValueError(f"price of {name}: `{member}` must be dollars per million tokens, 0 or more")
    price = row["input"]
    output = row.get("output", price)
    write = row.get("cache_write", price)
    read, write_1h = row.get("cache_read", price), row.get("cache_write_1h", write)
    return (_rates(-1, price, read, write, write_1h, output, output),)


def _rates(above: int, *per_million: float, request: float = 0.0) -> Rates:
    uncached, read, write, write_1h, output, reasoning = (price / 1e6 for price in per_million)
    return Rates(above, uncached, read, write, write_1h, output, reasoning, request)


def _prices_on(model: ModelInfo, on: date) -> ModelPrice | None:
    """The prices of that day; where they change within the day, the dearest."""
    if not isinstance(model.prices, list):
        return model.prices
    hours = (datetime.combine(on, time(hour)) for hour in range(24))  # naive times are UTC to the library
    prices = [model.get_prices(hour) for hour in hours] if model.prices else []
    return max(prices, key=lambda price: _at(price, "input_mtok", 0) or 0.0, default=None)


def _tiers(prices: ModelPrice | None) -> tuple[Rates, ...]:
    """Rates by length of the prompt, the longest first; none where the input itself has no price."""
    if prices is None or not _at(prices, "input_mtok", 0):
        return ()
    names = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok")
    starts = {tier.start for name in names for tier in getattr(getattr(prices, name), "tiers", ())}
    return tuple(_tier(prices, above) for above in sorted(starts | {-1}, reverse=True))


def _tier(prices: ModelPrice, above: int) -> Rates:
    # A class without a price of its own costs what input costs. So does one whose price is zero: such rows mean "no
    # surcharge for writing" (DeepSeek), not that the tokens are free.
    longer = above + 1
    price = _at(prices, "input_mtok", longer) or 0.0
    output = _at(prices, "output_mtok", longer) or price
    read = _at(prices, "cache_read_mtok", longer) or price
    write = _at(prices, "cache_write_mtok", longer) or price
    write_5m = _at(prices, "cache_write_5m_mtok", longer) or write
    write_1h = _at(prices, "cache_write_1h_mtok", longer) or write
    reasoning = _at(prices, "output_reasoning_mtok", longer) or output
    request = (_at(prices, "requests_kcount", longer) or 0.0) / 1000
    return _rates(above, price, read, write_5m, write_1h, output, reasoning, request=request)


def _at(prices: ModelPrice, name: str, prompt: int) -> float | None:
    """One price for a prompt of that many tokens. A tier counts for the whole request, not for what exceeds it."""
    price = getattr(prices, name)
    if price is None:
        return None
    for tier in reversed(getattr(price, "tiers", ())):
        if prompt > tier.start:
            return float(tier.price)
    return float(getattr(price, "base", price))
