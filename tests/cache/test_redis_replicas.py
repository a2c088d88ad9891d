from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from adapters.tasks import Tasks
from cache.invalidation import Invalidation
from cache.redis_client import Connected
from cache.redis_place import Place
from cache.redis_replicas import RedisReplicas
from cache.redis_telling import WAITING
from cache.replicas import Reached
from tests.cache.contract import Clock
from tests.fakes import until
from tests.redis_server import PATIENT, Server, cluster_for_all, connected, new_prefix, redis_for_all, server

__all__ = ["cluster_for_all", "redis_for_all"]  # fixtures

ALL = Invalidation(everything=True)


def tag(name: str) -> Invalidation:
    return Invalidation("t", labels=(name,))


async def soon(seconds: float) -> None:
    """As `sleep`, for tests that have no time."""
    await asyncio.sleep(min(seconds, 0.01))


class Replica:
    """One process: what it heard, and a gate before which it hears nothing."""

    def __init__(self, client: Connected, prefix: str, name: str, **choices: Any) -> None:
        self.client = client
        self.heard: list[Invalidation] = []
        self.swept: list[Invalidation] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.tasks = Tasks()
        choices = {"clock": monotonic, "patience": PATIENT, "recent": 0.0, "sweep": self._sweep, **choices}
        self.replicas = RedisReplicas(client, prefix, name, self._hear, **choices)

    async def _hear(self, what: Invalidation) -> None:
        await self.gate.wait()
        self.heard.append(what)

    async def _sweep(self, what: Invalidation) -> bool:
        self.swept.append(what)
        return True

    async def publish(self, name: str) -> Reached:
        return await self.replicas.publish(tag(name))

    @property
    def trusted(self) -> bool:
        return self.replicas.trusted

    async def open(self) -> None:
        await self.replicas.open(self.tasks, soon)

    async def die(self) -> None:
        """As a process that is killed: it says nothing any more."""
        for task in self.replicas._loops:
            task.cancel()
        await asyncio.wait(self.replicas._loops)


@asynccontextmanager
async def replica(redis: Server, prefix: str, name: str, **choices: Any) -> AsyncIterator[Replica]:
    client_choices = {key: choices.pop(key) for key in ("cluster", "timeout", "retry_after") if key in choices}
    async with connected(redis.url, **{"retry_after": 0.0, **client_choices}) as client:
        one = Replica(client, prefix, name, **choices)
        if choices.pop("opened", True):
            await one.open()
        try:
            yield one
        finally:
            await one.replicas.close()
            await one.tasks.drain(0)


@pytest.fixture
def prefix() -> str:
    return new_prefix()


@pytest.fixture(name="own")
def _own() -> Iterator[Server]:
    with server() as started:
        yield started


# -- telling, hearing, confirming --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "cluster"])
async def test_publishing_waits_until_the_others_have_heard(
    redis: Server, cluster: Server, prefix: str, kind: str
) -> None:
    node, choices = (cluster if kind == "cluster" else redis), {"cluster": kind == "cluster"}
    async with replica(node, prefix, "a", **choices) as a, replica(node, prefix, "b", **choices) as b:
        assert a.trusted
        assert b.trusted
        b.gate.clear()
        publishing = asyncio.ensure_future(a.publish("x"))
        await until(lambda: b.replicas.stats()["heard"] == 1)
        assert not publishing.done()
        b.gate.set()
        assert await publishing == Reached(True)
        assert (a.heard, b.heard) == ([], [tag("x")])
        assert await b.publish("y") == Reached(True)
        assert (a.heard, b.heard) == ([tag("y")], [tag("x")])
        assert a.replicas.stats()["members"] == 2


async def test_who_is_alone_waits_for_nobody(redis: Server, prefix: str) -> None:
    async with replica(redis, prefix, "a") as a:
        assert await a.publish("x") == Reached(True)
        async with replica(redis, prefix + "other", "b") as b:
            assert await a.publish("y") == Reached(True)
            assert b.heard == []


async def test_all_invalidating_each_other_at_once_wait_for_nobody_in_a_circle(redis: Server, prefix: str) -> None:
    async with AsyncExitStack() as stack:
        some = [await stack.enter_async_context(replica(redis, prefix, f"r{n}")) for n in range(4)]
        done = await asyncio.gather(*[one.publish(f"{n}-{m}") for n, one in enumerate(some) for m in range(10)])
        assert set(done) == {Reached(True)}
        for n, one in enumerate(some):
            others = {tag(f"{k}-{m}") for k in range(4) if k != n for m in range(10)}
            assert set(one.heard) == others
            assert len(one.heard) == 30


async def test_what_an_invalidation_says_arrives_whole(redis: Server, prefix: str) -> None:
    async with replica(redis, prefix, "a") as a, replica(redis, prefix, "b") as b:
        what = Invalidation(None, (b"\x00" * 32, b"\xff"), ("ü:\u2028", 'file:/a"b'), ("", "n"), False)
        long = Invalidation("t", keys=tuple(b"%d" % number for number in range(2500)))
        for each in (what, long):
            assert (await a.replicas.publish(each)).complete
        assert b.heard[0] == what
        assert sum((part.keys for part in b.heard[1:]), ()) == long.keys


async def test_a_message_that_nobody_understands_is_everything(redis: Server, prefix: str) -> None:
    async with replica(redis, prefix, "a") as a, replica(redis, prefix, "b") as b:
        for what in ("", "[]", '{"tenant": 7}', "\xff"):
            last = a.replicas._position
            assert last is not None
            redis("XADD", f"{{{prefix}#r}}:s", "*", "from", "x/1", "after", last, "what", what)
            await until(lambda: a.replicas._position == b.replicas._position != last)  # noqa: B023
        assert a.heard == b.heard == [ALL] * 4
        redis("XADD", f"{{{prefix}#r}}:s", "*", "strange", "")
        await until(lambda: len(a.heard) == 5)
        assert a.heard[4] == ALL
        assert (await a.publish("x")).complete
        assert a.trusted
        assert b.trusted


# -- those who do not confirm ------------------------------------------------------------------------------------------


async def test_one_that_does_not_confirm_in_time_is_named_and_told_again(redis: Server, prefix: str) -> None:
    async with (
        replica(redis, prefix, "a", patience=0.3) as a,
        replica(redis, prefix, "b") as b,
        replica(redis, prefix, "c") as c,
    ):
        b.gate.clear()
        reached = await a.publish("x")
        assert (reached.complete, reached.missing) == (False, ("b",))
        assert "0.3 s" in reached.why
        assert (a.swept, c.heard[0]) == ([], tag("x"))
        assert a.replicas.stats()["waiting"] == 1
        b.gate.set()
        await until(lambda: len(a.replicas._telling) == 0)
        assert a.swept == [tag("x")], "once all have heard, what they had put is removed"
        await until(lambda: len(b.heard) == 3)
        assert b.heard == [tag("x")] * 3, "and what was taken from there meanwhile goes"


async def test_one_that_died_is_waited_for_until_its_part_ends(redis: Server, prefix: str) -> None:
    async with replica(redis, prefix, "a") as a, replica(redis, prefix, "b", lease=0.4) as b:
        await b.die()
        reached = await a.publish("x")
        assert reached == Reached(True)
        assert not b.trusted, "before it is not waited for any more"
        assert b.heard == []


async def test_one_that_left_is_not_waited_for(redis: Server, prefix: str) -> None:
    async with replica(redis, prefix, "a", lease=3600) as a:
        async with replica(redis, prefix, "b", lease=3600) as b:
            b.gate.clear()
            publishing = asyncio.ensure_future(a.publish("x"))
            await until(lambda: b.replicas.stats()["heard"] == 1)
        assert not b.trusted
        assert await publishing == Reached(True)
        assert await a.publish("y") == Reached(True)


async def test_one_that_is_stuck_is_neither_trusted_nor_waited_for(redis: Server, prefix: str) -> None:
    async with replica(redis, prefix, "a") as a, replica(redis, prefix, "b", lease=0.4) as b:
        b.gate.clear()
        assert await a.publish("x") == Reached(True), "its part has ended"
        assert not b.trusted
        b.gate.set()
        await until(lambda: b.trusted)
        assert b.heard == [tag("x")]
        assert await a.publish("y") == Reached(True)
        assert b.heard == [tag("x"), tag("y")]


async def test_one_whose_hearing_breaks_is_not_trusted_any_more(
    redis: Server, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with replica(redis, prefix, "a", patience=0.0) as a, replica(redis, prefix, "b") as b:

        async def broken(what: Invalidation) -> None:
            raise KeyError("a bug")

        b.replicas._hear = broken
        assert not (await a.publish("x")).complete
        await until(lambda: not b.trusted)
        b.replicas._position = a.replicas._position  # had it got so far
        await b.replicas._beat()
        assert not b.trusted
        assert any("nothing of its own is served" in record.getMessage() for record in caplog.records)


# -- trust -------------------------------------------------------------------------------------------------------------


async def test_without_contact_it_is_trusted_for_a_lease_and_no_longer(own: Server, prefix: str) -> None:
    clock = Clock()
    async with replica(own, prefix, "a", clock=clock, lease=60.0, timeout=0.25) as a:
        with own.halted():
            clock.tick(59.9)
            assert a.trusted
            clock.tick(0.1)
            assert not a.trusted
        await until(lambda: a.trusted)
        own.kill()
        clock.tick(60)
        assert not a.trusted
        own.start()
        await until(lambda: a.trusted)
        assert a.heard == [ALL], "what was said before is not known any more"


async def test_one_that_begins_without_redis_is_trusted_once_it_is_there(own: Server, prefix: str) -> None:
    own.kill()
    async with replica(own, prefix, "a") as a:
        assert not a.trusted
        own.start()
        await until(lambda: a.trusted)
        async with replica(own, prefix, "b") as b:
            assert (await a.publish("x")).complete
            assert b.heard == [tag("x")]


async def test_one_that_was_cut_off_catches_up_before_it_is_trusted(redis: Server, prefix: str) -> None:
    clock = Clock()
    async with (
        replica(redis, prefix, "a", patience=PATIENT) as a,
        replica(redis, prefix, "b", clock=clock, lease=0.4) as b,
    ):
        await b.die()
        clock.tick(1)
        assert not b.trusted
        assert await a.publish("x") == Reached(True), "its part has ended"
        b.gate.clear()
        b.replicas._over = False
        opening = asyncio.ensure_future(b.open())
        await until(lambda: b.replicas.stats()["heard"] == 1)
        assert not b.trusted
        b.gate.set()
        await opening
        assert b.trusted
        assert b.heard == [tag("x")]


# -- those who were away, or are new -----------------------------------------------------------------------------------


async def test_one_that_comes_back_hears_what_it_missed(redis: Server, prefix: str, tmp_path: Path) -> None:
    place = Place(tmp_path / "heard")
    async with replica(redis, prefix, "a") as a:
        async with replica(redis, prefix, "b", place=place) as b:
            assert b.heard == [ALL], "nobody knows what it missed before"
            await a.publish("1")
        await a.publish("2")
        await a.publish("3")
        async with replica(redis, prefix, "b", place=place) as b:
            assert b.trusted
            assert b.heard == [tag("2"), tag("3")]
        async with replica(redis, prefix, "b", place=place) as b:
            assert (b.trusted, b.heard) == (True, [])


async def test_one_that_was_away_too_long_drops_everything(redis: Server, prefix: str, tmp_path: Path) -> None:
    place = Place(tmp_path / "heard")
    async with replica(redis, prefix, "a", keep=3) as a:
        async with replica(redis, prefix, "b", place=place):
            await a.publish("0")
        for number in range(5):
            await a.publish(str(number))
        async with replica(redis, prefix, "b", place=place) as b:
            assert b.trusted
            assert b.heard[0] == ALL
            assert tag("0") not in b.heard
            await a.publish("x")
            assert b.heard[-1] == tag("x")


async def test_a_reader_that_is_slower_than_the_stream_is_cut_drops_everything(redis: Server, prefix: str) -> None:
    async with replica(redis, prefix, "a", keep=3, patience=0.0) as a, replica(redis, prefix, "b") as b:
        b.gate.clear()
        for number in range(8):
            await a.publish(str(number))
        b.gate.set()
        await until(lambda: b.replicas._position == a.replicas._position)
        assert ALL in b.heard
        assert b.trusted


async def test_one_that_is_new_hears_what_may_still_be_on_its_way(redis: Server, prefix: str) -> None:
    async with replica(redis, prefix, "a") as a:
        for number in range(3):
            await a.publish(str(number))
        async with replica(redis, prefix, "b", recent=3600.0) as b:
            assert b.trusted
            assert b.heard == [tag("0"), tag("1"), tag("2")]
        async with replica(redis, prefix, "c", recent=-3600.0) as c:
            assert c.trusted
            assert c.heard == []
    async with replica(redis, prefix, "a", keep=2) as a:
        await a.publish("3")
        async with replica(redis, prefix, "b", recent=3600.0) as b:
            assert b.heard[0] == ALL, "the stream does not reach back so far"


# -- a Redis that loses things, is away, is full -----------------------------------------------------------------------


@pytest.mark.parametrize("how", ["flush", "restart"])
async def test_an_emptied_redis_loses_nobody(own: Server, prefix: str, how: str) -> None:
    async with replica(own, prefix, "a", lease=3600.0) as a, replica(own, prefix, "b", lease=3600.0) as b:
        assert (await a.publish("x")).complete
        if how == "flush":
            own("FLUSHALL")
        else:
            own.kill()
            own.start()
        b.gate.clear()
        publishing = asyncio.ensure_future(a.publish("y"))
        await until(lambda: b.replicas.stats()["lost"] > 0)
        assert not publishing.done(), "one of whom the new Redis knows nothing is waited for all the same"
        b.gate.set()
        assert await publishing == Reached(True)
        assert b.heard[:2] == [tag("x"), ALL]
        await until(lambda: a.trusted and b.trusted)
        assert (await b.publish("z")).complete
        assert a.heard[-1] == tag("z")


async def test_an_emptied_redis_is_noticed_although_nobody_says_anything(own: Server, prefix: str) -> None:
    async with replica(own, prefix, "a", lease=1.0) as a:
        assert (await a.publish("x")).complete
        await until(lambda: a.replicas._position != "0-0")
        own("FLUSHALL")
        await until(lambda: ALL in a.heard)
        await until(lambda: a.trusted)
        assert own("EXISTS", f"{{{prefix}#r}}:m") == "1"


async def test_a_redis_that_has_gone_back_in_time_is_noticed(redis: Server, prefix: str, tmp_path: Path) -> None:
    """As one that was restored from what it had saved earlier."""
    async with replica(redis, prefix, "a", lease=1.0) as a:
        assert (await a.publish("x")).complete
        stream = f"{{{prefix}#r}}:s"
        last = redis("XREVRANGE", stream, "+", "-", "COUNT", "1").split()[0]
        await until(lambda: a.replicas._position == last)
        redis("XDEL", stream, last)
        await until(lambda: a.heard == [ALL])
        await until(lambda: a.trusted)
    place = Place(tmp_path / "heard")
    place.write("99999999999999-0")
    async with replica(redis, prefix, "b", place=place) as b:
        assert (b.trusted, b.heard) == (True, [ALL])


async def test_what_cannot_be_told_is_told_later_and_completed(own: Server, prefix: str) -> None:
    async with replica(own, prefix, "a") as a, replica(own, prefix, "b") as b:
        await until(lambda: a.replicas.stats()["members"] == 2)
        own.kill()
        reached = await a.publish("x")
        assert (reached.complete, reached.missing) == (False, ("b",))
        assert "can't be told" in reached.why
        await a.publish("x")
        assert a.replicas.stats()["waiting"] == 1
        own.start()
        await until(lambda: len(a.replicas._telling) == 0)
        assert a.swept == [tag("x")]
        assert tag("x") in b.heard or ALL in b.heard
        await until(lambda: a.trusted and b.trusted)


async def test_what_waits_is_said_before_it_is_trusted_again(own: Server, prefix: str) -> None:
    clock = Clock()
    async with replica(own, prefix, "a", clock=clock, timeout=0.25) as a:
        with own.halted():
            clock.tick(60)
            assert not (await a.publish("x")).complete
            assert not a.trusted
        seen = []
        await until(lambda: bool(seen.append((a.trusted, len(a.replicas._telling._unsaid))) or a.trusted))
        assert (True, 1) not in seen


async def test_contact_alone_is_no_reason_to_trust_one_that_owes(redis: Server, prefix: str) -> None:
    clock = Clock()
    async with replica(redis, prefix, "a", clock=clock) as a:
        await a.die()
        a.replicas._over = False
        a.replicas._telling._unsaid.append(tag("x"))
        await a.replicas._beat()
        assert not a.trusted
        await a.replicas._telling.say_unsaid()
        await a.replicas._beat()
        await a.replicas._step(0.01)
        assert a.trusted


async def test_of_too_much_that_waits_everything_is_told(own: Server, prefix: str) -> None:
    async with replica(own, prefix, "a", lease=2.0) as a, replica(own, prefix, "b", lease=2.0) as b:
        own.kill()
        for number in range(WAITING + 5):
            assert not (await a.publish(str(number))).complete
        assert a.replicas.stats()["waiting"] <= 5
        own.start()
        await until(lambda: len(a.replicas._telling) == 0)
        assert ALL in b.heard


async def test_a_full_redis_is_made_room_in(own: Server, prefix: str) -> None:
    calls: list[str] = []

    async def make_room() -> None:
        calls.append("asked")
        own("CONFIG", "SET", "maxmemory", "0")

    async with (
        replica(own, prefix, "a", make_room=make_room, lease=1.0) as a,
        replica(own, prefix, "b", lease=1.0) as b,
    ):
        own("CONFIG", "SET", "maxmemory", "1")
        assert await a.publish("x") == Reached(True)
        assert calls
        assert b.heard == [tag("x")]
        own("CONFIG", "SET", "maxmemory", "1")
        reached = await b.publish("y")
        assert not reached.complete
        assert "(full)" in reached.why
        for one in (a, b):
            before = one.replicas._until
            await until(lambda: one.replicas._until > before)  # noqa: B023
            assert one.trusted, "that is no reason to serve nothing"
        own("CONFIG", "SET", "maxmemory", "0")
        await until(lambda: len(b.replicas._telling) == 0)
        assert tag("y") in a.heard


async def test_all_that_is_left_behind_ends_by_itself(redis: Server, prefix: str) -> None:
    async with replica(redis, prefix, "a") as a, replica(redis, prefix, "b"):
        await a.publish("x")
        await until(lambda: a.replicas._position != "0-0")
        names = redis.names(f"?{prefix}#r}}:*")
        assert len(names) >= 5
        assert all(int(redis("PTTL", name)) > 0 for name in names)


async def test_who_comes_after_the_last_has_left_waits_for_nobody(redis: Server, prefix: str) -> None:
    async with replica(redis, prefix, "one", recent=30.0):
        pass
    async with replica(redis, prefix, "later", recent=30.0, patience=5.0) as later:
        assert (await later.publish("a")).complete
