"""What the doors of the cache ask for an invalidation, small: over the levels of a proxy and a store of a test."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple
from urllib.parse import unquote

from adapters.errors import Refused
from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.labels import FILE
from cache.replicas import Reached
from cache.tiers import Tiers
from proxy.purge_told import Held, Sum
from proxy.value_depends import Look, label_of
from proxy.value_told import KEY_LINE, line
from proxy.value_wish import Answer, Depend, File, Named


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


class Dependencies:
    """By asking for each file and each entry."""

    def __init__(self) -> None:
        self._read: dict[str, Any] = {}

    async def labels(
        self, tags: Sequence[str], depends: Sequence[Depend], tenant: str, key: bytes, look: Look
    ) -> tuple[str, ...]:
        found: list[str] = [*tags]
        for each in depends:
            label = label_of(each, tenant)
            found.append(label)
            if isinstance(each, File):
                self._read[label] = signature(each.path)
                if each.mtime_ns not in (None, self._read[label]):
                    raise Refused(409, "the file has changed", param="X-Warmgate-Depends", code="dependency_changed")
            elif isinstance(each, Answer) or not isinstance(each, Named):
                other = await look(bytes.fromhex(label.partition(":")[2]))
                if other is None:
                    raise Refused(409, "it is not there", param="X-Warmgate-Depends", code="dependency_missing")
                found += other.labels
        return tuple(dict.fromkeys(found))

    def current(self, entry: Entry) -> bool:
        files = [label for label in entry.labels if label.startswith(FILE)]
        return all(self._read.get(label) == signature(label.removeprefix(FILE)) for label in files)


def signature(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None
