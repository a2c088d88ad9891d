"""A model of OpenAI's automatic prompt cache as GPT-5.5 and older models have it.

Rules (OpenAI's prompt caching guide, September 2026): nothing below 1,024 tokens; the longest stored prefix counts,
rounded down to a multiple of 128; writing is free; an entry is forgotten after 5 to 10 minutes without use (here 5).
The real cache is best effort: it spreads a prefix over machines above some 15 requests per minute, and reads can fail.
What this model answers is therefore the most that could have been read. Pure: the time is an argument.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from adapters.prompt import Point

MINIMUM = 1024
GRANULARITY = 128
TTL = 300.0


class PrefixCache:
    def __init__(
        self,
        *,
        minimum: int = MINIMUM,
        granularity: int = GRANULARITY,
        ttl: float = TTL,
        max_entries: int = 100_000,
    ) -> None:
        self._minimum, self._granularity, self._ttl, self._max_entries = minimum, granularity, ttl, max_entries
        self._expiry: OrderedDict[bytes, float] = OrderedDict()
        """When each stored prefix is forgotten; least recently used first."""

    def __len__(self) -> int:
        return len(self._expiry)

    def lookup_and_store(self, links: Sequence[Point], now: float) -> int:
        """Tokens of this prompt that are read from the cache; the prompt's own prefixes are then known.

        `links` in the order of the prompt; `now` in seconds, on one clock for all calls.
        """
        self._forget(now)
        found = next((link.tokens for link in reversed(links) if self._knows(link, now)), 0)
        for link in reversed(links):
            if link.tokens < self._minimum:
                break
            # The longest first, so that the shortest is the most recently used: it is the one that others share.
            self._expiry[link.digest] = now + self._ttl
            self._expiry.move_to_end(link.digest)
        while len(self._expiry) > self._max_entries:
            self._expiry.popitem(last=False)
        return found - found % self._granularity

    def _knows(self, link: Point, now: float) -> bool:
        return link.tokens >= self._minimum and self._expiry.get(link.digest, now) > now

    def _forget(self, now: float) -> None:
        while self._expiry:
            digest, expiry = next(iter(self._expiry.items()))
            if expiry > now:
                break
            del self._expiry[digest]
