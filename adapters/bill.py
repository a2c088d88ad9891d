"""What one request cost, and what it would have cost without us: for headers and logs."""

from __future__ import annotations

from typing import NamedTuple

from adapters.prices import Costs
from adapters.usage import Usage

FREE = Costs(*(0.0,) * len(Costs._fields))
"""The costs of an answer from memory: known, and nothing."""


class Line(NamedTuple):
    name: str
    """A class of tokens, as in `Costs`; `request` is what some providers take for each request."""
    tokens: int
    dollars: float | None


class Bill(NamedTuple):
    """US dollars. None wherever a price is unknown: never zero for want of one."""

    cost: float | None
    saved: float | None
    """What we kept from being paid; negative where we made it dearer."""
    without: float | None
    """What it would have cost without us."""
    lines: tuple[Line, ...]
    """What there was of each class; they add up to `cost`."""


def bill_of(usage: Usage | None, costs: Costs | None, saved: float | None = 0.0) -> Bill:
    """`usage` and `costs` of what this request had a provider do; for an answer from memory None and `FREE`."""
    cost = None if costs is None else costs.total
    without = None if cost is None or saved is None else cost + saved
    return Bill(cost, saved, without, tuple(_lines(usage, costs)))


def _lines(usage: Usage | None, costs: Costs | None) -> list[Line]:
    if usage is None:
        return []
    hidden = min(usage.reasoning, usage.output)
    counted = usage._replace(output=usage.output - hidden, reasoning=hidden)
    lines = [Line(name, getattr(counted, name, 0), costs and getattr(costs, name)) for name in Costs._fields]
    return [line for line in lines if line.tokens or line.dollars]
