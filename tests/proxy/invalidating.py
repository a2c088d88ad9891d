"""What the doors of the cache ask for an invalidation, small: over the levels of a proxy and a store of a test."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple
from urllib.parse import unquote

from adapters.errors import Refused
from cache.entry import Entry
from cache.invalidation import Heard, Invalidation
from cache.labels import FILE, entry_label
from cache.replicas import Reached
from cache.tiers import Tiers
from proxy.purge_told import Held, Sum
from proxy.value_depends import Look, label_of
from proxy.value_told import KEY_LINE, line
from proxy.value_wish import Answer, Depend, File, Named


class Levels:
    """Those of a proxy, which remember invalidations."""

    def __init__(self, tiers: Tiers) -> None:
        self.tiers, self.heard = tiers, Heard()
        self.refuses = False
        self.get, self.look, self.starting = tiers.get, tiers.look, tiers.starting

    def ttl_of(self, namespace: str) -> float:
        return self.tiers.ttl

    def mark(self) -> int:
        return self.heard.mark

    async def put(self, entry: Entry, since: int | None = None) -> bool:
        if self.refuses or (since is not None and self.heard.late(entry, since)):
            return False
        return await self.tiers.put(entry)

    async def entries(self) -> list[Entry]:
        found = [await self.tiers.look(key) for key in self.tiers.starting(b"")]
        return [each[0] for each in found if each is not None]

    async def remove(self, what: Invalidation) -> int:
        self.heard.note(what)
        gone = [entry for entry in await self.entries() if what.covers(entry)]
        for entry in gone:
            await self.tiers.delete(entry.key)
        if gone:
            await self.remove(Invalidation(labels=tuple([entry_label(entry.key) for entry in gone])))
        return len(gone)


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

    def __init__(self, levels: Levels, rows: Rows) -> None:
        self.levels, self.rows = levels, rows
        self.reached, self.failed = Reached(complete=True), False
        self.seen: list[Invalidation] = []
        self.events: list[tuple[str, Mapping[str, str], str | None]] = []

    async def invalidate(self, what: Invalidation) -> Sum:
        self.seen.append(what)
        return Sum(await self.levels.remove(what), self.rows.remove(what), self.reached, self.failed)

    async def matching(
        self, tenant: str | None, *, pattern: str = "", labels: Sequence[str] = (), namespaces: Sequence[str] = ()
    ) -> Held:
        what = Invalidation(tenant, labels=tuple(labels), namespaces=tuple(namespaces))
        own = {entry.key: name_of(entry) for entry in await self.levels.entries() if entry.tenant == tenant}
        covered = {entry.key for entry in await self.levels.entries() if what.covers(entry)}
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

    async def labels(self, tags: Sequence[str], depends: Sequence[Depend], tenant: str, look: Look) -> tuple[str, ...]:
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
