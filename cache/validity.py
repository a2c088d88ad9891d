"""What this process may serve and keep: what it has heard of invalidations, and whether it hears of all of them.

The rule: no entry is served after its invalidation was acknowledged, also not one whose making began before and ended
after. Memory always is as the latest mark says. What takes time (reading from below, writing down, the making of an
answer) notes the mark when it begins and asks when it ends whether it was overtaken. Who invalidates therefore notes
twice: before anything is removed, so that what is on its way is too old; and after, so that what was read from a level
in between is too old as well.
"""

from __future__ import annotations

from collections.abc import Callable

from adapters.vocabulary import Clock
from cache.entry import Entry
from cache.invalidation import Heard, Invalidation, Log
from cache.level import Valid
from cache.replicas import Replicas
from cache.tier_options import untimed

AT_HAND = 64
"""Invalidations that a write under way can be overtaken by without being begun anew."""


def settled(entry: Entry) -> bool:
    """Of who has no entries that depend on files."""
    return True


class Validity:
    """`drop` takes what an invalidation covers out of all that this process has in memory, and says which keys."""

    def __init__(
        self,
        log: Log,
        replicas: Replicas,
        drop: Callable[[Invalidation], set[bytes]],
        unchanged: Callable[[Entry], bool] = settled,
        clock: Clock = untimed,
    ) -> None:
        """`unchanged`: whether the files that an entry depends on are what they were. Does not wait. `clock`: a wall
        clock."""
        self.heard, self._unchanged, self._clock = Heard(began=clock()), unchanged, clock
        self._log, self._replicas, self._drop = log, replicas, drop
        self._seen = log.count
        self._latest: tuple[int, tuple[Invalidation, ...]] = 0, ()
        """The mark and what was noted last, as one value, for other threads."""

    def current(self) -> bool:
        """Asked before anything is served. Hears at once what other workers of this machine invalidated. False: others
        may have invalidated things of which this process has not heard, so nothing of its own is served."""
        if self._log.count != self._seen:
            self._catch_up()
        return self._replicas.trusted

    def mark(self) -> int:
        if self._log.count != self._seen:
            self._catch_up()
        return self.heard.mark

    def true(self, entry: Entry) -> bool:
        """Whether what it depends on beside invalidations is as it was."""
        return not entry.labels or self._unchanged(entry)

    def late(self, entry: Entry, mark: int) -> bool:
        """Whether it was invalidated since that mark, as far as has been heard."""
        return self.heard.late(entry, mark)

    def serves(self, entry: Entry, mark: int) -> bool:
        """For other stores of answers: whether what was read there, from that mark on, may be served now."""
        return self.current() and self.true(entry) and not self.late(entry, mark)

    def valid(self, entry: Entry, since: int | None = None) -> Valid:
        """True as long as nobody has invalidated this entry from now on (with `since` from that mark on), and others
        tell us what they do. Of any thread; so it looks into the log itself, and not at what this process has heard of
        it by then."""
        if since is not None and self.late(entry, since):
            return never
        log, replicas, count, mark = self._log, self._replicas, self._seen, self.heard.mark

        def valid() -> bool:
            if log.count != count and any(what.covers(entry) for what in log.since(count)[1]):
                return False
            latest, notes = self._latest
            missed = latest - mark
            if missed > len(notes) or (missed and any(what.covers(entry) for what in notes[-missed:])):
                return False
            return replicas.trusted

        return valid

    def announce(self, what: Invalidation) -> tuple[set[bytes], bool]:
        """For all workers of this machine: the keys that this one had in memory, and whether the others know."""
        self.mark()
        try:
            self._log.append(what)
        except OSError:
            return self.note(what), False
        return self._catch_up(what), True

    def note(self, what: Invalidation) -> set[bytes]:
        """For this process: the keys that it had in memory."""
        self.heard.note(what, self._clock())
        self._latest = self.heard.mark, (*self._latest[1][1 - AT_HAND :], what)
        return self._drop(what)

    def _catch_up(self, own: Invalidation | None = None) -> set[bytes]:
        gone: set[bytes] = set()
        self._seen, missed = self._log.since(self._seen)
        for what in missed:
            removed = self.note(what)
            if what == own:
                gone |= removed
        return gone


def never() -> bool:
    """Of what is too late already."""
    return False
