from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from adapters.tasks import Tasks
from cache import redis_leases
from cache.redis_leases import UNASKED, RedisLeases
from tests.fakes import until
from tests.redis_server import Server, cluster_for_all, connected, new_prefix, redis_for_all, server

__all__ = ["cluster_for_all", "redis_for_all"]  # fixtures


@asynccontextmanager
async def replica(redis: Server, prefix: str, *, cluster: bool = False) -> AsyncIterator[RedisLeases]:
    tasks = Tasks()
    async with connected(redis.url, cluster=cluster) as client:
        try:
            yield RedisLeases(client, prefix, tasks)
        finally:
            await tasks.drain(0)


@pytest.fixture(name="own")
def _own() -> Iterator[Server]:
    with server() as started:
        yield started


async def waiting(leases: RedisLeases) -> None:
    await until(lambda: leases._listening)


@pytest.mark.parametrize("kind", ["plain", "cluster"])
async def test_one_of_two_has_it_and_the_other_is_woken(redis: Server, cluster: Server, kind: str) -> None:
    node, prefix = {"plain": redis, "cluster": cluster}[kind], new_prefix()
    async with (
        replica(node, prefix, cluster=kind == "cluster") as first,
        replica(node, prefix, cluster=kind == "cluster") as second,
    ):
        tokens = await asyncio.gather(first.acquire(b"\x00k", 3600), second.acquire(b"\x00k", 3600))
        assert sorted(token is None for token in tokens) == [False, True]
        (holder, token), loser = ((first, tokens[0]), second) if tokens[0] else ((second, tokens[1]), first)
        assert token is not None
        late = [asyncio.ensure_future(loser.ended(b"\x00k", 3600)) for _ in range(5)]
        other = asyncio.ensure_future(loser.ended(b"other", 3600))
        assert await other, "nobody has that"
        await waiting(loser)
        assert not any(task.done() for task in late)
        await holder.release(b"\x00k", token)
        assert await asyncio.gather(*late) == [True] * 5
        assert await loser.acquire(b"\x00k", 3600) is not None


async def test_they_are_woken_by_a_message_and_not_by_looking(redis: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_leases, "RECHECK", 3600.0)
    prefix = new_prefix()
    async with replica(redis, prefix) as first, replica(redis, prefix) as second:
        for _ in range(3):
            token = await first.acquire(b"k", 3600)
            assert token is not None
            late = [asyncio.ensure_future(second.ended(b"k", 3600)) for _ in range(20)]
            await waiting(second)
            await first.release(b"k", token)
            assert all(await asyncio.gather(*late))


async def test_one_that_gives_back_anothers_changes_nothing(redis: Server) -> None:
    async with replica(redis, new_prefix()) as leases:
        token = await leases.acquire(b"k", 3600)
        assert token is not None
        await leases.release(b"k", b"not that")
        assert await leases.acquire(b"k", 1) is None
        assert not await leases.ended(b"k", 0.01)
        await leases.release(b"k", token)
        await leases.release(b"k", token)
        assert await leases.ended(b"k", 3600)


async def test_a_holder_that_dies_is_waited_for_until_its_lease_ends(redis: Server) -> None:
    prefix = new_prefix()
    async with replica(redis, prefix) as first, replica(redis, prefix) as second:
        token = await first.acquire(b"k", 0.2)
        assert token is not None
        assert await second.ended(b"k", 3600)
        taken = await second.acquire(b"k", 3600)
        assert taken is not None
        await first.release(b"k", token)  # it was not dead, but late
        assert await first.acquire(b"k", 3600) is None, "what another has by now stays as it is"


async def test_asking_twice_because_an_answer_was_lost_is_asking_once(redis: Server) -> None:
    async with connected(redis.url) as client:
        leases = RedisLeases(client, new_prefix(), Tasks(), lambda: b"mine")
        assert await leases.acquire(b"k", 3600) == b"mine"
        assert await leases.acquire(b"k", 3600) == b"mine"


async def test_a_waiter_that_goes_away_leaves_nothing(redis: Server) -> None:
    prefix = new_prefix()
    async with replica(redis, prefix) as first, replica(redis, prefix) as second:
        token = await first.acquire(b"k", 3600)
        assert token is not None
        one, other = (asyncio.ensure_future(second.ended(b"k", 3600)) for _ in range(2))
        await waiting(second)
        one.cancel()
        await asyncio.wait([one])
        await first.release(b"k", token)
        assert await other
        assert not second._waiting
        await until(lambda: not second._listening)


async def test_where_nobody_can_be_asked_everybody_goes_ahead(own: Server) -> None:
    async with replica(own, new_prefix()) as leases:
        token = await leases.acquire(b"k", 3600)
        assert token is not None
        late = asyncio.ensure_future(leases.ended(b"k", 3600))
        await waiting(leases)
        own.kill()
        assert await late
        assert await leases.acquire(b"k", 3600) == UNASKED
        assert await leases.ended(b"k", 3600)
        await leases.release(b"k", UNASKED)
        await leases.release(b"k", token)


async def test_a_full_redis_gives_back_leases_all_the_same(own: Server) -> None:
    async with replica(own, new_prefix()) as leases:
        token = await leases.acquire(b"k", 3600)
        assert token is not None
        late = asyncio.ensure_future(leases.ended(b"k", 3600))
        await waiting(leases)
        own("CONFIG", "SET", "maxmemory", "1")
        await leases.release(b"k", token)
        assert await late, "found by looking"
        assert await leases.acquire(b"k", 3600) == UNASKED
