from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cache.invalidation import Invalidation
from cache.level import Valid, always
from cache.redis_asking import Command, Message, Part, Refused, Run, Unavailable
from cache.redis_client import Connected
from cache.redis_level import RedisLevel
from cache.redis_names import Names
from cache.redis_sweep import AT_ONCE, Sweep
from tests.cache.contract import Clock, entry_of, key_of
from tests.redis_server import Server, connected, new_prefix, redis_for_all

__all__ = ["redis_for_all"]  # fixtures


class Recorded:
    """A client that notes what it is asked; `denied`: what it may not say."""

    cluster = False
    timeout = 1.0
    up = True
    why = ""

    def __init__(self, inner: Connected, denied: str = "") -> None:
        self.asked: list[Command] = []
        self._inner, self._denied = inner, denied

    async def open(self) -> None: ...
    async def close(self) -> None: ...

    async def ask(self, command: Command, valid: Valid = always) -> Any:
        self.asked.append(command)
        return await self._inner.ask(command, valid)

    async def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        self.asked += commands
        return await self._inner.ask_all(commands)

    async def everywhere(self, *words: Part) -> list[Any]:
        self.asked.append(words)
        if words[0] == self._denied:
            raise Refused("denied", "no")
        return await self._inner.everywhere(*words)

    async def scan(self, pattern: str) -> AsyncIterator[list[bytes]]:
        self.asked.append(("SCAN", pattern))
        async for names in self._inner.scan(pattern):
            yield names

    async def listen(self, places: Mapping[str, str], seconds: float) -> list[Message]:
        raise Unavailable

    def stats(self) -> dict[str, int]:
        return {}

    def words(self) -> list[str]:
        return [str(each[0]) for each in self.asked if not isinstance(each, Run)]

    def runs(self) -> list[Run]:
        return [each for each in self.asked if isinstance(each, Run)]


@asynccontextmanager
async def filled(redis: Server, count: int) -> AsyncIterator[tuple[Connected, Names]]:
    clock, prefix = Clock(), new_prefix()
    async with connected(redis.url) as client:
        level = RedisLevel(client, prefix, 100.0, clock)
        for number in range(count):
            tenant, labels = "ab"[number % 2], ("all", f"l{number % 7}")
            assert await level.put(entry_of(number, clock, tenant=tenant, labels=labels, namespace=f"n{number % 3}"))
        yield client, Names(prefix)


async def swept(client: Recorded, names: Names, what: Invalidation) -> set[bytes]:
    sweep = Sweep(client, names, what, lambda bucket, entries, size: None)
    await sweep.run()
    return sweep.gone


async def test_work_is_cut_into_pieces_and_labels_walk_through_no_names(redis: Server) -> None:
    async with filled(redis, 900) as (client, names):
        seen = Recorded(client)
        assert await swept(seen, names, Invalidation("a", labels=("all",))) == {key_of(n) for n in range(0, 900, 2)}
        assert "SCAN" not in seen.words()
        assert seen.words()[0] == "DEL", "first of all, puts on their way are overtaken"
        assert 450 / AT_ONCE <= len(seen.runs()) <= 20
        assert max(len(run.keys) for run in seen.runs()) <= AT_ONCE
        again = Recorded(client)
        assert await swept(again, names, Invalidation("a", labels=("all",))) == set()
        assert again.runs() == [], "who is gone is not in the set any more; others' are not touched"
        assert len(await swept(Recorded(client), names, Invalidation("b", labels=("all",)))) == 450


async def test_names_are_walked_through_where_labels_are_not_to_be_relied_on(redis: Server) -> None:
    async with filled(redis, 20) as (client, names):
        redis("DEL", *redis.names(f"{names.base(0)}l:*"))
        assert await swept(Recorded(client), names, Invalidation(labels=("l3",))) == set(), "nothing was ever evicted"
        seen = Recorded(client, denied="INFO")
        assert await swept(seen, names, Invalidation(labels=("l3",))) == {key_of(3), key_of(10), key_of(17)}
        assert seen.words()[-1] == "SCAN"


async def test_keys_alone_take_one_round_trip(redis: Server) -> None:
    async with filled(redis, 5) as (client, names):
        seen = Recorded(client)
        assert await swept(seen, names, Invalidation("b", keys=(key_of(1), key_of(2), key_of(77)))) == {key_of(1)}
        assert len(seen.asked) == 1


async def test_keys_labels_and_namespaces_together(redis: Server) -> None:
    async with filled(redis, 21) as (client, names):
        what = Invalidation("a", keys=(key_of(2), key_of(3)), labels=("l1",), namespaces=("n0",))
        expected = {n for n in range(0, 21, 2) if n == 2 or n % 7 == 1 or n % 3 == 0}
        assert await swept(Recorded(client), names, what) == {key_of(n) for n in expected}
        what = Invalidation("b", keys=(key_of(2), key_of(3)), labels=("l1",))
        assert await swept(Recorded(client), names, what) == {key_of(1), key_of(3), key_of(15)}


async def test_some(redis: Server) -> None:
    async with filled(redis, 900) as (client, names):
        sweep = Sweep(Recorded(client), names, Invalidation(everything=True), lambda bucket, entries, size: None)
        await sweep.some()
        assert 0 < len(sweep.gone) <= AT_ONCE


async def test_a_set_of_labels_that_is_none_is_told(redis: Server) -> None:
    async with filled(redis, 3) as (client, names):
        for name in redis.names(f"{names.base(0)}l:*"):
            redis("DEL", name)
            redis("SET", name, "x")
        with pytest.raises(Refused):
            await swept(Recorded(client), names, Invalidation(labels=("all",)))
