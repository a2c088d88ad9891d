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

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from adapters.prompt import Billed, Point, Prompt

LOOKBACK = 20
"""Positions that one breakpoint looks at, counting its own."""

TTL = {"5m": 300.0, "1h": 3600.0}
"""Seconds that an entry lives, by the mark it was written with."""


class Entry(NamedTuple):
    readable_at: float
    expires_at: float


class BreakpointCache:
    def __init__(self, *, lookback: int = LOOKBACK, max_entries: int = 100_000) -> None:
        self._lookback, self._max_entries = lookback, max_entries
        self._kept: dict[str, OrderedDict[bytes, Entry]] = {mark: OrderedDict() for mark in TTL}
        """By lifetime: within one, the least recently used is the first to expire."""

    def __len__(self) -> int:
        return sum(map(len, self._kept.values()))

    def lookup(self, prompt: Prompt, now: float) -> Billed:
        """What the request would be billed; nothing is written or refreshed."""
        return _billed(prompt, self._found(prompt, now))

    def lookup_and_store(self, prompt: Prompt, now: float, readable_at: float) -> Billed:
        """What a request that starts `now` is billed; what it writes can be read from `readable_at` on."""
        self._forget(now)
        found = self._found(prompt, now)
        for point in prompt.points[:found]:
            for mark, kept in self._kept.items():
                if self._readable(point.digest, now, mark):
                    kept[point.digest] = kept[point.digest]._replace(expires_at=now + TTL[mark])
                    kept.move_to_end(point.digest)
        for point in _written(prompt, found):
            self._write(point, now, readable_at)
        while len(self) > self._max_entries:
            min((kept for kept in self._kept.values() if kept), key=_soonest).popitem(last=False)
        return _billed(prompt, found)

    def _found(self, prompt: Prompt, now: float) -> int:
        """How many points of the prompt lie on the longest prefix that a breakpoint finds."""
        points, found = prompt.points, 0
        for last, point in enumerate(points):
            if not point.mark:
                continue
            for index in range(last, found - 1, -1):
                if point.place - points[index].place >= self._lookback:
                    break
                if any(self._readable(points[index].digest, now, mark) for mark in self._kept):
                    found = index + 1
                    break
        return found

    def _readable(self, digest: bytes, now: float, mark: str) -> bool:
        entry = self._kept[mark].get(digest)
        return entry is not None and entry.readable_at <= now < entry.expires_at

    def _write(self, point: Point, now: float, readable_at: float) -> None:
        """Writes an entry. Another request may be writing it, too: who comes first makes it readable."""
        mark = point.mark
        for other, kept in self._kept.items():
            entry = kept.pop(point.digest, None)
            if entry is not None and entry.expires_at > now:
                readable_at = min(readable_at, entry.readable_at)
                mark = max(mark, other, key=TTL.__getitem__)
        self._kept[mark][point.digest] = Entry(readable_at, now + TTL[mark])

    def _forget(self, now: float) -> None:
        for kept in self._kept.values():
            while kept and _soonest(kept) <= now:
                kept.popitem(last=False)


def _soonest(kept: OrderedDict[bytes, Entry]) -> float:
    return next(iter(kept.values())).expires_at


def _written(prompt: Prompt, found: int) -> Iterator[Point]:
    """The breakpoints at which entries are written, where everything up to the first `found` points is read."""
    return (point for point in prompt.points[found:] if point.mark and point.tokens >= prompt.minimum)


def _billed(prompt: Prompt, found: int) -> Billed:
    a = b = c = prompt.points[found - 1].tokens if found else 0
    for point in _written(prompt, found):
        c = point.tokens
        if point.mark == "1h":
            b = c
    return Billed(read=a, write_5m=c - b, write_1h=b - a, uncached=prompt.tokens - c)
