"""One bill for many items: the shares of each, and the sum of several. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import fsum
from typing import NamedTuple

from adapters.prices import Costs
from adapters.usage import Usage


class Bill(NamedTuple):
    """What a provider reported, and its price in US dollars; None where it is unknown."""

    usage: Usage | None
    cost: float | None


NOTHING = Bill(None, None)


def shared(bill: Bill, weights: Sequence[int]) -> list[Bill]:
    """The shares of items of these weights. Tokens are whole and add up to the token; one item takes all of it, and
    only that share is no estimate."""
    usage, cost = bill
    if len(weights) == 1 or usage is None:
        return [bill] * len(weights)
    tokens, whole = usage.prompt, max(1, sum(weights))
    ends = [tokens * end // whole for end in accumulate(weights)]
    shares = [end - start for start, end in pairwise([0, *ends])]
    dollars = [None if cost is None else cost * share / tokens if tokens else cost / len(shares) for share in shares]
    return [Bill(Usage(uncached=share, estimated=True), each) for share, each in zip(shares, dollars, strict=True)]


def both(one: Costs | None, other: Costs | None) -> Costs | None:
    """Of two calls by class of tokens, so far as they are known."""
    if one is None or other is None:
        return one or other
    return Costs(*map(sum, zip(one, other, strict=True)))


def total(bills: Sequence[Bill]) -> Bill:
    """All of them as one, unknown where one of them is. Of several, all tokens count as uncached: embeddings have no
    others."""
    if len(bills) < 2:
        return bills[0] if bills else NOTHING
    usages = [bill.usage for bill in bills if bill.usage is not None]
    costs = [bill.cost for bill in bills if bill.cost is not None]
    usage = Usage(uncached=sum([each.prompt for each in usages]), estimated=any(each.estimated for each in usages))
    return Bill(usage if len(usages) == len(bills) else None, fsum(costs) if len(costs) == len(bills) else None)
