"""Invalidation for programs that use the cache themselves, without the proxy."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from enum import Enum
from math import isfinite
from pathlib import Path
from types import TracebackType
from typing import Protocol

from adapters.tasks import Tasks
from adapters.vocabulary import Clock
from cache.dependencies import Dependencies
from cache.depending import Depending
from cache.entry import Entry
from cache.files import Files
from cache.invalidation import Invalidation
from cache.invalidator import Invalidator, Near
from cache.labels import distinct, entry_label, tag_of
from cache.replicas import Nobody, Replicas
from cache.tiers import Tiers
from cache.value_key import value_key
from cache.watch import Watch

DRAIN = 5.0
"""Seconds that the watcher has to end."""


class InvalidationStrategy(Enum):
    """What ends an entry, beside its own time and whoever asks for it."""

    TTL = "ttl"
    """What is tagged or depends on something ends after `default_ttl` as well."""
    EVENT = "event"
    """Files that entries depend on are watched."""
    MANUAL = "manual"
    """Nothing else."""
    HYBRID = "hybrid"
    """Both of the first two."""


@dataclass(frozen=True, slots=True)
class InvalidationConfig:
    """Raises ValueError."""

    strategy: InvalidationStrategy = InvalidationStrategy.HYBRID
    default_ttl: float = 3600.0
    """Seconds."""
    enable_tagging: bool = True
    enable_dependencies: bool = True

    def __post_init__(self) -> None:
        if not self.default_ttl > 0 or not isfinite(self.default_ttl):
            raise ValueError("default_ttl: more than 0 seconds")


class Cached(Protocol):
    """A cache (`cache.levels.MultiLevelCache`), as far as it is used here."""

    @property
    def tiers(self) -> Tiers: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def tenant(self) -> str: ...


class CacheInvalidator:
    """For one cache and its tenant. `async with` watches files, where the strategy says so; otherwise `check_files`
    looks for changes. `roots`: the directories below which files may be depended upon, None for any.
    `rewarm` is told the keys of what went.

    Tags and dependencies are added to entries that are there already; who sets the same key at the same time may lose
    against that, so it is better to give them when the entry is set. What depends on an entry goes when that one is
    tagged, as when it is replaced.
    """

    def __init__(
        self,
        cache: Cached,
        config: InvalidationConfig | None = None,
        *,
        dependencies: Dependencies | None = None,
        roots: list[str | Path] | None = None,
        near: Near | None = None,
        replicas: Replicas | None = None,
        rewarm: Callable[[set[bytes]], None] | None = None,
    ) -> None:
        self.config = config or InvalidationConfig()
        self._cache = cache
        self.files = Files(cache.clock, roots)
        self.dependencies = dependencies or Dependencies()
        self.depending = Depending(self.dependencies, self.files)
        self.invalidator = Invalidator(
            cache.tiers, near, replicas or Nobody(), self.dependencies, self.files, rewarm=rewarm
        )
        self._running = AsyncExitStack()

    async def __aenter__(self) -> CacheInvalidator:
        if self.config.strategy in (InvalidationStrategy.EVENT, InvalidationStrategy.HYBRID):
            tasks = Tasks()
            self._running.push_async_callback(tasks.drain, DRAIN)
            watch = Watch(self.files, self.invalidator.files_changed, asyncio.sleep)
            tasks.spawn(watch.run(), endless=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.aclose()

    async def tag(self, key: str, namespace: str, tags: Iterable[str]) -> bool:
        """Whether there is such an entry. Raises `BadLabel` for what is no tag, ValueError where tagging is off."""
        if not self.config.enable_tagging:
            raise ValueError("enable_tagging is off")
        return await self._label(key, namespace, [tag_of(tag) for tag in tags])

    async def invalidate(self, key: str, namespace: str) -> bool:
        """Whether there was one. What depends on it goes as well. Raises OSError where it could not be removed
        everywhere, as all that invalidate here."""
        own = self._key(key, namespace)
        there = await self._look(own) is not None
        await self._gone(Invalidation(keys=(own,)))
        return there

    async def invalidate_tag(self, tag: str) -> int:
        """How many entries went, those that depend on them included."""
        return await self._gone(Invalidation(labels=(tag_of(tag),)))

    async def add_dependency(
        self,
        key: str,
        namespace: str,
        path: str | Path = "",
        *,
        on: tuple[str, str] | None = None,
        name: str = "",
    ) -> bool:
        """The entry depends on a file, on another entry (`on`: key and namespace), or on a named thing. Whether there
        is such an entry. Raises `Missing`, `Changed`, `Cycle` where it can't, `BadLabel` for no file and no name,
        ValueError where dependencies are off."""
        if not self.config.enable_dependencies:
            raise ValueError("enable_dependencies is off")
        return await self._label(key, namespace, [self._depends(path, on, name)])

    async def invalidate_dependents(
        self, path: str | Path = "", *, on: tuple[str, str] | None = None, name: str = ""
    ) -> int:
        """How many entries went that depend on it, directly or through others."""
        label = self._depends(path, on, name)
        labels = self.files.named([label]) if path else (label,)
        return await self._gone(Invalidation(labels=labels))

    async def check_files(self) -> int:
        """How many entries went because a file has changed that they depend on."""
        moved = self.files.moved(list(self.files.paths))
        return (await self.invalidator.files_changed(moved)).removed if moved else 0

    def current(self, entry: Entry) -> bool:
        """Whether the files that it depends on are what they were."""
        return self.depending.current(entry)

    def _key(self, key: str, namespace: str) -> bytes:
        return value_key(self._cache.tenant, namespace, key)

    def _depends(self, path: str | Path, on: tuple[str, str] | None, name: str) -> str:
        if sum(map(bool, (str(path) if path else "", on, name))) != 1:
            raise ValueError("one thing to depend on: a path, another entry, or a name")
        if on is not None:
            return entry_label(self._key(*on))
        return tag_of(name) if name else f"file:{os.path.abspath(path)}"

    async def _label(self, key: str, namespace: str, labels: list[str]) -> bool:
        tiers, own = self._cache.tiers, self._key(key, namespace)
        mark = tiers.mark()
        found = await tiers.look(own)
        if found is None:
            return False
        entry = found[0]
        added = await self.depending.labels_for(labels, entry.tenant, self._look, own)
        until = entry.expires_at
        if self.config.strategy in (InvalidationStrategy.TTL, InvalidationStrategy.HYBRID):
            until = min(until, entry.stored_at + self.config.default_ttl)
        labelled = replace(entry, labels=distinct((*entry.labels, *added)), expires_at=until)
        return await tiers.put(labelled, mark)

    async def _look(self, key: bytes) -> Entry | None:
        found = await self._cache.tiers.look(key)
        return None if found is None else found[0]

    async def _gone(self, what: Invalidation) -> int:
        """Raises OSError where a level failed, or a replica has not confirmed it."""
        outcome = await self.invalidator.invalidate(what._replace(tenant=self._cache.tenant))
        if outcome.failed or not outcome.reached.complete:
            missing = ", ".join(outcome.reached.missing)
            raise OSError(f"not everywhere: {outcome.reached.why or missing or 'a level failed; try again'}")
        return outcome.removed
