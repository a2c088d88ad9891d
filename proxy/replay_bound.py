"""The least that the prompts of a replay could have cost: what no schedule of warming can go below.

Each piece of a prompt (what lies between two points) is paid for once in each span of time in which it is used again
within its life, and read by every other use. Exactly: a use whose last one is at most one life ago costs the read price
`r`; any other costs the plain price 1, and the first use that follows it within a life adds w - 1, since it had to be
written to be read, if that is cheaper than not reading. What comes before the minimum counts as one piece with what
reaches it. Uses at the same moment follow one another: a perfect gate has the others wait. Answers count in full. The
life is the one that the provider gives without being asked, and nothing is kept alive; prices are those of each
request's own length. Best-effort caches are taken to have everything; but that some providers keep their answers, too
(DeepSeek), is not counted, so that a recorded bill of theirs can lie a little lower.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any, NamedTuple

from adapters.prices import Prices, Rates
from adapters.profiles import Profile
from adapters.prompt import Prompt
from adapters.prompt_entries import digest_at, tokens_at
from proxy.replay_outcome import Large
from proxy.replay_provider import Provider


class Served(NamedTuple):
    """A request that the provider answered at the least price there is: for the lower bound."""

    model: str
    prompt: Prompt
    tokens: int
    output: int
    at: float


class Bound:
    def __init__(self) -> None:
        self.dollars = 0.0
        self.prompts = 0.0
        """Of `dollars`, what is not for answers."""
        self.unpriced = 0
        self.large = Large()
        self._used: dict[bytes, float] = {}
        """When each point was used last."""
        self._once: set[bytes] = set()
        """Points whose last use followed none within a life."""

    def add(self, served: Served, profile: Profile, rates: Rates | None) -> None:
        """Requests come in the order of their times."""
        if rates is None:
            self.unpriced += 1
            return
        read, paid, rest = self._used_again(served.prompt, served.at, _life(profile))
        life = profile.life
        write = max(rates.uncached, getattr(rates, life.counted)) if life is not None else rates.uncached
        first = min(rates.uncached, write - rates.uncached + rates.read)
        prompts = read * rates.read + paid * first
        prompts += (rest + max(0, served.tokens - served.prompt.tokens)) * rates.uncached
        dollars = prompts + served.output * rates.output + rates.request
        self.prompts += prompts
        self.dollars += dollars
        if served.tokens >= served.prompt.minimum:
            self.large.add(1, dollars, prompts)

    def _used_again(self, prompt: Prompt, now: float, life: float) -> tuple[int, int, int]:
        """Tokens of a prompt that were used within a life: often, or only once before; and those that were not."""
        points = prompt.points[bisect_left(prompt.points, prompt.minimum, key=tokens_at) :]
        digests = list(map(digest_at, points))
        used, once = self._used, self._once
        # Whoever uses a point uses all before it: along a prompt uses only become older and fewer.
        recent = _count(digests, lambda digest: now - used.get(digest, NEVER) < life)
        often = _count(digests[:recent], lambda digest: digest not in once)
        once.difference_update(digests[often:recent])
        once.update(digests[recent:])
        used.update(dict.fromkeys(digests, now))
        twice = points[often - 1].tokens if often else 0
        known = points[recent - 1].tokens if recent else 0
        return twice, known - twice, prompt.tokens - known

    def told(self) -> dict[str, Any]:
        """The member `lower_bound` of the report."""
        return {
            "dollars": None if self.unpriced and not self.dollars else round(self.dollars, 9),
            "prompt_dollars": round(self.prompts, 9),
            "unpriced_requests": self.unpriced,
            "above_minimum": self.large.told(),
        }


NEVER = float("-inf")


def bound_of(served: Iterable[Served], provider: Provider, prices: Prices) -> Bound:
    bound = Bound()
    for each in served:
        bound.add(each, provider.model(each.model).profile, prices.rates(each.model, each.tokens))
    return bound


def _life(profile: Profile) -> float:
    return float(profile.life.seconds) if profile.life is not None else float("inf")


def _count(digests: list[bytes], holds: Any) -> int:
    """How many digests it holds for, which holds for all before one for which it holds."""
    low, high = 0, len(digests)
    while low < high:
        middle = (low + high) // 2
        if holds(digests[middle]):
            low = middle + 1
        else:
            high = middle
    return low
