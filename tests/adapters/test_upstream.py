"""The upstream handler against a real server on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from adapters.dress import Dress
from adapters.errors import Torn, UpstreamError
from adapters.openai_chat import OPENAI_CHAT
from adapters.upstream import Patience, Retries, Upstream, end_to_end, retry_after
from adapters.vocabulary import Call, Form, Reply
from tests.fakes import CHAT, Clock, Script, Seen, answer, answers, chunks, completion, provider, send


class Naps:
    """A sleep that returns at once and remembers."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


@asynccontextmanager
async def upstream(base_url: str, naps: Naps | None = None, **more: Any) -> AsyncIterator[Upstream]:
    chosen: dict[str, Any] = {
        "dress": Dress(),
        "patience": Patience(connect=2, first_byte=5, between=5),
        "retries": Retries(times=2, longest=10, base=0.5),
        "clock": Clock(),
        "sleep": naps or Naps(),
        "chance": lambda: 0.5,
        "wall": Clock(),
    }
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield Upstream(session, base_url, **(chosen | more))


def chat(body: Any = CHAT, **headers: str) -> Call:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Call("POST", "/chat/completions", CIMultiDict(headers), raw, dialect=OPENAI_CHAT)


def other(method: str = "GET", target: str = "/models", body: Any = b"", **headers: str) -> Call:
    return Call(method, target, CIMultiDict(headers), body)


async def body_of(reply: Reply) -> bytes:
    return b"".join([frame.raw async for frame in reply.frames])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(), lambda inner: st.lists(inner)))
def test_what_comes_in_goes_out_to_the_byte(value: Any) -> None:
    raw = b'{"model" :"m",\n "messages":[{"content":' + json.dumps(value).encode() + b'}] ,"stream":false}'

    async def run() -> None:
        async with provider() as fake, upstream(fake.base_url) as handler:
            reply = await handler(chat(raw))
            assert fake.seen[0].body == raw
            assert reply.body == json.dumps(completion()).encode()

    asyncio.run(run())


async def test_headers_that_describe_a_connection_stay_behind() -> None:
    async with provider() as fake, upstream(fake.base_url) as handler:
        call = chat(**{
            "Authorization": "Bearer sk-client", "Connection": "X-Hop", "X-Hop": "1", "TE": "trailers",
            "X-Warmgate-Fanout": "g", "OpenAI-Project": "p", "Accept-Encoding": "br", "Host": "elsewhere",
            "Expect": "100-continue", "User-Agent": "test/1", "Content-Type": "application/json",
        })  # fmt: skip
        await handler(call)
        sent = {name.lower(): value for name, value in fake.seen[0].headers.items()}
    assert sent["authorization"] == "Bearer sk-client"
    assert sent["openai-project"] == "p"
    assert sent["user-agent"] == "test/1"
    assert sent["accept-encoding"] == "identity"
    assert sent["host"].startswith("127.0.0.1")
    assert not {"x-hop", "te", "x-warmgate-fanout", "expect"} & set(sent)


async def test_nothing_is_added_for_a_client_that_sent_nothing() -> None:
    async with provider() as fake, upstream(fake.base_url) as handler:
        reply = await handler(other())
        await body_of(reply)
        assert {name.lower() for name in fake.seen[0].headers} == {"host"}


async def test_a_managed_key_replaces_every_credential() -> None:
    async with provider() as fake, upstream(fake.base_url, dress=Dress(api_key="sk-ours", replaces=True)) as handler:
        await handler(chat(**{"authorization": "Bearer wg", "x-api-key": "a", "API-Key": "b"}))
        sent = fake.seen[0].headers
    assert sent["Authorization"] == "Bearer sk-ours"
    assert "x-api-key" not in sent
    assert "API-Key" not in sent


async def test_query_and_encoding_of_the_path_stay() -> None:
    async with provider() as fake, upstream(fake.base_url) as handler:
        await body_of(await handler(other(target="/files/a%2Fb?x=1&y=%C3%A9&z")))
        assert fake.seen[0].path == "/v1/files/a%2Fb?x=1&y=%C3%A9&z"


async def test_a_body_that_streams_in_streams_on_with_its_length() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 100_000

    async with provider() as fake, upstream(fake.base_url) as handler:
        reply = await handler(other("POST", "/files", pieces(), **{"Content-Length": "300000"}))
        await body_of(reply)
        assert fake.seen[0].body == b"x" * 300_000
        assert fake.seen[0].headers["Content-Length"] == "300000"


def failing(times: int, status: int, **headers: str) -> tuple[Script, list[int]]:
    """Fails the first `times` requests, then answers."""
    tried: list[int] = []

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        tried.append(1)
        if len(tried) <= times:
            return await answers({"error": {"message": "no"}}, status, **headers)(request, seen)
        return await answer(request, seen)

    return script, tried


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
async def test_passing_failures_are_tried_again(status: int) -> None:
    script, tried = failing(2, status)
    naps = Naps()
    async with provider(script) as fake, upstream(fake.base_url, naps) as handler:
        call = chat()
        reply = await handler(call)
    assert (reply.status, len(tried), call.trace.attempts) == (200, 3, 3)
    assert naps.taken == [0.5, 1.0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
async def test_the_clients_own_mistakes_are_not(status: int) -> None:
    script, tried = failing(9, status)
    async with provider(script) as fake, upstream(fake.base_url) as handler:
        reply = await handler(chat())
    assert (reply.status, len(tried)) == (status, 1)


async def test_retry_after_is_kept_to_and_the_last_failure_is_told() -> None:
    script, tried = failing(9, 429, Retry_After="3")
    naps = Naps()
    async with provider(script) as fake, upstream(fake.base_url, naps) as handler:
        reply = await handler(chat())
    assert (reply.status, len(tried), naps.taken) == (429, 3, [3.0, 3.0])
    assert dict(reply.headers)["Retry-After"] == "3"


@pytest.mark.parametrize("headers", [{"Retry_After": "11"}, {"x_should_retry": "false"}])
async def test_a_longer_wait_is_the_clients_to_make(headers: dict[str, str]) -> None:
    script, tried = failing(9, 429, **headers)
    async with provider(script) as fake, upstream(fake.base_url) as handler:
        reply = await handler(chat())
    assert (reply.status, len(tried)) == (429, 1)


def test_retry_after_in_all_its_forms() -> None:
    wall = Clock(1_700_000_000.0)
    date = format_datetime(datetime.fromtimestamp(1_700_000_007, UTC), usegmt=True)
    for headers, seconds in (
        ({"retry-after": "2"}, 2.0), ({"retry-after": "0.5"}, 0.5), ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": date}, 7.0), ({"retry-after": "-3"}, 0.0), ({"retry-after": "soon"}, None), ({}, None),
    ):  # fmt: skip
        assert retry_after(CIMultiDict(headers), wall) == seconds


async def test_refused_connections_are_tried_again_then_told(unused_tcp_port: int) -> None:
    naps = Naps()
    async with upstream(f"http://127.0.0.1:{unused_tcp_port}/v1", naps) as handler:
        with pytest.raises(UpstreamError) as caught:
            await handler(chat())
    assert (caught.value.status, caught.value.code, len(naps.taken)) == (502, "upstream_unreachable", 2)
    assert str(unused_tcp_port) not in caught.value.message


async def test_a_name_that_does_not_resolve() -> None:
    async with upstream("http://no-such-host.invalid/v1") as handler:
        with pytest.raises(UpstreamError, match="could not be reached"):
            await handler(chat())


async def test_a_connection_reset_before_the_answer_is_tried_again() -> None:
    tried: list[int] = []

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        tried.append(1)
        if len(tried) == 1:
            assert request.transport is not None
            request.transport.abort()
        return await answer(request, seen)

    async with provider(script) as fake, upstream(fake.base_url) as handler:
        assert (await handler(chat())).status == 200
    assert len(tried) == 2


async def test_a_model_that_thinks_too_long_is_not_asked_twice() -> None:
    gate = asyncio.Event()

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        await gate.wait()
        return await answer(request, seen)

    async with provider(script) as fake:
        async with upstream(fake.base_url, patience=Patience(first_byte=0.05, between=0.05)) as handler:
            with pytest.raises(UpstreamError) as caught:
                await handler(chat())
        gate.set()
        assert (caught.value.status, len(fake.seen)) == (504, 1)


@pytest.mark.parametrize(("status", "told"), [(200, 502), (404, 404), (503, 503)])
async def test_a_page_instead_of_json_is_told_in_the_dialect(status: int, told: int) -> None:
    script = answers(b"<html>gateway</html>", status, Content_Type="text/html", Retry_After="30")
    async with provider(script) as fake, upstream(fake.base_url, retries=Retries(times=0)) as handler:
        reply = await handler(chat())
    assert reply.status == told
    assert json.loads(reply.body or b"")["error"]["code"] == "upstream_unreadable"
    assert dict(reply.headers)["Retry-After"] == "30"
    assert reply.answer is None


async def test_json_errors_pass_to_the_byte() -> None:
    raw = b'{"error" : {"message":"bad","type":"x","param":null,"code":"y"}}'
    async with provider(answers(raw, 400)) as fake, upstream(fake.base_url) as handler:
        reply = await handler(chat())
    assert (reply.status, reply.body) == (400, raw)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_dialects_answer_is_read_whatever_its_coding(coding: str) -> None:
    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        response = web.json_response(completion())
        response.enable_compression(web.ContentCoding(coding))
        return response

    async with provider(script) as fake, upstream(fake.base_url) as handler:
        reply = await handler(chat())
    assert json.loads(reply.body or b"") == completion()
    assert "Content-Encoding" not in dict(reply.headers)


async def test_other_bodies_pass_in_the_coding_they_came_in() -> None:
    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        return web.Response(body=b"\x1f\x8b not really gzip", headers={"Content-Encoding": "gzip"})

    async with provider(script) as fake, upstream(fake.base_url) as handler:
        reply = await handler(other(**{"Accept-Encoding": "gzip"}))
        assert await body_of(reply) == b"\x1f\x8b not really gzip"
        assert dict(reply.headers)["Content-Encoding"] == "gzip"
        assert fake.seen[0].headers["Accept-Encoding"] == "gzip"


async def stream(script: Script) -> tuple[bytes, Reply]:
    async with provider(script) as fake, upstream(fake.base_url) as handler:
        reply = await handler(chat(CHAT | {"stream": True}))
        assert reply.form is Form.EVENTS
        return await body_of(reply), reply


async def test_a_stream_comes_as_it_was_sent() -> None:
    body, reply = await stream(answer)
    assert body == b"".join(chunks())
    assert reply.answer is not None
    assert [frame.raw for frame in reply.answer.frames] == chunks()


async def test_events_that_came_together_can_be_had_together_but_for_the_end() -> None:
    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        return await send(request, [b"".join(chunks())])

    async with provider(script) as fake, upstream(fake.base_url) as handler:
        reply = await handler(chat(CHAT | {"stream": True}))
        first = await reply.frames.__anext__()
        behind = reply.frames.ready()
        assert [frame.raw for frame in (first, *behind)] == chunks()[:-1]
        assert reply.answer is not None
        assert reply.answer.frames == [first, *behind]
        assert reply.frames.ready() == [], "layers wait at the end"
        assert (await reply.frames.__anext__()).raw == b"data: [DONE]\n\n"
        assert reply.frames.ready() == []


async def test_a_last_event_without_its_blank_line_still_ends_the_stream() -> None:
    events = [*chunks()[:-1], b"data: [DONE]"]

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        return await send(request, events)

    body, _ = await stream(script)
    assert body == b"".join(chunks())


@pytest.mark.parametrize("cut", [0, 1, 3])
async def test_a_stream_without_its_end_is_torn(cut: int) -> None:
    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        return await send(request, [*chunks()[:cut], b'data: {"id":'])

    with pytest.raises(Torn, match="before it was complete") as caught:
        await stream(script)
    assert not caught.value.told


async def test_a_connection_that_breaks_tears_the_stream() -> None:
    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        async def cut(index: int) -> None:
            if index == 1:
                assert request.transport is not None
                request.transport.abort()

        return await send(request, chunks(), after=cut)

    with pytest.raises(Torn, match="broke off"):
        await stream(script)


async def test_an_error_event_is_handed_on_and_ends_the_stream() -> None:
    error = b'data: {"error":{"message":"overloaded","type":"server_error","code":null}}\n\n'

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        return await send(request, [*chunks()[:2], error])

    got: list[bytes] = []
    async with provider(script) as fake, upstream(fake.base_url) as handler:
        reply = await handler(chat(CHAT | {"stream": True}))

        async def read() -> None:
            async for frame in reply.frames:
                got.append(frame.raw)

        with pytest.raises(Torn) as caught:
            await read()
    assert got == [*chunks()[:2], error]
    assert caught.value.told


def stalling(gate: asyncio.Event) -> Script:
    """Sends one event, then waits for the gate."""

    async def wait(index: int) -> None:
        await gate.wait()

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        return await send(request, chunks(), after=wait)

    return script


async def test_a_stalled_stream_is_torn() -> None:
    gate = asyncio.Event()
    patience = Patience(between=0.05)
    async with provider(stalling(gate)) as fake, upstream(fake.base_url, patience=patience) as handler:
        reply = await handler(chat(CHAT | {"stream": True}))
        with pytest.raises(Torn, match="stalled"):
            await body_of(reply)
        gate.set()


async def test_closing_the_frames_hangs_up_at_once() -> None:
    async with provider(stalling(asyncio.Event())) as fake, upstream(fake.base_url) as handler:
        reply = await handler(chat(CHAT | {"stream": True}))
        await reply.frames.__anext__()
        await reply.frames.aclose()
        await asyncio.wait_for(fake.hung_up.wait(), 5)


async def test_a_whole_answer_that_breaks_off_is_no_answer() -> None:
    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"id":')
        assert request.transport is not None
        request.transport.close()
        return response

    async with provider(script) as fake, upstream(fake.base_url) as handler:
        with pytest.raises(UpstreamError) as caught:
            await handler(chat())
        assert (caught.value.code, len(fake.seen)) == ("upstream_torn", 1)


def test_end_to_end_drops_what_connection_names() -> None:
    headers = CIMultiDict({"Connection": "x-a, close", "X-A": "1", "X-B": "2", "Content-Length": "3"})
    assert end_to_end(headers, decoded=False) == (("X-B", "2"), ("Content-Length", "3"))
    assert end_to_end(headers, decoded=True) == (("X-B", "2"),)
