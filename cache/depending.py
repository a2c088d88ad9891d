"""What an entry is labelled with when its making begins, and whether it may still be served."""

from __future__ import annotations

from collections.abc import Iterable

from cache.dependencies import Dependencies, Look
from cache.entry import Entry
from cache.file_signature import ReadAt, read_at
from cache.files import Files
from cache.labels import FILE, distinct


class Depending:
    def __init__(self, dependencies: Dependencies, files: Files) -> None:
        self.dependencies, self.files = dependencies, files

    async def labels_for(self, given: Iterable[str], tenant: str, look: Look, own: bytes = b"") -> tuple[str, ...]:
        """All labels of an entry with the key `own`, before its making begins. `given`: its tags and what it depends
        on: names, `entry:HEX`, and files as `cache.file_signature.read_at` reads them. Raises `BadLabel` (`BadFile`)
        for what may not be named and for too many; `Missing`, `Changed` and `Cycle` for what can't be depended upon.

        A mark (`tiers.mark`) is to be noted before this is called, and the entry put with it: what is invalidated, or
        another entry that goes, while this waits or the entry is made, then keeps it from being kept.
        """
        labels: list[str] = []
        read: dict[str, ReadAt] = {}
        for text in given:
            label, told = read_at(text)
            named = self.files.labels(label[len(FILE) :]) if label.startswith(FILE) else (label,)
            labels += named
            if told is not None:
                read.update(dict.fromkeys(named, told))
        if not labels:
            return ()
        found = await self.dependencies.labels_for(distinct(labels), tenant, look, own)
        return self.files.witnessed(found, read)

    def current(self, entry: Entry) -> bool:
        """Whether the files that it depends on are what they were. For each hit: without labels it costs nothing, with
        files one `stat` for each. One that is not is not to be served."""
        return not entry.labels or self.files.fresh(entry.labels)
