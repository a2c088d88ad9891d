"""The level that replicas share, where the library for it is installed: `redis` is an extra."""

from __future__ import annotations

import time

from adapters.tasks import Tasks
from adapters.vocabulary import Clock
from cache.level import Eviction, Level

try:
    from cache.redis_client import connect
    from cache.redis_level import RedisLevel
except ImportError as error:
    _missing: str | None = str(error)
else:
    _missing = None


def shared_level(
    url: str,
    *,
    prefix: str,
    ttl: float,
    max_size: int | None,
    max_bytes: int | None,
    eviction: Eviction,
    clock: Clock,
    tasks: Tasks,
    grace: float = 0.0,
    monotonic: Clock = time.monotonic,
) -> Level:
    """Nothing is asked of the server yet. Raises ImportError without the library, ValueError for what is no address."""
    if _missing is not None:
        raise ImportError(_missing)
    client = connect(url, tasks=tasks, clock=monotonic)
    return RedisLevel(
        client, prefix, ttl, clock, max_size=max_size, max_bytes=max_bytes, eviction=eviction, grace=grace
    )
