"""The invalidator of a proxy in a test, and who stands around it: a semantic cache and replicas that a test scripts."""

from __future__ import annotations

from typing import NamedTuple

from cache.depending import Depending
from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.invalidator import Invalidator
from cache.replicas import Reached
from cache.tiers import Tiers


class Replicas:
    """Say what a test wants to hear."""

    trusted = True

    def __init__(self) -> None:
        self.reached = Reached(complete=True)
        self.seen: list[Invalidation] = []

    async def publish(self, what: Invalidation) -> Reached:
        self.seen.append(what)
        return self.reached


class Rows:
    """A semantic cache: entries by number, each with its scope."""

    def __init__(self, entries: dict[int, tuple[bytes, Entry]]) -> None:
        self.entries, self.failed = entries, False

    async def invalidate(self, what: Invalidation) -> int | None:
        gone = [number for number, (_, entry) in self.entries.items() if what.covers(entry)]
        for number in gone:
            del self.entries[number]
        return None if self.failed else len(gone)


class Invalidating(NamedTuple):
    invalidator: Invalidator
    replicas: Replicas
    rows: Rows


def invalidating(levels: Tiers, entries: dict[int, tuple[bytes, Entry]], depending: Depending) -> Invalidating:
    replicas, rows = Replicas(), Rows(entries)
    invalidator = Invalidator(levels, rows, replicas, depending.dependencies, depending.files)
    return Invalidating(invalidator, replicas, rows)


async def entries_of(levels: Tiers) -> list[Entry]:
    found = [await levels.look(key) for key in levels.starting(b"")]
    return [each[0] for each in found if each is not None]
