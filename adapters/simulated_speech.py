"""The APIs that the simulated provider speaks: what answers on each route, how it refuses, and how prompts are billed.

A `Speech` is one route. Its prompt cache belongs to it, so that two providers never share one. The composition root
names the dialects:

    routes = {
        "/messages": messages(ANTHROPIC_MESSAGES, seed),
        "/responses": responses(OPENAI_RESPONSES, seed, objection=..., whole=...),
    }
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

from adapters import simulated_answer, simulated_messages, simulated_messages_check
from adapters.breakpoint_cache import BreakpointCache
from adapters.breakpoint_prompt import prompt_of
from adapters.chain import chain
from adapters.prefix_cache import GRANULARITY, PrefixCache
from adapters.prompt import Billed, Point, Prompt
from adapters.simulated_models import card, info, listing, page, traits
from adapters.vocabulary import Dialect, Headers

RETRY_AFTER = "1"
FAILED = "The server had an error while processing your request."

Body = Mapping[str, Any]
Due = Callable[[int], float]
"""The moment of the first token, by how many tokens of the prompt the provider must read itself."""

Objection = tuple[str, str | None]
"""Why the provider answers 400, and the parameter at fault where it names one."""


Objects = Callable[[Body, Mapping[str, str]], Objection | None]
"""The objection to a body that the dialect has parsed, and to the headers it came with."""


class Fault(NamedTuple):
    """One way to fail. `{model}` and `{where}` in the text stand for what was asked."""

    status: int
    kind: str
    text: str
    code: str | None = None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Manner:
    """How a company's API looks around its answers."""

    faults: Mapping[str, Fault]
    """By model name, where it begins with `error-`, or by what went wrong."""
    request_id: str
    """The header with the id of the request."""
    key_header: str
    """A header that may hold the credential instead of `Authorization`; empty for none."""
    models: Callable[[], dict[str, Any]]
    model: Callable[[str], dict[str, Any]]


AGAIN = ("retry-after", RETRY_AFTER)
WAIT = "Rate limit reached for {model}. Please try again in " + RETRY_AFTER + "s."
UNKNOWN = "Unknown request URL: {where}"

OPENAI = Manner(
    faults={
        "invalid": Fault(400, "invalid_request_error", ""),
        "no key": Fault(401, "invalid_request_error", "You didn't provide an API key.", "missing_api_key"),
        "bad key": Fault(401, "invalid_request_error", "Incorrect API key provided.", "invalid_api_key"),
        "no route": Fault(404, "invalid_request_error", UNKNOWN, "unknown_url"),
        "no model": Fault(404, "invalid_request_error", "The model '{model}' does not exist", "model_not_found"),
        "error-429": Fault(429, "requests", WAIT, "rate_limit_exceeded", (AGAIN,)),
        "error-500": Fault(500, "server_error", FAILED),
        "error-stream": Fault(500, "server_error", FAILED),
        "error-529": Fault(503, "server_error", "The engine is currently overloaded, please try again later."),
    },
    request_id="x-request-id",
    key_header="",
    models=listing,
    model=card,
)

ANTHROPIC = Manner(
    faults={
        "invalid": Fault(400, "invalid_request_error", ""),
        "no key": Fault(401, "authentication_error", "x-api-key header is required"),
        "bad key": Fault(401, "authentication_error", "invalid x-api-key"),
        "no route": Fault(404, "not_found_error", UNKNOWN),
        "no model": Fault(404, "not_found_error", "model: {model}"),
        "error-429": Fault(429, "rate_limit_error", WAIT, None, (AGAIN,)),
        "error-500": Fault(500, "api_error", "Internal server error"),
        "error-stream": Fault(529, "overloaded_error", "Overloaded"),
        "error-529": Fault(529, "overloaded_error", "Overloaded"),
    },
    request_id="request-id",
    key_header="x-api-key",
    models=page,
    model=info,
)
"""Kinds and status codes of Anthropic's error reference (read 2026-11)."""


class Bill(Protocol):
    def __call__(self, body: Body, salt: bytes, now: float, due: Due) -> Billed:
        """What the prompt of a request that starts `now` is billed. `salt` keeps the caches of clients apart. What it
        writes can be read from its first token on, which comes `due`."""


class Counting(NamedTuple):
    """`/count_tokens` below a route: a request without an answer."""

    objection: Objects
    answer: Callable[[Body], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Speech:
    """One route: what is said there, in whose manner."""

    dialect: Dialect
    manner: Manner
    objection: Objects
    bill: Bill
    answer: Callable[[Body, Billed], dict[str, Any]]
    """The whole answer to a request without objection."""
    counting: Counting | None = None


def chat(dialect: Dialect, seed: int) -> Speech:
    """OpenAI's chat completions."""

    def objection(body: Body, headers: Mapping[str, str]) -> Objection | None:
        return simulated_answer.objection(body)

    def answer(body: Body, billed: Billed) -> dict[str, Any]:
        return simulated_answer.answer(body, seed=seed, prompt=billed.prompt, cached=billed.read)

    return Speech(dialect, OPENAI, objection, Prefixes(chain).bill, answer)


class Whole(Protocol):
    def __call__(self, body: Body, *, seed: int, prompt: int, cached: int) -> dict[str, Any]: ...


def responses(dialect: Dialect, seed: int, *, objection: Callable[[Body], Objection | None], whole: Whole) -> Speech:
    """OpenAI's Responses."""

    def objected(body: Body, headers: Mapping[str, str]) -> Objection | None:
        return objection(body)

    def answer(body: Body, billed: Billed) -> dict[str, Any]:
        return whole(body, seed=seed, prompt=billed.prompt, cached=billed.read)

    return Speech(dialect, OPENAI, objected, Prefixes(_input_chain).bill, answer)


def _input_chain(body: Body, salt: bytes) -> list[Point]:
    """The prefix chain of a Responses request: tools, instructions, items."""
    given, told = body.get("input"), body.get("instructions")
    items = given if isinstance(given, list) else [{"role": "user", "content": given}]
    head = [{"role": "developer", "content": told}] if told else []
    return chain({"model": body.get("model"), "tools": body.get("tools"), "messages": [*head, *items]}, salt)


def messages(dialect: Dialect, seed: int) -> Speech:
    """Anthropic's Messages, with the counting of tokens."""
    cache = BreakpointCache()

    def bill(body: Body, salt: bytes, now: float, due: Due) -> Billed:
        prompt = _prompt(body, salt)
        first = due(prompt.tokens - cache.lookup(prompt, now).read)
        return cache.lookup_and_store(prompt, now, first)

    def count(body: Body) -> dict[str, Any]:
        return {"input_tokens": _prompt(body, b"").tokens}

    check = partial(simulated_messages_check.objection, seed=seed)

    def answer(body: Body, billed: Billed) -> dict[str, Any]:
        return simulated_messages.answer(body, seed=seed, billed=billed)

    return Speech(dialect, ANTHROPIC, check, bill, answer, Counting(partial(check, counting=True), count))


def _prompt(body: Body, salt: bytes) -> Prompt:
    return prompt_of(
        body, salt=salt, minimum=traits(str(body["model"])).minimum, thinks=simulated_messages.thinks(body)
    )


class Prefixes:
    """OpenAI's automatic prompt cache, billed in steps of 128; what is being written can't be read yet."""

    def __init__(self, links_of: Callable[[Body, bytes], list[Point]]) -> None:
        self._links_of = links_of
        self._prefixes = PrefixCache(granularity=1)
        self._unreadable: dict[bytes, float] = {}
        """Prefixes that are being written, and when they can be read: at the first token of who writes them."""

    def bill(self, body: Body, salt: bytes, now: float, due: Due) -> Billed:
        links = self._links_of(body, salt)
        while self._unreadable and next(iter(self._unreadable.values())) <= now:
            del self._unreadable[next(iter(self._unreadable))]
        readable = [link for link in links if self._unreadable.get(link.digest, now) <= now]
        found = self._prefixes.lookup_and_store(readable, now)
        self._prefixes.lookup_and_store(links, now)
        cached = found - found % GRANULARITY
        written = due(links[-1].tokens - cached)
        for link in links:
            if link.tokens > found and written > now:
                self._unreadable.setdefault(link.digest, written)
        return Billed(read=cached, uncached=links[-1].tokens - cached)
