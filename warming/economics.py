"""What a fan-out costs, by who pays for the prefix that its requests share.

N requests share P tokens; each has S tokens and O tokens of output of its own. An uncached token costs 1, one that is
written to the prompt cache w, one that is read r, one of output o. A warm call has s tokens of its own, a placeholder,
and is billed k tokens of output, hidden reasoning among them.

    strategy   what is done                                 the prefix, cold          the prefix, warm already
    none       nothing is cached                            N P                       N P
    naive      breakpoints, all at once                     w N P                     r N P
    leader     the others wait for the first                w P + r (N-1) P           r N P
    call       a warm call, then all at once                w P + s + o k + r N P     r (N+1) P + s + o k
    prewarm    the same, without output                     w P + s + r N P           r (N+1) P + s

Each costs N (S + o O) besides. Below the provider's minimum nothing is cached or written: N P, and P + s + o k more for
a call. An implicit breakpoint at the end of each request (OpenAI's GPT-5.6 and later; its guide to prompt caching,
2026-09-23) has `naive` write the requests' own tokens too, w N (P + S); what is warmed sets an explicit one instead.

All of it is linear in N, so the N from which on one is cheaper than another is exact. This is arithmetic from the
definitions of the three prices and has no source. It leaves out time: no strategy brings the first token of a cold
fan-out earlier than `naive` does.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from adapters.prices import Prices
from adapters.profiles import Life, Multipliers, Profile

Strategy = Literal["none", "naive", "leader", "call", "prewarm"]

STRATEGIES: tuple[Strategy, ...] = ("none", "naive", "leader", "call", "prewarm")
"""What does least first."""

CALLS = frozenset({"call", "prewarm"})
"""Those that send a request more than the client did."""

TINY = 1e-9
"""Relative: what differs by less is equal. Multiples of prices are quotients, so ties are seldom exact."""


class Rates(NamedTuple):
    """What tokens cost, as multiples of the price of an uncached one."""

    w: float
    """Written to the cache; 1 where writing costs nothing extra."""
    r: float
    """Read from the cache."""
    o: float
    """Output."""
    price: float = 1.0
    """Of an uncached token: costs come in this money. 1: in input-token equivalents; dollars per token: in dollars."""

    def missing(self, hit: float) -> Rates:
        """Of a best-effort cache that finds what it should with this probability, and else writes it anew."""
        return self._replace(r=hit * self.r + (1 - hit) * self.w)


class Fan(NamedTuple):
    """Requests that share a prefix, in tokens."""

    n: int
    shared: int
    own: int = 0
    """Of each request, behind what is shared."""
    output: int = 0
    """Of each answer."""
    call_output: int = 10
    """That a warm call is billed for; hidden reasoning is among it."""
    call_own: int = 10
    """Of a warm call, behind what is shared."""
    implicit: bool = False
    """Whether a request that sets no breakpoint writes all of its own tokens as well."""

    @property
    def prefix(self) -> Fan:
        """The prefix alone: nothing is anybody's own, and a warm call answers nothing."""
        return Fan(self.n, self.shared, call_output=0, call_own=0)

    def grained(self, granularity: int) -> Fan:
        """For a cache whose entries end at multiples of so many tokens: what is beyond the last counts as own."""
        rest = self.shared % max(1, granularity)
        return self._replace(shared=self.shared - rest, own=self.own + rest, call_own=self.call_own + rest)


class Bill(NamedTuple):
    """A cost that is linear in the number of requests, of which there is at least one."""

    fixed: float
    each: float

    def of(self, n: int) -> float:
        return self.fixed + self.each * n


def rates_of(multiples: Multipliers, life: Life | None) -> Rates:
    """In input-token equivalents, for entries with this life; None: the provider promises none and writes for free."""
    return Rates(getattr(multiples, life.counted) if life else 1.0, multiples.read, multiples.output)


def priced(prices: Prices, model: str, prompt: int, provider: str = "", life: Life | None = None) -> Rates | None:
    """In dollars, for prompts of that many tokens: above a tier every token costs more. None where there is no price,
    or where tokens are free."""
    found = prices.rates(model, prompt, provider)
    if found is None or not found.uncached:
        return None
    write = getattr(found, life.counted) if life else found.uncached
    return Rates(write / found.uncached, found.read / found.uncached, found.output / found.uncached, found.uncached)


def is_cached(profile: Profile, shared: int) -> bool:
    """Whether a prefix of so many tokens is cached at all."""
    return shared >= max(profile.minimum, profile.granularity)


def bill(
    strategy: Strategy, fan: Fan, rates: Rates, *, warm: float = 0.0, cached: bool = True, call: Rates | None = None
) -> Bill:
    """What `strategy` costs for any number of requests (`fan.n` does not count).

    `warm`: the probability that the prefix can be read before the first request. `cached`: False below the provider's
    minimum. `call`: what tokens of the warm call cost, whose prompt may be in a lower tier than the others'; its price
    is in the same money as that of `rates`.
    """
    w, r, o, price = rates
    each, extra = fan.own + o * fan.output, 0.0
    called = call or rates
    if strategy in CALLS:
        extra = fan.call_own + (called.o * fan.call_output if strategy == "call" else 0.0)
    if not cached or strategy == "none":
        return Bill((fan.shared + extra) * called.price if strategy in CALLS else 0.0, price * (fan.shared + each))
    read = price * (r * fan.shared + each)
    if strategy in CALLS:
        prefix = (1 - warm) * called.w + warm * called.r
        return Bill(called.price * (prefix * fan.shared + extra), read)
    again = price * (1 - warm) * (w - r) * fan.shared  # a write in place of a read
    if strategy == "leader":
        return Bill(again, read)
    return Bill(0.0, read + again + (price * (w - 1) * fan.own if fan.implicit else 0.0))


def cost(
    strategy: Strategy, fan: Fan, rates: Rates, *, warm: float = 0.0, cached: bool = True, call: Rates | None = None
) -> float:
    """The whole bill of a fan-out, in the money of `rates`. The prefix alone: of `fan.prefix`. See `bill`.

    A warm call for a fan-out to which nobody came has been paid for.
    """
    if fan.n < 1 and strategy not in CALLS:
        return 0.0
    return bill(strategy, fan, rates, warm=warm, cached=cached, call=call).of(max(fan.n, 0))


def saving(dollars: float, against: float) -> float:
    """The share of `against` that is saved; negative where more is spent."""
    return 1 - dollars / against if against else 0.0


def crossing(this: Bill, that: Bill) -> float:
    """The number of requests (a fraction) above which `this` is the cheaper; infinite where it is not for good."""
    fixed, slope = this.fixed - that.fixed, that.each - this.each
    if abs(slope) <= TINY * max(abs(this.each), abs(that.each)):
        return -math.inf if fixed < -TINY * max(abs(this.fixed), abs(that.fixed)) else math.inf
    return fixed / slope if slope > 0 else math.inf


def break_even(this: Bill, that: Bill) -> int | None:
    """The number of requests from which on `this` costs less than `that`; None: never for good."""
    at = crossing(this, that)
    if at == math.inf:
        return None
    whole = _whole(at)
    return max(1, math.ceil(at) if whole is None else whole + 1)


def needed(this: Bill, that: Bill, share: float) -> int | None:
    """The number of requests from which on `this` saves at least that share of `that`; None: never for good."""
    at = crossing(this, Bill(that.fixed * (1 - share), that.each * (1 - share)))
    if at == math.inf:
        return None
    whole = _whole(at)
    return max(1, math.ceil(at) if whole is None else whole)


def _whole(number: float) -> int | None:
    """The integer that this is but for rounding; below one request all is the same."""
    nearest = round(max(number, 0.0))
    return nearest if abs(max(number, 0.0) - nearest) <= TINY * max(1.0, number) else None


def reads_needed(rates: Rates) -> float:
    """How many reads are to be expected within an entry's life, at least, for its breakpoint to pay: (w-1)/(1-r)."""
    return max(0.0, rates.w - 1) / (1 - rates.r) if rates.r < 1 else math.inf


def breakpoint_pays(reads: float, rates: Rates) -> bool:
    return reads > reads_needed(rates)


def prefix_needed(fan: Fan, rates: Rates, against: Strategy = "none") -> float:
    """The tokens that must be shared, at least, for a warm call to cost less: it sends and answers something itself."""
    spent = fan.call_own + rates.o * fan.call_output
    spared = fan.n * ((rates.w if against == "naive" else 1.0) - rates.r) - rates.w
    return spent / spared if spared > 0 else math.inf


def padding_from(minimum: int, n: int, rates: Rates) -> float:
    """The length from which on a prefix shared by `n` requests, too short to be cached, is worth being filled up to the
    minimum: M (r + (w-r)/N), with a leader. The formula is in OpenAI's guide to prompt caching (2026-09-23), too."""
    return minimum * (rates.r + (rates.w - rates.r) / n)
