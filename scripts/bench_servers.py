"""The bare contestants and the upstream of the benchmark, one process each: as little Python as a duty allows.

    python scripts/bench_servers.py {static,ideal-hit,relay,upstream} [--upstream URL] [--delay SECONDS]

Prints its port on loopback and runs until its standard input ends, so that none outlives the benchmark.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sys
from collections.abc import Awaitable, Callable

import msgspec
import uvloop
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web

Answering = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

WORDS = "Answers of about a kilobyte are what chat models give most of the time, so this is one of those. "
ANSWER = msgspec.json.encode(
    {
        "id": "chatcmpl-benchmark000000000000",
        "object": "chat.completion",
        "created": 1767225600,
        "model": "gpt-4o-mini",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": WORDS * 7, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 120, "completion_tokens": 160, "total_tokens": 280},
    }
)
"""A valid chat completion of about 1 kB."""

MODELS = b'{"object":"list","data":[{"id":"gpt-4o-mini","object":"model","created":1767225600,"owned_by":"bench"}]}'
CHUNKS = 50
FORWARDED = ("authorization", "content-type", "accept")


def chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    event = {
        "id": "chatcmpl-benchmark000000000000",
        "object": "chat.completion.chunk",
        "created": 1767225600,
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }
    return b"data: " + msgspec.json.encode(event) + b"\n\n"


EVENTS = [
    chunk({"role": "assistant", "content": ""}),
    *(chunk({"content": f"word{number} "}) for number in range(CHUNKS - 2)),
    chunk({}, "stop"),
    b"data: [DONE]\n\n",
]


MESSAGE = {
    "id": "msg_benchmark000000000000",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-5",
    "content": [{"type": "text", "text": WORDS * 7}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 120,
        "output_tokens": 160,
        "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 0,
    },
}
"""The same as Anthropic says it."""


def message_event(kind: str, **members: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode({"type": kind, **members}))


MESSAGE_EVENTS = [
    message_event("message_start", message={**MESSAGE, "content": [], "stop_reason": None}),
    message_event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    *(
        message_event("content_block_delta", index=0, delta={"type": "text_delta", "text": f"word{number} "})
        for number in range(CHUNKS - 2)
    ),
    message_event("content_block_stop", index=0),
    message_event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 160}),
    message_event("message_stop"),
]


def whole(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


async def static(request: web.BaseRequest) -> web.StreamResponse:
    return whole(ANSWER)


def ideal_hit() -> Answering:
    """What an exact hit can't avoid: read, decode, canonical form, hash, look up, answer."""
    encode = msgspec.json.Encoder(order="deterministic").encode
    decode = msgspec.json.Decoder().decode
    stored: dict[bytes, bytes] = {}

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        body = decode(await request.read())
        key = hashlib.sha256(encode(body)).digest()
        found = stored.get(key)
        if found is None:
            found = stored[key] = ANSWER
        return whole(found)

    return answer


def relay(upstream: str, session: ClientSession) -> Answering:
    """What a proxy can't avoid: read, send on, pass the bytes back."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        headers = {name: request.headers[name] for name in FORWARDED if name in request.headers}
        target = upstream + request.path_qs
        async with session.request(
            request.method, target, data=body, headers=headers, allow_redirects=False
        ) as response:
            kind = response.headers.get("content-type", "application/octet-stream")
            if not kind.startswith("text/event-stream"):
                return web.Response(status=response.status, body=await response.read(), headers={"content-type": kind})
            stream = web.StreamResponse(status=response.status, headers={"content-type": kind})
            await stream.prepare(request)
            async for piece in response.content.iter_any():
                await stream.write(piece)
            await stream.write_eof()
            return stream

    return answer


def upstream(delay: float) -> Answering:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        if request.method == "GET":
            return whole(MODELS)
        if delay:
            await asyncio.sleep(delay)
        foreign = request.path.endswith("/messages")
        if b'"stream":true' not in body:
            return whole(msgspec.json.encode(MESSAGE) if foreign else ANSWER)
        stream = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await stream.prepare(request)
        for event in MESSAGE_EVENTS if foreign else EVENTS:
            await stream.write(event)
        await stream.write_eof()
        return stream

    return answer


async def serve(handler: Answering) -> None:
    runner = web.ServerRunner(web.Server(handler, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=512)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()
    await runner.cleanup()


async def run(kind: str, url: str, delay: float) -> None:
    if kind == "relay":
        async with ClientSession(
            connector=TCPConnector(limit=0, keepalive_timeout=60),
            timeout=ClientTimeout(total=None),
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
        ) as session:
            await serve(relay(url, session))
        return
    await serve({"static": lambda: static, "ideal-hit": ideal_hit, "upstream": lambda: upstream(delay)}[kind]())


def main() -> None:
    parser = argparse.ArgumentParser(description="One bare server of the benchmark")
    parser.add_argument("kind", choices=("static", "ideal-hit", "relay", "upstream"))
    parser.add_argument("--upstream", default="", help="http://host:port, for the relay")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before the upstream answers")
    arguments = parser.parse_args()
    uvloop.run(run(arguments.kind, arguments.upstream, arguments.delay))


if __name__ == "__main__":
    main()
