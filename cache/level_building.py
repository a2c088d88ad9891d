"""The levels that a program's configuration describes."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from weakref import finalize

from adapters.vocabulary import Clock
from cache.disk import Disk
from cache.invalidation_log import FileLog
from cache.level_config import CacheLevelConfig
from cache.memory import Memory

MEMORY_BYTES, DISK_BYTES = 64 * 1024 * 1024, 1024 * 1024 * 1024

LOG = ".invalidations"
"""Added to the name of the second level's file: what the processes that use it tell each other."""


def memory_of(config: CacheLevelConfig | None, clock: Clock) -> Memory | None:
    if config is None:
        return None
    room, shares = config.max_bytes or MEMORY_BYTES, config.namespaces
    return Memory(config.max_size, room, config.ttl, clock, eviction=config.order, shares=shares)


def disk_of(config: CacheLevelConfig | None, clock: Clock, owner: object) -> tuple[Disk | None, FileLog | None]:
    """With the log of those who share its file, if that is to last. Nothing is opened yet. A temporary file goes with
    `owner` at the latest."""
    if config is None:
        return None, None
    log = None if config.path is None else FileLog(config.path.with_name(config.path.name + LOG), clock)
    path = _temporary(owner) if config.path is None else config.path
    room, shares = config.max_bytes or DISK_BYTES, config.namespaces
    return Disk(path, config.max_size, room, config.ttl, clock, eviction=config.order, shares=shares), log


def _temporary(owner: object) -> Path:
    directory = tempfile.mkdtemp(prefix="warmgate-")
    finalize(owner, shutil.rmtree, directory, True)
    return Path(directory) / "cache.db"
