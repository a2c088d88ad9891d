"""The proxy over HTTP: what passes, what is answered from memory, what is refused, and what the headers tell."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.fakes import CHAT, KEY, Script, Seen, answer, answers, chunks, completion, provider, send, until
from tests.running import proxy

STREAM = CHAT | {"stream": True}
WITH_USAGE = STREAM | {"stream_options": {"include_usage": True}}


async def test_the_second_asking_is_answered_from_memory() -> None:
    async with provider() as fake, proxy(fake.base_url) as ours:
        first = await ours.chat()
        second = await ours.chat()
    assert first[2] == second[2] == json.dumps(completion()).encode()
    assert fake.calls == 1
    assert re.fullmatch(r'warmgate; fwd=miss; fwd-status=200; stored; key="[0-9a-f]{16}"', first[1]["Cache-Status"])
    assert re.fullmatch(r'warmgate; hit; ttl=300; key="[0-9a-f]{16}"; detail=l1', second[1]["Cache-Status"])
    assert (first[1]["X-Cache-Status"], second[1]["X-Cache-Status"]) == ("miss", "hit")
    assert "Age" not in first[1]
    assert second[1]["Age"] == "0"
    assert re.fullmatch(r"warmgate;dur=[\d.]+, upstream;dur=[\d.]+", first[1]["Server-Timing"])
    by_class = "uncached=0.00244000; read=0.00128000; output=0.00100000"
    assert first[1]["X-Warmgate-Cost"] == f"cost=0.00472000; saved=0.00000000; {by_class}"
    assert second[1]["X-Warmgate-Cost"] == "cost=0; saved=0.00472000"


async def test_what_is_forwarded_is_what_was_received() -> None:
    raw = json.dumps(CHAT, indent=3).replace("France", "Fran\\u0063e").encode() + b"\n"
    async with provider() as fake, proxy(fake.base_url) as ours:
        await ours.chat(raw)
        assert fake.seen[0].body == raw


@pytest.mark.parametrize(
    ("first", "second", "hits"),
    [
        (CHAT, STREAM, True),
        (CHAT, WITH_USAGE, True),
        (WITH_USAGE, CHAT, True),
        (WITH_USAGE, STREAM, True),
        (STREAM, STREAM, True),
        (STREAM, CHAT, False),  # what was streamed without usage can't answer who must be given it
        (STREAM, WITH_USAGE, False),
    ],
)
async def test_both_forms_serve_each_other(first: Any, second: Any, hits: bool) -> None:
    async with provider() as fake, proxy(fake.base_url) as ours:
        await ours.chat(first)
        status, headers, body = await ours.chat(second)
    assert status == 200
    assert (headers["X-Cache-Status"] == "hit") is hits
    if second.get("stream"):
        assert headers["Content-Type"].startswith("text/event-stream")
        assert body.endswith(b"data: [DONE]\n\n")
        assert (b'"prompt_tokens"' in body) is ("stream_options" in second)
    else:
        assert headers["Content-Type"].startswith("application/json")
        assert json.loads(body)["usage"]["prompt_tokens"] == 2000


async def test_a_stream_passes_as_it_was_sent() -> None:
    async with provider() as fake, proxy(fake.base_url) as ours:
        assert (await ours.chat(STREAM))[2] == b"".join(chunks())


@pytest.mark.parametrize(
    "change",
    [
        {"model": "gpt-4o-mini"},
        {"temperature": 0.5},
        {"seed": 1},
        {"n": 2},
        {"brand_new_field": None},
        {"messages": [{"role": "user", "content": "what is the capital of France?"}]},
        {"messages": [{"role": "system", "content": ""}, *CHAT["messages"]]},  # type: ignore[misc]
    ],
)
async def test_any_difference_is_a_miss(change: dict[str, Any]) -> None:
    async with provider() as fake, proxy(fake.base_url) as ours:
        await ours.chat()
        assert (await ours.chat(CHAT | change))[1]["X-Cache-Status"] == "miss"
        assert fake.calls == 2


async def test_tenants_never_meet() -> None:
    async with provider() as fake, proxy(fake.base_url) as ours:
        await ours.chat(key="sk-one")
        assert (await ours.chat(key="sk-two"))[1]["X-Cache-Status"] == "miss"
        assert (await ours.chat(key="sk-one", OpenAI_Project="other"))[1]["X-Cache-Status"] == "miss"
        assert fake.calls == 3


async def test_sharing_between_tenants_is_a_setting() -> None:
    keys = {"sk-one", "sk-two"}
    config = "tenants: {share_cache: true}"
    async with provider(accepting(keys)) as fake, proxy(fake.base_url, config=config) as ours:
        await ours.chat(key="sk-one")
        status, headers, _ = await ours.chat(key="sk-two")
        assert (status, headers["X-Cache-Status"]) == (200, "hit")


def accepting(keys: set[str]) -> Script:
    """A provider that knows these keys."""

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        if seen.headers.get("Authorization", "").removeprefix("Bearer ") not in keys:
            return await answers({"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}, 401)(
                request, seen
            )
        return await answer(request, seen)

    return script


async def test_nobody_shares_the_flight_of_a_key_that_is_not_theirs() -> None:
    """A shared cache shares answers with those whom the provider accepts, and a flight knows of one of them only."""
    gate, keys = asyncio.Event(), {"sk-one"}

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        if seen.headers["Authorization"] == "Bearer sk-one":
            await gate.wait()
        return await accepting(keys)(request, seen)

    config = "tenants: {share_cache: true}"
    async with provider(script) as fake, proxy(fake.base_url, config=config) as ours:
        first = asyncio.ensure_future(ours.chat(key="sk-one"))
        await until(lambda: fake.calls == 1)
        assert (await ours.chat(key="sk-revoked"))[0] == 401
        gate.set()
        assert (await first)[0] == 200


ALWAYS_ASKED = "tenants: {revalidate: 0}"


async def test_a_revoked_key_is_refused_although_the_answer_lies_warm(tmp_path: Path) -> None:
    keys = {"sk-one"}
    async with provider(accepting(keys)) as fake, proxy(fake.base_url, tmp_path, ALWAYS_ASKED) as ours:
        await ours.chat(key="sk-one")
        assert (await ours.chat(key="sk-one"))[1]["X-Cache-Status"] == "hit"
        assert [seen.path for seen in fake.seen[1:]] == ["/v1/models"] * 2  # without a key, then with it
        keys.clear()
        status, _, body = await ours.chat(key="sk-one")
        assert status == 401
        assert json.loads(body)["error"]["code"] == "invalid_api_key"
        assert fake.calls == 1


async def test_whoever_was_accepted_lately_is_not_asked_about_after_a_restart(tmp_path: Path) -> None:
    async with provider(accepting({"sk-one"})) as fake:
        for status in ("miss", "hit"):
            async with proxy(fake.base_url, tmp_path) as ours:
                assert (await ours.chat(key="sk-one"))[1]["X-Cache-Status"] == status
        assert len(fake.seen) == 1


async def test_a_key_that_was_refused_elsewhere_is_asked_about_again() -> None:
    keys = {"sk-one"}
    async with provider(accepting(keys)) as fake, proxy(fake.base_url) as ours:
        await ours.chat(key="sk-one")
        keys.clear()
        assert (await ours.chat(CHAT | {"seed": 7}, key="sk-one"))[0] == 401
        assert (await ours.chat(key="sk-one"))[0] == 401


async def test_a_list_of_models_for_everybody_says_nothing_about_a_key(tmp_path: Path) -> None:
    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        if seen.path == "/v1/models":
            return web.json_response({"data": []})
        return await accepting({"sk-one"})(request, seen)

    shared = "tenants: {share_cache: true}"
    async with provider(script) as fake, proxy(fake.base_url, tmp_path, shared) as ours:
        await ours.chat(key="sk-one")
        async with ours.session.get(f"{ours.base_url}/models", headers={"Authorization": "Bearer sk-two"}) as reply:
            assert reply.status == 200
        assert (await ours.chat(key="sk-two"))[0] == 401


async def test_a_provider_that_cannot_be_asked_gets_the_request_itself(tmp_path: Path) -> None:
    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        return web.Response(status=404) if seen.path == "/v1/models" else await answer(request, seen)

    async with provider(script) as fake:
        for detail in ("", '; detail="key not verified"'):
            async with proxy(fake.base_url, tmp_path, ALWAYS_ASKED) as ours:
                _, headers, _ = await ours.chat()
                assert headers["X-Cache-Status"] == "miss"
                assert headers["Cache-Status"].endswith(f'"{detail}')
        assert fake.calls == 2


MANAGED = """
tenants: {mode: managed, keys: [{tenant: a, key_env: TEAM_A}, {tenant: b, key_env: TEAM_B}]}
upstream: {api_key_env: PROVIDER_KEY}
"""


async def test_managed_keys_stand_in_for_the_providers() -> None:
    async with provider() as fake, proxy(fake.base_url, config=MANAGED) as ours:
        assert (await ours.chat(key="wg-team-a"))[1]["X-Cache-Status"] == "miss"
        assert (await ours.chat(key="wg-team-a"))[1]["X-Cache-Status"] == "hit"
        assert (await ours.chat(key="wg-team-b"))[1]["X-Cache-Status"] == "miss"
        async with ours.session.get(f"{ours.base_url}/models", headers={"Authorization": "Bearer wg-team-a"}) as reply:
            assert reply.status == 200
        assert {seen.headers["Authorization"] for seen in fake.seen} == {"Bearer sk-provider"}


@pytest.mark.parametrize("path", ["/chat/completions", "/models", "/files"])
async def test_a_key_nobody_issued_gets_nothing(path: str) -> None:
    async with provider() as fake, proxy(fake.base_url, config=MANAGED) as ours:
        await ours.chat(key="wg-team-a")
        async with ours.post(path=path, key="sk-unknown") as reply:
            assert reply.status == 401
            assert (await reply.json())["error"]["code"] == "invalid_api_key"
        assert fake.calls == 1


@pytest.mark.parametrize(
    ("cache_control", "member", "expected"),
    [
        ("no-cache", None, ("refresh", 2)),
        ("no-store", None, ("hit", 1)),
        ("max-age=0", None, ("refresh", 2)),
        ("max-age=60", None, ("hit", 1)),
        ("only-if-cached", None, ("hit", 1)),
        (None, {"no-cache": True}, ("refresh", 2)),
        (None, {"s-maxage": 60}, ("hit", 1)),
        (None, {"namespace": "other"}, ("miss", 2)),
        (None, {}, ("hit", 1)),
    ],
)
async def test_controls_of_a_request_on_a_warm_cache(cache_control: str | None, member: Any, expected: Any) -> None:
    async with provider() as fake, proxy(fake.base_url) as ours:
        await ours.chat()
        body = CHAT if member is None else CHAT | {"cache": member}
        headers = {} if cache_control is None else {"Cache_Control": cache_control}
        _, told, _ = await ours.chat(body, **headers)
        assert (told["X-Cache-Status"], fake.calls) == expected
        assert b"cache" not in fake.seen[-1].body


async def test_no_store_keeps_nothing_and_no_cache_renews() -> None:
    async with provider() as fake, proxy(fake.base_url) as ours:
        await ours.chat(Cache_Control="no-store")
        await ours.chat(Cache_Control="no-cache")
        assert fake.calls == 2
        assert (await ours.chat())[1]["X-Cache-Status"] == "hit"


async def test_only_if_cached_never_asks() -> None:
    async with provider() as fake, proxy(fake.base_url) as ours:
        status, headers, body = await ours.chat(Cache_Control="only-if-cached")
    assert (status, fake.calls) == (504, 0)
    assert json.loads(body)["error"]["type"] == "cache_miss"
    assert headers["X-Cache-Status"] == "miss"


async def test_the_cache_member_is_cut_out_and_nothing_else() -> None:
    raw = b'{"model" : "gpt-4o", "cache" : {"ttl": 5},\n "messages":[{"role":"user","content":"x"}]}'
    async with provider() as fake, proxy(fake.base_url) as ours:
        _, headers, _ = await ours.chat(raw)
        assert fake.seen[0].body == b'{"model" : "gpt-4o", "messages":[{"role":"user","content":"x"}]}'
        assert "stored" in headers["Cache-Status"]
        assert "ttl=5;" in (await ours.chat(raw))[1]["Cache-Status"]
        assert (await ours.chat(CHAT | {"cache": {"tll": 5}}))[0] == 400


async def test_store_true_is_for_the_provider() -> None:
    async with provider() as fake, proxy(fake.base_url) as ours:
        for _ in range(2):
            assert (await ours.chat(CHAT | {"store": True}))[1]["X-Cache-Status"] == "bypass"
        assert fake.calls == 2


@pytest.mark.parametrize(("body", "kept"), [(CHAT, False), (CHAT | {"temperature": 0}, True)])
async def test_only_temperature_zero_where_that_is_set(body: Any, kept: bool) -> None:
    async with provider() as fake, proxy(fake.base_url, config="cache: {exact: {temperature: zero}}") as ours:
        await ours.chat(body)
        await ours.chat(body)
        assert fake.calls == 2 - kept


@pytest.mark.parametrize("part", ["cache: {enabled: false}", "cache: {exact: {enabled: false}}"])
async def test_layers_can_be_turned_off(part: str) -> None:
    async with provider() as fake, proxy(fake.base_url, config=part) as ours:
        await ours.chat()
        status, headers, _ = await ours.chat()
        assert (status, fake.calls) == (200, 2)
        assert "fwd=bypass" in headers["Cache-Status"]


async def test_a_crowd_is_one_call_whole_and_streamed() -> None:
    gate = asyncio.Event()

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        await gate.wait()
        return await answer(request, seen)

    async with provider(script) as fake, proxy(fake.base_url) as ours:
        for body in (CHAT, WITH_USAGE | {"seed": 1}):
            gate.clear()
            crowd = [asyncio.ensure_future(ours.chat(body)) for _ in range(50)]
            await until(lambda: ours.app.edge.gate.in_flight == 50)
            gate.set()
            replies = await asyncio.gather(*crowd)
            assert len({reply[2] for reply in replies}) == 1
            assert sum("collapsed" in reply[1]["Cache-Status"] for reply in replies) == 49
        assert fake.calls == 2
        page = await metrics(ours)
    assert page["warmgate_requests_total", "chat", "collapsed", "200"] == 98
    assert page["warmgate_requests_total", "chat", "upstream", "200"] == 2
    assert page["warmgate_dollars_total", "spent", "upstream"] == pytest.approx(2 * 0.00472)
    assert page["warmgate_dollars_total", "saved", "collapsed"] == pytest.approx(98 * 0.00472)


async def metrics(ours: Any) -> dict[tuple[str, ...], float]:
    async with ours.session.get(f"{ours.root}/metrics") as reply:
        page = await reply.text()
    rows = re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", page, re.MULTILINE)
    return {(name, *re.findall(r'"([^"]*)"', labels)): float(value) for name, labels, value in rows}


async def test_a_call_is_paid_once_whoever_reads_its_end_first() -> None:
    gate = asyncio.Event()
    events = [chunks(usage=True)[0], *[b": " + b"x" * 10_000 + b"\n\n"] * 1500, *chunks(usage=True)[1:]]

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        await gate.wait()
        return await send(request, events)

    config = "cache: {coalesce: {max_bytes: 64MiB, ahead: 64MiB}}"
    async with provider(script) as fake, proxy(fake.base_url, config=config) as ours:
        leading = asyncio.ensure_future(asyncio.wait_for(ours.post(WITH_USAGE), 30))
        await until(lambda: ours.app.edge.gate.in_flight == 1)
        following = asyncio.ensure_future(ours.chat(WITH_USAGE))
        await until(lambda: ours.app.edge.gate.in_flight == 2)
        gate.set()
        leader = await leading  # its body is more than the connection holds, and nobody reads it yet
        assert len((await following)[2]) > 15_000_000
        page = await metrics(ours)
        assert page["warmgate_requests_total", "chat", "upstream", "200"] == 1
        assert (await leader.read()).endswith(b"data: [DONE]\n\n")
        page = await metrics(ours)
    assert fake.calls == 1
    assert page["warmgate_dollars_total", "spent", "upstream"] == pytest.approx(0.00472)
    assert page["warmgate_dollars_total", "saved", "collapsed"] == pytest.approx(0.00472)
    assert ("warmgate_dollars_total", "saved", "upstream") not in page


async def test_the_leader_hanging_up_hurts_nobody_and_the_last_one_hangs_up_upstream() -> None:
    gate, begun = asyncio.Event(), asyncio.Event()

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        async def wait(index: int) -> None:
            begun.set()
            await gate.wait()

        return await send(request, chunks(), after=wait)

    async with provider(script) as fake, proxy(fake.base_url) as ours:
        leader = await ours.post(STREAM)
        await begun.wait()
        follower = await ours.post(STREAM)
        leader.close()
        first = await follower.content.readany()
        assert first.startswith(chunks()[0])
        assert not fake.hung_up.is_set()
        follower.close()
        await asyncio.wait_for(fake.hung_up.wait(), 5)
        assert fake.calls == 1
        await until(lambda: not ours.app.edge.gate.in_flight and not len(ours.app.tasks))
        gate.set()
        assert (await ours.chat(STREAM))[1]["X-Cache-Status"] == "miss"


async def test_a_client_that_waits_for_a_whole_answer_and_leaves_ends_the_upstream_call() -> None:
    begun = asyncio.Event()

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with provider(script) as fake, proxy(fake.base_url) as ours:
        waiting = asyncio.ensure_future(ours.chat())
        await begun.wait()
        waiting.cancel()
        await asyncio.wait_for(fake.hung_up.wait(), 5)


async def test_other_routes_pass_both_ways_to_the_byte() -> None:
    echoed: list[bytes] = []

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        echoed.append(seen.body)
        headers = {"Content-Type": "application/x-odd", "X-Odd": "ä".encode().decode("latin-1"), "ETag": '"1"'}
        return web.Response(status=207, reason="Odd", body=seen.body[::-1], headers=headers)

    async with provider(script) as fake, proxy(fake.base_url) as ours:
        payload = bytes(range(256)) * 500
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            url = f"{ours.base_url}/vector_stores/a%2Fb?x=%20&y"
            async with ours.session.request(method, url, data=payload, headers={"Content-Type": "a/b"}) as reply:
                assert reply.status == 207
                assert await reply.read() == payload[::-1]
                assert (reply.headers["Content-Type"], reply.headers["ETag"]) == ("application/x-odd", '"1"')
        assert echoed == [payload] * 4
        assert fake.seen[-1].method == "DELETE"
        assert [seen.headers["Content-Type"] for seen in fake.seen] == ["a/b"] * 4


async def test_other_routes_are_streamed_and_never_held() -> None:
    gate = asyncio.Event()

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        async def wait(index: int) -> None:
            await gate.wait()

        return await send(request, [b"first", b"second"], after=wait)

    async with provider(script) as fake, proxy(fake.base_url) as ours, ours.post(path="/files") as reply:
        assert await reply.content.readany() == b"first"
        gate.set()
        assert await reply.content.read() == b"second"


async def test_an_upload_is_passed_on_while_it_comes() -> None:
    arrived, gate = asyncio.Event(), asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        first = await request.content.readany()
        arrived.set()
        return web.json_response({"size": len(first + await request.read())})

    async def slowly() -> Any:
        yield b"x" * 1000
        await gate.wait()
        yield b"y" * 1000

    runner = web.AppRunner(web.Application(client_max_size=1 << 30), access_log=None)
    runner.app.router.add_post("/v1/files", handle)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with proxy(f"http://127.0.0.1:{runner.addresses[0][1]}/v1") as ours:
        sending = asyncio.ensure_future(ours.session.post(f"{ours.base_url}/files", data=slowly()))
        await asyncio.wait_for(arrived.wait(), 5)
        gate.set()
        reply = await sending
        assert await reply.json() == {"size": 2000}
    await runner.cleanup()


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_a_body(status: int) -> None:
    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        return web.Response(status=status, headers={"X-Here": "1"})

    async with provider(script) as fake, proxy(fake.base_url) as ours:
        async with ours.session.get(f"{ours.base_url}/files/1") as reply:
            assert (reply.status, reply.headers["X-Here"], await reply.read()) == (status, "1", b"")
        async with ours.session.get(f"{ours.base_url}/files/1") as reply:
            assert reply.status == status


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/files"])
async def test_a_client_that_asks_before_it_sends_is_told_to_go_on(path: str) -> None:
    body = json.dumps(CHAT).encode()
    async with provider() as fake, proxy(fake.base_url, config="limits: {body: 1000}") as ours:
        host, _, port = ours.root.removeprefix("http://").rpartition(":")
        for length, told in ((len(body), b"HTTP/1.1 100 Continue"), (1001, b"HTTP/1.1 413 ")):
            reader, writer = await asyncio.open_connection(host, int(port))
            head = (
                f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
            )
            writer.write(f"{head}Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n".encode())
            assert (await asyncio.wait_for(reader.readline(), 10)).startswith(told)
            if length == len(body):
                assert await reader.readline() == b"\r\n"
                writer.write(body)
                assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 200 OK")
            writer.close()
    assert [seen.body for seen in fake.seen] == [body]


async def test_head_requests() -> None:
    async with provider() as fake, proxy(fake.base_url) as ours, ours.session.head(f"{ours.base_url}/models") as reply:
        assert reply.status == 200
        assert int(reply.headers["Content-Length"]) > 0


async def test_the_usage_chunk_is_asked_for_and_hidden_where_that_is_set() -> None:
    async with provider() as fake, proxy(fake.base_url, config="upstream: {stream_usage: always}") as ours:
        raw = b'{"model":"gpt-4o", "messages":[{"role":"user","content":"x"}],"stream":true}'
        _, headers, body = await ours.chat(raw)
        assert json.loads(fake.seen[0].body)["stream_options"] == {"include_usage": True}
        assert fake.seen[0].body.startswith(raw[:-1])
        assert b'"prompt_tokens"' not in body
        assert body.endswith(b"data: [DONE]\n\n")
        assert headers["X-Warmgate-Modified"] == str(len(fake.seen[0].body) - len(raw))
        # Nothing is missing from what was kept.
        _, headers, body = await ours.chat(b'{"model":"gpt-4o", "messages":[{"role":"user","content":"x"}]}')
        assert headers["X-Cache-Status"] == "hit"
        assert json.loads(body)["usage"]["prompt_tokens"] == 2000


async def test_what_is_asked_of_the_semantic_cache_is_for_us_alone() -> None:
    body = CHAT | {"cache": {"similarity": 0.9, "semantic": False}}
    lines = {"X-Warmgate-Similarity": "0.95", "X-Warmgate-Semantic": "on", "X-Warmgate-Context": "personal"}
    async with provider() as fake, proxy(fake.base_url) as ours:
        status, _, _ = await ours.chat(body, **lines)
        assert status == 200
        assert not {name for name in fake.seen[0].headers if name.lower().startswith("x-warmgate")}
        assert "cache" not in json.loads(fake.seen[0].body)


@pytest.mark.parametrize(
    ("lines", "member", "param"),
    [
        ({"X-Warmgate-Similarity": "high"}, {}, "X-Warmgate-Similarity"),
        ({"X-Warmgate-Similarity": "1.2"}, {}, "X-Warmgate-Similarity"),
        ({"X-Warmgate-Semantic": "maybe"}, {}, "X-Warmgate-Semantic"),
        ({}, {"similarity": 2}, "cache.similarity"),
        ({}, {"semantic": "off"}, "cache.semantic"),
    ],
)
async def test_what_can_not_be_read_of_it_is_refused(lines: dict[str, str], member: Any, param: str) -> None:
    async with provider() as fake, proxy(fake.base_url) as ours:
        status, _, told = await ours.chat(CHAT | {"cache": member}, **lines)
        assert (status, json.loads(told)["error"]["param"]) == (400, param)
        assert fake.calls == 0


async def test_operations() -> None:
    async with provider() as fake, proxy(fake.base_url) as ours:
        for path, status in (("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/nowhere", 404), ("/", 404)):
            async with ours.session.get(ours.root + path) as reply:
                assert reply.status == status
                if status == 404:
                    assert (await reply.json())["error"]["code"] == "unknown_route"
        async with ours.session.post(f"{ours.root}/healthz") as reply:
            assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD")
        ours.app.edge.gate.draining = True
        async with ours.session.get(f"{ours.root}/readyz") as reply:
            assert reply.status == 503
