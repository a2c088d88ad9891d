"""When it pays to take something out of a prompt that is cached.

B tokens are cached from the first edited place to the end; D of them go, x = D/B. The edit has the other B-D written
anew instead of read: (w-r)(B-D). Then each request reads D tokens less. Over n turns, the one that prunes among them,
with N requests in each that share the prompt:

    unpruned  n N r B
    pruned    w (B-D) + (n N - 1) r (B-D)          equal at n* = ((w-r)/r) ((1-x)/x) / N

What is appended on the way is written once in both cases and cancels out. It is free to prune where the B tokens are
not read but written anyway: the cache is cold, they were never sent, or something in front of them changes; and where
reading costs what writing does. A warm call behind an edit changes nothing of this. Arithmetic; no source.
"""

from __future__ import annotations

import math

from warming.economics import TINY, Rates


def turns_needed(cached: int, pruned: int, rates: Rates, *, siblings: int = 1) -> float:
    """Turns, the one that prunes among them, after which an edit has paid for itself; infinite where nothing goes."""
    kept, pruned = max(0, cached - pruned), min(cached, pruned)
    if pruned <= 0:
        return math.inf
    if rates.w <= rates.r or not kept:
        return 0.0
    return (rates.w - rates.r) / rates.r * kept / pruned / siblings if rates.r > 0 else math.inf


def free_case(*, cold: bool = False, unsent: bool = False, breaking: bool = False, rates: Rates | None = None) -> str:
    """Why an edit makes nothing be written that would have been read; empty where it does.

    `cold`: nothing of the prompt is cached any more. `unsent`: only what no request held yet is edited. `breaking`:
    something in front of the edit changes in this turn anyway.
    """
    if cold:
        return "cold"
    if unsent:
        return "unsent"
    if breaking:
        return "breaking anyway"
    return "uniform price" if rates is not None and rates.w <= rates.r else ""


def refetch_cost(tokens: int, rates: Rates, *, prompt: int = 0, output: int = 0) -> float:
    """Of fetching again what was taken out: a request that reads the prompt and asks for it, and its being written."""
    return rates.price * (rates.w * tokens + rates.r * prompt + rates.o * output)


def prune_saving(
    cached: int,
    pruned: int,
    turns: float,
    rates: Rates,
    *,
    siblings: int = 1,
    free: bool = False,
    again: float = 0.0,
    jump: float = 0.0,
) -> float:
    """What pruning saves over that many turns, this one among them, in the money of `rates`; negative: what it costs.

    `free`: the tokens would be written in this turn even without the edit. `again`: the probability that what goes is
    fetched again, times `refetch_cost`. `jump`: what staying below a price tier saves besides.
    """
    gained, lost = _sides(cached, pruned, turns, rates, siblings, free)
    return gained + jump - lost - again


def prune_pays(
    cached: int,
    pruned: int,
    turns: float,
    rates: Rates,
    *,
    siblings: int = 1,
    free: bool = False,
    again: float = 0.0,
    jump: float = 0.0,
    margin: float = 0.0,
) -> bool:
    """Whether it saves more than it costs, by `margin` (a share of what it costs): the turns are but expected."""
    gained, lost = _sides(cached, pruned, turns, rates, siblings, free)
    return gained + jump > (1 + margin) * (1 + TINY) * (lost + again)


def _sides(cached: int, pruned: int, turns: float, rates: Rates, siblings: int, free: bool) -> tuple[float, float]:
    """What is gained and what is lost."""
    pruned = max(0, min(cached, pruned))
    requests = max(0.0, turns) * siblings
    if free:
        return rates.price * pruned * (rates.w + max(0.0, requests - 1) * rates.r) if requests else 0.0, 0.0
    lost = max(0.0, rates.w - rates.r) * (cached - pruned) if pruned else 0.0
    return rates.price * requests * rates.r * pruned, rates.price * lost
