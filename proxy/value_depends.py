"""What a value is known by: its tags, and the labels of what its author says that it depends on."""

from __future__ import annotations

import posixpath
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from adapters.errors import Refused
from cache.dependencies import Cycle, Missing
from cache.depending import Depending
from cache.entry import Entry
from cache.file_signature import ReadAt
from cache.files import Changed
from cache.labels import BadLabel, entry_label, file_label
from cache.value_key import value_key
from proxy.value_path import Place
from proxy.value_wish import DEPENDS, TAGS, Answer, Depend, File

Look = Callable[[bytes], Awaitable[Entry | None]]


class Depends(Protocol):
    """Knows what depends on what."""

    async def labels(
        self, tags: Sequence[str], depends: Sequence[Depend], tenant: str, key: bytes, look: Look
    ) -> tuple[str, ...]:
        """All labels of a new entry of this key, those of what it depends on included. `look` finds what is fresh,
        whosever it is. Raises `Refused`: 409 where something is not there, has changed or depends on this one, 400
        where it may not be named."""


class Labels:
    """`Depends` of a proxy. The files are those of its machine, and only where its configuration allows."""

    def __init__(self, depending: Depending, *, tags: bool = True, dependencies: bool = True) -> None:
        """`tags`, `dependencies`: whether there are any here; who names one where there are none is told."""
        self._depending, self._tags, self._dependencies = depending, tags, dependencies

    async def labels(
        self, tags: Sequence[str], depends: Sequence[Depend], tenant: str, key: bytes, look: Look
    ) -> tuple[str, ...]:
        files, dependencies = self._depending.files, self._depending.dependencies
        for named, on, param in ((tags, self._tags, TAGS), (depends, self._dependencies, DEPENDS)):
            if named and not on:
                raise Refused(400, f"`{param}`: turned off in the configuration of this proxy", param=param)
        try:
            given, read = list(tags), dict[str, ReadAt]()
            for each in depends:
                labels = files.labels(each.path) if isinstance(each, File) else (label_of(each, tenant),)
                given += labels
                if isinstance(each, File):
                    read |= dict.fromkeys(labels, ReadAt(each.mtime_ns, each.size))
            found = await dependencies.labels_for(given, tenant, look, key)
            return files.witnessed(found, read)
        except Missing:
            told = "something that this depends on is not there, or not any more"
            raise Refused(409, told, param=DEPENDS, code="dependency_missing") from None
        except Changed as changed:
            told = f"a file has changed since it was read: {len(changed.labels)} of them"
            raise Refused(409, told, param=DEPENDS, code="dependency_changed") from None
        except Cycle as error:
            raise Refused(409, str(error), param=DEPENDS, code="dependency_cycle") from None
        except BadLabel as error:
            raise Refused(400, str(error), param=DEPENDS if depends else TAGS) from None


def label_of(depend: Depend, tenant: str) -> str:
    """By which it is invalidated."""
    if isinstance(depend, File):
        return file_label("/" + posixpath.normpath(depend.path).lstrip("/"))
    if isinstance(depend, Answer):
        return entry_label(depend.key)
    if isinstance(depend, Place):
        return entry_label(value_key(tenant, depend.namespace, depend.name or ""))
    return depend.label
