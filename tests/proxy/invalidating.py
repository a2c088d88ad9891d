"""What the doors of the cache ask for an invalidation, small: over the levels of a proxy and a store of a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple
from urllib.parse import unquote

from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.replicas import Reached
from cache.tiers import Tiers
from proxy.purge_told import Held, Sum
from proxy.value_told import KEY_LINE, line


async def entries_of(levels: Tiers) -> list[Entry]:
    found = [await levels.look(key) for key in levels.starting(b"")]
    return [each[0] for each in found if each is not None]


class Rows(NamedTuple):
    """Entries of a semantic cache by number, each with its scope."""

    entries: dict[int, tuple[bytes, Entry]]

    def remove(self, what: Invalidation) -> int:
        gone = [number for number, (_, entry) in self.entries.items() if what.covers(entry)]
        for number in gone:
            del self.entries[number]
        return len(gone)


class Invalidator:
    """Does it, and says what a test wants to hear."""

    def __init__(self, levels: Tiers, rows: Rows) -> None:
        self.levels, self.rows = levels, rows
        self.reached, self.failed = Reached(complete=True), False
        self.seen: list[Invalidation] = []
        self.events: list[tuple[str, Mapping[str, str], str | None]] = []

    async def invalidate(self, what: Invalidation) -> Sum:
        self.seen.append(what)
        gone = await self.levels.invalidate(what)
        return Sum(len(gone or ()), self.rows.remove(what), self.reached, self.failed or gone is None)

    async def matching(
        self, tenant: str | None, *, pattern: str = "", labels: Sequence[str] = (), namespaces: Sequence[str] = ()
    ) -> Held:
        what = Invalidation(tenant, labels=tuple(labels), namespaces=tuple(namespaces))
        own = {entry.key: name_of(entry) for entry in await entries_of(self.levels) if entry.tenant == tenant}
        covered = {entry.key for entry in await entries_of(self.levels) if what.covers(entry)}
        keys = [key for key, name in own.items() if key in covered or (pattern and fnmatchcase(name, pattern))]
        return Held(keys, [own[key] for key in keys])

    async def event(self, kind: str, facts: Mapping[str, str], tenant: str | None) -> Sum:
        if kind != "tool_changed":
            raise LookupError(kind)
        if "name" not in facts:
            raise ValueError("`name` is missing")
        self.events.append((kind, facts, tenant))
        return await self.invalidate(Invalidation(tenant, labels=(f"tool:{facts['name']}",)))


def name_of(entry: Entry) -> str:
    return f"{entry.namespace}/{unquote(line(entry, KEY_LINE)) or entry.key.hex()}"
