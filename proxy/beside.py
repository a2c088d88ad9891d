"""What the cache does beside answering: asking anew, warming, hearing of others, watching files, finding its size."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from adapters.tasks import Tasks
from cache.adaptive import Adaptive
from cache.budget import Budget
from cache.exact import Exact
from cache.invalidator import Invalidator, Near
from cache.leases import Free
from cache.refresh import Refresh, When
from cache.sizing import Sizing
from proxy.answer_warming import AnswerWarming
from proxy.config import Settings
from proxy.config_file import dump
from proxy.config_rules import store_path, stores_on_disk
from proxy.storage import Storage, watch_of
from proxy.upstreams import World

log = logging.getLogger("warmgate")

CONFIGURATION = "configuration.sha256"
"""Beside L2: of the settings that it was last used with."""

Figures = dict[tuple[str, ...], float]


@dataclass(slots=True)
class Beside:
    storage: Storage
    invalidator: Invalidator
    refresh: Refresh | None
    warming: AnswerWarming | None
    adaptive: Adaptive | None
    configuration: Path | None
    digest: str

    async def open(self, settings: Settings, world: World, tasks: Tasks) -> None:
        """Takes part among replicas and begins what goes on in the background."""
        tiers = self.storage.tiers
        if self.storage.shared is not None:
            await self.storage.shared.replicas.open(tasks, world.sleep)
        if settings.cache.multi_level.write_policy == "write_back":
            tasks.spawn(tiers.flush_for_ever(world.sleep), endless=True)
        watch = watch_of(self.storage, settings, self.invalidator, world)
        if watch is not None:
            tasks.spawn(watch.run(), endless=True)
        if self.adaptive is not None:
            tasks.spawn(self.adaptive.adjust_for_ever(world.sleep), endless=True)
        if self.warming is not None:
            self.warming.open(tasks)
        if self._loaded_anew():
            await self.invalidator.event("config_reloaded", {}, None)

    async def close(self) -> None:
        if self.warming is not None:
            await self.warming.close()
        if self.storage.shared is not None:
            await self.storage.shared.replicas.close()

    def figures(self) -> Figures:
        """For metrics."""
        figures: Figures = {}
        if self.refresh is not None:
            figures |= {("cache_refreshes", why): float(count) for why, count in self.refresh.figures.items()}
            figures["cache_background_dollars", "refresh"] = self.refresh.dollars
        if self.warming is not None:
            figures |= self.warming.figures()
        if self.adaptive is not None:
            told = self.adaptive.stats()
            figures |= {("cache_sizing", what): float(told[what]) for what in ("grown", "shrunk")}
        figures |= {("cache_invalidations", what): float(count) for what, count in self.invalidator.stats().items()}
        return figures

    def _loaded_anew(self) -> bool:
        """Whether this store was used with other settings before."""
        if self.configuration is None:
            return False
        try:
            before = self.configuration.read_text() if self.configuration.exists() else self.digest
            self.configuration.touch(mode=0o600)
            self.configuration.write_text(self.digest)
        except (OSError, UnicodeDecodeError) as error:
            log.warning("%s: %s", self.configuration, error)
            return False
        return before != self.digest


def beside(
    settings: Settings,
    env: Mapping[str, str],
    storage: Storage,
    exact: Exact | None,
    near: Near | None,
    world: World,
    tasks: Tasks,
) -> Beside:
    """Nothing of it has begun yet."""
    warming = None
    if exact is not None and settings.cache.warming.enabled:
        warming = AnswerWarming(storage.tiers, exact, settings, env, world)
    invalidator = storage.invalidator(near, partial(_again, warming) if warming is not None else None)
    where = store_path(settings, env).with_name(CONFIGURATION) if stores_on_disk(settings) else None
    digest = hashlib.sha256(dump(settings).encode()).hexdigest() if where is not None else ""
    refresh = refresh_of(settings, storage, exact, world, tasks) if exact is not None else None
    return Beside(storage, invalidator, refresh, warming, adaptive_of(settings, storage, world), where, digest)


def refresh_of(settings: Settings, storage: Storage, exact: Exact, world: World, tasks: Tasks) -> Refresh | None:
    """None where there is no money for it."""
    given = settings.cache.stale
    if not given.dollars:
        return None
    budget = Budget(given.dollars, world.wall)
    when = When(given.min_hits, given.beta)
    exact.refresh = Refresh(exact.renew, budget, storage.leases or Free(), tasks, world.wall, world.chance, when)
    return exact.refresh


def adaptive_of(settings: Settings, storage: Storage, world: World) -> Adaptive | None:
    given, memory = settings.cache.multi_level.l1.adaptive, storage.tiers.l1
    if not given.enabled or memory is None:
        return None
    return Adaptive(memory, Sizing(given.min_size, given.max_size, given.adjustment_interval), world.wall)


def _again(warming: AnswerWarming, keys: set[bytes]) -> None:
    warming.warmer.rewarm(keys)
