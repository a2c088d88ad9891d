"""What is believed to lie in a provider's prompt cache, and what its usage has taught about it.

A warm prefix is a belief until a read confirms it: nobody says what a provider keeps. Pure; the time is an argument, in
seconds, on one clock for all calls.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from adapters.profiles import Profile
from adapters.usage import Usage

DEFAULT_LIFE = 300.0
"""Seconds that an entry is taken to live where the provider promises nothing: the least that anybody promises."""

SOON = 5.0
"""Seconds behind a write in which a miss is taken for a lag of the provider rather than for a loss."""

LONGEST_LAG = 3.0
SHORTEST_LIFE = 60.0
LARGEST_MINIMUM = 8192
"""Bounds of what is learned: one odd answer must not end all warming, nor all hope of it."""

ENOUGH = 0.9
"""Share of the expected tokens that a read must have to confirm it: counts of ours are estimates."""

MISSES = 2
"""Reads in a row that failed without an excuse, after which a prefix is left alone for one life."""


@dataclass(slots=True)
class Belief:
    """One prefix, taken to be readable."""

    written: float
    """When the content came that tells that it is being written; a lag begins then."""
    used: float
    """When its life last began."""
    life: float
    """Seconds."""
    confirmed: bool = False

    @property
    def until(self) -> float:
        return self.used + self.life


@dataclass(slots=True)
class Learned:
    """What usage has shown of one model, beside or against its profile."""

    minimum: int | None = None
    lag: float | None = None
    """Seconds behind the first content until a read finds what was written."""
    life: float | None = None
    proven: bool = False
    """Whether a read has ever been confirmed."""
    misses: int = 0
    reads: int = 0
    mute: int = 0
    """Answers without usage."""


@dataclass(slots=True)
class Beliefs:
    """Bounded: the least recently used go first."""

    max_prefixes: int = 100_000
    warm: OrderedDict[bytes, Belief] = field(default_factory=OrderedDict)
    doubts: OrderedDict[bytes, tuple[int, float]] = field(default_factory=OrderedDict)
    """Prefixes that were not read as expected: how often in a row, and until when that counts."""
    models: dict[str, Learned] = field(default_factory=dict)

    def of(self, name: str) -> Learned:
        found = self.models.get(name)
        if found is None:
            if len(self.models) >= 1024:  # names are the client's to choose
                self.models.clear()
            found = self.models[name] = Learned()
        return found

    def minimum(self, name: str, given: int) -> int:
        """Tokens below which nothing is cached."""
        learned = self.of(name).minimum
        return given if learned is None else learned

    def lag(self, name: str, profile: Profile) -> float:
        learned = self.of(name).lag
        return profile.lag if learned is None else learned

    def life(self, name: str, profile: Profile, mark: str = "") -> float:
        """Seconds that an entry lives which was written with this mark (empty: the provider's own)."""
        lives = {life.name: float(life.seconds) for life in profile.lives}
        given = lives.get(mark) or next(iter(lives.values()), DEFAULT_LIFE)
        learned = self.of(name).life
        return given if learned is None else min(given, learned)

    def is_warm(self, digest: bytes, now: float) -> bool:
        belief = self.warm.get(digest)
        return belief is not None and belief.until > now

    def believe(self, digest: bytes, *, now: float, begun: float, life: float, lag: float = 0.0) -> None:
        """This prefix can be read from `now` on, which is so many seconds (`lag`) behind the content that told so; its
        life counts from `begun`."""
        known = self.warm.get(digest)
        if known is not None and known.until > now:
            known.used, known.life = max(known.used, begun), max(known.life, life)
        else:
            self.warm[digest] = Belief(now - lag, begun, life)
        self.warm.move_to_end(digest)
        while len(self.warm) > self.max_prefixes:
            self.warm.popitem(last=False)

    def refresh(self, digests: Iterable[bytes], begun: float) -> None:
        """These were read by a request that began then."""
        for digest in self.warm.keys() & digests:
            belief = self.warm[digest]
            if belief.until > begun:
                belief.used = max(belief.used, begun)
                self.warm.move_to_end(digest)

    def forget(self, digest: bytes) -> None:
        self.warm.pop(digest, None)

    def hopeless(self, digest: bytes, now: float) -> bool:
        """Whether this prefix was written and not read so often that it is left alone for now."""
        misses, until = self.doubts.get(digest, (0, 0.0))
        return misses >= MISSES and until > now

    def judge(self, name: str, profile: Profile, digest: bytes, expected: int, usage: Usage, begun: float) -> bool:
        """Learns from a request that began then and was expected to read `expected` tokens up to `digest`: whether it
        did. What a miss teaches depends on the age of the belief: fresh, the provider lags; old, its entries live
        shorter; near the minimum, that is higher."""
        learned, belief = self.of(name), self.warm.get(digest)
        if usage.read >= ENOUGH * expected:
            learned.proven, learned.misses, learned.reads = True, 0, learned.reads + 1
            self.doubts.pop(digest, None)
            if belief is not None:
                belief.confirmed = True
                if learned.lag is not None:
                    learned.lag = max(profile.lag, min(learned.lag, begun - belief.written))
            return True
        learned.misses += 1
        if belief is None:
            return False
        age, idle = begun - belief.written, begun - belief.used
        if age < SOON and not belief.confirmed:
            learned.lag = min(LONGEST_LAG, max(2 * (learned.lag or profile.lag), age + 0.25))
        elif idle > belief.life / 2:
            learned.life = max(SHORTEST_LIFE, 0.9 * idle)
        else:
            self._doubt(digest, begun + belief.life)
        self.forget(digest)
        return False

    def _doubt(self, digest: bytes, until: float) -> None:
        misses = self.doubts.pop(digest, (0, 0.0))[0] + 1
        self.doubts[digest] = (misses, until)
        while len(self.doubts) > self.max_prefixes // 10:
            self.doubts.popitem(last=False)

    def below(self, name: str, tokens: int) -> None:
        """A prompt of this length was marked, and neither read nor written: the minimum is above it."""
        if tokens < LARGEST_MINIMUM:
            learned = self.of(name)
            learned.minimum = max(learned.minimum or 0, tokens + 1)

    def above(self, name: str, tokens: int, given: int) -> None:
        """A prefix of this length was read or written: the minimum is no higher."""
        learned = self.of(name)
        if learned.minimum is not None and learned.minimum > tokens:
            learned.minimum = max(given, tokens)
