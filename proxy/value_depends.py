"""What a value is known by: its tags, and the labels of what its author says that it depends on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from cache.entry import Entry
from cache.labels import entry_label, file_label
from cache.value_key import value_key
from proxy.value_path import Place
from proxy.value_wish import Answer, Depend, File

Look = Callable[[bytes], Awaitable[Entry | None]]


class Depends(Protocol):
    """Knows what depends on what (`cache.dependencies`, `cache.files`)."""

    async def labels(
        self, tags: Sequence[str], depends: Sequence[Depend], tenant: str, key: bytes, look: Look
    ) -> tuple[str, ...]:
        """All labels of a new entry of this key, those of what it depends on included. `look` finds what is this
        tenant's and fresh. Raises `Refused`: 409 where something is not there, has changed or depends on this one, 400
        where it may not be named."""

    def current(self, entry: Entry) -> bool:
        """Whether the files that it depends on are as they were. Does not wait."""


def label_of(depend: Depend, tenant: str) -> str:
    if isinstance(depend, File):
        return file_label(depend.path)
    if isinstance(depend, Answer):
        return entry_label(depend.key)
    if isinstance(depend, Place):
        return entry_label(value_key(tenant, depend.namespace, depend.name or ""))
    return depend.label
