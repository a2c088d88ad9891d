"""What it is worth to keep a prefix in the prompt cache by reading it from time to time.

A ping reads the prefix: r P, and what it says and is told itself. A lapse has the next request write it anew instead of
reading it: (w-r) P more. So (w-r)/r pings cost what one lapse does, and the next ping pays only while the probability
that the prefix is wanted before it would lapse again exceeds r/(w-r). Arithmetic; no source.
"""

from __future__ import annotations

import math

from warming.economics import Rates


def ping_cost(shared: int, rates: Rates, *, own: int = 0, output: int = 0) -> float:
    """Of one ping with so many tokens of its own and of output, in the money of `rates`."""
    return rates.price * (rates.r * shared + own + rates.o * output)


def lapse_cost(shared: int, rates: Rates) -> float:
    """What the next request costs more where the prefix is gone."""
    return rates.price * max(0.0, rates.w - rates.r) * shared


def most_pings(rates: Rates) -> float:
    """How many pings cost as much as the lapse that they avoid: more are a loss even if the prefix is wanted then."""
    return _over(rates.w - rates.r, rates.r)


def hazard(rates: Rates) -> float:
    """The probability that the prefix is wanted before the next lapse, above which a ping pays; infinite: never."""
    return _over(rates.r, rates.w - rates.r)


def next_ping_pays(chance: float, shared: int, rates: Rates, *, own: int = 0, output: int = 0) -> bool:
    """Whether one more ping is worth its price, `chance` being the probability that the prefix is wanted after the
    entry would lapse and before it does so again. It counts no later pings: as long as the chance only falls from one
    interval to the next, stopping at the first that does not pay is right."""
    return chance * lapse_cost(shared, rates) > ping_cost(shared, rates, own=own, output=output)


def pings_within(dollars: float, shared: int, rates: Rates, *, own: int = 0, output: int = 0) -> float:
    """How many pings a budget pays for (money of `rates`), a whole number; infinite where they are free. Never more
    than what the one lapse costs."""
    spent = ping_cost(shared, rates, own=own, output=output)
    return _floor(_over(min(max(dollars, 0.0), lapse_cost(shared, rates)), spent))


def pings_needed(seconds: float, life: float, every: float) -> int:
    """How many pings keep an entry readable for so long, that lives `life` seconds from its last use and is read again
    `every` so many."""
    return max(0, math.ceil((seconds - life) / every - 1e-9))


def pings_for_longer(short: Rates, long: Rates) -> float:
    """How many pings of an entry with the shorter life cost what its longer life costs more to write."""
    return _over(max(0.0, long.w - short.w), short.r)


def longer_pays(pings: float, short: Rates, long: Rates) -> bool:
    """Whether the longer life is the cheaper, where the shorter one takes so many pings to last as long."""
    return pings > pings_for_longer(short, long)


def _over(amount: float, each: float) -> float:
    return amount / each if each > 0 else math.inf


def _floor(number: float) -> float:
    return number if math.isinf(number) else float(math.floor(number + 1e-9))
