"""A model of a prompt cache with explicit breakpoints, as Anthropic has it.

Rules (Anthropic's prompt caching guide of 2026-08-21, its cost guide of September 2026; read 2026-11):

* An entry is written only at a breakpoint, under a hash of everything up to it, and only from a minimum length on.
* Each breakpoint looks back over at most 20 positions, itself the first, for entries that earlier requests wrote.
* An entry lives for five minutes or an hour from the start of the request that wrote or last read it.
* It can be read from the first content of the answer to its writer on.
* Billed are: a read up to A, a one-hour write from A to B, a five-minute write from B to C, the rest as plain input,
  with A the longest hit, B the last one-hour breakpoint behind it and C the last breakpoint of all.

Two things are not documented and assumed here: a read refreshes every entry that lies on the prefix it reads, and an
entry keeps its own lifetime when a longer one is asked for at the same place, since nothing is written there. Pure: the
time is an argument, in seconds, on one clock for all calls.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import compress, count
from typing import NamedTuple

from adapters.profiles import Life
from adapters.prompt import Billed, Point, Prompt
from adapters.prompt_entries import LONG_AGO, Entries, Entry, digest_at, mark_at, place_at

LOOKBACK = 20
"""Positions that one breakpoint looks at, counting its own."""

TTL = {"5m": 300.0, "1h": 3600.0}
"""Seconds that an entry lives, by the mark it was written with."""

LIVES = (Life("5m", 300, "write_5m"), Life("1h", 3600, "write_1h"))


class Write(NamedTuple):
    """A place at which a request writes an entry, unless it reads that far."""

    place: int
    """Index of the point."""
    life: str


class BreakpointCache:
    def __init__(self, lives: Sequence[Life] = LIVES, *, lookback: int = LOOKBACK, max_entries: int = 100_000) -> None:
        """`lives`: what a mark can ask for, the default first; a mark that is none of them asks for that. Each has a
        class of writes to itself. `lookback`: positions, 0 for no limit."""
        self._seconds = {life.name: float(life.seconds) for life in lives}
        self._default = lives[0].name
        self._classes = [(life.name, life.counted) for life in sorted(lives, key=lambda life: -life.seconds)]
        self._lookback = lookback
        self._entries = Entries(min(self._seconds.values()), max_entries)

    def __len__(self) -> int:
        return len(self._entries)

    def lookup(self, prompt: Prompt, now: float) -> Billed:
        """What the request would be billed; nothing is written or refreshed."""
        looked, written = self._places(prompt.points)
        found = self._found(prompt.points, looked, now)
        return self._billed(prompt, found, self._writes(prompt, written, found))

    def lookup_and_store(self, prompt: Prompt, now: float, readable_at: float) -> Billed:
        """What a request that starts `now` is billed; what it writes can be read from `readable_at` on."""
        entries, points = self._entries, prompt.points
        entries.forget(now)
        looked, written = self._places(points)
        found = self._found(points, looked, now)
        fresh = {life: Entry(LONG_AGO, now + seconds, life) for life, seconds in self._seconds.items()}
        for digest in filter(entries.__contains__, map(digest_at, points[:found])):
            entry = entries[digest]
            if entry[0] <= now < entry[1]:
                entries[digest] = fresh[entry.life]
        writes = self._writes(prompt, written, found)
        for place, life in writes:
            digest = points[place].digest
            old = entries.get(digest)
            if old is not None and old.expires_at > now:
                life = max(life, old.life, key=self._seconds.__getitem__)
            others = () if old is None else (digest,)
            entries.write((digest,), others, now, Entry(readable_at, now + self._seconds[life], life))
        return self._billed(prompt, found, writes)

    def _places(self, points: Sequence[Point]) -> tuple[Sequence[int], Sequence[int]]:
        """Where the request looks for entries, and where it writes them, if it reads nothing; in order."""
        marked = list(compress(count(), map(mark_at, points)))
        return marked, marked

    def _found(self, points: Sequence[Point], looked: Sequence[int], now: float) -> int:
        """How many points of the prompt lie on the longest prefix that a breakpoint finds."""
        found = begin = 0
        for last in looked:
            # What the breakpoint before has looked at and this one could reach, it need not look at again.
            if self._lookback:
                begin = bisect_right(points, points[last].place - self._lookback, begin, last + 1, key=place_at)
            scan = self._entries.scan(list(map(digest_at, points[begin : last + 1])), now)
            if scan.found:
                found = begin + scan.found
            begin = last + 1
        return found

    def _writes(self, prompt: Prompt, written: Sequence[int], found: int) -> list[Write]:
        """Where the request writes, if it reads its first `found` points."""
        points = prompt.points
        return [
            Write(index, self._life(points[index].mark))
            for index in written
            if index >= found and points[index].tokens >= prompt.minimum
        ]

    def _life(self, mark: str) -> str:
        return mark if mark in self._seconds else self._default

    def _billed(self, prompt: Prompt, found: int, writes: Sequence[Write]) -> Billed:
        end = read = prompt.points[found - 1].tokens if found else 0
        if not writes:
            return Billed(read=read, uncached=prompt.tokens - read)
        written = {}
        for name, counted in self._classes:
            begin = end
            for place, life in writes:
                if life == name:
                    end = max(end, prompt.points[place].tokens)
            written[counted] = end - begin
        return Billed(read=read, uncached=prompt.tokens - end, **written)
