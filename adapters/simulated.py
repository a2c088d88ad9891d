"""The simulated provider: a `Handler` that answers from inside the process, so that all runs without a key.

It speaks OpenAI's chat completions and embeddings, and what else it is given routes for (`adapters.simulated_speech`):
Anthropic's Messages, OpenAI's Responses. Nothing of it is random: what it says follows from the seed and the request,
when it says it from `Timing`, and what it reads from its prompt cache from what came before.

Models are named at will. Prompts are cached and billed as with the provider that a name is known of (`gpt-5.6-sol`,
`deepseek-chat`, `gemini-3-flash`), as OpenAI had it up to GPT-5.4 with any other (`adapters.simulated_caching`). A name
that contains one of these words provokes a fault (`sim-error-429`):

    error-429     429 with `Retry-After: 1`
    error-500     500
    error-529     overloaded: 529 where Anthropic is spoken, 503 elsewhere
    error-stream  a stream that breaks off with an error event after its first half; a whole request gets 500
    slow          everything as usual, five seconds later
    no-cache      no prompt is ever cached
    no-usage      no answer says what it took

A credential that contains `revoked` is refused with 401, as is a missing one. It comes as `Authorization: Bearer`, to
Anthropic's routes also as `x-api-key`. A request with `anthropic-version` to a route that both companies have
(`/models`), or to none that is known, is answered in Anthropic's manner.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from adapters import simulated_embedding
from adapters.errors import Refused
from adapters.simulated_caching import NO_USAGE, Refusal
from adapters.simulated_models import MODELS
from adapters.simulated_pace import Paced
from adapters.simulated_speech import ANTHROPIC, Counting, Objects, Speech, chat
from adapters.vocabulary import Answer, Call, Clock, Dialect, Form, Reply, Sleep

SLOW = 5.0
"""Seconds that a model named `slow` takes longer."""

TORN = "error-stream"
"""The fault that only streams have."""

COUNT = "/count_tokens"
"""Below a route: how many tokens a request has."""

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
    """One provider; a `Handler`."""

    def __init__(
        self,
        dialect: Dialect,
        timing: Timing,
        *,
        sleep: Sleep,
        clock: Clock,
        seed: int = 0,
        routes: Mapping[str, Speech] | None = None,
        lag: float = 0.0,
    ) -> None:
        """`dialect`: chat completions, in which embeddings and unknown routes are answered too. `routes`: what else is
        spoken, by target; each `Speech` belongs to one provider. `lag`: how many seconds later than its profile says
        (mostly: with the first content) what a request writes to the prompt cache can be read."""
        self._timing, self._sleep, self._clock, self._seed = timing, sleep, clock, seed
        self._lag = lag
        self._chat = chat(dialect, seed)
        self._routes: dict[str, Speech] = {"/chat/completions": self._chat, **(routes or {})}
        self._native = next((speech for speech in self._routes.values() if speech.manner is ANTHROPIC), self._chat)

    async def __call__(self, call: Call) -> Reply:
        begun = self._clock()
        call.trace.attempts += 1
        path = call.target.partition("?")[0]
        route = path.removesuffix(COUNT)
        speech = self._routes.get(route) or (self._native if "anthropic-version" in call.headers else self._chat)
        secret = _secret(call.headers, speech.manner.key_header)
        if not secret or "revoked" in secret:
            return self._fault(call, begun, speech, "bad key" if secret else "no key")
        if call.method == "POST" and route in self._routes:
            if path == route:
                return await self._speak(call, begun, speech)
            if speech.counting is not None:
                return await self._count(call, begun, speech, speech.counting)
        if call.method == "POST" and path == "/embeddings":
            return await self._embeddings(call, begun)
        if call.method == "GET" and path == "/models":
            return self._whole(call, begun, speech, msgspec.json.encode(speech.manner.models()), "models")
        if call.method == "GET" and path.startswith("/models/"):
            return self._model(call, begun, speech, path.removeprefix("/models/"))
        return self._fault(call, begun, speech, "no route", where=f"{call.method} /v1{path}")

    async def _speak(self, call: Call, begun: float, speech: Speech) -> Reply:
        body, refused = await self._body(call, begun, speech, speech.objection)
        if refused is not None:
            return refused
        model, stream = body["model"], speech.dialect.wants_stream(body)
        fault = next((name for name in speech.manner.faults if name.startswith("error-") and name in model), "")
        torn = fault == TORN and stream
        if fault and not torn:
            return self._fault(call, begun, speech, "error-500" if fault == TORN else fault, model=model)
        earliest = begun + (SLOW if "slow" in model else 0.0)

        asked = speech.ask(body, f"{call.tenant}\0{call.credential}".encode())
        billed = asked.bill(begun)
        message = speech.answer(body, billed)
        usage = speech.dialect.usage(message)
        first = earliest + self._timing.first(billed.prompt - billed.read)
        last = first + self._timing.rest(usage.output if usage else 0)
        asked.write(message, (begun, first, last), self._lag)
        if NO_USAGE in model:
            message["usage"] = speech.silence
        if stream:
            return self._stream(call, begun, speech, message, speech.dialect.wants_usage(body), (first, last), torn)
        if (wait := last - self._clock()) > 0:
            await self._sleep(wait)
        answer = Answer(speech.dialect, body=msgspec.json.encode(message))
        call.trace.usage = answer.usage()
        reply = self._whole(call, begun, speech, answer.body(), message["id"])
        reply.answer = answer
        return reply

    async def _body(
        self, call: Call, begun: float, speech: Speech, objects: Objects
    ) -> tuple[dict[str, Any], Reply | None]:
        """The request, and the 400 that answers it where it is a bad one."""
        try:
            body = call.parsed or speech.dialect.parse(await _read(call))
        except Refused as refusal:
            return {}, self._fault(call, begun, speech, "invalid", text=refusal.message, param=refusal.param)
        if objection := objects(body, call.headers):
            code = objection.code if isinstance(objection, Refusal) else None
            return {}, self._fault(call, begun, speech, "invalid", text=objection[0], param=objection[1], code=code)
        return body, None

    async def _count(self, call: Call, begun: float, speech: Speech, counting: Counting) -> Reply:
        body, refused = await self._body(call, begun, speech, counting.objection)
        if refused is not None:
            return refused
        counted = msgspec.json.encode(counting.answer(body))
        return self._whole(call, begun, speech, counted, b"count" + counted)

    def _stream(
        self,
        call: Call,
        begun: float,
        speech: Speech,
        message: dict[str, Any],
        usage: bool,
        span: tuple[float, float],
        torn: bool,
    ) -> Reply:
        frames, fault = speech.dialect.unfold(message, usage=usage), ""
        if torn:
            _, kind, fault, _, _ = speech.manner.faults[TORN]
            frames = [*frames[: len(frames) // 2], speech.dialect.error_frame(fault, kind=kind)]
        answer = Answer(speech.dialect)
        call.trace.upstream_status = 200
        paced = Paced(frames, span, answer, call.trace, begun, fault=fault, sleep=self._sleep, clock=self._clock)
        headers = (EVENTS, (speech.manner.request_id, _request_id(message["id"])))
        return Reply(200, headers, "upstream", Form.EVENTS, paced, answer=answer)

    async def _embeddings(self, call: Call, begun: float) -> Reply:
        raw = await _read(call)
        try:
            body = msgspec.json.decode(raw, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            text = "We could not parse the JSON body of your request."
            return self._fault(call, begun, self._chat, "invalid", text=text)
        if objection := simulated_embedding.objection(body):
            return self._fault(call, begun, self._chat, "invalid", text=objection[0], param=objection[1])
        answer = simulated_embedding.embeddings(body, self._seed)
        wait = begun + self._timing.first(answer["usage"]["prompt_tokens"]) - self._clock()
        if wait > 0:
            await self._sleep(wait)
        reply = self._whole(call, begun, self._chat, msgspec.json.encode(answer), raw)
        if call.dialect is not None:
            reply.answer = Answer(call.dialect, body=reply.body)
        return reply

    def _model(self, call: Call, begun: float, speech: Speech, name: str) -> Reply:
        """Anthropic's models are described by their names alone, as adapters ask what a model can."""
        if name not in MODELS and not (speech.manner is ANTHROPIC and name.startswith("claude-")):
            return self._fault(call, begun, speech, "no model", model=name, param="model")
        return self._whole(call, begun, speech, msgspec.json.encode(speech.manner.model(name)), name)

    def _fault(
        self,
        call: Call,
        begun: float,
        speech: Speech,
        name: str,
        *,
        text: str = "",
        param: str | None = None,
        code: str | None = None,
        model: str = "",
        where: str = "",
    ) -> Reply:
        fault = speech.manner.faults[name]
        said = text or fault.text.replace("{model}", model).replace("{where}", where)
        body = speech.dialect.error(said, kind=fault.kind, param=param, code=code or fault.code)
        reply = self._whole(call, begun, speech, body, call.method + call.target + said, fault.status)
        reply.headers = (*reply.headers, *fault.headers)
        return reply

    def _whole(
        self, call: Call, begun: float, speech: Speech, body: bytes, identity: str | bytes, status: int = 200
    ) -> Reply:
        """A reply that has come in full, and the facts about it."""
        trace = call.trace
        trace.upstream_status = status
        trace.first_frame_seconds = trace.upstream_seconds = self._clock() - begun
        headers = (JSON, (speech.manner.request_id, _request_id(identity)))
        return Reply.whole(status, headers, body, source="upstream")


def _secret(headers: Mapping[str, str], key_header: str) -> str:
    """The credential of a request; empty where it has none."""
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret.strip():
        return secret.strip()
    return headers.get(key_header, "").strip() if key_header else ""


async def _read(call: Call) -> bytes:
    if isinstance(call.body, bytes):
        return call.body
    return b"".join([chunk async for chunk in call.body])


def _request_id(identity: str | bytes) -> str:
    """The same for the same request: nothing about this provider is random."""
    data = identity.encode("utf-8", "surrogatepass") if isinstance(identity, str) else identity
    return "req_" + hashlib.sha256(data).hexdigest()[:32]
