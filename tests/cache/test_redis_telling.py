"""With others it is tested in `test_redis_replicas`; here, with nobody who reads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

import pytest

from cache.invalidation import Invalidation
from cache.redis_client import Connected
from cache.redis_members import Members
from cache.redis_stream import BEAT, CONFIRM
from cache.redis_telling import Telling
from cache.replicas import Reached
from tests.fakes import until
from tests.redis_server import PATIENT, Server, connected, new_prefix, redis_for_all, server

__all__ = ["redis_for_all"]  # fixtures

X = Invalidation(labels=("x",))


@pytest.fixture
def base() -> str:
    return f"{{{new_prefix()}#r}}:"


def telling(client: Connected, base: str, sweep: Callable[[Invalidation], Awaitable[object]] | None = None) -> Telling:
    members = Members("me", monotonic)
    return Telling(client, base, "me", members, patience=PATIENT, keep=10, sweep=sweep, make_room=None)


async def test_a_confirmation_whose_message_was_lost_is_found_by_looking(redis: Server, base: str) -> None:
    async with connected(redis.url) as client:
        keys = [base + "s"]
        await client.ask(BEAT.of(keys, base, "other", 3_600_000, 10))
        (joined,) = await client.listen({base + "s": "0-0"}, PATIENT)
        publishing = asyncio.ensure_future(telling(client, base).publish(X))
        (message,) = await client.listen({base + "s": joined.id}, PATIENT)
        await client.ask(CONFIRM.of(keys, base, "other", message.id))
        assert await publishing == Reached(True)


async def test_it_owes_what_it_could_say_and_not_what_is_refused(base: str) -> None:
    with server() as own:
        async with connected(own.url, retry_after=0.0) as client:
            one = telling(client, base)
            for count in (1, 2):
                own.kill()
                assert not (await one.publish(X._replace(tenant=str(count)))).complete
                assert (one.owes, len(one)) == (True, count)
                own.start()
                own("CONFIG", "SET", "maxmemory", "1")
                await until(lambda: client.up)
                await one.say_unsaid()
                assert (one.owes, len(one)) == (False, count)
                assert "(full)" in (await one.publish(X._replace(tenant="1"))).why
                assert not one.owes


async def test_completing_goes_on_where_it_was_interrupted(redis: Server, base: str) -> None:
    swept = []

    async def sweep(what: Invalidation) -> bool:
        swept.append(what)
        if len(swept) == 1:
            redis("SET", base + "s", "no stream")
        else:
            done.set()
        return True

    async def restore(seconds: float) -> None:
        redis("DEL", base + "s")

    done = asyncio.Event()
    async with connected(redis.url) as client:
        one = telling(client, base, sweep)
        redis("SET", base + "s", "no stream")
        assert not (await one.publish(X)).complete
        await one.say_unsaid()
        assert len(one) == 1
        redis("DEL", base + "s")
        await one.say_unsaid()
        loop = asyncio.ensure_future(one.complete_for_ever(restore))
        await done.wait()
        await until(lambda: not len(one))
        assert swept == [X, X]
        loop.cancel()
        await asyncio.wait([loop])
        assert redis("XLEN", base + "s") == "2"
