"""What the scripts do is tested where they are used; here, what they must not do."""

from __future__ import annotations

import re

import pytest

from cache.entry import OVERHEAD
from cache.redis_asking import Script
from cache.redis_index import PUT, READ, SIFT
from cache.redis_level import RedisLevel
from tests.cache.contract import Clock, entry_of, key_of
from tests.redis_server import Server, connected, new_prefix, redis_for_all

__all__ = ["redis_for_all"]  # fixtures


@pytest.mark.parametrize("script", [PUT, READ, SIFT])
def test_scripts_touch_only_names_of_their_bucket(script: Script) -> None:
    """A script that made names of another slot would fail in a cluster, and only there."""
    made = re.findall(r"redis\.p?call\('([A-Z]+)', ([^,)]+)", script.text)
    known = {"base", "name", "key", "set", "order"}
    assert {first.strip().split(" ")[0] for verb, first in made} <= known, made
    assert not re.search(r"redis\.call\('(KEYS|SCAN|FLUSHALL|FLUSHDB)'", script.text)


async def test_the_index_says_what_is_there(redis: Server) -> None:
    """After any mixture of puts, replacements, reads, removals."""
    clock = Clock()
    async with connected(redis.url) as client:
        for eviction in ("lru", "lfu", "fifo", "ttl"):
            level = RedisLevel(
                client,
                new_prefix(),
                100.0,
                clock,
                max_size=7,
                max_bytes=9 * OVERHEAD,
                eviction=eviction,  # type: ignore[arg-type]
            )
            for number in range(25):
                await level.put(entry_of(number * 7 % 11, clock, body=b"x" * (number * 37 % 800), ttl=1 + number % 90))
                await level.get(key_of(number % 5))
                if number % 9 == 0:
                    await level.delete(key_of(number % 11))
                base = level._names.base(0)
                there = {name.removeprefix(f"{base}e:") for name in redis.names(f"{base}e:*")}
                stats = level.stats()
                assert stats["entries"] == len(there) <= 7
                found = await level.get_many([bytes.fromhex(name) for name in there])
                assert stats["bytes"] == sum(entry.size for entry in found.values()) <= 9 * OVERHEAD
                for part in ("x", "o"):
                    assert set(redis("ZRANGE", base + part, "0", "-1").split()) == there
                assert set(redis("HKEYS", base + "f").split()) == there
