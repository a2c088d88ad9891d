from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cache.entry import OVERHEAD
from cache.invalidation import Invalidation
from cache.level import Share
from cache.redis_client import Connected
from cache.redis_level import RedisLevel
from tests.cache.contract import Clock, Contract, entry_of, key_of
from tests.redis_server import Server, cluster_for_all, connected, new_prefix, redis_for_all, server

__all__ = ["cluster_for_all", "redis_for_all"]  # fixtures


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def level_at(redis: Server, clock: Clock, **choices: Any) -> AsyncIterator[RedisLevel]:
    prefix = choices.pop("prefix", None) or new_prefix()
    async with connected(redis.url) as client:
        yield RedisLevel(client, prefix, choices.pop("ttl", 100.0), clock, **choices)


class TestRedisLevel(Contract):
    redis: Server
    is_cluster = False

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _server(cls, redis: Server) -> None:
        cls.redis = redis

    @asynccontextmanager
    async def level(
        self, clock: Clock, max_size: int = 10, max_bytes: int = 1 << 20, ttl: float = 100.0
    ) -> AsyncIterator[RedisLevel]:
        async with connected(self.redis.url, cluster=self.is_cluster) as client:
            yield RedisLevel(
                client, new_prefix(), ttl, clock, max_size=max_size, max_bytes=max_bytes, eviction="ttl", buckets=1
            )

    async def test_an_entry_ends_at_its_own_time_or_that_of_the_level(self) -> None:
        """By the reader's clock, and by the server's, which is not the test's."""
        clock = Clock()
        async with self.level(clock, ttl=50) as level:
            await level.put(entry_of("own", clock, ttl=20))
            await level.put(entry_of("long", clock, ttl=500))
            assert await level.put(entry_of("over", clock, ttl=0)) is False
            left = [await level._client.ask(("PTTL", level._names.entry(key_of(name)))) for name in ("own", "long")]
            assert 10_000 < left[0] <= 20_000 < 40_000 < left[1] <= 50_000
            clock.tick(19.5)
            assert await level.get(key_of("own")) is not None
            clock.tick(0.5)
            assert await level.get(key_of("own")) is None
            clock.tick(29.5)
            assert await level.get(key_of("long")) is not None
            clock.tick(0.5)
            assert await level.get(key_of("long")) is None

    async def test_it_finds_what_an_invalidation_covers(self) -> None:
        clock = Clock()
        async with self.level(clock) as level:
            for number in range(8):
                await level.put(
                    entry_of(
                        number,
                        clock,
                        tenant="ab"[number % 2],
                        namespace="mn"[number // 4],
                        labels=(f"l{number % 3}", "all"),
                    )
                )
            entries = {number: await level.look(key_of(number)) for number in range(8)}
            for what in (
                Invalidation(),
                Invalidation(labels=("l9",)),
                Invalidation(keys=(key_of(1), key_of(9))),
                Invalidation("a", keys=(key_of(2), key_of(3))),
                Invalidation("b", labels=("l2",), namespaces=("n",)),
                Invalidation(labels=("l1",)),
                Invalidation("a", namespaces=("m",)),
                Invalidation("b", everything=True),
                Invalidation(everything=True),
            ):
                covered = {entry.key for entry in entries.values() if entry is not None and what.covers(entry)}
                assert await level.invalidate(what) == covered, what
                entries = {number: await level.look(key_of(number)) for number in range(8)}
                assert not any(entry is not None and what.covers(entry) for entry in entries.values())
            assert entries == dict.fromkeys(range(8))
            assert (level.stats()["entries"], level.stats()["bytes"]) == (0, 0)


class TestRedisLevelInACluster(TestRedisLevel):
    is_cluster = True

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _server(cls, cluster: Server) -> None:
        cls.redis = cluster

    async def test_many_buckets_are_one_level(self) -> None:
        clock = Clock()
        async with connected(self.redis.url, cluster=True) as client:
            level = RedisLevel(client, new_prefix(), 100.0, clock, max_size=320)
            entries = [
                entry_of(n, clock, labels=("even",) if n % 2 == 0 else (), tenant="ab"[n % 2]) for n in range(100)
            ]
            assert all(await asyncio.gather(*map(level.put, entries)))
            assert await level.get_many([entry.key for entry in entries]) == {entry.key: entry for entry in entries}
            even = {entry.key for entry in entries[::2]}
            assert await level.invalidate(Invalidation("b", labels=("even",))) == set()
            assert await level.invalidate(Invalidation("a", labels=("even",))) == even
            assert set(await level.get_many([entry.key for entry in entries])) == {e.key for e in entries[1::2]}
            assert await level.clear() == 50
            assert level.stats()["entries"] == 0


# -- what is kept, and how ---------------------------------------------------------------------------------------------


async def test_another_level_of_the_same_prefix_has_it_and_one_of_another_has_not(redis: Server, clock: Clock) -> None:
    entry = entry_of(1, clock, body=b"word " * 8000, labels=("doc:1",), took=1.5)
    prefix = new_prefix()
    async with level_at(redis, clock, prefix=prefix) as first, level_at(redis, clock, prefix=prefix) as second:
        await first.put(entry)
        assert await second.get(entry.key) == entry
        async with level_at(redis, clock, prefix=prefix + "x") as third:
            assert await third.get(entry.key) is None
            assert await third.clear() == 0
        assert int(redis("STRLEN", first._names.entry(entry.key))) < 1000


async def test_a_stale_entry_is_kept_for_its_grace(redis: Server, clock: Clock) -> None:
    async with level_at(redis, clock, grace=30.0) as level:
        await level.put(entry_of(1, clock, ttl=20))
        clock.tick(49)
        found = await level.get(key_of(1))
        assert found is not None
        assert not found.fresh(clock())
        assert await level.put(found), "what moves down while it is stale is kept for the rest"
        clock.tick(1)
        assert await level.get(key_of(1)) is None


async def test_a_namespace_has_its_own_time(redis: Server, clock: Clock) -> None:
    async with level_at(redis, clock, shares={"tool": Share(ttl=10.0), "long": Share(ttl=1e6)}) as level:
        for name in ("tool", "long"):
            await level.put(entry_of(name, clock, namespace=name, ttl=1000))
        clock.tick(10)
        assert await level.get(key_of("tool")) is None
        assert await level.get(key_of("long")) is not None
        clock.tick(989)
        assert await level.get(key_of("long")) is not None, "longer than the level's own time"
        clock.tick(1)
        assert await level.get(key_of("long")) is None


async def test_only_new_leaves_what_is_there(redis: Server, clock: Clock) -> None:
    async with level_at(redis, clock) as level:
        older, newer = (entry_of(1, clock, body=body, labels=(body.decode(),)) for body in (b"older", b"newer"))
        assert await level.put(older, only_new=True)
        assert await level.put(newer, only_new=True)
        assert await level.get(key_of(1)) == older
        assert await level.invalidate(Invalidation(labels=("newer",))) == set()
        assert await level.put(newer)
        assert await level.get(key_of(1)) == newer
        too_long = entry_of(1, clock, body=b"x" * 100)
        level._largest = 10
        assert not await level.put(too_long, only_new=True)
        assert await level.get(key_of(1)) == newer
        assert not await level.put(too_long)
        assert await level.get(key_of(1)) is None


async def test_what_is_not_valid_any_more_is_not_sent(redis: Server, clock: Clock) -> None:
    async with level_at(redis, clock) as level:
        assert not await level.put(entry_of(1, clock), lambda: False)
        assert await level.get(key_of(1)) is None
        assert level.stats()["overtaken"] == 1


async def test_a_put_that_an_invalidation_overtook_asks_again_whether_it_is_valid(redis: Server, clock: Clock) -> None:
    prefix = new_prefix()
    async with level_at(redis, clock, prefix=prefix) as level, level_at(redis, clock, prefix=prefix) as other:
        await level.put(entry_of(1, clock))
        for what in (Invalidation(keys=(key_of(1),)), Invalidation(labels=("x",)), Invalidation(everything=True)):
            await other.invalidate(what)
            answers = [True, False]
            assert not await level.put(entry_of(1, clock, labels=("x",)), lambda left=answers: left.pop(0))
            assert answers == []
            assert await level.get(key_of(1)) is None
            assert await level.put(entry_of(1, clock, labels=("x",)))


async def test_a_put_that_arrives_late_does_nothing(redis: Server, clock: Clock) -> None:
    """Sent before an invalidation, carried by a slow network: what it names as generation is over."""
    async with level_at(redis, clock) as level:
        entry = entry_of(1, clock, labels=("x",))
        await level.put(entry)
        told = await level._told(entry)
        assert told is not None
        late = level._put(entry, told, level._generations[0], False)
        assert await level.invalidate(Invalidation(labels=("x",))) == {entry.key}
        assert (await level._client.ask(late))[0] == b"generation"
        assert await level.get(entry.key) is None


async def test_what_others_wrote_is_a_miss_and_goes_with_an_invalidation(redis: Server, clock: Clock) -> None:
    async with level_at(redis, clock) as level:
        names = [level._names.entry(key_of(number)) for number in range(4)]
        redis("SET", names[0], "\x02 another version's")
        redis("SET", names[1], "\x01 damaged")
        redis("RPUSH", names[2], "a", "b")
        redis("SET", names[3], "")
        assert [await level.get(key_of(number)) for number in range(4)] == [None] * 4
        assert await level.get_many(map(key_of, range(4))) == {}
        stats = level.stats()
        assert (stats["misses"], stats["foreign"], stats["damaged"], stats["errors_type"]) == (8, 4, 2, 2)
        entry = entry_of(0, clock)
        assert await level.put(entry, only_new=True), "another version's does not keep ours out"
        assert await level.get(entry.key) == entry
        redis("SET", names[0], "\x02 another version's")
        assert await level.invalidate(Invalidation("nobody", namespaces=("x",))) == {key_of(0), key_of(2)}
        assert await level.put(entry_of(1, clock))
        assert await level.clear() == 2


async def test_foreign_names_are_left_alone(redis: Server, clock: Clock) -> None:
    async with level_at(redis, clock) as level:
        base = level._names.base(0)
        for name in (f"{base}e:xyz", f"{base}e:", f"{base}other", "elsewhere"):
            redis("SET", name, "x")
        assert await level.clear() == 0
        assert redis("EXISTS", f"{base}e:xyz", f"{base}e:", f"{base}other", "elsewhere") == "4"


async def test_what_cannot_be_told_is_refused(redis: Server, clock: Clock) -> None:
    async with level_at(redis, clock, largest=1000) as level:
        assert not await level.put(entry_of(1, clock, tenant="\ud800"))
        assert not await level.put(entry_of(1, clock, body=b"x" * 1001))
        assert level.stats()["refused"] == 2


async def test_long_bodies_take_the_same_way(redis: Server, clock: Clock) -> None:
    async with level_at(redis, clock, max_size=5) as level:
        entries = [entry_of(1, clock, body=b"ab" * 500_000), entry_of(2, clock, body=bytes(range(256)) * 2000)]
        for entry in entries:
            assert await level.put(entry)
            assert await level.get(entry.key) == entry
        assert await level.get_many([key_of(1), key_of(2), key_of(1)]) == {entry.key: entry for entry in entries}


# -- budgets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("eviction", "left"), [("lru", {1, 3, 4, 5}), ("lfu", {1, 2, 3, 5}), ("fifo", {2, 3, 4, 5}), ("ttl", {1, 3, 4, 5})]
)
async def test_who_goes_first(redis: Server, clock: Clock, eviction: Any, left: set[int]) -> None:
    async with level_at(redis, clock, max_size=4, eviction=eviction) as level:
        for number, ttl in ((1, 90), (2, 50), (3, 60), (4, 70)):
            await level.put(entry_of(number, clock, ttl=ttl))
        for number in (2, 2, 3, 4, 1, 1):
            await level.get(key_of(number))
        for number in (2, 3, 3, 4):
            await level.look(key_of(number))
        if eviction == "lfu":
            await level.get(key_of(3))
        await level.put(entry_of(5, clock, ttl=10))
        assert {number for number in range(9) if await level.look(key_of(number))} == left
        assert (level.stats()["entries"], level.stats()["evictions"]) == (4, 1)


async def test_reading_many_counts_as_reading_each(redis: Server, clock: Clock) -> None:
    async with level_at(redis, clock, max_size=3, eviction="lru") as level:
        for number in range(3):
            await level.put(entry_of(number, clock))
        await level.get_many([key_of(0), key_of(1)])
        await level.put(entry_of(3, clock))
        assert await level.look(key_of(2)) is None


async def test_a_share_is_a_budget_within_the_budget(redis: Server, clock: Clock) -> None:
    shares = {"tool": Share(max_size=2), "file": Share(max_bytes=2 * OVERHEAD)}
    async with level_at(redis, clock, max_size=6, eviction="fifo", shares=shares) as level:
        for number in range(4):
            await level.put(entry_of(f"t{number}", clock, namespace="tool"))
            await level.put(entry_of(f"f{number}", clock, namespace="file", body=b""))
        assert level.stats()["entries"] == 4
        assert {n for n in range(4) if await level.look(key_of(f"t{n}"))} == {2, 3}
        assert {n for n in range(4) if await level.look(key_of(f"f{n}"))} == {2, 3}
        assert not await level.put(entry_of("wide", clock, namespace="file", body=b"x" * 2 * OVERHEAD))
        for number in range(5):
            await level.put(entry_of(number, clock))
        assert level.stats()["entries"] == 6
        assert await level.look(key_of("t2")) is None
        await level.put(entry_of("t4", clock, namespace="tool"))
        await level.put(entry_of("t5", clock, namespace="tool"))
        assert {n for n in range(6) if await level.look(key_of(f"t{n}"))} == {4, 5}
        assert await level.clear() == 6
        assert redis.names(f"{level._names.base(0)}o*") == []
        bytes_left = redis("HGETALL", level._names.base(0) + "t").split()
        assert set(bytes_left[1::2]) <= {"0"}


async def test_without_a_budget_there_is_no_index(redis: Server, clock: Clock) -> None:
    async with level_at(redis, clock) as level:
        for number in range(3):
            await level.put(entry_of(number, clock, labels=("x",)))
        base = level._names.base(0)
        kinds = {name.removeprefix(base)[0] for name in redis.names(f"{base}*")}
        assert kinds == {"e", "g", "l"}


async def test_what_the_server_ended_leaves_the_index_and_the_labels(redis: Server, clock: Clock) -> None:
    async with level_at(redis, clock, max_size=5, eviction="fifo") as level:
        for number in range(5):
            await level.put(entry_of(number, clock, ttl=0.001, labels=("x",)))
        base = level._names.base(0)
        while redis.names(f"{base}e:*"):
            pass
        await level.put(entry_of(9, clock, labels=("x",)))
        assert level.stats()["entries"] == 1
        assert level.stats()["expirations"] + level.stats()["evictions"] >= 4
        assert level.stats()["evictions"] == 0
        for part in "ftxo":
            assert 90_000 < int(redis("PTTL", base + part)) <= 160_000, "nothing stays for ever"
        assert int(redis("PTTL", base + "g")) > 0
        assert all(int(redis("PTTL", name)) > 0 for name in redis.names(f"{base}l:*"))


async def test_those_that_ended_leave_the_sets_of_labels(redis: Server, clock: Clock) -> None:
    async with level_at(redis, clock) as level:
        await level.put(entry_of(1, clock, labels=("x",)))
        (labelled,) = redis.names(f"{level._names.base(0)}l:*")
        redis("ZADD", labelled, "1000", "one that ended")
        await level.put(entry_of(2, clock, labels=("x",)))
        assert redis("ZCARD", labelled) == "2"


async def test_an_index_of_which_a_part_was_evicted_begins_anew(redis: Server, clock: Clock) -> None:
    async with level_at(redis, clock, max_size=3, eviction="lru") as level:
        for part in "ftxo":
            for number in range(3):
                await level.put(entry_of(number, clock))
            redis("DEL", level._names.base(0) + part)
            for number in range(10, 20):
                assert await level.put(entry_of(number, clock))
            assert level.stats()["entries"] == 3
            assert await level.clear() is not None


# -- faults ------------------------------------------------------------------------------------------------------------


async def test_a_full_redis_refuses_and_is_not_left_alone(clock: Clock) -> None:
    with server("--maxmemory", "3mb", "--maxmemory-policy", "noeviction") as redis:
        async with level_at(redis, clock, compress_over=1 << 30) as level:
            entries = [entry_of(number, clock, body=bytes(200_000), labels=("x",)) for number in range(20)]
            kept = [await level.put(entry) for entry in entries]
            assert kept[0]
            assert not kept[-1]
            assert level.stats()["errors_full"] == kept.count(False)
            assert level.might_have(key_of(0))
            assert await level.get(key_of(0)) == entries[0]
            await level.make_room()
            assert await level.put(entries[-1])
            for entry in entries:
                await level.put(entry)
            gone = await level.invalidate(Invalidation(labels=("x",)))
            assert gone, "removing works without room"
            assert await level.get_many(entry.key for entry in entries) == {}


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random", "volatile-ttl"])
async def test_labels_are_found_in_a_redis_that_evicts_their_sets(clock: Clock, policy: str) -> None:
    with server("--maxmemory", "4mb", "--maxmemory-policy", policy) as redis:
        async with level_at(redis, clock, compress_over=1 << 30) as level:
            for number in range(100):
                assert await level.put(entry_of(number, clock, body=bytes(100_000), labels=(f"l{number}", "x")))
            redis("CONFIG", "SET", "maxmemory", "0")  # what is left now stays
            left = set(await level.get_many(map(key_of, range(100))))
            assert 0 < len(left) < 100
            redis("DEL", *redis.names(f"{level._names.base(0)}l:*"))  # as if evicted
            some = next(number for number in range(100) if key_of(number) in left)
            assert await level.invalidate(Invalidation(labels=(f"l{some}",))) == {key_of(some)}
            assert await level.invalidate(Invalidation(labels=("x",))) == left - {key_of(some)}


async def test_an_emptied_redis_is_a_miss_and_takes_new_ones(clock: Clock) -> None:
    with server() as redis:
        async with level_at(redis, clock, max_size=5) as level:
            await level.put(entry_of(1, clock))
            redis("FLUSHALL")
            redis("SCRIPT", "FLUSH")
            assert await level.get(key_of(1)) is None
            assert await level.put(entry_of(2, clock))
            assert await level.get_many([key_of(2)]) != {}
            assert level.stats()["entries"] == 1


async def test_nothing_raises_while_redis_is_away(clock: Clock) -> None:
    with server() as redis:
        async with level_at(redis, clock, max_size=5) as level:
            await level.put(entry_of(1, clock))
            redis.kill()
            assert await level.get(key_of(1)) is None
            assert not level.might_have(key_of(1))
            assert await level.look(key_of(1)) is None
            assert await level.get_many([key_of(1)]) == {}
            assert await level.put(entry_of(2, clock)) is False
            assert await level.delete(key_of(1)) is False
            assert await level.invalidate(Invalidation(everything=True)) is None
            assert await level.clear() is None
            await level.make_room()
            assert level.stats()["openings"] == 1


def test_a_prefix_that_cannot_be_one_is_an_error_at_once(clock: Clock) -> None:
    client: Connected = None  # type: ignore[assignment]  # it is not asked
    with pytest.raises(ValueError, match="prefix"):
        RedisLevel(client, "a b", 1.0, clock, buckets=1)
