"""Which strategy costs least for a declared fan-out, and why: what `auto` does.

Warming loses money wherever the prefix is not written and read again: with engines of one's own, at uniform prices,
below the minimum, for one request, and for a prefix that is warm already. There the requests are let go at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from adapters.profiles import Profile, Warm
from warming.economics import CALLS, STRATEGIES, Fan, Rates, Strategy, cost, is_cached, rates_of, saving
from warming.terms import Terms

CALL_OUTPUT = 10
"""`max_tokens` of a warm call, where the provider takes it."""


class Choice(NamedTuple):
    strategy: Strategy
    """`none` and `naive` hold nobody back: without breakpoints, or with them."""
    why: str
    costs: Mapping[Strategy, float]
    """Of all strategies that are possible, in the money of the rates; empty where nothing is known."""

    @property
    def warms(self) -> bool:
        return self.strategy not in ("none", "naive")


def cheapest(
    profile: Profile,
    rates: Rates | None,
    fan: Fan,
    *,
    warm: float = 0.0,
    call: Rates | None = None,
    forms: Sequence[Warm] | None = None,
    ends: bool | None = None,
) -> Choice:
    """The strategy of least cost; of equals the one that does less.

    `rates`: of the siblings' prompts, for the life that is asked for; None: there is no price. `call`: see
    `economics.bill`. `warm`: the probability that the prefix can be read already. `forms`: warm calls that are legal
    for this request; None: all that the profile has. `ends`: whether an entry can end where the shared prefix ends, by
    itself or by a breakpoint in every sibling; None: as the profile has it (not where entries are whole units).
    `fan.implicit` does not count: whatever is chosen, breakpoints are set by who chooses.
    """
    if profile.local:
        return Choice("none", "local engine: tokens cost time, no money", {})
    if profile.writes == "unknown":
        return Choice("none", "nothing is known of this cache", {})
    if rates is None:
        return Choice("none", "no price", {})
    cached, fan = is_cached(profile, fan.shared), fan.grained(profile.granularity)._replace(implicit=False)
    possible = STRATEGIES if cached else ("none",)
    costs = {
        strategy: cost(strategy, fan, rates, warm=warm, cached=cached, call=call)
        for strategy in possible
        if not impossible(strategy, profile, forms, ends)
    }
    passes = _passes(fan, rates, warm, cached)
    if passes:
        costs = {strategy: spent for strategy, spent in costs.items() if strategy in ("none", "naive")}
    best = min(costs, key=lambda strategy: costs[strategy])
    return Choice(best, passes or _told(best, costs, impossible("leader", profile, ends=ends)), costs)


def for_fanout(terms: Terms, n: int, *, shared: int, warm: int, own: int) -> Choice:
    """The same by what the planner knows: `n` requests share `shared` tokens, of which `warm` are believed readable,
    and have `own` each. What is warm is read whatever is chosen; a warm call reads it once more."""
    rates = rates_of(terms.rates, terms.profile.life)
    warm = min(warm, shared)
    fan = Fan(n, shared - warm, own=own)
    minimum = max(0, terms.profile.minimum - warm)  # what is behind a warm prefix is kept however short it is
    profile = msgspec.structs.replace(terms.profile, minimum=minimum)
    return cheapest(profile, rates, fan._replace(call_own=fan.call_own + round(rates.r * warm)))


def impossible(
    strategy: Strategy, profile: Profile, forms: Sequence[Warm] | None = None, ends: bool | None = None
) -> str:
    """Why this strategy can't warm a prefix there; empty where it can. `forms` and `ends` as in `cheapest`."""
    ends = profile.boundary != "unit" if ends is None else ends
    if strategy == "leader" and not ends:
        return "no entry of the first request ends where the shared prefix ends"
    if strategy not in CALLS:
        return ""
    # A call that is cut off where the prefix ends makes its own end. A provider that caches to the end of a whole unit
    # or message alone reads nothing else.
    usable = [form for form in (profile.warm if forms is None else forms) if ends or form.truncated]
    if strategy == "prewarm":
        usable = [form for form in usable if not form.output]
    return "" if usable else "no legal form of a warm call"


def call_output(profile: Profile) -> int:
    """Tokens that a warm call is billed for at most, without hidden reasoning: ten, or the least above it that the
    provider takes."""
    limits = [form.output for form in profile.warm if form.output]
    return max(CALL_OUTPUT, min(limits, default=CALL_OUTPUT))


def _passes(fan: Fan, rates: Rates, warm: float, cached: bool) -> str:
    """Why no strategy that warms can pay."""
    if not cached:
        return "below minimum"
    if fan.n <= 1:
        return "alone"
    if warm >= 1:
        return "warm"
    return "uniform price" if rates.r >= 1 else ""


def _told(best: Strategy, costs: Mapping[Strategy, float], refused: str) -> str:
    plain = min(costs["none"], costs["naive"])
    if best in ("none", "naive"):
        told = "warming costs more than it saves"
    else:
        told = f"{best} costs {saving(costs[best], plain):.0%} less"
    return f"{told}; no leader: {refused}" if refused else told
