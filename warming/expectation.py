"""How often what is written to a prompt cache is read again, learned from the traffic itself.

A breakpoint pays where its entry is expected to be read more than (w - 1) / (1 - r) times (`warming.economics`). What
is expected depends on what ends there, and in which traffic: the end of a system prompt, of what a fan-out may share,
of a conversation that may go on, of one branch of a fan-out. Pure; the time is an argument, in seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Literal, NamedTuple

Kind = Literal["static", "trunk", "tail", "leaf"]
"""The end of tools and system prompt; of everything but the last turn; of a prompt; of a prompt that waited for a
sibling."""

PRIOR: dict[Kind, float] = {"static": 1.0, "trunk": 1.0, "tail": 0.5, "leaf": 0.25}
"""Reads expected before anything is known. Static text is written to be used again; of two conversations one is taken
to go on; branches of a fan-out seldom do. A guess, and worth no more than `WEIGHT` observations."""

WEIGHT = 2.0
KEPT = 50_000
"""Entries that are watched for reads, and kinds of traffic that are told apart."""


class _Open(NamedTuple):
    until: float
    family: bytes
    kind: Kind
    read: bool


class Expectation:
    """Watches what was written until it expires. The family of an entry tells one application's traffic from another's:
    the digest of its static text."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._open: OrderedDict[bytes, _Open] = OrderedDict()
        self._seen: OrderedDict[tuple[bytes, Kind], tuple[float, float]] = OrderedDict()
        """By family and kind: reads, and entries whose fate is known."""

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._open

    def reads(self, family: bytes, kind: Kind) -> float:
        """Reads that an entry of this kind may expect."""
        reads, entries = self._seen.get((family, kind), (0.0, 0.0))
        if not entries:
            # An application never seen before behaves as all others do.
            reads, entries = self._seen.get((b"", kind), (0.0, 0.0))
            reads, entries = (reads / entries * WEIGHT, WEIGHT) if entries > WEIGHT else (reads, entries)
        return (reads + WEIGHT * PRIOR[kind]) / (entries + WEIGHT)

    def wrote(self, digest: bytes, family: bytes, kind: Kind, until: float) -> None:
        known = self._open.pop(digest, None)
        self._open[digest] = _Open(until, family, kind, known is not None and known.read)
        if len(self._open) > self._kept:
            self._close(*self._open.popitem(last=False))

    def met(self, digests: Iterable[bytes], now: float) -> None:
        """A prompt with these points came."""
        self._expire(now)
        for digest in self._open.keys() & digests:
            entry = self._open[digest]
            if entry.until > now and (not entry.read or entry.kind == "static"):
                # What a conversation wrote is written again by its next turn if not before: only the first read is owed
                # to it. Static text serves many, and without it each of them would write.
                self._note(entry, 1.0, 0.0 if entry.read else 1.0)
                self._open[digest] = entry._replace(read=True)

    def _expire(self, now: float) -> None:
        # Lives differ little, so the oldest entry is the next to expire, or nearly; at most a few for one request.
        for _ in range(8):
            if not self._open:
                return
            digest, entry = next(iter(self._open.items()))
            if entry.until > now:
                return
            del self._open[digest]
            self._close(digest, entry)

    def _close(self, digest: bytes, entry: _Open) -> None:
        if not entry.read:
            self._note(entry, 0.0, 1.0)

    def _note(self, entry: _Open, reads: float, entries: float) -> None:
        for family in (entry.family, b"") if entry.family else (b"",):
            key = (family, entry.kind)
            had = self._seen.pop(key, (0.0, 0.0))
            self._seen[key] = (had[0] + reads, had[1] + entries)
        while len(self._seen) > self._kept:
            self._seen.popitem(last=False)
