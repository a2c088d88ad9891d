"""Bytes in are bytes out: requests, answers, event streams and header lines, however they are written and cut."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fakes import CHAT, Seen, answers, completion, provider
from tests.running import Proxy, proxy

modest = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
"""Each example sends a batch through one proxy: starting it costs more than everything else."""

# ---------------------------------------------------------------- JSON as somebody may have written it

space = st.text(" \t\n\r", max_size=3)
number = st.sampled_from(
    ["0", "-0", "1", "1.0", "1.00", "1e2", "1E+2", "0.1e-7", "-12345678901234567890123", "3.141592653589793238462643"]
)
character = st.characters(exclude_categories=("Cs",), exclude_characters='"\\', min_codepoint=0x20)
escape = st.sampled_from(["\\u00e9", "\\u00E9", "\\/", "\\n", '\\"', "\\\\", "\\ud83d\\ude00", "\\u0000", "\\b"])
string = st.lists(character | escape, max_size=6).map(lambda parts: '"' + "".join(parts) + '"')
scalar = number | string | st.sampled_from(["null", "true", "false"])


@st.composite
def listed(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    items = draw(st.lists(inner, max_size=3))
    return "[" + ",".join(draw(space) + item + draw(space) for item in items) + "]"


@st.composite
def mapped(draw: st.DrawFn, inner: st.SearchStrategy[str], more: tuple[tuple[str, str], ...] = ()) -> str:
    names = draw(
        st.lists(st.text("abcxyz_", min_size=1, max_size=5).map(lambda name: f'"u_{name}"'), unique=True, max_size=3)
    )
    pairs = draw(st.permutations([*more, *[(name, draw(inner)) for name in names]]))
    return (
        "{"
        + ",".join(f"{draw(space)}{name}{draw(space)}:{draw(space)}{value}{draw(space)}" for name, value in pairs)
        + "}"
    )


value = st.recursive(scalar, lambda inner: listed(inner) | mapped(inner), max_leaves=6)


@st.composite
def request_body(draw: st.DrawFn) -> bytes:
    message = draw(mapped(value, (('"role"', '"user"'), ('"content"', draw(string)))))
    members = (('"model"', '"gpt-4o"'), ('"messages"', f"[{draw(space)}{message}{draw(space)}]"))
    return (draw(space) + draw(mapped(value, members)) + draw(space)).encode()


@st.composite
def whole_answer(draw: st.DrawFn) -> bytes:
    message = draw(mapped(value, (('"role"', '"assistant"'), ('"content"', draw(string)))))
    choice = draw(mapped(value, (('"index"', "0"), ('"finish_reason"', '"stop"'), ('"message"', message))))
    return draw(mapped(value, (('"id"', '"c"'), ('"choices"', f"[{choice}]")))).encode()


# ---------------------------------------------------------------- event streams as somebody may send them

text = st.text("ab :{}é", max_size=6)
end_of_line = st.sampled_from(["\n", "\r\n", "\r"])
chunk = text.map(lambda said: json.dumps({"choices": [{"index": 0, "delta": {"content": said}}]}))
line = (
    text.map(lambda said: f": {said}")
    | st.just("event: message")
    | st.just("retry: 3000")
    | text.map(lambda said: f"id: {said}")
    | st.just("unknown")
    | chunk.map(lambda sent: f"data: {sent}")
    | chunk.map(lambda sent: f"data:{sent}")
)


@st.composite
def event_stream(draw: st.DrawFn) -> list[bytes]:
    """A stream that ends in `[DONE]`, cut anywhere."""
    eol = draw(end_of_line)
    events = draw(st.lists(st.lists(line, min_size=1, max_size=3), max_size=5))
    several = draw(st.booleans())
    if several:
        events.insert(0, ['data: {"choices":', "data: []}"])
    raw = "".join(eol.join(lines) + eol * 2 for lines in [*events, ["data: [DONE]"]]).encode()
    places = sorted(draw(st.sets(st.integers(1, max(1, len(raw) - 1)), max_size=8)))
    return [raw[a:b] for a, b in zip([0, *places], [*places, len(raw)], strict=True) if a < b]


# ---------------------------------------------------------------- the properties


@asynccontextmanager
async def between(sent: list[list[bytes]], kind: str) -> AsyncIterator[tuple[list[Seen], Proxy]]:
    """A provider that sends these bodies one after the other, piece by piece, behind a proxy."""
    left = iter(sent)

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": kind})
        await response.prepare(request)
        for piece in next(left):
            await response.write(piece)
            await asyncio.sleep(0)  # lets the piece leave by itself
        await response.write_eof()
        return response

    async with provider(script) as fake, proxy(fake.base_url) as ours:
        yield fake.seen, ours


def digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


@modest
@given(st.lists(request_body(), min_size=5, max_size=10))
def test_a_request_reaches_the_provider_as_it_was_sent(bodies: list[bytes]) -> None:
    async def run() -> None:
        async with provider(answers(completion())) as fake, proxy(fake.base_url) as ours:
            for body in bodies:
                status, headers, _ = await ours.chat(body, Cache_Control="no-cache")
                assert status == 200
                assert "X-Warmgate-Modified" not in headers
                assert digest(fake.seen[-1].body) == digest(body)
            assert fake.calls == len(bodies)

    asyncio.run(run())


@modest
@given(st.lists(request_body(), min_size=5, max_size=10))
def test_our_own_member_is_cut_out_and_every_other_byte_stays(bodies: list[bytes]) -> None:
    async def run() -> None:
        async with provider(answers(completion())) as fake, proxy(fake.base_url) as ours:
            for body in bodies:
                inside = body[body.index(b"{") + 1 :]
                head = body[: body.index(b"{") + 1]
                status, headers, _ = await ours.chat(head + b'"cache":{"no-cache":true},' + inside)
                assert (status, headers["X-Warmgate-Modified"]) == (200, str(26 + len(inside) - len(inside.lstrip())))
                assert digest(fake.seen[-1].body) == digest(head + inside.lstrip())

    asyncio.run(run())


@modest
@given(st.lists(whole_answer(), min_size=5, max_size=10))
def test_a_whole_answer_reaches_the_client_as_it_was_sent_and_so_does_the_hit(sent: list[bytes]) -> None:
    async def run() -> None:
        async with between([[raw] for raw in sent], "application/json") as (_, ours):
            for seed, raw in enumerate(sent):
                for _ in range(2):
                    status, headers, body = await ours.chat(CHAT | {"seed": seed})
                    assert (status, digest(body)) == (200, digest(raw))
                    if headers["X-Cache-Status"] == "miss" and "stored" not in headers["Cache-Status"]:
                        break  # an answer that says nothing is not kept: there is no second one to compare

    asyncio.run(run())


@modest
@given(st.lists(event_stream(), min_size=5, max_size=10))
def test_a_stream_reaches_the_client_as_it_was_sent(sent: list[list[bytes]]) -> None:
    async def run() -> None:
        async with between(sent, "text/event-stream") as (_, ours):
            for seed, pieces in enumerate(sent):
                status, _, body = await ours.chat(CHAT | {"seed": seed, "stream": True})
                assert status == 200
                assert body == b"".join(pieces)

    asyncio.run(run())


@modest
@given(st.lists(st.lists(st.binary(min_size=1, max_size=3000), max_size=4), min_size=3, max_size=6))
def test_bodies_that_nobody_reads_pass_both_ways(bodies: list[list[bytes]]) -> None:
    async def run() -> None:
        async with between(bodies, "application/x-any") as (seen, ours):
            for pieces in bodies:
                raw = b"".join(pieces)
                async with ours.post(raw[::-1], path="/files") as reply:
                    assert (reply.status, await reply.read()) == (200, raw)
                assert seen[-1].body == raw[::-1]

    asyncio.run(run())


# ---------------------------------------------------------------- header lines

Lines = list[tuple[bytes, bytes]]


async def wired(reply_lines: list[bytes]) -> tuple[Lines, Lines]:
    """What the provider saw of the client's lines, and the client of the provider's, as they stood on the wire."""
    got: list[bytes] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        got.append(head)
        raw = json.dumps(completion()).encode()
        head = [b"HTTP/1.1 200 OK", b"Content-Type: application/json", b"Content-Length: %d" % len(raw), *reply_lines]
        writer.write(b"\r\n".join([*head, b"", b""]) + raw)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server, proxy(base_url) as ours:
        raw = json.dumps(CHAT).encode()
        host, port = ours.root.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        lines = [b"POST /v1/chat/completions HTTP/1.1", b"Host: x", b"Content-Length: %d" % len(raw), *SENT]
        writer.write(b"\r\n".join([*lines, b"", b""]) + raw)
        answer = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
    return parsed(got[0]), parsed(answer)


def parsed(head: bytes) -> Lines:
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:] if line)
    return [(name, value.strip()) for name, _, value in pairs]


SENT = [
    b"Authorization: Bearer sk-odd",
    b"X-Twice: 1",
    b"x-TWICE: 2",
    b"openai-ORGANIZATION: org",
    b"X-Raw: \xc3\xa4",
    b"Content-Type: application/json",
    b"x-empty:",
]


async def test_header_lines_keep_their_case_and_their_number() -> None:
    replied = [
        b"x-Queue-LENGTH: 7",
        b"Set-Cookie: a=1",
        b"Set-Cookie: b=2; Path=/",
        b"X-Raw: \xc3\xa4",
        b"x-none:",
    ]
    at_provider, at_client = await wired(replied)
    for name, value in parsed(b"\r\n" + b"\r\n".join(SENT)):
        assert (name.replace(b"TWICE", b"Twice").replace(b"x-T", b"X-T"), value) in at_provider
    assert [value for name, value in at_provider if name.lower() == b"x-twice"] == [b"1", b"2"]
    for line in parsed(b"\r\n" + b"\r\n".join(replied)):
        assert line in at_client
    assert [value for name, value in at_client if name == b"Set-Cookie"] == [b"a=1", b"b=2; Path=/"]


async def test_a_hit_carries_no_cookie_and_no_limit_of_another_exchange() -> None:
    told: dict[str, Any] = {
        "Set_Cookie": "a=1",
        "x_ratelimit_remaining": "7",
        "X_Request_Id": "r",
        "openai_version": "v",
    }
    async with provider(answers(completion(), **told)) as fake, proxy(fake.base_url) as ours:
        first = (await ours.chat())[1]
        hit = (await ours.chat())[1]
    assert (first["Set-Cookie"], first["X-RateLimit-Remaining"]) == ("a=1", "7")
    hit = {name.lower(): value for name, value in hit.items()}
    assert "set-cookie" not in hit
    assert "x-ratelimit-remaining" not in hit
    assert (hit["x-request-id"], hit["openai-version"]) == ("r", "v")


async def test_an_answer_in_a_coding_passes_other_routes_untouched() -> None:
    packed = gzip.compress(b"x" * 1000)
    script = answers(packed, Content_Encoding="gzip", ETag='W/"1"')
    session = aiohttp.ClientSession(auto_decompress=False)
    async with (
        provider(script) as fake,
        proxy(fake.base_url) as ours,
        session,
        session.get(f"{ours.base_url}/x") as reply,
    ):
        assert await reply.read() == packed
        assert (reply.headers["Content-Encoding"], reply.headers["ETag"]) == ("gzip", 'W/"1"')
