"""The levels of the settings and what holds them together: labels, the log of the workers, replicas, files."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from adapters.tasks import Tasks
from cache.dependencies import Dependencies
from cache.depending import Depending
from cache.disk import Disk
from cache.files import Files
from cache.invalidation import Invalidation
from cache.invalidation_events import BadEvent, Events
from cache.invalidation_log import FileLog
from cache.invalidator import Hearing, Invalidator, Near
from cache.labelling import Labelling
from cache.labels import BadLabel
from cache.leases import Leases
from cache.memory import Memory
from cache.replicas import Nobody, Replicas
from cache.tiers import Tiers
from cache.watch import Watch
from proxy.config import Settings
from proxy.config_problem import ConfigError, Problem
from proxy.config_rules import located, store_path, stores_on_disk
from proxy.storage_redis import Shared, redis
from proxy.storage_values import INVALIDATION, depends_of, grace_of, options_of, rules_of, shares_of
from proxy.upstreams import World

log = logging.getLogger("warmgate")

LOG = "invalidations.log"


class Workers(NamedTuple):
    """This one among those of one proxy."""

    number: int = 0
    directory: Path | None = None
    """That all of them have; None where there is one only."""


class Told:
    """What replicas tell goes where it belongs, once that is there."""

    heard: Callable[[Invalidation], Awaitable[None]]
    swept: Callable[[Invalidation], Awaitable[bool]]

    async def hear(self, what: Invalidation) -> None:
        await self.heard(what)

    async def sweep(self, what: Invalidation) -> bool:
        return await self.swept(what)


@dataclass(slots=True)
class Storage:
    tiers: Tiers
    depending: Depending
    events: Events
    labels: Labelling
    replicas: Replicas
    shared: Shared | None
    hearing: Told
    log: FileLog | None

    async def close(self) -> None:
        """Writes down what is newer in memory, then closes the levels, and last the log that their writes ask."""
        await self.tiers.close()
        if self.log is not None:
            self.log.close()

    @property
    def leases(self) -> Leases | None:
        return self.shared.leases if self.shared is not None else None

    def invalidator(self, near: Near | None, rewarm: Callable[[set[bytes]], None] | None = None) -> Invalidator:
        """Of all levels and the semantic store. From here on this replica does what others tell it."""
        known = self.depending
        self.hearing.heard = Hearing(self.tiers, near, known.dependencies)
        return Invalidator(self.tiers, near, self.replicas, known.dependencies, known.files, self.events, rewarm)


async def storage(
    settings: Settings, env: Mapping[str, str], world: World, tasks: Tasks, opened: AsyncExitStack, workers: Workers
) -> Storage:
    """Opens the levels, which close with `opened` or `Storage.close`. Raises `ConfigError`."""
    given = settings.cache.invalidation
    roots = [located(root, env) for root in given.files]
    files = Files(world.wall, roots)
    try:
        dependencies = Dependencies(depends_of(settings, files) if given.enable_dependencies else {})
        events = Events(given.events)
    except (BadLabel, BadEvent) as error:
        raise ConfigError([Problem(INVALIDATION, str(error))]) from error
    depending = Depending(dependencies, files)
    for circle in dependencies.cycles():
        log.warning("cache.invalidation.depends: %s depend on each other; they go together", ", ".join(circle))
    hearing = Told()
    shared = redis(settings, env, world, tasks, hearing, workers.number) if l3_of(settings) else None
    replicas: Replicas = shared.replicas if shared is not None else Nobody()
    notes = log_of(settings, env, world, opened, workers.directory)
    tiers = Tiers(
        memory(settings, world),
        disk(settings, env, world),
        shared.level if shared is not None else None,
        options_of(settings),
        clock=world.wall,
        log=notes,
        replicas=replicas,
        tasks=tasks,
        unchanged=depending.current,
    )
    labels = Labelling(
        rules_of(settings),
        dependencies,
        files,
        tagging=given.enable_tagging and given.strategy == "hybrid",
        depending=given.enable_dependencies and given.strategy == "hybrid",
    )
    await tiers.open()
    hearing.heard, hearing.swept = tiers.hear, tiers.sweep
    found = Storage(tiers, depending, events, labels, replicas, shared, hearing, notes)
    opened.push_async_callback(found.close)
    return found


def l3_of(settings: Settings) -> bool:
    cache = settings.cache
    return cache.enabled and cache.exact.enabled and cache.multi_level.enabled and cache.multi_level.l3.enabled


def memory(settings: Settings, world: World) -> Memory | None:
    store = settings.cache.multi_level
    if not (settings.cache.enabled and settings.cache.exact.enabled and store.l1.enabled):
        return None
    given = store.l1
    return Memory(
        given.max_size,
        given.max_bytes,
        given.ttl,
        world.wall,
        eviction=given.eviction,
        shares=shares_of(settings, 0),
        grace=grace_of(settings),
    )


def disk(settings: Settings, env: Mapping[str, str], world: World) -> Disk | None:
    if not stores_on_disk(settings):
        return None
    given = settings.cache.multi_level.l2
    return Disk(
        store_path(settings, env),
        given.max_size,
        given.max_bytes,
        given.ttl,
        world.wall,
        eviction=given.eviction,
        shares=shares_of(settings, 1),
        grace=grace_of(settings),
    )


def log_of(
    settings: Settings, env: Mapping[str, str], world: World, opened: AsyncExitStack, peers: Path | None
) -> FileLog | None:
    """Beside the store, so that whoever shares one hears of the other; without a store that of the workers of one
    proxy. None: there is nobody to hear of."""
    if stores_on_disk(settings):
        where = store_path(settings, env).parent
    elif peers is not None:
        where = peers
    else:
        return None
    found = FileLog(where / LOG, world.wall)
    try:
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        found.open()
    except OSError as error:
        # Answers that can't be kept on disk are a degradation, and so is this: but several workers need it.
        if settings.listen.workers > 1:
            raise ConfigError([Problem(("listen", "workers"), str(error))]) from error
        log.warning("%s: other processes on this store do not hear of invalidations", error)
        return None
    opened.callback(found.close)
    return found


def watch_of(storage: Storage, settings: Settings, invalidator: Invalidator, world: World) -> Watch | None:
    """Notices changes of files; None where no entry may depend on any."""
    given = settings.cache.invalidation
    if not (given.files and given.watch and given.enable_dependencies):
        return None

    async def changed(moved: Mapping[str, Any]) -> None:
        await invalidator.files_changed(moved)

    return Watch(storage.depending.files, changed, world.sleep)
