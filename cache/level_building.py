"""The levels that a program's configuration describes."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple
from weakref import finalize

from adapters.tasks import Tasks
from adapters.vocabulary import Clock
from cache.disk import Disk
from cache.invalidation_log import FileLog
from cache.level import Eviction, Level
from cache.level_config import CacheLevelConfig, EvictionPolicy
from cache.memory import Memory
from cache.shared_level import shared_level

MEMORY_BYTES, DISK_BYTES = 64 * 1024 * 1024, 1024 * 1024 * 1024

LOG = ".invalidations"
"""Added to the name of the second level's file: what the processes that use it tell each other."""


class Built(NamedTuple):
    l1: Memory | None
    l2: Disk | None
    l3: Level | None
    log: FileLog | None


def built(
    l1: CacheLevelConfig | None,
    l2: CacheLevelConfig | None,
    l3: CacheLevelConfig | None,
    *,
    clock: Clock,
    tasks: Tasks,
    grace: float,
    owner: object,
) -> Built:
    """Nothing is opened yet. A temporary file goes with `owner` at the latest. Raises ValueError, ImportError."""
    if l3 is not None and l3.url is None:
        raise ValueError("the third level needs a url")
    memory = disk = log = None
    if l1 is not None:
        room = l1.max_bytes or MEMORY_BYTES
        shares = l1.namespaces
        memory = Memory(l1.max_size, room, l1.ttl, clock, eviction=_order(l1), shares=shares, grace=grace)
    if l2 is not None:
        path = l2.path
        if path is None:
            path = _temporary(owner)
        else:
            log = FileLog(path.with_name(path.name + LOG), clock)
        room = l2.max_bytes or DISK_BYTES
        disk = Disk(path, l2.max_size, room, l2.ttl, clock, eviction=_order(l2), shares=l2.namespaces, grace=grace)
    return Built(memory, disk, _shared(l3, clock, tasks, grace), log)


def _shared(config: CacheLevelConfig | None, clock: Clock, tasks: Tasks, grace: float) -> Level | None:
    if config is None or config.url is None:
        return None
    return shared_level(
        config.url,
        prefix=config.prefix,
        ttl=config.ttl,
        max_size=config.max_size,
        max_bytes=config.max_bytes,
        eviction=_order(config),
        clock=clock,
        tasks=tasks,
        grace=grace,
    )


def _temporary(owner: object) -> Path:
    directory = tempfile.mkdtemp(prefix="warmgate-")
    finalize(owner, shutil.rmtree, directory, True)
    return Path(directory) / "cache.db"


def _order(config: CacheLevelConfig) -> Eviction:
    return EvictionPolicy(config.eviction_policy).value
