"""The same as `test_tiers_served`, with a real Redis, real files and real logs between two workers of one machine and a
replica on another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random  # noqa: TID251 - seeded
from time import monotonic

import pytest

from adapters.tasks import Tasks
from cache.disk import Disk
from cache.invalidation import Invalidation
from cache.invalidation_log import FileLog
from cache.memory import Memory
from cache.redis_level import RedisLevel
from cache.redis_replicas import RedisReplicas
from cache.replicas import Reached
from cache.tiers import Options, Tiers
from tests.cache.test_tiers_served import FOREVER, World, act
from tests.redis_server import PATIENT, Server, connected, new_prefix, redis_for_all

__all__ = ["redis_for_all"]  # a fixture


class Busy(World):
    """A world in real time, in which everybody pauses for a few turns of the event loop."""

    async def pause(self, *_: object) -> None:
        for _turn in range(self.chance.choice((0, 1, 3, 20))):
            await asyncio.sleep(0)


class Process:
    """A worker: its levels, and how it tells the others."""

    away = False

    def __init__(self, world: World, path: Path, client: object, prefix: str) -> None:
        chance, clock = world.chance, world.time
        self.log = FileLog(path.with_suffix(".log"), monotonic)
        self.tasks = Tasks()
        self.replicas = RedisReplicas(
            client,  # type: ignore[arg-type]
            prefix,
            "process",
            self._hear,
            clock=monotonic,
            patience=PATIENT,
            recent=0.0,
        )
        self.tiers = Tiers(
            Memory(chance.choice((2, 10)), 1 << 20, FOREVER, clock),
            Disk(path, chance.choice((3, 100)), 1 << 20, FOREVER, clock, patience=PATIENT, busy=PATIENT, poll=0.01),
            RedisLevel(client, prefix, 1e6, clock),  # type: ignore[arg-type]
            Options(chance.choice(("write_through", "write_back", "write_around")), promote_after=1),
            clock=clock,
            log=self.log,
            replicas=self.replicas,
            tasks=self.tasks,
        )

    async def _hear(self, what: Invalidation) -> None:
        await self.tiers.hear(what)

    @property
    def trusted(self) -> bool:
        return self.replicas.trusted

    async def publish(self, what: Invalidation) -> Reached:
        return await self.replicas.publish(what)


@asynccontextmanager
async def process(world: World, path: Path, redis: Server, prefix: str) -> AsyncIterator[Process]:
    async with connected(redis.url) as client:
        one = Process(world, path, client, prefix)
        one.log.open()
        await one.tiers.open()
        await one.replicas.open(one.tasks, asyncio.sleep)
        try:
            yield one
        finally:
            await one.replicas.close()
            await one.tasks.drain(PATIENT)
            await one.tiers.close()
            one.log.close()


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_is_served_after_its_invalidation_was_acknowledged(
    seed: int, tmp_path: Path, redis: Server
) -> None:
    world, prefix = Busy(Random(seed)), new_prefix()
    here, there = tmp_path / "here.db", tmp_path / "there.db"
    async with (
        process(world, here, redis, prefix) as one,
        process(world, here, redis, prefix) as two,
        process(world, there, redis, prefix) as three,
    ):
        await asyncio.gather(*[act(world, each.tiers, each) for each in (one, two, three) for _ in range(3)])
    assert world.wrong == []
    assert world.served > 20
    assert world.acknowledged > 2
