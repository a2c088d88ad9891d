"""L3 of the settings, and what replicas have in common through it."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from adapters.tasks import Tasks
from cache.invalidation import Invalidation
from cache.leases import Leases
from cache.redis_asking import Client
from cache.redis_leases import RedisLeases
from cache.redis_level import RedisLevel
from cache.redis_place import Place
from cache.redis_replicas import RedisReplicas
from cache.redis_secret import common_secret
from proxy.config import Settings
from proxy.config_problem import ConfigError, Problem, Trail
from proxy.config_rules import redis_url, store_path, stores_on_disk
from proxy.secret import LENGTHS, install_secret, replace_secret
from proxy.storage_values import grace_of, settle_of, shares_of
from proxy.upstreams import World

log = logging.getLogger("warmgate")

L3: Trail = ("cache", "multi_level", "l3")


@dataclass(slots=True)
class Shared:
    """What replicas have in common."""

    client: Client
    level: RedisLevel
    leases: Leases
    replicas: RedisReplicas
    prefix: str


class Hears(Protocol):
    """What is done about an invalidation of another replica, and about one that is complete."""

    async def hear(self, what: Invalidation) -> None: ...
    async def sweep(self, what: Invalidation) -> bool: ...


def redis(settings: Settings, env: Mapping[str, str], world: World, tasks: Tasks, hears: Hears, index: int) -> Shared:
    """Nothing is asked of it yet. `index`: of this worker among those of one store; less than 0 for who serves nothing.
    Raises `ConfigError` where the extra is missing or the address can't be one."""
    given, told = settings.cache.multi_level.l3, settings.cache.invalidation
    try:
        # The library is an extra, and takes its time: it is imported where it is asked for.
        connect = import_module("cache.redis_client").connect
        client: Client = connect(
            redis_url(settings, env),
            tasks=tasks,
            clock=world.clock,
            timeout=given.timeout,
            retry_after=given.retry_after,
            cluster=given.cluster,
        )
    except (ImportError, ValueError) as error:
        raise ConfigError([Problem(L3, str(error))]) from error
    level = _level(settings, client, world)
    path = store_path(settings, env) if stores_on_disk(settings) and index >= 0 else None
    replicas = RedisReplicas(
        client,
        given.prefix,
        f"{socket.gethostname()}-{os.getpid()}",
        hears.hear,
        clock=world.clock,
        lease=told.lease,
        patience=told.patience,
        place=Place(path.with_name(f"heard-{index}")) if path is not None else None,
        fresh=path is None or not path.exists(),
        sweep=hears.sweep,
        make_room=level.make_room,
        recent=settle_of(settings),
    )
    return Shared(client, level, RedisLeases(client, given.prefix, tasks), replicas, given.prefix)


def _level(settings: Settings, client: Client, world: World) -> RedisLevel:
    given = settings.cache.multi_level.l3
    return RedisLevel(
        client,
        given.prefix,
        given.ttl,
        world.wall,
        max_size=given.max_size,
        max_bytes=given.max_bytes,
        eviction=given.eviction,
        shares=shares_of(settings, 2),
        grace=grace_of(settings),
        compress_over=given.compress_over,
    )


async def secret_of(settings: Settings, env: Mapping[str, str], shared: Shared | None) -> bytes:
    """With which credentials become tenants: of this installation, or of all replicas."""
    directory = store_path(settings, env).parent if stores_on_disk(settings) else None
    own = install_secret(directory)
    if shared is None:
        return own
    common = await common_secret(shared.client, shared.prefix, own)
    if common is None:
        log.warning("no replica can be asked for the tenants' secret: until the next start this one may be alone")
        return own
    if common != own and len(common) in LENGTHS:
        replace_secret(directory, common)
    return common if len(common) in LENGTHS else own
