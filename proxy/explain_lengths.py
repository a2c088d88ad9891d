"""How long the prompts of a recording were, up to each of their points.

Tokens are exact wherever a recording allows it. The provider counted each whole prompt, so the length up to the end of
an earlier request is known, and that of its answer, too; only what lies between two such ends is divided by estimate.
Lengths of later requests are never used for earlier ones. Pure.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from adapters.profiles import Profile
from adapters.prompt import Point
from adapters.usage import Usage

KNOWN_LENGTHS = 200_000
"""Ends of prompts whose length is remembered; a recording of that many requests has long left the first ones."""


class Lengths:
    """Tokens up to points whose exact length is known, by their digests; the oldest are forgotten."""

    def __init__(self, most: int = KNOWN_LENGTHS) -> None:
        self._known: OrderedDict[bytes, int] = OrderedDict()
        self._most = most

    def learn(self, digest: bytes, tokens: int) -> None:
        self._known[digest] = tokens
        self._known.move_to_end(digest)
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    def exact(self, points: Sequence[Point], total: int, like: Sequence[Point] = ()) -> list[Point]:
        """The points of a prompt of `total` tokens with the tokens up to each: those known, the rest in proportion
        between them. `like`: the same of an earlier prompt, to be taken over where both agree."""
        known = self._known
        same = max(0, agreeing_points(like, points) - 1)  # the last that agrees was perhaps an end, and is known better
        while same and like[same - 1].tokens > total:
            same -= 1
        exact = list(like[:same])
        start, low, below = (same - 1, exact[-1].tokens, points[same - 1].tokens) if same else (-1, 0, 0)
        last = len(points) - 1
        for index in range(same, len(points)):
            digest, estimated = points[index][:2]
            tokens = total if index == last else known.get(digest)
            # A length that contradicts its neighbours was that of a request which was sent otherwise than recorded.
            if tokens is None or not low <= tokens <= total:
                continue
            scale = (tokens - low) / (estimated - below) if estimated > below else 0.0
            for point in points[start + 1 : index]:
                exact.append(point._replace(tokens=low + round((point.tokens - below) * scale)))
            exact.append(points[index]._replace(tokens=tokens))
            start, low, below = index, tokens, estimated
        return exact


def agreeing_points(a: Sequence[Point], b: Sequence[Point]) -> int:
    """How many leading points two prompts have in common: digests are of everything before, so by halving."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[middle - 1].digest == b[middle - 1].digest:
            low = middle
        else:
            high = middle - 1
    return low


def cached_of(usage: Usage, profile: Profile) -> int:
    """Tokens that a later request can read of a prompt, if nothing of it changes.

    What stands behind the last breakpoint was not written. Where that is more than a few tokens (a delimiter), the
    breakpoint stood elsewhere, and how far up is unknown: then the whole prompt counts.
    """
    written = usage.write_5m + usage.write_1h + usage.write_30m + usage.write_12h
    tail = 0 < usage.uncached <= TAIL and profile.breakpoints > 0 and usage.read + written > 0
    return usage.prompt - usage.uncached if tail else usage.prompt


TAIL = 64
"""Tokens. Anthropic counts up to some ten behind a breakpoint on the last block."""
