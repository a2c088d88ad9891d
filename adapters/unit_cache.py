"""A model of a prompt cache of units that are read as a whole or not at all, as DeepSeek has it.

Rules (DeepSeek's guide on context caching, api-docs.deepseek.com, read 2026-11):

* A unit ends where a request's input ends, where its output ends, where requests were seen to have a prefix in common,
  and for long inputs at every so many tokens.
* A request reads the longest unit that it begins with, in full. So of A+B and then A+C the second reads nothing; with
  it A has been seen twice and becomes a unit, which A+D reads.
* It takes seconds until a unit can be read, and hours or days until one that nobody uses is gone. Best effort.

What the cache is told of a request is its input. Where its output ends is a point that only shows in the next request
of the conversation: who knows it before hands it to `end`. The length of the intervals is documented nowhere, so there
are none unless asked for. Detection is taken to need one earlier request that is still remembered, whether or not it
has ended. Pure: the time is an argument.
"""

from __future__ import annotations

from adapters.prefix_cache import kept_of
from adapters.prompt import Billed, Point, Prompt
from adapters.prompt_entries import LONG_AGO, Entries, Entry, Scan


class UnitCache:
    def __init__(self, *, ttl: float = 300.0, interval: int = 0, max_entries: int = 100_000) -> None:
        """`ttl`: seconds from the last use. `interval`: tokens between two units of a long input; 0 for no such."""
        self._ttl, self._interval = ttl, interval
        self._units = Entries(ttl, max_entries)
        self._seen = Entries(ttl, max_entries)
        """Every prefix of every request: where the next one leaves it, there is a common prefix."""

    def __len__(self) -> int:
        return len(self._units)

    def lookup(self, prompt: Prompt, now: float) -> Billed:
        """What the request would be billed; nothing is written or refreshed."""
        start, digests = kept_of(prompt)
        return self._billed(prompt, start, self._units.scan(digests, now), self._seen.scan(digests, now))

    def lookup_and_store(self, prompt: Prompt, now: float, readable_at: float) -> Billed:
        """What a request that starts `now` is billed; what it writes can be read from `readable_at` on."""
        self._units.forget(now)
        self._seen.forget(now)
        start, digests = kept_of(prompt)
        units, seen = self._units.scan(digests, now), self._seen.scan(digests, now)
        shared = next((digest for digest in seen.others if self._seen[digest].expires_at > now), None)
        self._seen.store(digests, seen, now, readable_at, self._ttl)
        used = filter(self._units.__contains__, digests[: units.found])
        self._units.update(dict.fromkeys(used, Entry(LONG_AGO, now + self._ttl)))
        ends = digests[units.found :][-1:]
        common = seen.found if shared is None else digests.index(shared) + 1
        if common > units.found:
            ends.append(digests[common - 1])
        there = [digest for digest in ends if digest in self._units]
        self._units.write(ends, there, now, Entry(readable_at, now + self._ttl))
        return self._billed(prompt, start, units, seen)

    def end(self, point: Point, now: float, readable_at: float) -> None:
        """Writes the unit that ends with an answer: `point` stands in the next request where the answer ends."""
        for entries in (self._units, self._seen):
            entries.store([point.digest], entries.scan([point.digest], now), now, readable_at, self._ttl)

    def _billed(self, prompt: Prompt, start: int, units: Scan, seen: Scan) -> Billed:
        read = prompt.points[start + units.found - 1].tokens if units.found else 0
        if self._interval and seen.found:
            tokens = prompt.points[start + seen.found - 1].tokens
            read = max(read, tokens - tokens % self._interval)
        return Billed(read=read, uncached=prompt.tokens - read)
