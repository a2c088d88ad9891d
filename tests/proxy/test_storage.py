"""Whole proxies over one Redis, as replicas are, and over one store, as workers are."""

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager

from tests.fakes import CHAT, answer, provider, until
from tests.redis_server import new_prefix, redis_for_all, server  # noqa: F401
from tests.running import proxy

TAGGED = {"Cache_Tags": "doc:1"}


def config(redis, prefix, more=""):
    l3 = f"l3: {{enabled: true, url: '{redis.url}', prefix: {prefix}, timeout: 2}}"
    return f"cache:\n  multi_level:\n    {l3}\n  invalidation: {{patience: 20}}\n{more}"


@asynccontextmanager
async def replicas(redis, upstream, tmp_path, count=2, more=""):
    prefix = new_prefix()
    async with AsyncExitStack() as stack:
        running = []
        for number in range(count):
            directory = tmp_path / str(number)
            directory.mkdir()
            running.append(await stack.enter_async_context(proxy(upstream, directory, config(redis, prefix, more))))
        yield running


def source(answer):
    headers = answer[1]
    return headers["X-Cache-Status"], headers["Cache-Status"].partition("detail=")[2].strip('"')


async def call(replica, method, path, body=None, **headers):
    named = {"Authorization": "Bearer sk-test-0123456789abcdef", **headers}
    async with replica.session.request(method, replica.root + path, data=body, headers=named) as response:
        return response.status, dict(response.headers), await response.read()


async def test_what_one_replica_was_answered_serves_the_others(redis, tmp_path):
    async with provider() as fake, replicas(redis, fake.base_url, tmp_path) as (one, other):
        first = await one.chat()
        answer = await other.chat()
        assert source(answer) == ("hit", "l3")
        assert answer[2] == first[2]
        assert fake.calls == 1


async def test_tenants_are_the_same_at_all_replicas_and_apart_from_each_other(redis, tmp_path):
    async with provider() as fake, replicas(redis, fake.base_url, tmp_path) as (one, other):
        await one.chat(key="sk-one")
        assert source(await other.chat(key="sk-two"))[0] == "miss"
        assert source(await other.chat(key="sk-one"))[0] == "hit"


async def test_two_that_are_asked_the_same_at_once_ask_once(redis, tmp_path):
    gate = asyncio.Event()

    async def slow(request, seen):
        await gate.wait()
        return await answer(request, seen)

    async with provider(slow) as fake, replicas(redis, fake.base_url, tmp_path) as (one, other):
        asked = [asyncio.ensure_future(each.chat()) for each in (one, other)]
        await until(lambda: fake.calls == 1)
        for _ in range(200):
            await asyncio.sleep(0)
        gate.set()
        answers = await asyncio.gather(*asked)
        assert fake.calls == 1
        assert sorted(source(each)[0] for each in answers) == ["hit", "miss"]
        assert "asked by another replica" in "".join(each[1]["Cache-Status"] for each in answers)


async def test_what_one_invalidates_no_other_serves(redis, tmp_path):
    async with provider() as fake, replicas(redis, fake.base_url, tmp_path, 3) as running:
        for each in running:
            await each.chat(**TAGGED)
            assert source(await each.chat(**TAGGED))[0] == "hit"
        status, _, body = await call(running[0], "PURGE", "/cache/tags/doc:1")
        assert (status, json.loads(body)["complete"]) == (200, True)
        before = fake.calls
        # For a while nobody takes what was covered from the shared level either: it may be on its way out.
        assert [source(await each.chat(**TAGGED))[0] for each in running] == ["miss"] * 3
        assert [source(await each.chat(**TAGGED))[0] for each in running] == ["hit"] * 3
        assert fake.calls == before + 3


async def test_values_are_those_of_all_replicas(redis, tmp_path):
    async with provider() as fake, replicas(redis, fake.base_url, tmp_path) as (one, other):
        put = await call(
            one, "PUT", "/cache/v1/tool/weather/paris", b'{"celsius":21}', **{"Content-Type": "application/json"}
        )
        assert put[0] in (200, 201, 204)
        got = await call(other, "GET", "/cache/v1/tool/weather/paris")
        assert (got[0], got[2], got[1]["Content-Type"]) == (200, b'{"celsius":21}', "application/json")
        assert (await call(other, "DELETE", "/cache/v1/tool/weather/paris"))[0] in (200, 204)
        assert (await call(one, "GET", "/cache/v1/tool/weather/paris"))[0] == 404


async def test_a_redis_that_is_gone_is_done_without(tmp_path):
    with server() as mine:
        async with provider() as fake, replicas(mine, fake.base_url, tmp_path) as (one, _):
            await one.chat()
            mine.kill()
            assert source(await one.chat())[0] == "hit"
            assert (await one.chat(CHAT | {"seed": 1}))[0] == 200
            assert (await one.chat(CHAT | {"seed": 1}))[0] == 200
            status, _, body = await call(one, "PURGE", "/cache/tags/doc:1")
            assert (status, json.loads(body)["error"]["code"]) == (503, "level_failed")


async def test_a_proxy_begins_where_there_is_no_redis(tmp_path):
    with server() as mine:
        mine.kill()
        async with provider() as fake, replicas(mine, fake.base_url, tmp_path) as (one, _):
            assert source(await one.chat())[0] == "miss"
            assert fake.calls == 1


async def test_workers_of_one_store_hear_of_each_other(tmp_path):
    async with provider() as fake, proxy(fake.base_url, tmp_path) as one, proxy(fake.base_url, tmp_path) as other:
        for each in (one, other):
            for _ in range(5):  # until it lies in its L1
                await each.chat(**TAGGED)
        assert source(await other.chat(**TAGGED)) == ("hit", "l1")
        status, _, body = await call(one, "PURGE", "/cache/tags/doc:1")
        assert (status, json.loads(body)["deleted"]) == (200, 1)
        assert source(await other.chat(**TAGGED))[0] == "miss"


async def test_siblings_that_meet_different_replicas_wait_for_one_leader(redis, tmp_path):
    gate = asyncio.Event()

    async def slow(request, seen):
        if len(fake.seen) == 1:
            await gate.wait()
        return await answer(request, seen)

    system = {"role": "system", "content": "You are a careful assistant. " * 900}
    asked = [
        CHAT | {"model": "gpt-5.4", "messages": [system, {"role": "user", "content": f"Question {number}?"}]}
        for number in range(2)
    ]
    more = "upstream: {prompt_cache: openai}\n"
    async with provider(slow) as fake, replicas(redis, fake.base_url, tmp_path, more=more) as (one, other):
        leader = asyncio.ensure_future(one.chat(asked[0]))
        await until(lambda: fake.calls == 1)
        sibling = asyncio.ensure_future(other.chat(asked[1]))
        await until(lambda: other.app.edge.gate.in_flight == 1)
        for _ in range(2000):
            await asyncio.sleep(0)
        assert fake.calls == 1
        gate.set()
        first, second = await asyncio.gather(leader, sibling)
        assert (first[0], second[0], fake.calls) == (200, 200, 2)
        assert second[1]["X-Warmgate-Warming"].startswith("follower")
