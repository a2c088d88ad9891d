"""The level that processes on several machines share, and what they tell each other, where the library for it is
installed: `redis` is an extra."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple, Protocol

from adapters.tasks import Tasks
from adapters.vocabulary import Clock, Sleep
from cache.invalidation import Invalidation
from cache.level import Level
from cache.level_config import CacheLevelConfig
from cache.replicas import Replicas

try:
    from cache.redis_client import connect
    from cache.redis_level import RedisLevel
    from cache.redis_place import Place
    from cache.redis_replicas import RedisReplicas
except ImportError as error:
    _missing: str | None = str(error)
else:
    _missing = None

HEARD = ".heard"
"""Added to the name of the second level's file: up to where its processes have heard."""


class Telling(Replicas, Protocol):
    """Replicas that have to be joined and left."""

    async def open(self, tasks: Tasks, sleep: Sleep) -> None: ...
    async def close(self) -> None: ...


class Shared(NamedTuple):
    level: Level | None = None
    replicas: Telling | None = None
    """To be opened after the level, and closed before it."""


class Ears(Protocol):
    """Who is told what others invalidated, and asked for the second pass of what was completed late."""

    async def hear(self, what: Invalidation) -> None: ...
    async def sweep(self, what: Invalidation) -> bool: ...


def shared_level(
    config: CacheLevelConfig,
    *,
    clock: Clock,
    tasks: Tasks,
    ears: Ears | None = None,
    beside: Path | None = None,
    name: str = "cache",
    monotonic: Clock = time.monotonic,
) -> Shared:
    """Nothing is asked of the server yet. `ears`: None for a process that uses the server alone. `beside`: the file of
    the second level, where it outlives the process. Raises ImportError without the library, ValueError for a missing
    or wrong address."""
    if config.url is None:
        raise ValueError("the third level needs a url")
    if _missing is not None:
        raise ImportError(_missing)
    client = connect(config.url, tasks=tasks, clock=monotonic)
    level = RedisLevel(
        client,
        config.prefix,
        config.ttl,
        clock,
        max_size=config.max_size,
        max_bytes=config.max_bytes,
        eviction=config.order,
        shares=config.namespaces,
    )
    if ears is None:
        return Shared(level, None)
    place = None if beside is None else Place(beside.with_name(beside.name + HEARD))
    replicas = RedisReplicas(client, config.prefix, name, ears.hear, clock=monotonic, place=place, sweep=ears.sweep)
    return Shared(level, replicas)
