"""A model of a prompt cache that keeps every prefix by itself, as most providers and engines have it.

Rules, by the profile (`adapters.profiles`): nothing is read below the minimum; the longest stored prefix counts,
rounded down to a multiple of the granularity (128 tokens at OpenAI up to GPT-5.4, 2,048 with GPT-5.5, 64 at Mistral, 16
in vLLM); writing is free; an entry is forgotten after some time without use. Sources: OpenAI's prompt caching guide
(2026-09), docs.mistral.ai and vLLM's design document (2026).

Real ones are best effort: OpenAI's spreads a prefix over machines above some 15 requests per minute, and reads can
fail. What this model answers is therefore the most that could have been read (`adapters.prompt_caches.BestEffort` lets
reads fail). A prefix that ends between two points of a prompt is not known to it. Pure: the time is an argument.
"""

from __future__ import annotations

from bisect import bisect_left

from adapters.prompt import Billed, Prompt
from adapters.prompt_entries import Entries, digest_at, tokens_at

MINIMUM = 1024
"""Of OpenAI's models."""
GRANULARITY = 128
TTL = 300.0


class PrefixCache:
    def __init__(self, *, granularity: int = GRANULARITY, ttl: float = TTL, max_entries: int = 100_000) -> None:
        """`granularity`: tokens. `ttl`: seconds from the start of the request that wrote or last read an entry."""
        self._granularity, self._ttl = granularity, ttl
        self._entries = Entries(ttl, max_entries)

    def __len__(self) -> int:
        return len(self._entries)

    def lookup(self, prompt: Prompt, now: float) -> Billed:
        """What the request would be billed; nothing is written or refreshed."""
        start, digests = kept_of(prompt)
        return self._billed(prompt, start, self._entries.scan(digests, now).found)

    def lookup_and_store(self, prompt: Prompt, now: float, readable_at: float) -> Billed:
        """What a request that starts `now` is billed; what it writes can be read from `readable_at` on."""
        self._entries.forget(now)
        start, digests = kept_of(prompt)
        scan = self._entries.scan(digests, now)
        self._entries.store(digests, scan, now, readable_at, self._ttl)
        return self._billed(prompt, start, scan.found)

    def _billed(self, prompt: Prompt, start: int, found: int) -> Billed:
        read = prompt.points[start + found - 1].tokens if found else 0
        read -= read % self._granularity
        return Billed(read=read, uncached=prompt.tokens - read)


def kept_of(prompt: Prompt) -> tuple[int, list[bytes]]:
    """The points of a prompt that are long enough to be kept: how many stand before them, and their digests."""
    start = bisect_left(prompt.points, prompt.minimum, key=tokens_at)
    return start, list(map(digest_at, prompt.points[start:]))
