"""The fake that other tests stand on promises what real levels promise."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cache.level import Level
from tests.cache.contract import Clock, Contract, entry_of, key_of
from tests.cache.scripted_level import ScriptedLevel


class TestScriptedLevel(Contract):
    @asynccontextmanager
    async def level(
        self, clock: Clock, max_size: int = 10, max_bytes: int = 1 << 20, ttl: float = 100.0
    ) -> AsyncIterator[ScriptedLevel]:
        level: Level = ScriptedLevel("l2", ttl, clock, max_size=max_size, max_bytes=max_bytes)
        assert isinstance(level, ScriptedLevel)
        yield level


async def test_a_write_that_was_overtaken_and_one_that_is_only_to_be_new() -> None:
    clock = Clock()
    level = ScriptedLevel("l2", 100, clock)
    assert await level.put(entry_of(1, clock), lambda: False) is False
    assert not level.might_have(key_of(1))
    assert await level.put(entry_of(1, clock, body=b"old")) is True
    assert await level.put(entry_of(1, clock, body=b"new"), only_new=True) is True
    found = await level.look(key_of(1))
    assert found is not None
    assert found.body == b"old"
    level.failing = {"get", "put", "invalidate"}
    assert await level.get(key_of(1)) is None
