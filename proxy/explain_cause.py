"""Why a request read less from the prompt cache than it could have, and what that cost. Pure."""

from __future__ import annotations

from typing import NamedTuple

from adapters.prices import Prices, Rates
from adapters.usage import Usage
from proxy.explain_walk import Look

CAUSES = {
    "below_minimum": "shorter than the least that is cached",
    "ttl": "its life had lapsed",
    "model": "another model",
    "tools": "the tools changed",
    "effort": "the effort of reasoning changed",
    "tool_choice": "the choice of tools changed",
    "parameter": "another parameter changed",
    "volatile": "a line that comes anew each time",
    "rewritten": "a message was rewritten",
    "unmarked": "no breakpoint: nothing had been written",
    "lookback": "the last breakpoint lay too far back",
    "in_flight": "its writer had only just begun",
    "volatile_unseen": "all was lost at once though nothing recorded differs: what is not recorded (a time stamp?)",
    "best_effort": "evicted, or missed by a cache that promises nothing",
    "unknown": "nothing that is known explains it",
}
"""Every cause there is, in words. `volatile_unseen` is inferred: the provider evicts nothing before its time, the life
had not lapsed, and not even the system prompt was read. Recorders leave out what a client renders into it."""

JUST_BEGUN = 2.0
"""Seconds after which an entry is taken to be readable: those that it takes until an answer begins."""

WRITES = ("write_12h", "write_1h", "write_30m", "write_5m", "uncached")
"""In which order what was not read is billed, from the front of the prompt (`adapters.breakpoint_cache`)."""


class Lost(NamedTuple):
    """A miss."""

    cause: str
    tokens: int
    """That could have been read and were not."""
    dollars: float | None
    """What they cost more than a read; None where the model has no price."""


def lost(look: Look, prices: Prices, model: str | None = None) -> Lost | None:
    """The miss of a request, None where there is none. `model`: whose prices count, if not its own."""
    missing = look.could - look.usage.read
    if missing <= look.slack:
        return None
    rates = prices.rates(model or look.recorded.model, look.usage.prompt)
    dollars = None if rates is None else price(missing, look.usage, rates)
    return Lost(cause_of(look, look.usage.read), missing, dollars)


def price(tokens: int, usage: Usage, rates: Rates) -> float:
    """Dollars by which that many tokens, the first behind what was read, cost more than reading them would have."""
    dollars, left = 0.0, tokens
    for name in WRITES:
        paid = min(left, getattr(usage, name))
        dollars += paid * (getattr(rates, name) - rates.read)
        left -= paid
    return dollars


def cause_of(look: Look, read: int) -> str:
    """Why no more than `read` tokens were read of those that could have been: what alone would have been enough, from
    what no client can help to what only the provider knows."""
    change, profile = look.difference, look.profile
    if look.could < profile.minimum:
        return "below_minimum"
    if look.gap is not None and look.life is not None and look.gap >= look.life:
        return "ttl"
    if change is not None and (look.follows or change.kind):
        if change.what in ("model", "tools", "effort", "tool_choice"):
            return change.what
        if change.what not in ("system", "message"):
            return "parameter"
        return "volatile" if change.kind else "rewritten"
    if not look.marked:
        return "unmarked"
    if look.gap is not None and look.gap < JUST_BEGUN and not look.follows:
        return "in_flight"
    if look.usage.estimated or look.predicted + look.slack < look.could:
        return "lookback" if profile.lookback else "unknown"
    if profile.best_effort:
        return "best_effort"
    return "volatile_unseen" if read <= look.slack or read < look.front // 2 else "unknown"
