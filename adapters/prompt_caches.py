"""The simulated prompt cache of any model: one for each way in which providers keep prompts.

Which one it is, and its figures, follow from the model's profile (`adapters.profiles`): breakpoints (Anthropic), ends
of messages (OpenAI since GPT-5.6), units (DeepSeek), or every prefix (all others, and where nothing is known: a guess
that is rather too good). All of them respect when an entry becomes readable. When that is the profile says, and
`readable_at` makes a time of it: the caller knows when its requests begin, speak and end.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from adapters.breakpoint_cache import BreakpointCache
from adapters.message_cache import MessageCache
from adapters.prefix_cache import TTL, PrefixCache
from adapters.profiles import Profile
from adapters.prompt import Billed, Prompt, PromptCache
from adapters.unit_cache import UnitCache

Chance = Callable[[], float]
"""From 0 to below 1, as `random.Random.random`."""


def prompt_cache_of(
    profile: Profile,
    *,
    chance: Chance | None = None,
    hit: float = 1.0,
    interval: int = 0,
    max_entries: int = 100_000,
) -> PromptCache:
    """An empty one.

    `hit`: the part of reads that succeed, where the provider gives no guarantee (`profile.best_effort`); others always
    do. `chance` decides, and must be given below 1. `interval`: tokens between the units that a provider of units makes
    of a long input (`adapters.unit_cache`). Raises `ValueError` for a `hit` that is no probability or has no chance.
    """
    if not 0.0 <= hit <= 1.0:
        raise ValueError("hit: must be from 0 to 1")
    if hit < 1.0 and chance is None:
        raise ValueError("chance: is missing")
    ttl = float(profile.life.seconds) if profile.life else TTL
    match profile.boundary:
        case "breakpoint":
            return BreakpointCache(profile.lives, lookback=profile.lookback, max_entries=max_entries)
        case "message":
            return MessageCache(
                profile.lives, breakpoints=profile.breakpoints, lookback=profile.lookback, max_entries=max_entries
            )
    cache: PromptCache = PrefixCache(granularity=profile.granularity, ttl=ttl, max_entries=max_entries)
    if profile.boundary == "unit":
        cache = UnitCache(ttl=ttl, interval=interval, max_entries=max_entries)
    return BestEffort(cache, hit, chance) if chance is not None and hit < 1.0 and profile.best_effort else cache


def readable_at(profile: Profile, begun: float, first: float, last: float) -> float:
    """When others can read what a request writes that began, had its first content and ended at these times.

    Where nobody knows it is taken to be the first content. In llama.cpp a slot is another request's only once this one
    has ended: strictly later. (Which slot that is, and that a slot holds one prompt, is not modelled: whoever comes
    later finds it.) `profile.lag` is added.
    """
    match profile.readable:
        case "same_batch":
            moment = begun
        case "seconds_after_end":
            moment = last
        case "same_slot":
            moment = math.nextafter(last, math.inf)
        case _:
            moment = first
    return moment + profile.lag


class Uncached:
    """The prompt cache of a model that has none."""

    def lookup(self, prompt: Prompt, now: float) -> Billed:
        return Billed(uncached=prompt.tokens)

    def lookup_and_store(self, prompt: Prompt, now: float, readable_at: float) -> Billed:
        return Billed(uncached=prompt.tokens)


class BestEffort:
    """A prompt cache whose reads may fail: the request came to a machine that does not know the prefix.

    A request that fails pays for all of its prompt, and is kept like any other. Only for caches to which writing is
    free: what a miss would write elsewhere is not known here.
    """

    def __init__(self, inner: PromptCache, hit: float, chance: Chance) -> None:
        """`hit`: the probability that a read succeeds."""
        self._inner, self._hit, self._chance = inner, hit, chance
        self._drawn: tuple[bytes, float, bool] | None = None
        """What was drawn for a request that was only looked at: by its last digest and its time."""

    def lookup(self, prompt: Prompt, now: float) -> Billed:
        """What the request would be billed; the request itself is billed the same, if it is the next one."""
        return self._told(prompt, now, self._inner.lookup(prompt, now))

    def lookup_and_store(self, prompt: Prompt, now: float, readable_at: float) -> Billed:
        billed = self._told(prompt, now, self._inner.lookup_and_store(prompt, now, readable_at))
        self._drawn = None
        return billed

    def _told(self, prompt: Prompt, now: float, billed: Billed) -> Billed:
        if not billed.read:
            return billed
        digest = prompt.points[-1].digest
        if self._drawn is None or self._drawn[:2] != (digest, now):
            self._drawn = digest, now, self._chance() < self._hit
        return billed if self._drawn[2] else Billed(uncached=prompt.tokens)
