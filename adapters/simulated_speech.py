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

from adapters import (
    breakpoint_prompt,
    message_prompt,
    simulated_answer,
    simulated_messages,
    simulated_messages_check,
)
from adapters.profiles import profile_of
from adapters.prompt import Billed, Point, Prompt
from adapters.simulated_caching import Asked, Caches, Refusal
from adapters.simulated_models import card, info, listing, page, traits
from adapters.vocabulary import Dialect, Headers

RETRY_AFTER = "1"
FAILED = "The server had an error while processing your request."

Body = Mapping[str, Any]

Objection = tuple[str, None] | Refusal
"""Why the provider answers 400; OpenAI's names the parameter at fault."""

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
    ask: Callable[[Body, bytes], Asked]
    """What a request without objection is to the prompt caches of this route; the bytes keep clients apart."""
    answer: Callable[[Body, Billed], dict[str, Any]]
    """The whole answer to a request without objection."""
    counting: Counting | None = None
    silence: Any = None
    """What stands for `usage` in the answers of a model that never tells it."""


def chat(dialect: Dialect, seed: int) -> Speech:
    """OpenAI's chat completions, and what others made of them."""
    caches = Caches()

    def objection(body: Body, headers: Mapping[str, str]) -> Objection | None:
        return simulated_answer.objection(body)

    def ask(body: Body, salt: bytes) -> Asked:
        def answered(answer: Mapping[str, Any]) -> Point:
            # Thoughts are not sent back.
            said = {
                name: value for name, value in answer["choices"][0]["message"].items() if name != "reasoning_content"
            }
            return message_prompt.prompt_of(
                {**body, "messages": [*body["messages"], said]}, salt=salt, profile=profile
            ).points[-1]

        profile = profile_of("maker", body["model"])
        prompt = message_prompt.prompt_of(body, salt=salt, profile=profile)
        return Asked(caches.of(profile, body["model"]), profile, prompt, answered)

    def answer(body: Body, billed: Billed) -> dict[str, Any]:
        whole = simulated_answer.answer(body, seed=seed, billed=billed)
        if simulated_answer.reasons(body["model"]):
            for choice in whole["choices"]:
                choice["message"].pop("reasoning_content", None)
        return whole

    return Speech(dialect, OPENAI, objection, ask, answer)


class Whole(Protocol):
    def __call__(self, body: Body, *, seed: int, billed: Billed) -> dict[str, Any]: ...


def responses(dialect: Dialect, seed: int, *, objection: Callable[[Body], Objection | None], whole: Whole) -> Speech:
    """OpenAI's Responses."""
    caches = Caches()

    def objected(body: Body, headers: Mapping[str, str]) -> Objection | None:
        return objection(body)

    def ask(body: Body, salt: bytes) -> Asked:
        profile = profile_of("maker", body["model"])
        prompt = message_prompt.prompt_of(body, salt=salt, profile=profile)
        return Asked(caches.of(profile, body["model"]), profile, prompt)

    def answer(body: Body, billed: Billed) -> dict[str, Any]:
        return whole(body, seed=seed, billed=billed)

    return Speech(dialect, OPENAI, objected, ask, answer)


def messages(dialect: Dialect, seed: int) -> Speech:
    """Anthropic's Messages, with the counting of tokens. Here every model is one of Anthropic's."""
    caches = Caches()

    def ask(body: Body, salt: bytes) -> Asked:
        profile = profile_of("anthropic", body["model"])
        return Asked(caches.of(profile, body["model"]), profile, _prompt(body, salt))

    def count(body: Body) -> dict[str, Any]:
        return {"input_tokens": _prompt(body, b"").tokens}

    check = partial(simulated_messages_check.objection, seed=seed)

    def answer(body: Body, billed: Billed) -> dict[str, Any]:
        return simulated_messages.answer(body, seed=seed, billed=billed)

    counting = Counting(partial(check, counting=True), count)
    # A stream of this API can't do without the member.
    return Speech(dialect, ANTHROPIC, check, ask, answer, counting, silence={})


def _prompt(body: Body, salt: bytes) -> Prompt:
    model = str(body["model"])
    thinks = simulated_messages.thinks(body)
    return breakpoint_prompt.prompt_of(body, salt=salt, minimum=traits(model).minimum, thinks=thinks)
