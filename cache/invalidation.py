"""What is not to be served any more, and who has heard of it. Pure."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple, Protocol

import msgspec

from cache.entry import Entry

REMEMBERED = 10_000
"""Invalidations that a process remembers, to know which answers on their way are too old to be kept."""


APART = 60.0
"""Seconds by which the clocks of replicas may differ."""


class Invalidation(NamedTuple):
    """All entries that any of these names, within a tenant. Of what is not named nothing goes."""

    tenant: str | None = None
    """None: of all tenants, which only the operator and events of this machine (files) may say."""
    keys: tuple[bytes, ...] = ()
    labels: tuple[str, ...] = ()
    """Tags and dependencies, as `cache.labels` forms them."""
    namespaces: tuple[str, ...] = ()
    everything: bool = False

    def covers(self, entry: Entry) -> bool:
        if self.tenant is not None and entry.tenant != self.tenant:
            return False
        if self.everything or entry.key in self.keys or entry.namespace in self.namespaces:
            return True
        return bool(self.labels) and not frozenset(self.labels).isdisjoint(entry.labels)

    def told(self) -> bytes:
        """As a line of JSON, for a log."""
        return msgspec.json.encode(self._asdict() | {"keys": [key.hex() for key in self.keys]})

    @classmethod
    def heard(cls, line: bytes) -> Invalidation:
        """What `told` told. Raises `ValueError` for anything else."""
        facts: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
        try:
            return cls(
                tenant=msgspec.convert(facts["tenant"], str | None),
                keys=tuple(bytes.fromhex(key) for key in msgspec.convert(facts["keys"], list[str])),
                labels=msgspec.convert(facts["labels"], tuple[str, ...]),
                namespaces=msgspec.convert(facts["namespaces"], tuple[str, ...]),
                everything=msgspec.convert(facts["everything"], bool),
            )
        except KeyError as error:
            raise ValueError(f"no invalidation: {error} is missing") from None


class Log(Protocol):
    """Invalidations of all processes of this machine that share a store, in one order. Nothing here waits."""

    @property
    def count(self) -> int:
        """How many there have been; asked before every look into memory, so it costs next to nothing. Of any thread."""

    def append(self, what: Invalidation) -> None:
        """From the moment this returns every process that asks `count` knows that there is something new."""

    def since(self, count: int) -> tuple[int, list[Invalidation]]:
        """The count now, and those that came after that one; `everything` where nobody knows them any more."""


class Alone:
    """The log of a process that shares with nobody."""

    def __init__(self) -> None:
        self.count = 0
        self._latest: list[Invalidation] = []

    def append(self, what: Invalidation) -> None:
        self.count += 1
        self._latest = [*self._latest, what][-REMEMBERED:]

    def since(self, count: int) -> tuple[int, list[Invalidation]]:
        missed = self.count - count
        if missed > len(self._latest):
            return self.count, [Invalidation(everything=True)]
        return self.count, self._latest[-missed:] if missed else []


class Heard:
    """What this process has heard of, so that an answer which was asked for before is not kept after."""

    def __init__(self, remembered: int = REMEMBERED, began: float = float("-inf")) -> None:
        """`began`: when this process began to hear, by the wall clock."""
        self.mark = 0
        """A point in this order; noted when the making of an answer begins."""
        self._latest: deque[Invalidation] = deque(maxlen=remembered)
        self._times: deque[float] = deque(maxlen=remembered)
        self._since = began

    def note(self, what: Invalidation, now: float = float("-inf")) -> None:
        self.mark += 1
        if len(self._times) == self._times.maxlen:
            self._since = max(self._since, self._times[0])
        self._latest.append(what)
        self._times.append(now)

    def perhaps(self, entry: Entry) -> bool:
        """Whether this entry may have been invalidated since its making began, had it had its labels then. True as well
        where nobody remembers so far back. Clocks of replicas differ, so what came shortly before counts too."""
        made = entry.stored_at - entry.took
        if not made >= self._since > float("-inf"):
            return True
        heard = zip(self._times, self._latest, strict=True)
        return any(at >= made - APART and what.covers(entry) for at, what in heard)

    def late(self, entry: Entry, mark: int) -> bool:
        """Whether this entry, whose making began at that mark, has been invalidated since. Where nobody remembers so
        far back, it counts as invalidated."""
        missed = self.mark - mark
        if missed <= 0:
            return False
        if missed > len(self._latest):
            return True
        return any(self._latest[-at].covers(entry) for at in range(1, missed + 1))
