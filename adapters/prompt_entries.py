"""The entries of a simulated prompt cache: what is kept, from when on it can be read, and until when.

Made for replays of thousands of prompts with hundreds of points each: what is written or refreshed together shares one
`Entry`, whoever writes does so with `dict.update`, and what has expired is swept out rarely. Pure: times are arguments,
in seconds, on one clock for all calls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

from adapters.prompt import Point

LONG_AGO = -math.inf
"""When an entry became readable of which it no longer matters."""

SLACK = 32
"""A full memory gives up one entry in so many at once: finding those that expire first means sorting them all."""

digest_at = itemgetter(Point._fields.index("digest"))
tokens_at = itemgetter(Point._fields.index("tokens"))
mark_at = itemgetter(Point._fields.index("mark"))
edge_at = itemgetter(Point._fields.index("edge"))
place_at = itemgetter(Point._fields.index("place"))
"""Members of a point, for `map`: by attribute a loop over all points would take twice as long."""


class Entry(NamedTuple):
    readable_at: float
    expires_at: float
    life: str = ""
    """The name of the life it was written for, where there are several."""


class Scan(NamedTuple):
    found: int
    """How many points lead up to the longest that can be read, itself included; 0 where none can."""
    others: list[bytes]
    """Behind it: where there are entries that can't be read yet, or no longer. From the end of the prompt."""


class Entries(dict[bytes, Entry]):
    """Entries by the digest of the point where they end."""

    __slots__ = ("_every", "_most", "_next")

    def __init__(self, every: float, most: int) -> None:
        """`every`: seconds between two sweeps, at best the shortest life. `most`: entries that are kept."""
        super().__init__()
        self._every, self._most, self._next = every, most, LONG_AGO

    def scan(self, digests: Sequence[bytes], now: float) -> Scan:
        """Looks for the longest that can be read; `digests` in the order of the prompt."""
        others: list[bytes] = []
        for digest in filter(self.__contains__, reversed(digests)):
            entry = self[digest]
            if entry[0] <= now < entry[1]:
                return Scan(digests.index(digest) + 1, others)
            others.append(digest)
        return Scan(0, others)

    def write(self, digests: Sequence[bytes], others: Sequence[bytes], now: float, entry: Entry) -> None:
        """Writes one entry at each of `digests`. At `others` among them another request may be writing it, too: who
        comes first makes it readable."""
        new = dict.fromkeys(digests, entry)
        for digest in others:
            old = self[digest]
            if old[1] > now and old[0] < entry[0]:
                new[digest] = entry._replace(readable_at=old[0])
        self.update(new)
        if len(self) > self._most:
            self._shrink()

    def store(self, digests: Sequence[bytes], scan: Scan, now: float, readable_at: float, ttl: float) -> None:
        """Refreshes or writes all of them; `scan` is what was found of them."""
        # What stands before something that can be read can be read itself, whoever is still writing it, too.
        self.update(dict.fromkeys(digests[: scan.found], Entry(LONG_AGO, now + ttl)))
        self.write(digests[scan.found :], scan.others, now, Entry(readable_at, now + ttl))

    def forget(self, now: float) -> None:
        """Drops what has expired, if it is time for that; to be called before anything is written."""
        if now < self._next:
            return
        self._next = now + self._every
        for digest in [digest for digest, entry in self.items() if entry.expires_at <= now]:
            del self[digest]

    def _shrink(self) -> None:
        # The longest first among those that expire together: what is short is what others share.
        soonest = list(reversed(self.items()))
        soonest.sort(key=lambda item: item[1].expires_at)
        for digest, _ in soonest[: len(self) - self._most + self._most // SLACK]:
            del self[digest]
