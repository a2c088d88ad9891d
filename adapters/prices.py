"""What an answer cost, in US dollars, from the price table of `genai-prices` and the operator's own overrides.

The library's `calc_price` takes 115 µs: it resolves the model, validates and adds Decimals each time. Here a model is
resolved once, into plain numbers for each price tier, and a cost is one multiplication per class of tokens.

What is not priced: batches and service tiers (cheaper or dearer), regional surcharges, web searches, and sound or
pictures, which count as text. Where a price depends on the time of day the dearer one is taken.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from importlib.metadata import version
from importlib.resources import files
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from adapters.usage import Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

RELEASED = {"0.2.3": date(2026, 11, 10)}
"""When a version of the table came out; the table itself carries no date."""

MEMBERS = (
    "input",
    "output",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "cache_write_12h",
    "output_reasoning",
)
"""Members of an override, dollars per million tokens. Only `input` is required."""

PRICED = (
    "input_mtok",
    "output_mtok",
    "output_reasoning_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "cache_write_5m_mtok",
    "cache_write_1h_mtok",
    "requests_kcount",
)
"""What is read of a row of the table. Each may have tiers of its own."""

HOUR, HALF_DAY = 2.0, 2.5
"""Writes for one hour and for twelve as multiples of input, where writing costs extra and the table has no price for
these; for twelve hours it never has. Sources: Anthropic's guide to prompt caching (2026-08), 2 for every Claude;
litellm 1.109.1 (2026-11), 2.5 for all of OpenAI's eight models that it has them for, whatever the length."""

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
    write_30m: float
    write_12h: float
    output: float
    reasoning: float
    request: float = 0.0


class Costs(NamedTuple):
    """Dollars of one answer by class. `output` is without `reasoning`: nothing counts twice."""

    uncached: float
    read: float
    write_5m: float
    write_1h: float
    write_30m: float
    write_12h: float
    output: float
    reasoning: float
    request: float

    @property
    def total(self) -> float:
        return sum(self)


class Prices:
    def __init__(self, overrides: Mapping[str, Mapping[str, float]] | None = None, *, on: date | None = None) -> None:
        """`overrides`: prices by exact model name, or by `provider/name`. `on`: the day whose prices count (the table
        knows some past and future ones); the day of the table's release where it is not given. Raises `ValueError` for
        a bad override.

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
        self._lacking = _lacking()
        self._known: dict[tuple[str, str], tuple[Rates, ...]] = {}

    def cost(self, model: str, usage: Usage, provider: str = "") -> float | None:
        """US dollars; None where the model has no price, never zero for want of one.

        `provider`: who is asked (`azure`, `openrouter`, `aws`, `deepseek`, ...). Its own price for the model goes
        before the one that the model's name alone leads to.
        """
        costs = self.split(model, usage, provider)
        return None if costs is None else costs.total

    def split(self, model: str, usage: Usage, provider: str = "") -> Costs | None:
        """The same by class; the classes add up to `cost` to the last bit."""
        rates = self.rates(model, usage.prompt, provider)
        if rates is None:
            return None
        reasoning = min(usage.reasoning, usage.output)
        return Costs(
            usage.uncached * rates.uncached,
            usage.read * rates.read,
            usage.write_5m * rates.write_5m,
            usage.write_1h * rates.write_1h,
            usage.write_30m * rates.write_30m,
            usage.write_12h * rates.write_12h,
            (usage.output - reasoning) * rates.output,
            reasoning * rates.reasoning,
            rates.request,
        )

    def rates(self, model: str, prompt: int = 0, provider: str = "") -> Rates | None:
        """What a token of each class costs in a request whose prompt has that many; None where there is no price."""
        tiers = self._known.get((model, provider))
        if tiers is None:
            tiers = self._remember(model, provider)
        for rates in tiers:
            if prompt > rates.above:
                return rates
        return None

    def _remember(self, model: str, provider: str) -> tuple[Rates, ...]:
        tiers = self._overrides.get(f"{provider}/{model}") or self._overrides.get(model)
        short = 0 < len(model) <= LONGEST_NAME
        if tiers is None:
            tiers = self._listed(model.lower(), provider.lower()) if short else ()
        if short:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[model, provider] = tiers
        return tiers

    def _listed(self, model: str, provider: str) -> tuple[Rates, ...]:
        hinted = self._provider(provider) if provider else None
        theirs = hinted.find_model(model, all_providers=list(self._providers)) if hinted else None
        return (
            (theirs and _tiers(_prices_on(theirs, self._on)))
            or _tiers(_prices_on(self._find(model), self._on))
            or self._lacking.get(model.rpartition("/")[2], ())
        )

    def _provider(self, name: str) -> Provider | None:
        """By its id; else by what else it is called (`bedrock`, `vertex`, `xai`)."""
        for provider in self._providers:
            if provider.id == name:
                return provider
        for provider in self._providers:
            if provider.provider_match is not None and provider.provider_match.is_match(name):
                return provider
        return None

    def _find(self, ref: str) -> ModelInfo | None:
        """The model under its own name, or under `provider/name` as gateways write it."""
        # Not the library's own lookup: it remembers every name it was ever asked for.
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


def _lacking() -> dict[str, tuple[Rates, ...]]:
    """What the table has not, by the model's name alone."""
    rows = tomllib.loads(files("adapters").joinpath("data/prices.toml").read_text("utf-8"))
    return {
        name: _override(name, {member: value for member, value in row.items() if member != "source"})
        for name, row in rows.items()
    }


def _override(name: str, row: Mapping[str, float]) -> tuple[Rates, ...]:
    unknown = [member for member in row if member not in MEMBERS]
    if unknown:
        raise ValueError(f"price of {name}: no such member `{unknown[0]}`; it knows {', '.join(MEMBERS)}")
    if "input" not in row:
        raise ValueError(f"price of {name}: `input` is missing (dollars per million tokens)")
    for member, value in row.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value < 0:
            raise ValueError(f"price of {name}: `{member}` must be dollars per million tokens, 0 or more")
    price = row["input"]
    output, read, write = row.get("output", price), row.get("cache_read", price), row.get("cache_write", price)
    hour, half_day = row.get("cache_write_1h", write), row.get("cache_write_12h", _longer(price, write, HALF_DAY))
    return (_rates(-1, price, read, write, hour, write, half_day, output, row.get("output_reasoning", output)),)


def _longer(price: float, write: float, multiple: float) -> float:
    """A longer write, by the price of the default one: who takes nothing extra for that takes nothing for any."""
    return multiple * price if write > price else write


def _rates(above: int, *per_million: float, request: float = 0.0) -> Rates:
    return Rates._make((above, *(price / 1e6 for price in per_million), request))


def _prices_on(model: ModelInfo | None, on: date) -> ModelPrice | None:
    """The prices of that day; where they change within the day, the dearest."""
    if model is None:
        return None
    if not isinstance(model.prices, list):
        return model.prices
    hours = (datetime.combine(on, time(hour)) for hour in range(24))  # naive times are UTC to the library
    prices = [model.get_prices(hour) for hour in hours] if model.prices else []
    return max(prices, key=lambda price: _at(price, "input_mtok", 0) or 0.0, default=None)


def _tiers(prices: ModelPrice | None) -> tuple[Rates, ...]:
    """Rates by length of the prompt, the longest first; none where the input itself has no price."""
    if prices is None or not _at(prices, "input_mtok", 0):
        return ()
    starts = {tier.start for name in PRICED for tier in getattr(getattr(prices, name), "tiers", ())}
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
    write_1h = _at(prices, "cache_write_1h_mtok", longer) or _longer(price, write, HOUR)
    half_day = _longer(price, write, HALF_DAY)
    reasoning = _at(prices, "output_reasoning_mtok", longer) or output
    request = (_at(prices, "requests_kcount", longer) or 0.0) / 1000
    return _rates(above, price, read, write_5m, write_1h, write, half_day, output, reasoning, request=request)


def _at(prices: ModelPrice, name: str, prompt: int) -> float | None:
    """One price for a prompt of that many tokens. A tier counts for the whole request, not for what exceeds it."""
    price = getattr(prices, name)
    if price is None:
        return None
    for tier in reversed(getattr(price, "tiers", ())):
        if prompt > tier.start:
            return float(tier.price)
    return float(getattr(price, "base", price))
