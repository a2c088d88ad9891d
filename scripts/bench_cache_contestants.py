"""Ways to keep entries, ours and bare ones, for the benchmark of latency. What is bare keeps the body alone."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from bench_cache_server import redis_server
from cachetools import TLRUCache

from adapters.tasks import Tasks
from cache.disk import Disk
from cache.disk_schema import PRAGMAS
from cache.entry import Entry
from cache.memory import Memory
from cache.tiers import Tiers

with suppress(ImportError):
    import diskcache
try:
    import redis.asyncio
    from cache.redis_client import connect
    from cache.redis_level import RedisLevel
except ImportError as error:
    NO_REDIS = str(error)
else:
    NO_REDIS = ""

HELD = 1_000
"""Entries that lie there when it begins; as many as go into memory, so that each put there drops one."""

ROOM = 1 << 31
LIFE = 3600.0
CLOCK = time.time  # noqa: TID251 - each benchmark is a program of its own


class Contestant(NamedTuple):
    """What `get` and `put` give is awaited where it `waits`."""

    name: str
    get: Callable[[bytes], Any]
    put: Callable[[Entry], Any]
    waits: bool = False
    yardstick: bool = False
    ours: bool = False


class Absent(NamedTuple):
    """Who can't take part, and why."""

    name: str
    why: str


async def memories(_: AsyncExitStack) -> list[Contestant | Absent]:
    kept: dict[bytes, bytes] = {}
    timed: TLRUCache[bytes, tuple[float, bytes]] = TLRUCache(
        HELD, lambda _, value, now: min(now + LIFE, value[0]), CLOCK
    )
    ours = Memory(HELD, ROOM, LIFE, CLOCK)
    tiers = Tiers(Memory(HELD, ROOM, LIFE, CLOCK), None)

    def nothing(_: object) -> None:
        return None

    return [
        Contestant("(the timer)", nothing, nothing),
        Contestant("dict", kept.get, lambda entry: kept.__setitem__(entry.key, entry.body)),
        Contestant(
            "cachetools.TLRUCache",
            timed.get,
            lambda entry: timed.__setitem__(entry.key, (entry.expires_at, entry.body)),
            yardstick=True,
        ),
        Contestant("Memory", ours.get, ours.put, ours=True),
        Contestant("Tiers of it", tiers.get, tiers.put, waits=True, ours=True),
    ]


async def disks(stack: AsyncExitStack) -> list[Contestant | Absent]:
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="warmgate-bench-")))
    ours, below = (Disk(folder / f"{name}.sqlite", 10**6, ROOM, LIFE, CLOCK, patience=60.0) for name in ("l2", "tiers"))
    for disk in (ours, below):
        await disk.open()
        stack.push_async_callback(disk.close)
    tiers = Tiers(None, below)
    pool = stack.enter_context(ThreadPoolExecutor(1))
    loop = asyncio.get_running_loop()
    bare, there = (_Rows(folder / f"{name}.sqlite") for name in ("bare", "thread"))
    stack.callback(bare.close)
    stack.callback(there.close)

    def get(key: bytes) -> asyncio.Future[Any]:
        return loop.run_in_executor(pool, there.get, key)

    def put(entry: Entry) -> asyncio.Future[Any]:
        return loop.run_in_executor(pool, there.put, entry)

    return [
        Contestant("sqlite3", bare.get, bare.put),
        Contestant("sqlite3 in a thread", get, put, waits=True, yardstick=True),
        Contestant("Disk", ours.get, ours.put, waits=True, ours=True),
        Contestant("Tiers of it", tiers.get, tiers.put, waits=True, ours=True),
        _diskcache(stack, folder),
    ]


class _Rows:
    """SQLite with our pragmas and nothing else: one table, one row a key, one transaction a put."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for name, value in PRAGMAS:
            self._connection.execute(f"PRAGMA {name} = {value}").fetchall()
        self._connection.execute("CREATE TABLE entries (key BLOB PRIMARY KEY, expires_at REAL, body BLOB)")

    def get(self, key: bytes) -> Any:
        statement = "SELECT body FROM entries WHERE key = ? AND expires_at > ?"
        return self._connection.execute(statement, (key, CLOCK())).fetchone()

    def put(self, entry: Entry) -> None:
        values = (entry.key, entry.expires_at, entry.body)
        self._connection.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", values)

    def close(self) -> None:
        self._connection.close()


def _diskcache(stack: AsyncExitStack, folder: Path) -> Contestant | Absent:
    if "diskcache" not in globals():
        return Absent("diskcache", "not installed: pip install diskcache")
    theirs = stack.enter_context(closing(diskcache.Cache(str(folder / "diskcache"), size_limit=ROOM)))
    return Contestant("diskcache", theirs.get, lambda entry: theirs.set(entry.key, entry.body, expire=LIFE))


async def redises(stack: AsyncExitStack) -> list[Contestant | Absent]:
    if NO_REDIS:
        return [Absent("redis", NO_REDIS)]
    url = stack.enter_context(redis_server())
    if url is None:
        return [Absent("redis", "there is no redis-server on the PATH")]
    bare = redis.asyncio.Redis.from_url(url)
    stack.push_async_callback(bare.aclose)
    tasks = Tasks()
    stack.push_async_callback(tasks.drain, 5.0)

    async def level(prefix: str, **more: Any) -> RedisLevel:
        client = connect(url, tasks=tasks, clock=time.monotonic, timeout=30.0)
        made = RedisLevel(client, prefix, LIFE, CLOCK, **more)
        await made.open()
        stack.push_async_callback(made.close)
        return made

    async def put(entry: Entry) -> None:
        await bare.set(b"bare:" + entry.key, entry.body, px=int(LIFE * 1000))

    plain, within = await level("plain"), await level("lru", max_size=10**6)
    tiers = Tiers(None, None, await level("tiers"), clock=CLOCK)
    return [
        Contestant("redis.asyncio", lambda key: bare.get(b"bare:" + key), put, waits=True, yardstick=True),
        Contestant("RedisLevel", plain.get, plain.put, waits=True, ours=True),
        Contestant("RedisLevel, lru", within.get, within.put, waits=True, ours=True),
        Contestant("Tiers of the first", tiers.get, tiers.put, waits=True, ours=True),
    ]
