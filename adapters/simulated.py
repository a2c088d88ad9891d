"""The simulated provider: a `Handler` that answers like OpenAI from inside the process, so that all runs without a key.

Nothing of it is random: what it says follows from the seed and the request, when it says it from `Timing`, and what it
reads from its prompt cache from `adapters.prefix_cache`.

Models are named at will. A name that contains one of these words provokes a fault (`sim-error-429`):

    error-429     429 with `Retry-After: 1`
    error-500     500
    error-stream  a stream that breaks off with an error event after its first half; a whole request gets 500
    slow          everything as usual, five seconds later

A credential that contains `revoked` is refused with 401, as is a missing one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from adapters import simulated_answer, simulated_embedding
from adapters.chain import Link, chain
from adapters.errors import Refused, Torn
from adapters.prefix_cache import GRANULARITY, PrefixCache
from adapters.sse import Frame
from adapters.vocabulary import Answer, Call, Clock, Dialect, Form, Headers, Reply, Sleep, Trace

MODELS = ("sim-small", "sim-large", "sim-reasoner", "sim-embedding")
"""What `GET /models` lists; every other name is answered, too."""

SLOW = 5.0
"""Seconds that a model named `slow` takes longer."""

RETRY_AFTER = "1"
FAILED = "The server had an error while processing your request."

JSON: tuple[str, str] = ("content-type", "application/json")
EVENTS: tuple[str, str] = ("content-type", "text/event-stream; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Timing:
    """How fast the provider is. `math.inf` tokens per second take no time."""

    first_token: float = 0.3
    """Seconds to the first token of an empty prompt."""
    tokens_per_second: float = 80.0
    prefill_per_second: float = 8_000.0
    """Prompt tokens read per second; those read from the prompt cache take no time."""

    def first(self, uncached: int) -> float:
        return self.first_token + uncached / self.prefill_per_second

    def rest(self, output: int) -> float:
        return output / self.tokens_per_second


INSTANT = Timing(0.0, math.inf, math.inf)


class Simulated:
    """One provider with one prompt cache; a `Handler`."""

    def __init__(self, dialect: Dialect, timing: Timing, *, sleep: Sleep, clock: Clock, seed: int = 0) -> None:
        self._dialect, self._timing, self._sleep, self._clock, self._seed = dialect, timing, sleep, clock, seed
        self._prefixes = PrefixCache(granularity=1)
        self._unreadable: dict[bytes, float] = {}
        """Prefixes that are being written, and when they can be read: at the first token of who writes them."""
        self._routes: Mapping[tuple[str, str], Callable[[Call, float], Awaitable[Reply]]] = {
            ("POST", "/chat/completions"): self._chat,
            ("POST", "/embeddings"): self._embeddings,
            ("GET", "/models"): self._models,
        }

    async def __call__(self, call: Call) -> Reply:
        begun = self._clock()
        call.trace.attempts += 1
        path = call.target.partition("?")[0]
        scheme, _, secret = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            return self._error(call, begun, 401, "You didn't provide an API key.", code="missing_api_key")
        if "revoked" in secret:
            return self._error(call, begun, 401, "Incorrect API key provided.", code="invalid_api_key")
        if route := self._routes.get((call.method, path)):
            return await route(call, begun)
        if call.method == "GET" and path.startswith("/models/"):
            return self._model(call, begun, path.removeprefix("/models/"))
        return self._error(call, begun, 404, f"Unknown request URL: {call.method} /v1{path}", code="unknown_url")

    async def _chat(self, call: Call, begun: float) -> Reply:
        try:
            body = call.parsed or self._dialect.parse(await _read(call))
        except Refused as refusal:
            return self._error(call, begun, refusal.status, refusal.message, param=refusal.param)
        if objection := simulated_answer.objection(body):
            return self._error(call, begun, 400, objection[0], param=objection[1])
        model, stream = body["model"], self._dialect.wants_stream(body)
        if "error-429" in model:
            text = f"Rate limit reached for {model}. Please try again in {RETRY_AFTER}s."
            again = ("retry-after", RETRY_AFTER)
            return self._error(call, begun, 429, text, kind="requests", code="rate_limit_exceeded", more=(again,))
        if "error-500" in model or ("error-stream" in model and not stream):
            return self._error(call, begun, 500, FAILED, kind="server_error")
        links = chain(body, f"{call.tenant}\0{call.credential}".encode())
        earliest = begun + (SLOW if "slow" in model else 0.0)
        cached = self._cached(links, begun, earliest)
        message = simulated_answer.answer(body, seed=self._seed, prompt=links[-1].tokens, cached=cached)
        first = earliest + self._timing.first(links[-1].tokens - cached)
        last = first + self._timing.rest(message["usage"]["completion_tokens"])
        if stream:
            return self._stream(call, begun, message, self._dialect.wants_usage(body), (first, last))
        if (wait := last - self._clock()) > 0:
            await self._sleep(wait)
        answer = Answer(self._dialect, body=msgspec.json.encode(message))
        call.trace.usage = answer.usage()
        reply = self._whole(call, begun, 200, answer.body(), message["id"])
        reply.answer = answer
        return reply

    def _cached(self, links: list[Link], now: float, earliest: float) -> int:
        """Prompt tokens read from the prompt cache. What this request writes can be read from its first token on."""
        while self._unreadable and next(iter(self._unreadable.values())) <= now:
            del self._unreadable[next(iter(self._unreadable))]
        readable = [link for link in links if self._unreadable.get(link.digest, now) <= now]
        found = self._prefixes.lookup_and_store(readable, now)
        self._prefixes.lookup_and_store(links, now)
        cached = found - found % GRANULARITY
        written = earliest + self._timing.first(links[-1].tokens - cached)
        for link in links:
            if link.tokens > found and written > now:
                self._unreadable.setdefault(link.digest, written)
        return cached

    def _stream(
        self, call: Call, begun: float, message: dict[str, Any], usage: bool, span: tuple[float, float]
    ) -> Reply:
        frames, fault = self._dialect.unfold(message, usage=usage), ""
        if "error-stream" in message["model"]:
            fault = FAILED
            frames = [*frames[: len(frames) // 2], self._dialect.error_frame(fault, kind="server_error")]
        answer = Answer(self._dialect)
        call.trace.upstream_status = 200
        paced = Paced(frames, span, answer, call.trace, begun, fault=fault, sleep=self._sleep, clock=self._clock)
        headers = (EVENTS, ("x-request-id", _request_id(message["id"])))
        return Reply(200, headers, "upstream", Form.EVENTS, paced, answer=answer)

    async def _embeddings(self, call: Call, begun: float) -> Reply:
        raw = await _read(call)
        try:
            body = msgspec.json.decode(raw, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._error(call, begun, 400, "We could not parse the JSON body of your request.")
        if objection := simulated_embedding.objection(body):
            return self._error(call, begun, 400, objection[0], param=objection[1])
        answer = simulated_embedding.embeddings(body, self._seed)
        wait = begun + self._timing.first(answer["usage"]["prompt_tokens"]) - self._clock()
        if wait > 0:
            await self._sleep(wait)
        return self._whole(call, begun, 200, msgspec.json.encode(answer), raw)

    async def _models(self, call: Call, begun: float) -> Reply:
        listed = msgspec.json.encode({"object": "list", "data": [_card(name) for name in MODELS]})
        return self._whole(call, begun, 200, listed, "models")

    def _model(self, call: Call, begun: float, name: str) -> Reply:
        if name not in MODELS:
            text = f"The model '{name}' does not exist"
            return self._error(call, begun, 404, text, param="model", code="model_not_found")
        return self._whole(call, begun, 200, msgspec.json.encode(_card(name)), name)

    def _error(
        self,
        call: Call,
        begun: float,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        more: Headers = (),
    ) -> Reply:
        body = self._dialect.error(message, kind=kind, param=param, code=code)
        return self._whole(call, begun, status, body, call.method + call.target + message, more)

    def _whole(
        self, call: Call, begun: float, status: int, body: bytes, identity: str | bytes, more: Headers = ()
    ) -> Reply:
        """A reply that has come in full, and the facts about it."""
        trace = call.trace
        trace.upstream_status = status
        trace.first_frame_seconds = trace.upstream_seconds = self._clock() - begun
        headers = (JSON, ("x-request-id", _request_id(identity)), *more)
        return Reply.whole(status, headers, body, source="upstream")


class Paced:
    """The frames of one stream, each at its moment.

    The moments are fixed when the stream begins: neither a slow reader nor a late wake-up puts off what follows.
    """

    def __init__(
        self,
        frames: list[Frame],
        span: tuple[float, float],
        answer: Answer,
        trace: Trace,
        begun: float,
        *,
        fault: str,
        sleep: Sleep,
        clock: Clock,
    ) -> None:
        """`span`: when the first and the last frame are due. `fault`: why the stream is torn after its last frame."""
        self._frames, self._span, self._answer, self._trace, self._begun = frames, span, answer, trace, begun
        self._fault, self._sleep, self._clock = fault, sleep, clock
        self._next = 0
        self._closed = False

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        if self._next == len(self._frames):
            if self._fault:
                raise Torn(self._fault, told=True)
            raise StopAsyncIteration
        if (wait := self._due() - self._clock()) > 0 and not self._closed:
            await self._sleep(wait)
        if self._closed:
            raise Torn("the stream was closed before its end")
        frame = self._frames[self._next]
        self._next += 1
        self._answer.add(frame)
        self._note()
        return frame

    def ready(self) -> list[Frame]:
        return []

    def _due(self) -> float:
        first, last = self._span
        return first + (last - first) * self._next / max(1, len(self._frames) - 1)

    def _note(self) -> None:
        now = self._clock() - self._begun
        if self._next == 1:
            self._trace.first_frame_seconds = now
        if self._next == len(self._frames):
            self._trace.upstream_seconds = now
            self._trace.usage = self._answer.usage()

    async def aclose(self) -> None:
        if not self._closed and self._next < len(self._frames):
            self._trace.upstream_seconds = self._clock() - self._begun
        self._closed = True


async def _read(call: Call) -> bytes:
    if isinstance(call.body, bytes):
        return call.body
    return b"".join([chunk async for chunk in call.body])


def _card(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": simulated_answer.CREATED, "owned_by": "warmgate"}


def _request_id(identity: str | bytes) -> str:
    """The same for the same request: nothing about this provider is random."""
    data = identity.encode("utf-8", "surrogatepass") if isinstance(identity, str) else identity
    return "req_" + hashlib.sha256(data).hexdigest()[:32]
