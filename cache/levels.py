"""The levels for programs that keep their own results in them, without the proxy.

    async with MultiLevelCache(CacheLevelConfig(1000, 300), CacheLevelConfig(10_000, 3600)) as cache:
        await cache.set("weather:paris", {"degrees": 21}, namespace="tool", tags=("weather",))
        await cache.get("weather:paris", namespace="tool")

Under the same tenant these are the values that the proxy serves at `/cache/v1`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from types import TracebackType
from typing import Any

from adapters.tasks import Tasks
from adapters.vocabulary import Clock, Sleep
from cache.adaptive import Adaptive
from cache.dependencies import Dependencies, Missing
from cache.depending import Depending
from cache.entry import Entry
from cache.files import Changed, Files
from cache.invalidation import Invalidation
from cache.invalidator import Hearing, Invalidator
from cache.level_building import disk_of, memory_of
from cache.level_config import CacheLevelConfig, EvictionPolicy, WritePolicy, known_policy, seconds
from cache.loading import Loading
from cache.replicas import Nobody
from cache.shared_level import Shared, shared_level
from cache.sizing import Sizing
from cache.tallies import Tallies, rate
from cache.tiers import Options, Tiers
from cache.value_entry import empty, filled, named, value_of
from cache.value_key import value_key

__all__ = ["CacheLevelConfig", "EvictionPolicy", "MultiLevelCache", "WritePolicy"]

DRAIN = 5.0
"""Seconds that work in the background has to end."""

_NOTHING = object()


class MultiLevelCache:
    """Values are bytes, texts, and what JSON can say; each comes back as its kind. Use it between `open` and `close`,
    or with `async with`.

    Removing raises OSError where a level could not do it, or another process did not confirm: then what is known is not
    served, and it should be tried again. Processes that share a file or a server hear of each other's removals; one
    that can't reach the server for a minute may have missed some, and finds nothing until it can, unless it was said to
    be `alone`.
    """

    def __init__(
        self,
        l1_config: CacheLevelConfig | None = CacheLevelConfig(),  # noqa: B008 - frozen
        l2_config: CacheLevelConfig | None = None,
        l3_config: CacheLevelConfig | None = None,
        write_policy: WritePolicy | str = WritePolicy.WRITE_THROUGH,
        *,
        tenant: str = "local",
        flush_interval: float = 5.0,
        promote_after: int = 3,
        adaptive: Sizing | None = None,
        dependencies: Dependencies | None = None,
        roots: list[str] | None = None,
        alone: bool = False,
        clock: Clock = time.time,  # noqa: TID251 - for a program that uses it, this is where proxy/app.py is otherwise
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """A level of None is left out. `flush_interval`: seconds. `promote_after`: reads below until an entry moves up.
        `adaptive`: the first level takes the size it needs. `roots`: directories below which files may be depended on,
        None for any. `alone`: no other process uses the server. `clock`: wall-clock seconds. Raises ValueError for what
        makes no sense, ImportError where a third level is asked for without the library for it."""
        policy = known_policy(write_policy)
        if policy is WritePolicy.WRITE_AROUND and l2_config is None and l3_config is None:
            raise ValueError("write_around goes past the first level, and there is no other")
        self.tenant, self.clock = tenant, clock
        self._tasks, self._sleep, self._policy = Tasks(), sleep, policy
        l1 = memory_of(l1_config, clock)
        l2, self._log = disk_of(l2_config, clock, self)
        shared = Shared()
        if l3_config is not None:
            beside, ears = l2_config.path if l2_config is not None else None, None if alone else self
            shared = shared_level(l3_config, clock=clock, tasks=self._tasks, ears=ears, beside=beside)
        self._replicas = shared.replicas
        options = Options(policy.value, flush_interval, promote_after)
        tasks, log, replicas = self._tasks, self._log, shared.replicas
        self.tiers = Tiers(l1, l2, shared.level, options, clock=clock, log=log, replicas=replicas, tasks=tasks)
        needs, files = dependencies or Dependencies(), Files(clock, roots)
        self.depending = Depending(needs, files)
        self.invalidator = Invalidator(self.tiers, None, replicas or Nobody(), needs, files)
        self._hearing = Hearing(self.tiers, None, needs)
        self._adaptive = Adaptive(l1, adaptive, clock) if l1 is not None and adaptive is not None else None
        self._loading = Loading(self._tasks)
        self._tallies = Tallies()

    async def open(self) -> None:
        """Raises OSError where a file beside the second level can't be opened."""
        if self._log is not None:
            self._log.open()
        await self.tiers.open()
        if self._replicas is not None:
            await self._replicas.open(self._tasks, self._sleep)
        if self._policy is WritePolicy.WRITE_BACK:
            self._tasks.spawn(self.tiers.flush_for_ever(self._sleep), endless=True)
        if self._adaptive is not None:
            self._tasks.spawn(self._adaptive.adjust_for_ever(self._sleep), endless=True)

    async def close(self) -> None:
        """Writes down what is newer in memory."""
        await self.tiers.flush()
        if self._replicas is not None:
            await self._replicas.close()
        await self._tasks.drain(DRAIN)
        await self.tiers.close()
        if self._log is not None:
            self._log.close()

    async def __aenter__(self) -> MultiLevelCache:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def hear(self, what: Invalidation) -> None:
        """Another process has invalidated it (`cache.shared_level.Ears`)."""
        await self._hearing(what)

    async def sweep(self, what: Invalidation) -> bool:
        return await self.tiers.sweep(what)

    # Values

    async def get(self, key: str, namespace: str = "default", default: Any = None, *, tenant: str | None = None) -> Any:
        entry = await self._entry(value_key(self._whose(tenant), namespace, key), namespace)
        return default if entry is None else value_of(entry)

    async def set(
        self,
        key: str,
        value: Any,
        namespace: str = "default",
        ttl: float | None = None,
        tags: Iterable[str] = (),
        depends: Iterable[str] = (),
        *,
        tenant: str | None = None,
        since: int | None = None,
    ) -> bool:
        """Whether it is kept, as the write policy says. `ttl`: seconds, at most those of the levels. `depends`: what it
        was made from, `file:/absolute/path`, `entry:NAMESPACE/KEY`, or a name; not kept where one of them is not there
        or has changed. `since`: `tiers.mark()` from before it was made, so that it is not kept where one of them was
        invalidated meanwhile. Raises TypeError for a value of another kind, ValueError for a wrong `ttl`, tag or
        dependency."""
        since = self.tiers.mark() if since is None else since
        lasts = self._lasts(namespace, ttl)
        entry = await self._begun(empty(self._whose(tenant), namespace, key), tags, depends)
        return entry is not None and await self.tiers.put(filled(entry, value, self.clock(), lasts), since)

    async def get_or_load(
        self,
        key: str,
        loader: Callable[[], Awaitable[Any]],
        namespace: str = "default",
        ttl: float | None = None,
        tags: Iterable[str] = (),
        depends: Iterable[str] = (),
        *,
        tenant: str | None = None,
    ) -> Any:
        """The value, which `loader` makes where there is none: once for all who want it at the same time, in a task of
        its own. Raises what it raises."""
        found = await self.get(key, namespace, _NOTHING, tenant=tenant)
        if found is not _NOTHING:
            return found
        since, lasts = self.tiers.mark(), self._lasts(namespace, ttl)
        blank = empty(self._whose(tenant), namespace, key)
        entry = await self._begun(blank, tags, depends)

        async def make() -> Any:
            value = await loader()
            if entry is not None:
                await self.tiers.put(filled(entry, value, self.clock(), lasts), since)
            return value

        return await self._loading(blank.key, make, lambda: self.tiers.overtaken(entry or blank, since))

    async def delete(self, key: str, namespace: str = "default", *, tenant: str | None = None) -> bool:
        """Whether there was one. What depends on it goes as well."""
        own = value_key(self._whose(tenant), namespace, key)
        there = await self.tiers.look(own) is not None
        await self._gone(Invalidation(keys=(own,)), tenant)
        return there

    async def clear_namespace(self, namespace: str, *, tenant: str | None = None) -> int:
        """How many entries went."""
        return await self._gone(Invalidation(namespaces=(namespace,)), tenant)

    async def clear(self, *, tenant: str | None = None) -> int:
        """Everything of the tenant: how many entries went."""
        return await self._gone(Invalidation(everything=True), tenant)

    async def flush(self) -> int:
        """Writes down what is newer in memory: how many entries."""
        return await self.tiers.flush()

    # How it does

    def get_stats(self) -> dict[str, Any]:
        """`l1`, `l2`, `l3` as far as there are, each with its `hit_rate`; `combined_hit_rate`, `write_policy`, and
        `namespaces` with the figures of each, and of each by level. Rates are parts of 1."""
        told: dict[str, Any] = {}
        for name, figures in self.tiers.stats().items():
            told[name] = {**figures, "hit_rate": rate(figures["hits"], figures["misses"])}
        tallies, within = self._tallies, self._tallies.namespaces()
        for level, namespaces in self.tiers.namespaces().items():
            for name, counts in namespaces.items():
                within.setdefault(name, {"hits": 0, "misses": 0, "hit_rate": 0.0})[level] = counts
        told |= {"hits": tallies.hits, "misses": tallies.misses, "combined_hit_rate": tallies.hit_rate}
        told |= {"write_policy": self._policy.value, "namespaces": within}
        return told | ({"adaptive": self._adaptive.stats()} if self._adaptive is not None else {})

    # Entries

    def _whose(self, tenant: str | None) -> str:
        return self.tenant if tenant is None else tenant

    def _lasts(self, namespace: str, ttl: float | None) -> float:
        longest = self.tiers.ttl_of(namespace)
        return longest if ttl is None else min(seconds(ttl, "ttl"), longest)

    async def _entry(self, key: bytes, namespace: str) -> Entry | None:
        entry = self.tiers.peek(key)
        if entry is None and (found := await self.tiers.get(key)) is not None:
            entry = found[0]
        if entry is not None and not self.depending.current(entry):
            await self.tiers.delete(key)  # a file has changed on which it depends
            entry = None
        self._tallies.count(namespace, hit=entry is not None)
        return entry

    async def _look(self, key: bytes) -> Entry | None:
        found = await self.tiers.look(key)
        return found[0] if found is not None and self.depending.current(found[0]) else None

    async def _begun(self, entry: Entry, tags: Iterable[str], depends: Iterable[str]) -> Entry | None:
        """With its labels; None where what it depends on is not there, or has changed."""
        given = named(tags, depends, entry.tenant)
        try:
            labels = await self.depending.labels_for(given, entry.tenant, self._look, entry.key)
        except (Missing, Changed):
            return None
        return replace(entry, labels=labels)

    async def _gone(self, what: Invalidation, tenant: str | None) -> int:
        outcome = await self.invalidator.invalidate(what._replace(tenant=self._whose(tenant)))
        if outcome.failed or not outcome.reached.complete:
            why = outcome.reached.why or ", ".join(outcome.reached.missing)
            raise OSError(f"not removed everywhere: {why or 'a level failed'}; try again")
        return outcome.removed
