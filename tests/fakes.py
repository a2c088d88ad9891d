"""Small real implementations for tests: a clock, and a provider that does as it is told."""

from __future__ import annotations

import asyncio
import heapq
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from adapters.prices import Costs
from adapters.routing import Peer, Routing
from adapters.translation import Terms

KEY = "sk-test-0123456789abcdef"
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "What is the capital of France?"}]}


class Clock:
    """A clock that moves when told."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += seconds


class Time:
    """Virtual time: a clock and a sleep. It moves to the next sleeper's moment when nobody has anything else to do."""

    TURNS = 60
    """Turns of the event loop after which everybody is taken to be waiting: more than any chain of awaits is long."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self.now + max(0.0, seconds), self._count, future))
        await future

    async def run(self, *work: Coroutine[Any, Any, Any]) -> list[Any]:
        """Until all of it is done; exceptions are results."""
        whole = asyncio.gather(*work, return_exceptions=True)
        while not whole.done():
            for _ in range(self.TURNS):
                await asyncio.sleep(0)
            while not whole.done() and self._sleepers:
                moment, _, future = heapq.heappop(self._sleepers)
                if not future.done():
                    self.now = max(self.now, moment)
                    future.set_result(None)
                    break
        return list(await whole)


def routing_to(base_url: str) -> Routing:
    """Everything to one provider that speaks every API itself."""
    every = frozenset({"openai-chat", "openai-responses", "openai-embeddings", "anthropic-messages"})
    return Routing({"default": Peer(base_url, every, Terms(""))}, (), "default", ())


def dollars(uncached: float) -> Costs:
    """A bill that is all of one class."""
    return Costs(uncached, *(0.0,) * (len(Costs._fields) - 1))


def completion(text: str = "Paris.", *, finish: str = "stop", **more: Any) -> dict[str, Any]:
    """A whole answer as OpenAI sends it."""
    return {
        "id": "chatcmpl-123",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "gpt-4o-2024-08-06",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": finish,
            }
        ],
        "usage": {
            "prompt_tokens": 2000,
            "completion_tokens": 100,
            "total_tokens": 2100,
            "prompt_tokens_details": {"cached_tokens": 1024},
        },
        "system_fingerprint": "fp_abc",
    } | more


def chunks(text: str = "Paris is it.", *, finish: str | None = "stop", usage: bool = False) -> list[bytes]:
    """A stream as OpenAI sends it, `[DONE]` included."""
    head = {
        "id": "chatcmpl-123",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "gpt-4o-2024-08-06",
        "system_fingerprint": "fp_abc",
    }

    def event(**more: Any) -> bytes:
        return b"data: " + json.dumps(head | more | ({"usage": None} if usage and "usage" not in more else {})).encode()

    def choice(delta: dict[str, Any], reason: str | None = None) -> list[dict[str, Any]]:
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]

    events = [event(choices=choice({"role": "assistant", "content": "", "refusal": None}))]
    words = text.split(" ")
    events += [event(choices=choice({"content": word + " " * (i + 1 < len(words))})) for i, word in enumerate(words)]
    if finish:
        events.append(event(choices=choice({}, finish)))
    if usage:
        events.append(event(choices=[], usage=completion()["usage"]))
    return [line + b"\n\n" for line in [*events, b"data: [DONE]"]]


@dataclass
class Seen:
    """One request as the provider received it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Script = Callable[[web.Request, Seen], Awaitable[web.StreamResponse]]


@dataclass
class Provider:
    """A provider on loopback that records what it sees and answers by its script."""

    script: Script
    seen: list[Seen] = field(default_factory=list)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    base_url: str = ""

    @property
    def calls(self) -> int:
        """How many chat requests came."""
        return sum(seen.path.startswith("/v1/chat") for seen in self.seen)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        seen = Seen(request.method, request.path_qs, dict(request.headers), body)
        self.seen.append(seen)
        try:
            return await self.script(request, seen)
        except (ConnectionResetError, asyncio.CancelledError):
            self.hung_up.set()
            raise


async def send(request: web.Request, events: list[bytes], *, after: Callable[[int], Awaitable[None]] | None = None,
               ) -> web.StreamResponse:  # fmt: skip
    """Streams events; `after(i)` is awaited behind the i-th, to wait for a gate or to tear the connection."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)
    for index, event in enumerate(events):
        await response.write(event)
        if after is not None:
            await after(index)
    await response.write_eof()
    return response


async def answer(request: web.Request, seen: Seen) -> web.StreamResponse:
    """The default script: a well-behaved provider."""
    if not seen.path.startswith("/v1/chat/completions"):
        return web.json_response({"path": seen.path, "size": len(seen.body)})
    body = json.loads(seen.body)
    if not body.get("stream"):
        return web.json_response(completion(), headers={"x-request-id": "req_1"})
    return await send(request, chunks(usage=bool((body.get("stream_options") or {}).get("include_usage"))))


def answers(value: Any, status: int = 200, **headers: str) -> Script:
    """A script that always sends this JSON value (or these bytes)."""

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        named = {"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
        return web.Response(status=status, body=body, headers=named)

    return script


@asynccontextmanager
async def provider(script: Script = answer) -> AsyncIterator[Provider]:
    fake = Provider(script)
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{tail:.*}", fake.handle)
    runner = web.AppRunner(app, handler_cancellation=True, auto_decompress=False, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield fake
    finally:
        await runner.cleanup()


async def until(condition: Callable[[], bool]) -> None:
    """Lets the event loop turn until something has become true; the test's own time limit ends it otherwise."""
    while not condition():  # noqa: ASYNC110 - there is no event for what a test looks at from outside
        await asyncio.sleep(0)
