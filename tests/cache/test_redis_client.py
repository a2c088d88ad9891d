from __future__ import annotations

import asyncio
import random  # noqa: TID251 - seeded
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.tasks import Tasks
from cache.redis_asking import Overtaken, Refused, Script, Unavailable
from cache.redis_client import Connected, connect
from tests.cache.contract import Clock
from tests.fakes import until
from tests.redis_server import Server, cluster_for_all, connected, new_prefix, redis_for_all, server

__all__ = ["cluster_for_all", "redis_for_all"]  # fixtures

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(name="own")
def _own() -> Iterator[Server]:
    """One that a test may halt and kill."""
    with server() as started:
        yield started


@pytest.fixture
def clock() -> Clock:
    return Clock()


# -- asking ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "socket", "cluster"])
async def test_commands_scripts_and_many_at_once(redis: Server, cluster: Server, kind: str) -> None:
    url = {"plain": redis.url, "socket": redis.socket_url, "cluster": cluster.url}[kind]
    tag = "{" + new_prefix() + "#1}:"
    async with connected(url, cluster=kind == "cluster") as client:
        echo = Script(f"return {{KEYS[1], ARGV[1], '{tag}'}}")
        assert await client.ask(("SET", tag + "a", b"\xff\x00"))
        assert await client.ask(("GET", tag + "a")) == b"\xff\x00"
        for _ in range(2):  # brought along, then known
            assert await client.ask(echo.of([tag], "x")) == [tag.encode(), b"x", tag.encode()]
        await client.everywhere("SCRIPT", "FLUSH")
        await client.ask(("RPUSH", tag + "list", "1"))
        commands = [("GET", tag + "a"), echo.of([tag], "y"), ("GET", tag + "list"), echo.of([tag], "z")]
        for _ in range(2):
            found = await client.ask_all([*commands, *[("GET", f"{tag}{n}") for n in range(600)]])
            assert [found[0], found[1][1], found[3][1]] == [b"\xff\x00", b"y", b"z"]
            assert isinstance(found[2], Refused)
            assert found[2].kind == "type"
            assert found[4:] == [None] * 600
        with pytest.raises(Refused, match="WRONGTYPE"):
            await client.ask(("GET", tag + "list"))
        assert client.stats() == {"errors": 3, "errors_type": 3, "skipped": 0, "openings": 0}
        assert client.up


@pytest.mark.parametrize("kind", ["plain", "cluster"])
async def test_all_names_are_walked_through(redis: Server, cluster: Server, kind: str) -> None:
    prefix = new_prefix()
    async with connected((cluster if kind == "cluster" else redis).url, cluster=kind == "cluster") as client:
        await client.ask_all([("SET", f"{prefix}:{number}", "x") for number in range(3000)])
        pieces = [names async for names in client.scan(f"{prefix}:*")]
        assert {name for names in pieces for name in names} == {f"{prefix}:{n}".encode() for n in range(3000)}
        assert len(pieces) > 1


async def test_messages_of_streams_are_waited_for(redis: Server, cluster: Server) -> None:
    for node in (redis, cluster):
        first, second = (f"{{{new_prefix()}}}:{number}" for number in "ab")
        second = first[:-1] + "b"
        async with connected(node.url, cluster=node is cluster) as client:
            assert await client.listen({first: "0-0", second: "0-0"}, 0.01) == []
            waiting = asyncio.ensure_future(client.listen({first: "0-0", second: "0-0"}, 30))
            await client.ask(("PING",))
            id = (await client.ask(("XADD", second, "*", "k", b"\xff"))).decode()
            assert [tuple(message) for message in await waiting] == [(second, id, {b"k": b"\xff"})]
            assert await client.listen({first: "0-0", second: id}, 0.01) == []


async def test_what_is_not_valid_is_not_sent(redis: Server) -> None:
    async with connected(redis.url) as client:
        name = new_prefix()
        with pytest.raises(Overtaken):
            await client.ask(("SET", name, "x"), lambda: False)
        assert redis("EXISTS", name) == "0"


async def test_it_is_asked_with_a_connection_at_hand_whether_it_is_valid(redis: Server) -> None:
    """While others are served first it may end to be."""
    async with connected(redis.url, connections=1) as client:
        valid = [True]
        slow = asyncio.ensure_future(client.ask(("BLPOP", "nothing", "0.2")))
        late = asyncio.ensure_future(client.ask(("SET", new_prefix(), "x"), lambda: valid[0]))
        await asyncio.sleep(0)
        valid[0] = False
        assert await slow is None
        with pytest.raises(Overtaken):
            await late


async def test_callers_that_go_away_leave_sound_connections(redis: Server, cluster: Server) -> None:
    """Whoever is cancelled, at whatever point, nobody gets the answer to another's question."""
    chance = random.Random(7)
    for node in (redis, cluster):
        async with connected(node.url, cluster=node is cluster, connections=4) as client:
            prefix = new_prefix()
            await client.ask_all([("SET", f"{prefix}{n}", str(n)) for n in range(20)])

            async def one(n: int, client: Connected = client, prefix: str = prefix) -> None:
                assert await client.ask(("GET", f"{prefix}{n}")) == b"%d" % n
                assert await client.ask_all([("GET", f"{prefix}{m}") for m in (n, 3, n)]) == [
                    b"%d" % n,
                    b"3",
                    b"%d" % n,
                ]

            tasks = []
            for _ in range(300):
                task = asyncio.ensure_future(one(chance.randrange(20)))
                tasks.append(task)
                for _ in range(chance.randrange(12)):
                    await asyncio.sleep(0)
                if chance.random() < 0.6:
                    chance.choice(tasks).cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(each) for each in done} == {type(None), asyncio.CancelledError}
            await asyncio.gather(*[one(n) for n in range(20)])
            assert client.stats()["errors"] == 0


# -- a server that hangs, goes, comes back -----------------------------------------------------------------------------


async def test_a_server_that_hangs_costs_one_timeout_and_then_nothing(own: Server, clock: Clock) -> None:
    async with connected(own.url, clock=clock, timeout=0.25, retry_after=5.0) as client:
        loop = asyncio.get_running_loop()
        with own.halted():
            began = loop.time()
            with pytest.raises(Unavailable, match="no answer in time"):
                await client.ask(("PING",))
            assert 0.2 < loop.time() - began < 5
            began = loop.time()
            for _ in range(1000):
                with pytest.raises(Unavailable):
                    await client.ask(("PING",))
                with pytest.raises(Unavailable):
                    await client.ask_all([("PING",)])
            assert loop.time() - began < 0.25, "2,000 requests wait less than one timeout"
            assert client.stats() == {"errors": 1, "errors_timeout": 1, "skipped": 2000, "openings": 1}
            clock.tick(5)
            began = loop.time()
            assert not client.up, "a probe is under way, for which nobody waits"
            assert not client.up
            assert loop.time() - began < 0.25
            assert len(client._tasks) == 1
        await until(lambda: client.up)
        assert await client.ask(("PING",))


async def test_all_who_wait_while_it_hangs_wait_for_one_timeout(own: Server, clock: Clock) -> None:
    async with connected(own.url, clock=clock, timeout=0.25, connections=2) as client:
        loop = asyncio.get_running_loop()
        with own.halted():
            began = loop.time()
            done = await asyncio.gather(*[client.ask(("PING",)) for _ in range(50)], return_exceptions=True)
            assert {type(each) for each in done} == {Unavailable}
            assert loop.time() - began < 2.5, "50 requests over 2 connections do not wait one behind the other"
        assert client.stats()["openings"] == 1


async def test_one_that_waits_for_its_turn_is_told_at_once_that_it_hangs(own: Server, clock: Clock) -> None:
    async with connected(own.url, clock=clock, timeout=0.25, connections=1) as client:
        with own.halted():
            first = asyncio.ensure_future(client.ask(("PING",)))
            await asyncio.sleep(0)
            client.timeout = 3600.0
            with pytest.raises(Unavailable):
                await client.ask(("PING",))
            with pytest.raises(Unavailable):
                await first
        assert client.stats()["errors"] == 1


async def test_a_probe_that_fails_lets_nothing_through(own: Server, clock: Clock) -> None:
    async with connected(own.url, clock=clock, retry_after=5.0) as client:
        own.kill()
        with pytest.raises(Unavailable):
            await client.ask(("PING",))
        for _ in range(3):
            clock.tick(5)
            assert not client.up
            await until(lambda: not len(client._tasks))
            assert not client.up
        assert client.stats()["openings"] == 1
        own.start()
        clock.tick(5)
        assert not client.up
        await until(lambda: client.up)
        assert client.why == ""


async def test_a_restart_between_two_requests_is_not_noticed(own: Server) -> None:
    async with connected(own.url) as client:
        await asyncio.gather(*[client.ask(("PING",)) for _ in range(5)])
        own.kill()
        own.start()
        for _ in range(6):
            assert await client.ask(("PING",))
        assert client.stats()["errors"] == 0


async def test_one_that_is_away_at_the_start_is_tried_again_later(
    own: Server, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    own.kill()
    async with connected(own.url.replace("//", "//me:secret@"), clock=clock) as client:
        assert not client.up
        own.start()
        clock.tick(5)
        own("ACL", "SETUSER", "me", "on", ">secret", "+@all", "~*")
        assert not client.up
        await until(lambda: client.up)
    told = " ".join(record.getMessage() for record in caplog.records)
    assert "doing without" in told
    assert "works again" in told
    assert "secret" not in told


async def test_a_crowd_is_no_sign_of_a_dead_server(redis: Server) -> None:
    async with connected(redis.url, connections=1) as client:
        slow = asyncio.ensure_future(client.ask(("BLPOP", "nothing", "0.2")))
        await asyncio.sleep(0)
        client.timeout = 0.01
        with pytest.raises(Unavailable, match="too many"):
            await client.ask(("PING",))
        assert await slow is None
        assert client.up
        assert client.stats()["errors_crowded"] == 1


async def test_requests_that_wait_long_for_their_turn_have_their_time_all_the_same(redis: Server) -> None:
    async with connected(redis.url, connections=1, timeout=1.0) as client:
        slow = [asyncio.ensure_future(client.ask(("BLPOP", "nothing", "0.6"))) for _ in range(2)]
        assert await asyncio.gather(*slow) == [None, None]
        assert client.up


async def test_a_process_that_stands_still_blames_nobody(redis: Server) -> None:
    async with connected(redis.url) as client:
        client.timeout = 0.01
        asked = asyncio.ensure_future(client.ask(("BLPOP", "nothing", "0.001")))
        await until(lambda: client._slots._value == 15)
        for _ in range(20):
            redis("PING")  # meanwhile the event loop does not turn
        with pytest.raises(Unavailable, match="too busy"):
            await asked
        assert client.up
        assert client.stats()["errors_stalled"] == 1


async def test_what_the_server_says_against_it(own: Server, caplog: pytest.LogCaptureFixture) -> None:
    own("ACL", "SETUSER", "reader", "on", ">pw", "+get", "+ping", "~*")
    async with connected(own.url.replace("//", "//reader:pw@")) as client:
        for _ in range(3):
            with pytest.raises(Refused) as refused:
                await client.ask(("SET", "a", "b"))
            assert refused.value.kind == "denied"
        assert client.up
        assert client.stats()["errors_denied"] == 3
    assert sum("refuses" in record.getMessage() for record in caplog.records) == 1
    async with connected(own.url.replace("//", "//reader:wrong@")) as client:
        assert not client.up
        assert client.stats()["errors_auth"] == 1
    own("REPLICAOF", "127.0.0.1", "1")
    async with connected(own.url) as client:
        with pytest.raises(Unavailable):
            await client.ask(("SET", "a", "b"))
        assert client.stats()["errors_read_only"] == 1


async def test_a_listener_that_fails_opens_nothing(own: Server) -> None:
    async with connected(own.url) as client:
        waiting = asyncio.ensure_future(client.listen({"a": "0-0"}, 30))
        await until(lambda: "cmd=xread" in own("CLIENT", "LIST"))
        own("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        with pytest.raises(Unavailable):
            await waiting
        assert client.up
        assert await client.listen({"a": "0-0"}, 0.01) == []


async def test_a_cluster_whose_node_goes_and_comes_back(clock: Clock) -> None:
    with server("--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1") as node:
        async with connected(node.url, cluster=True, clock=clock) as client:
            with pytest.raises(Unavailable):
                await client.ask(("GET", "a"))
            node("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
            await until(lambda: "cluster_state:ok" in node("CLUSTER", "INFO"))
            for _ in range(2):
                await until(lambda: (clock.tick(1), client.up)[1])
                assert await client.ask(("SET", "a", "b"))
                assert await client.ask_all([("GET", "a"), ("GET", "b")]) == [b"b", None]
                node.kill()
                for attempt in (client.ask(("GET", "a")), client.ask_all([("GET", "a")]), client.everywhere("PING")):
                    with pytest.raises(Unavailable):
                        await attempt
                node.start()
                node("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
                await until(lambda: "cluster_state:ok" in node("CLUSTER", "INFO"))
                node("DEL", "b")


# -- addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["http://127.0.0.1", "redis://h?protocol=3", "redis://h:port", "redis://h?db=x"])
def test_what_is_no_address_is_an_error_at_once(url: str, clock: Clock) -> None:
    with pytest.raises(ValueError, match=r".+"):
        connect(url, tasks=Tasks(), clock=clock)


async def test_a_database_of_its_own(redis: Server) -> None:
    async with connected(redis.url[:-1] + "3") as client:
        await client.ask(("SET", "only there", "x"))
    assert redis("-n", "3", "GET", "only there") == "x"
    assert redis("EXISTS", "only there") == "0"


def test_without_the_library_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['redis'] = None; sys.modules['redis.asyncio'] = None; import cache.redis_client"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "pip install 'warmgate[redis]'" in done.stderr
    others = "redis_asking redis_level redis_sweep redis_entry redis_index redis_names redis_breaker"
    code = "import sys; sys.modules['redis'] = None; " + "; ".join(f"import cache.{name}" for name in others.split())
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
