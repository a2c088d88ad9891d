"""What a provider may do wrong: the client hears of it, nothing wrong is kept, and the next good answer works."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import AsyncOpenAI

from cache.invalidation import Invalidation
from tests.fakes import CHAT, KEY, Provider, Script, Seen, answer, answers, chunks, completion, provider, send
from tests.running import Proxy, proxy

STREAM = CHAT | {"stream": True}
ONCE = "upstream: {retries: 0}"
QUICK = "upstream: {retries: 0, connect_timeout: 200ms, first_byte_timeout: 100ms, read_timeout: 100ms}"
DONE = b"data: [DONE]\n\n"


def event(value: Any) -> bytes:
    return b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n"


def streams(*events: bytes) -> Script:
    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        return await send(request, list(events))

    return script


def torn(*events: bytes, kind: str = "text/event-stream") -> Script:
    """Sends these pieces, then breaks the connection."""

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": kind})
        await response.prepare(request)
        for piece in events:
            await response.write(piece)
        assert request.transport is not None
        request.transport.close()
        return response

    return script


async def drop(request: web.Request, seen: Seen) -> web.StreamResponse:
    """Breaks the connection before a byte of an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def silent(request: web.Request, seen: Seen) -> web.StreamResponse:
    """Never answers."""
    await asyncio.Event().wait()
    raise AssertionError


@asynccontextmanager
async def faulty(script: Script, config: str = ONCE, directory: Path | None = None) -> AsyncIterator[tuple[Any, Any]]:
    async with provider(script) as fake, proxy(fake.base_url, directory, config) as ours:
        yield fake, ours


async def recovers(fake: Provider, ours: Proxy, body: Any = CHAT) -> None:
    """Nothing was kept: the next request goes upstream, gets the good answer, and that one is kept."""
    fake.script = answer
    before = fake.calls
    status, headers, _ = await ours.chat(body)
    assert (status, headers["X-Cache-Status"], fake.calls) == (200, "miss", before + 1)
    status, headers, _ = await ours.chat(body)
    assert (status, headers["X-Cache-Status"], fake.calls) == (200, "hit", before + 1)


def error_of(body: bytes) -> dict[str, Any]:
    error = json.loads(body)["error"]
    assert {"message", "type", "param", "code"} <= set(error)
    return dict(error)


@asynccontextmanager
async def client(ours: Proxy) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=ours.base_url, api_key=KEY, max_retries=0, timeout=20) as sdk:
        yield sdk


async def asked(ours: Proxy, *, stream: bool = False) -> Any:
    """The official client's answer to our usual question: a completion, or the events of its stream."""
    async with client(ours) as sdk:
        found: Any = await sdk.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "What is the capital of France?"}], stream=stream
        )
        return [one async for one in found] if stream else found


# -- no answer at all ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [CHAT, STREAM])
async def test_a_provider_that_is_not_there(body: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"  # bound, and nobody listens
        async with proxy(url, config=ONCE) as ours:
            status, headers, told = await ours.chat(body)
            assert (status, error_of(told)["code"]) == (502, "upstream_unreachable")
            assert headers["Content-Type"] == "application/json"
            with pytest.raises(openai.InternalServerError):
                await asked(ours)


async def test_a_name_that_does_not_resolve() -> None:
    async with proxy("http://nowhere.invalid/v1", config=ONCE) as ours:
        status, _, told = await ours.chat()
        assert (status, error_of(told)["code"]) == (502, "upstream_unreachable")
        assert "Errno" not in error_of(told)["message"]


@pytest.mark.parametrize("body", [CHAT, STREAM])
async def test_a_connection_that_is_reset_before_the_answer(body: Any) -> None:
    async with faulty(drop) as (fake, ours):
        status, _, told = await ours.chat(body)
        assert (status, error_of(told)["code"]) == (502, "upstream_unreachable")
        with pytest.raises(openai.InternalServerError):
            await asked(ours)
        await recovers(fake, ours, body)


async def test_a_connection_that_is_reset_is_tried_again() -> None:
    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        return await (drop if fake.calls == 1 else answer)(request, seen)

    async with faulty(script, "upstream: {retries: 1}") as (fake, ours):
        status, headers, _ = await ours.chat()
        assert (status, headers["X-Cache-Status"], fake.calls) == (200, "miss", 2)


@pytest.mark.parametrize("body", [CHAT, STREAM])
async def test_a_provider_that_never_answers(body: Any) -> None:
    async with faulty(silent, QUICK) as (fake, ours):
        status, _, told = await ours.chat(body)
        assert (status, error_of(told)["code"]) == (504, "upstream_timeout")
        with pytest.raises(openai.InternalServerError):
            await asked(ours)
        await recovers(fake, ours, body)


async def test_a_provider_that_stalls_inside_a_whole_answer() -> None:
    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(b'{"id":')
        await asyncio.Event().wait()
        return response

    async with faulty(script, QUICK) as (fake, ours):
        status, _, told = await ours.chat()
        assert (status, error_of(told)["code"]) == (504, "upstream_timeout")
        await recovers(fake, ours)


async def test_a_provider_that_stalls_inside_a_stream() -> None:
    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        async def forever(index: int) -> None:
            if index == 1:
                await asyncio.Event().wait()

        return await send(request, chunks(), after=forever)

    async with faulty(script, QUICK) as (fake, ours):
        status, _, told = await ours.chat(STREAM)
        assert status == 200
        assert told.startswith(b"".join(chunks()[:2]))
        assert error_of(told.split(b"data: ")[-1])["code"] == "upstream_torn"
        with pytest.raises(openai.APIError):
            await asked(ours, stream=True)
        await recovers(fake, ours, STREAM)


# -- answers of an error status --------------------------------------------------------------------------------------


def refusal(status: int, code: str) -> dict[str, Any]:
    return {"error": {"message": f"refused with {status}", "type": "some_error", "param": None, "code": code}}


@pytest.mark.parametrize("body", [CHAT, STREAM])
@pytest.mark.parametrize(
    ("status", "raised"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
        (529, openai.InternalServerError),
    ],
)
async def test_an_error_passes_as_the_provider_said_it(status: int, raised: type[openai.APIError], body: Any) -> None:
    said = refusal(status, "some_code")
    async with faulty(answers(said, status, x_request_id="req_9", Retry_After="77")) as (fake, ours):
        got, headers, told = await ours.chat(body)
        assert (got, json.loads(told)) == (status, said)
        named = {name.lower(): value for name, value in headers.items()}
        assert (named["x-request-id"], named["retry-after"]) == ("req_9", "77")
        with pytest.raises(raised) as error:
            await asked(ours, stream=bool(body.get("stream")))
        assert error.value.code == "some_code"
        await recovers(fake, ours, body)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
async def test_what_passes_by_itself_is_tried_again(status: int) -> None:
    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        return await (answers(refusal(status, "x"), status, Retry_After="0") if fake.calls == 1 else answer)(
            request, seen
        )

    async with faulty(script, "upstream: {retries: 2}") as (fake, ours):
        got, headers, _ = await ours.chat()
        assert (got, headers["X-Cache-Status"], fake.calls) == (200, "miss", 2)
        assert (await ours.chat())[1]["X-Cache-Status"] == "hit"


async def test_three_failures_are_the_clients() -> None:
    async with faulty(answers(refusal(500, "down"), 500, Retry_After="0"), "upstream: {retries: 2}") as (fake, ours):
        got, _, told = await ours.chat()
        assert (got, json.loads(told), fake.calls) == (500, refusal(500, "down"), 3)
        await recovers(fake, ours)


async def test_a_long_wait_is_the_clients_to_make() -> None:
    script = answers(refusal(429, "rate_limit_exceeded"), 429, Retry_After="60", x_ratelimit_remaining_requests="0")
    async with faulty(script, "upstream: {retries: 2}") as (fake, ours):
        got, headers, _ = await ours.chat()
        assert (got, headers["Retry-After"], fake.calls) == (429, "60", 1)
        assert headers["x-ratelimit-remaining-requests"] == "0"
        await recovers(fake, ours)


# -- answers that are none -------------------------------------------------------------------------------------------

HTML = b"<html><body>502 Bad Gateway</body></html>"
WHOLE = json.dumps(completion()).encode()


@pytest.mark.parametrize("body", [CHAT, STREAM])
@pytest.mark.parametrize(
    ("said", "kind", "status", "told"),
    [
        (HTML, "text/html", 200, 502),
        (HTML, "text/html", 502, 502),
        (HTML, "text/html", 403, 403),
        (b"", "application/json", 200, 502),
        (b"", "application/json", 500, 500),
        (WHOLE[:-20], "application/json", 200, 502),
        (b"[1]", "application/json", 200, 502),
        (b'"fine"', "application/json", 200, 502),
        (b"null", "application/json", 200, 502),
        (b"\xff\xfe", "application/json", 200, 502),
        (b"[" * 100_000, "application/json", 200, 502),
        (WHOLE + WHOLE, "application/json", 200, 502),
    ],
)
async def test_what_is_no_json_object(said: bytes, kind: str, status: int, told: int, body: Any) -> None:
    async with faulty(answers(said, status, Content_Type=kind)) as (fake, ours):
        got, headers, page = await ours.chat(body)
        assert (got, error_of(page)["code"]) == (told, "upstream_unreadable")
        assert headers["Content-Type"] == "application/json"
        with pytest.raises(openai.APIStatusError) as error:
            await asked(ours)
        assert error.value.status_code == told
        await recovers(fake, ours, body)


async def test_a_body_that_breaks_off() -> None:
    async with faulty(torn(WHOLE[:50], kind="application/json")) as (fake, ours):
        got, _, page = await ours.chat()
        assert (got, error_of(page)["code"]) == (502, "upstream_torn")
        await recovers(fake, ours)


def tool(arguments: Any, finish: str = "tool_calls") -> dict[str, Any]:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return completion(choices=[{"index": 0, "message": message, "finish_reason": finish}])


def choice(**more: Any) -> dict[str, Any]:
    return completion(choices=[{"index": 0, "message": {"role": "assistant", "content": "x"}, **more}])


ODD: dict[str, Any] = {
    "no choices": completion(choices=[]),
    "choices missing": {"id": "x", "object": "chat.completion"},
    "choices null": completion(choices=None),
    "choices of text": completion(choices="none"),
    "choices of numbers": completion(choices=[1, None]),
    "length": completion(finish="length"),
    "filtered": completion(finish="content_filter"),
    "finish null": choice(finish_reason=None),
    "finish missing": choice(),
    "finish list": choice(finish_reason=["stop"]),
    "finish made up": choice(finish_reason="because"),
    "finish with a line of its own": choice(finish_reason="a\r\nX-Evil: 1"),
    "finish in quotes": choice(finish_reason='"; stored; x="'),
    "finish of other letters": choice(
        finish_reason="\u4f60\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")
    ),
    "finish long": choice(finish_reason="x" * 100_000),
    "second choice cut": completion(
        choices=[*completion()["choices"], {"index": 1, "message": {"content": "y"}, "finish_reason": "length"}]
    ),
    "empty": completion(""),
    "message missing": completion(choices=[{"index": 0, "finish_reason": "stop"}]),
    "message of text": completion(choices=[{"index": 0, "finish_reason": "stop", "message": "hello"}]),
    "arguments cut": tool('{"city": "Par'),
    "arguments of no text": tool({"city": "Paris"}),
    "arguments missing": tool(None),
    "tool calls without any": choice(finish_reason="tool_calls"),
    "tool calls of text": completion(
        choices=[{"index": 0, "finish_reason": "tool_calls", "message": {"tool_calls": "x"}}]
    ),
    "error with 200": refusal(200, "overloaded"),
    "error beside choices": completion(error={"message": "half of it", "code": 502}),
    "error text": {"error": "overloaded"},
}


@pytest.mark.parametrize("body", [CHAT, STREAM])
@pytest.mark.parametrize("name", list(ODD))
async def test_an_answer_that_is_not_worth_keeping_passes_and_is_not_kept(name: str, body: Any, tmp_path: Path) -> None:
    async with faulty(answers(ODD[name]), directory=tmp_path) as (fake, ours):
        for _ in range(2):
            status, headers, told = await ours.chat(body)
            assert (status, headers["X-Cache-Status"]) == (200, "miss")
            assert "stored" not in headers["Cache-Status"].split("; ")
            assert "X-Evil" not in headers
            if body is CHAT:
                assert json.loads(told) == ODD[name]
            elif headers["Content-Type"].startswith("text/event-stream"):
                assert told.startswith(b"data: ")
        assert fake.calls == 2
        await recovers(fake, ours, body)


async def test_an_error_with_status_200_is_an_error_for_who_streams() -> None:
    async with faulty(answers(refusal(200, "overloaded"))) as (fake, ours):
        with pytest.raises(openai.APIError):
            await asked(ours, stream=True)
        await recovers(fake, ours, STREAM)


# -- streams ---------------------------------------------------------------------------------------------------------

EVENTS = chunks()


def delta(**choice: Any) -> dict[str, Any]:
    head: dict[str, Any] = json.loads(EVENTS[0][6:])
    return head | {"choices": [{"index": 0, "delta": {}, "finish_reason": None} | choice]}


@pytest.mark.parametrize("upto", range(len(EVENTS)))
@pytest.mark.parametrize("cut", [0, 9])
async def test_a_stream_that_breaks_off(upto: int, cut: int) -> None:
    pieces = EVENTS[:upto] + ([EVENTS[upto][:cut]] if cut else [])
    async with faulty(torn(*pieces)) as (fake, ours):
        status, headers, told = await ours.chat(STREAM)
        assert (status, headers["X-Cache-Status"]) == (200, "miss")
        *passed, last = told.split(b"\n\n")[:-1]
        assert b"".join(piece + b"\n\n" for piece in passed) == b"".join(EVENTS[:upto])
        assert error_of(last.removeprefix(b"data: "))["code"] == "upstream_torn"
        assert b"[DONE]" not in told
        with pytest.raises(openai.APIError):
            await asked(ours, stream=True)
        await recovers(fake, ours, STREAM)


async def test_a_stream_that_breaks_off_under_a_whole_request() -> None:
    async with faulty(torn(*EVENTS[:3])) as (fake, ours):
        status, _, told = await ours.chat(CHAT)
        assert (status, error_of(told)["code"]) == (502, "upstream_torn")
        await recovers(fake, ours)


@pytest.mark.parametrize("events", [EVENTS[:-1], EVENTS[:2], []])
async def test_a_stream_without_its_end_is_told_and_not_kept(events: list[bytes]) -> None:
    async with faulty(streams(*events)) as (fake, ours):
        status, _, told = await ours.chat(STREAM)
        assert status == 200
        assert told.startswith(b"".join(events))
        assert error_of(told[len(b"".join(events)) :].removeprefix(b"data: "))["code"] == "upstream_torn"
        await recovers(fake, ours, STREAM)


async def test_an_end_without_its_blank_line_is_an_end() -> None:
    async with faulty(streams(*EVENTS[:-1], b"data: [DONE]")) as (fake, ours):
        assert (await ours.chat(STREAM))[1]["X-Cache-Status"] == "miss"
        status, headers, told = await ours.chat(STREAM)
        assert (status, headers["X-Cache-Status"], fake.calls) == (200, "hit", 1)
        assert told.endswith(DONE)


@pytest.mark.parametrize("tail", [[], [DONE]])
@pytest.mark.parametrize("head", [0, 2])
async def test_an_error_event_passes_and_ends_the_stream(head: int, tail: list[bytes]) -> None:
    said = event(refusal(200, "overloaded"))
    async with faulty(streams(*EVENTS[:head], said, *tail)) as (fake, ours):
        status, _, told = await ours.chat(STREAM)
        assert status == 200
        assert told == b"".join(EVENTS[:head]) + said
        with pytest.raises(openai.APIError) as error:
            await asked(ours, stream=True)
        assert error.value.message == "refused with 200"
        await recovers(fake, ours, STREAM)


async def test_an_error_event_under_a_whole_request_is_an_error() -> None:
    async with faulty(streams(EVENTS[0], event(refusal(200, "overloaded")))) as (fake, ours):
        status, _, told = await ours.chat()
        assert status == 502
        assert error_of(told)["type"] == "api_error"
        await recovers(fake, ours)


GARBAGE: dict[str, bytes] = {
    "comment": b": keep-alive\n\n",
    "named event": b'event: ping\ndata: {"type":"ping"}\n\n',
    "no JSON": b"data: hello\n\n",
    "no object": b"data: [1,2]\n\n",
    "number": b"data: 7\n\n",
    "null": b"data: null\n\n",
    "empty data": b"data:\n\n",
    "no data": b"id: 7\nretry: 100\n\n",
    "not UTF-8": b"data: \xff\xfe\n\n",
    "unknown object": event({"object": "moderation", "results": []}),
    "no choices": event({"choices": None}),
    "choices of text": event({"choices": "x"}),
    "choices of number": event({"choices": 7}),
    "choices of numbers": event({"choices": [1, None]}),
    "index list": event({"choices": [{"index": [1], "delta": {}}]}),
    "index text": event({"choices": [{"index": "0", "delta": {"content": "x"}}]}),
    "index object": event({"choices": [{"index": {}, "finish_reason": "stop"}]}),
    "finish list": event(delta(finish_reason=["stop"])),
    "finish object": event(delta(finish_reason={})),
    "delta of text": event(delta(delta="x")),
    "delta null": event(delta(delta=None)),
    "content of number": event(delta(delta={"content": 7})),
    "content list": event(delta(delta={"content": ["x"]})),
    "tool calls of text": event(delta(delta={"tool_calls": "x"})),
    "tool call null": event(delta(delta={"tool_calls": [None]})),
    "tool index list": event(delta(delta={"tool_calls": [{"index": [], "function": {"arguments": "x"}}]})),
    "tool function text": event(delta(delta={"tool_calls": [{"index": 0, "function": "f"}]})),
    "tool arguments number": event(delta(delta={"tool_calls": [{"index": 0, "function": {"arguments": 7}}]})),
    "usage of text": event({"choices": [], "usage": "none"}),
    "usage odd": event({"choices": [], "usage": {"prompt_tokens": "7", "completion_tokens": -1}}),
    "usage huge": event({"choices": [], "usage": {"prompt_tokens": 10**400, "completion_tokens": 1}}),
    "usage beyond 64 bits": event({"choices": [], "usage": {"prompt_tokens": 2**70, "completion_tokens": 1}}),
    "model list": event({"model": ["x"], "choices": []}),
    "logprobs odd": event(delta(logprobs="x")),
    "deep": event(b"[" * 50_000 + b"]" * 50_000),
    "deep delta": event(b'{"choices":[{"index":0,"delta":{"x":' + b"[" * 300 + b"]" * 300 + b"}}]}"),
    "unknown members": event(delta(delta={"content": "x", "annotations": [1], "x_new": {"a": 1}}, x_more=[2])),
    "CRLF": b'data: {"choices":[]}\r\n\r\n',
}


@pytest.mark.parametrize("place", [0, 2, len(EVENTS) - 1])
@pytest.mark.parametrize("name", list(GARBAGE))
async def test_odd_events_pass_and_never_change_what_is_replayed(name: str, place: int, tmp_path: Path) -> None:
    events = [*EVENTS[:place], GARBAGE[name], *EVENTS[place:]]
    async with faulty(streams(*events), directory=tmp_path) as (fake, ours):
        status, _, told = await ours.chat(STREAM)
        assert (status, told) == (200, b"".join(events))
        status, again, replayed = await ours.chat(STREAM)
        assert status == 200
        if again["X-Cache-Status"] == "hit":
            assert fake.calls == 1
            assert said(replayed) == said(told)
        else:
            assert replayed == told
        status, _, whole = await ours.chat(CHAT)
        assert status in (200, 502)
        if status == 502:
            error_of(whole)
        fake.script = answer
        assert (await ours.chat(CHAT | {"seed": 1}))[0] == 200


def said(stream: bytes) -> tuple[str, str]:
    """The text and the finish reason that a client gathers from a stream, with what it can't read left out."""
    text, finish = "", ""
    for line in stream.decode(errors="replace").splitlines():
        try:
            value = json.loads(line.removeprefix("data:"))
        except (ValueError, RecursionError):
            continue
        choices = value.get("choices") if isinstance(value, dict) else None
        for one in choices if isinstance(choices, list) else []:
            if isinstance(one, dict) and one.get("index") == 0:
                content = (one.get("delta") or {}).get("content") if isinstance(one.get("delta"), dict | None) else ""
                text += content if isinstance(content, str) else ""
                finish = one["finish_reason"] if isinstance(one.get("finish_reason"), str) else finish
    return text, finish


@pytest.mark.parametrize("reason", ["length", "content_filter", None])
async def test_a_stream_that_is_not_worth_keeping(reason: str | None) -> None:
    async with faulty(streams(*chunks(finish=reason))) as (fake, ours):
        for _ in range(2):
            status, headers, told = await ours.chat(STREAM)
            assert (status, headers["X-Cache-Status"], told) == (200, "miss", b"".join(chunks(finish=reason)))
        assert fake.calls == 2
        await recovers(fake, ours, STREAM)


async def test_a_stream_for_who_asked_for_a_whole_answer() -> None:
    async with faulty(streams(*chunks(usage=True))) as (fake, ours):
        found = await asked(ours)
        assert (found.choices[0].message.content, found.usage.prompt_tokens) == ("Paris is it.", 2000)
        status, headers, told = await ours.chat()
        assert (status, headers["X-Cache-Status"], fake.calls) == (200, "hit", 1)
        assert headers["Content-Type"] == "application/json"
        assert json.loads(told)["object"] == "chat.completion"


async def test_a_stream_that_does_not_fold_for_who_asked_for_a_whole_answer() -> None:
    async with faulty(streams(*EVENTS[:2], event(delta(delta="x")), *EVENTS[2:])) as (fake, ours):
        status, headers, told = await ours.chat()
        assert status == 502
        assert headers["Content-Type"] == "application/json"
        assert error_of(told)["code"] == "upstream_unfoldable"
        await recovers(fake, ours)


async def test_a_whole_answer_for_who_asked_for_a_stream() -> None:
    async with faulty(answers(completion())) as (fake, ours):
        events = await asked(ours, stream=True)
        assert "".join(one.choices[0].delta.content or "" for one in events if one.choices) == "Paris."
        status, headers, told = await ours.chat(STREAM)
        assert (status, headers["X-Cache-Status"], fake.calls) == (200, "hit", 1)
        assert told.endswith(DONE)


# -- other statuses, other routes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_passes_as_it_is(status: int) -> None:
    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": "https://elsewhere.invalid/v1/x"})

    async with provider(script) as fake, proxy(fake.base_url, config=ONCE) as ours:
        url, headers = f"{ours.base_url}/files/1", {"Authorization": f"Bearer {KEY}"}
        async with ours.session.get(url, headers=headers, allow_redirects=False) as reply:
            assert (reply.status, reply.headers["Location"]) == (status, "https://elsewhere.invalid/v1/x")
        async with ours.session.post(
            f"{ours.base_url}/chat/completions", json=CHAT, headers=headers, allow_redirects=False
        ) as reply:
            assert reply.headers["Location"] == "https://elsewhere.invalid/v1/x"
        await recovers(fake, ours)


async def test_no_content_on_the_chat_route_is_no_answer() -> None:
    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        return web.Response(status=204)

    async with faulty(script) as (fake, ours):
        status, _, told = await ours.chat()
        assert (status, error_of(told)["code"]) == (502, "upstream_unreadable")
        await recovers(fake, ours)


async def test_other_routes_break_off_as_the_provider_does() -> None:
    async with faulty(torn(b"x" * 1000, kind="audio/mpeg")) as (fake, ours):
        async with ours.post(path="/audio/speech") as reply:
            with pytest.raises(aiohttp.ClientError):
                await reply.read()
        fake.script = answer
        async with ours.post(path="/audio/speech") as reply:
            assert b"size" in await reply.read()


async def test_an_upload_that_is_torn_reaches_no_provider_as_complete() -> None:
    gathered: list[bool] = []
    begun = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        begun.set()
        try:
            await request.read()
        except (web.RequestPayloadError, ConnectionError):
            gathered.append(False)
            raise
        gathered.append(True)
        return web.json_response({})

    runner = web.AppRunner(web.Application(), access_log=None)
    runner.app.router.add_post("/v1/files", handle)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with proxy(f"http://127.0.0.1:{runner.addresses[0][1]}/v1") as ours:
        host, _, port = ours.root.removeprefix("http://").rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /v1/files HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await asyncio.wait_for(begun.wait(), 5)
        writer.close()
        await ended(lambda: not ours.app.edge.gate.in_flight)
        async with ours.session.get(f"{ours.root}/healthz") as reply:
            assert reply.status == 200
    await runner.cleanup()
    assert True not in gathered


async def ended(condition: Callable[[], bool]) -> None:
    async def wait() -> None:
        while not condition():  # noqa: ASYNC110 - there is no event for what a test looks at from outside
            await asyncio.sleep(0)

    await asyncio.wait_for(wait(), 5)


# -- anything at all -------------------------------------------------------------------------------------------------

NAMES = ["choices", "index", "delta", "message", "content", "finish_reason", "tool_calls", "function", "arguments"]
NAMES += ["usage", "prompt_tokens", "completion_tokens", "error", "model", "role", "logprobs", "id", "x"]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


def replaced(value: Any, at: int, new: Any) -> tuple[Any, int]:
    """The value with its `at`-th node (in the order of reading) replaced, and how many nodes are left to count."""
    if at == 0:
        return new, -1
    at -= 1
    if isinstance(value, dict):
        made: Any = {}
        for name, item in value.items():
            made[name], at = replaced(item, at, new) if at >= 0 else (item, at)
        return made, at
    if isinstance(value, list):
        made = []
        for item in value:
            kept, at = replaced(item, at, new) if at >= 0 else (item, at)
            made.append(kept)
        return made, at
    return value, at


def broken(whole: Any) -> st.SearchStrategy[Any]:
    return st.tuples(st.integers(0, 30), values).map(lambda drawn: replaced(whole, *drawn)[0])


def test_whatever_the_provider_answers_the_client_gets_http() -> None:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        fake = runner.run(stack.enter_async_context(provider()))
        ours = runner.run(stack.enter_async_context(proxy(fake.base_url, config=ONCE)))

        @settings(max_examples=200, deadline=None)
        @given(broken(completion()) | broken(tool("{}")) | values, st.sampled_from([200, 201, 400, 500]), st.booleans())
        def whole(said: Any, status: int, stream: bool) -> None:
            fake.script = answers(said, status)
            runner.run(sane(ours, STREAM if stream else CHAT))

        @settings(max_examples=200, deadline=None)
        @given(
            broken(delta(delta={"content": "x"})) | values | st.binary(max_size=20), st.integers(0, 5), st.booleans()
        )
        def streamed(said: Any, place: int, stream: bool) -> None:
            fake.script = streams(*EVENTS[:place], event(said), *EVENTS[place:])
            runner.run(sane(ours, STREAM if stream else CHAT))

        try:
            whole()
            streamed()
        finally:
            runner.run(stack.aclose())


async def sane(ours: Proxy, body: Any) -> None:
    """Asks twice; a hit says the same as the answer that it was kept from, and the proxy never fails by itself."""
    await ours.app.levels.invalidate(Invalidation(everything=True))
    status, headers, told = await ours.chat(body)
    assert b'"internal"' not in told
    if headers.get("Content-Type", "").startswith("application/json"):
        json.loads(told)
    again, more, replayed = await ours.chat(body)
    if more["X-Cache-Status"] == "hit":
        assert again == status < 300
        assert body is not CHAT or json.loads(replayed) == json.loads(told)
        assert body is CHAT or said(replayed) == said(told)
    assert not ours.app.edge.gate.in_flight
