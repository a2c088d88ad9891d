"""Which entries of the level that replicas share are not to be trusted yet, because an invalidation is still on its way
through the replicas. Pure.

Who invalidates takes entries out of the shared level, tells the replicas, and takes out a second time what one of them
put there before it had heard. Between the two passes such an entry lies there, and whoever took it into a level of his
own would keep it for good. So what an invalidation covers is not taken from the shared level for a while after it was
heard of: longer than an invalidation takes from its beginning to its second pass. Only what this process put there
itself since then is known to be newer.
"""

from __future__ import annotations

from cache.entry import Entry
from cache.invalidation import Invalidation

MOST = 100_000
"""Things that are remembered; of more, everything counts as unsettled."""

Thing = tuple[str | None, str, bytes | str]
"""Tenant, kind and name of what an invalidation names."""

_KEY, _LABEL, _NAMESPACE, _EVERYTHING = "key", "label", "namespace", "everything"


class Unsettled:
    def __init__(self, seconds: float, most: int = MOST) -> None:
        """`seconds`: may be `inf`; then only `settled` ends it."""
        self.seconds, self.most = seconds, most
        self._until: dict[Thing, float] = {}
        """In the order of time, as all wait equally long."""
        self._mine: dict[bytes, tuple[float, int]] = {}

    def __len__(self) -> int:
        return len(self._until)

    def note(self, what: Invalidation, now: float) -> None:
        self._forget(now)
        things = _named(what)
        if len(self._until) + len(things) > self.most:
            self._until.clear()
            things = [(None, _EVERYTHING, "")]
        for thing in things:
            self._until.pop(thing, None)
            self._until[thing] = now + self.seconds
        self._mine.clear()  # what it covers beside keys is not known of them

    def settled(self, what: Invalidation) -> None:
        for thing in _named(what):
            self._until.pop(thing, None)

    def put(self, entry: Entry) -> None:
        """This process put it into the shared level, and it is newer than all that was noted."""
        if self._until:
            self._mine[entry.key] = _print(entry)

    def covers(self, entry: Entry, now: float) -> bool:
        if not self._until or self._mine.get(entry.key) == _print(entry):
            return False
        self._forget(now)
        names = [(_KEY, entry.key), (_NAMESPACE, entry.namespace), (_EVERYTHING, "")]
        names += [(_LABEL, label) for label in entry.labels]
        return any((tenant, *name) in self._until for tenant in (entry.tenant, None) for name in names)

    def _forget(self, now: float) -> None:
        while self._until:
            thing = next(iter(self._until))
            if self._until[thing] > now:
                break
            del self._until[thing]
        if not self._until:
            self._mine.clear()


def _named(what: Invalidation) -> list[Thing]:
    if what.everything:
        return [(what.tenant, _EVERYTHING, "")]
    things: list[Thing] = [(what.tenant, _KEY, key) for key in what.keys]
    things += [(what.tenant, _LABEL, label) for label in what.labels]
    things += [(what.tenant, _NAMESPACE, name) for name in what.namespaces]
    return things


def _print(entry: Entry) -> tuple[float, int]:
    return entry.stored_at, hash(entry.body)
