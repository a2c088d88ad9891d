"""Parameters of a chat-completions request for the Messages API, apart from messages, tools and thinking.

Four things become of a parameter: it is refused, where the answer would not be what was asked for; dropped without a
word, where it changes nothing; dropped with a warning; or translated. The tables are the complete list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from adapters.capabilities import Capabilities
from adapters.chat_over_messages_notes import TTLS, Notes
from adapters.errors import Refused

WITHOUT_SAMPLING = "2026-10-21"
"""From this API version on, sampling parameters are refused, whatever their value (migration notes, read 2026-11)."""

REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "functions": (([],), "use `tools`"),
    "function_call": ((), "use `tool_choice`"),
    "audio": ((), "this provider can't speak"),
    "logprobs": ((False,), "this provider gives no log probabilities"),
    "top_logprobs": ((0,), "this provider gives no log probabilities"),
    "logit_bias": (({},), "tokens can't be weighted"),
    "moderation": ((), "this provider does not moderate on demand"),
    "web_search_options": ((), "use Anthropic's own web search tool"),
}
"""Parameters that matter, with the values that say nothing and what the client is told."""

DROPPED: dict[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "seed": (),
    "prediction": (),
    "verbosity": ("medium",),
    "store": (False,),
    "metadata": ({},),
}
"""Parameters that are dropped with a warning, unless they have one of these values."""

FORWARDED = ("cache_control", "container", "diagnostics", "inference_geo", "speed")
"""Anthropic's own parameters that need no reading (`types/message_create_params.py` of its SDK 2.12)."""

ELSEWHERE = frozenset(
    {
        *("model", "messages", "system", "tools", "tool_choice", "parallel_tool_calls", "stream", "stream_options"),
        *("max_completion_tokens", "max_tokens", "reasoning_effort", "thinking", "output_config", "response_format"),
        *("temperature", "top_p", "top_k", "stop", "stop_sequences", "modalities", "n"),
        *("user", "safety_identifier", "service_tier"),
        *("cache", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
    }
)
"""What is translated, and what says nothing to this provider: keys of OpenAI's prompt cache, the form of the stream."""

MOST_COPIES = 128
"""Answers to one request; each is a request of its own to the provider."""

LITERAL = ("const", "default", "enum", "examples", "required")
"""Members of a schema whose values are values, not schemas."""
NAMING = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Members that hold schemas by names of the client's own."""

KNOWN = ELSEWHERE | REFUSED.keys() | DROPPED.keys() | frozenset(FORWARDED)


def check(body: Mapping[str, Any], notes: Notes) -> None:
    """Refuses what can't be left out, and warns of what is."""
    for name, (harmless, why) in REFUSED.items():
        value = body.get(name)
        if value is not None and value not in harmless:
            raise Refused(400, f"`{name}` has no equivalent at this provider: {why}", param=name)
    modalities = body.get("modalities")
    if modalities is not None and modalities != ["text"]:
        raise Refused(400, "this provider answers in text only", param="modalities")
    for name, silent in DROPPED.items():
        value = body.get(name)
        if value is not None and value not in silent:
            notes.warn(name, "dropped")
    for name, value in body.items():
        if name not in KNOWN and value is not None:
            notes.warn(name, "dropped")


def copies_of(body: Mapping[str, Any]) -> int:
    """How many answers are wanted. Here there is one to a request: the provider is asked that often."""
    n = body.get("n")
    if n is None:
        return 1
    if type(n) is not int or not 1 <= n <= MOST_COPIES:
        raise Refused(400, f"`n` must be an integer from 1 to {MOST_COPIES} at this provider", param="n")
    return n


def breakpoint_ttl(body: Mapping[str, Any]) -> str | None:
    """Life time of the breakpoints that name none. The mode says nothing here: without marks nothing is cached."""
    options = body.get("prompt_cache_options")
    if options is None:
        return None
    if not isinstance(options, dict):
        raise Refused(400, "`prompt_cache_options` must be an object", param="prompt_cache_options")
    ttl = options.get("ttl")
    if ttl is not None and (not isinstance(ttl, str) or ttl not in TTLS):
        raise Refused(400, "the life time of breakpoints must be `30m`", param="prompt_cache_options.ttl")
    return ttl


def sampling_of(
    body: Mapping[str, Any], known: Capabilities, notes: Notes, version: str, *, thinking: bool
) -> dict[str, Any]:
    """Models up to 4.6 take one of `temperature` and `top_p`, and neither while they think."""
    asked = {
        name: value
        for name, most in (("temperature", 2), ("top_p", 1))
        if (value := _number(body, name, most)) is not None and value != 1
    }
    top_k = body.get("top_k")
    if top_k is not None:
        if type(top_k) is not int:
            raise Refused(400, "`top_k` must be an integer", param="top_k")
        asked["top_k"] = top_k
    allowed = known.sampling and version < WITHOUT_SAMPLING and not thinking
    taken: dict[str, Any] = {}
    for name, value in asked.items():
        if not allowed or (name == "top_p" and "temperature" in taken):
            notes.warn(name, "dropped")
        elif value > 1 and name == "temperature":
            notes.warn(name, "lowered to 1")
            taken[name] = 1
        else:
            taken[name] = value
    return taken


def _number(body: Mapping[str, Any], name: str, most: float) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= most:
        raise Refused(400, f"`{name}` must be a number from 0 to {most}", param=name)
    number: float = value
    return number


def stop_of(body: Mapping[str, Any]) -> list[str]:
    name = "stop" if body.get("stop") is not None else "stop_sequences"
    stop = body.get(name)
    if stop is None:
        return []
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or not all(isinstance(one, str) for one in stops):
        raise Refused(400, f"`{name}` must be a string or an array of strings", param=name)
    if any(not one or one.isspace() for one in stops):
        raise Refused(400, "this provider can't stop at white space alone", param=name)
    return stops


def format_of(body: Mapping[str, Any], known: Capabilities, notes: Notes) -> dict[str, Any] | None:
    """The schema alone: `name`, `description` and `strict` have no equivalent, every schema is strict.

    Anthropic refuses schemas with objects that do not exclude members beyond those named (users' reports, 2026-08).
    OpenAI demands the same of a strict schema; of any other it is a change, and worth a warning.
    """
    asked = body.get("response_format")
    if asked is None:
        return None
    kind = asked.get("type") if isinstance(asked, dict) else None
    if kind == "text":
        return None
    if kind == "json_object":
        why = "this provider has no mode for any JSON object: use `json_schema`"
        raise Refused(400, why, param="response_format")
    wanted = asked.get("json_schema") if kind == "json_schema" else None
    if not isinstance(wanted, dict):
        raise Refused(400, "`response_format` must be of type text or json_schema", param="response_format")
    schema = wanted.get("schema")
    if not isinstance(schema, dict):
        raise Refused(400, "`schema` must be an object", param="response_format.json_schema.schema")
    if not known.structured:
        raise Refused(400, "this model can't answer by a schema", param="response_format")
    try:
        closed = closed_schema(schema)
    except RecursionError:
        raise Refused(400, "the schema is nested too deeply", param="response_format.json_schema.schema") from None
    if closed != schema:
        notes.warn("response_format", "additionalProperties set to false")
    return {"type": "json_schema", "schema": closed}


def closed_schema(schema: Any) -> Any:
    """The schema with every object in it closed; whatever else stands in it stays, in its order."""
    if isinstance(schema, list):
        return [closed_schema(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed: dict[str, Any] = {}
    for name, value in schema.items():
        if name in NAMING and isinstance(value, dict):
            closed[name] = {each: closed_schema(part) for each, part in value.items()}
        else:
            closed[name] = value if name in LITERAL else closed_schema(value)
    kinds = closed.get("type")
    if "object" in (kinds if isinstance(kinds, list) else [kinds]) and closed.get("additionalProperties") is not False:
        closed["additionalProperties"] = False
    return closed


def tier_of(body: Mapping[str, Any], notes: Notes) -> str | None:
    """A faster tier at a higher price is never chosen for the client."""
    tier = body.get("service_tier")
    if tier is None:
        return None
    if not isinstance(tier, str):
        raise Refused(400, "`service_tier` must be a string", param="service_tier")
    known = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}.get(tier)
    if known is None:
        notes.warn("service_tier", "dropped")
    return known


def user_of(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Who asks, as a hash: the provider wants an opaque id, and refuses what looks like an address or a phone number
    (`types/metadata_param.py` of its SDK 2.12)."""
    for name in ("safety_identifier", "user"):
        value = body.get(name)
        if not isinstance(value, str | None):
            raise Refused(400, f"`{name}` must be a string", param=name)
        if value:
            return {"user_id": hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:32]}
    return None
