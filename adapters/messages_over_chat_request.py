"""A Messages request for a provider of chat completions.

One table says what becomes of each member; a member that it does not name is dropped with a warning. Members come out
in the order of the table, whatever order they came in. Rules after the types of anthropic 2.12 and openai 3.52 (read
2026-11); what would silently change the answer is refused, what only changes how it is served is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from adapters.errors import Refused
from adapters.messages_over_chat_content import Pen, messages_of
from adapters.messages_over_chat_marks import Marks
from adapters.messages_over_chat_reading import Losses, flag_of, list_of, number_of, object_of, text_of
from adapters.messages_over_chat_tools import tools_of
from adapters.translation import Terms
from adapters.vocabulary import Sent

STOPS = 4
"""Stop sequences that OpenAI takes."""

EFFORTS = ("low", "medium", "high", "xhigh", "max")
TIERS = {"auto": "auto", "standard_only": "default"}

OPENAI = re.compile(r"(?:^|/)(?:chatgpt-|gpt-(?!oss)|o\d)")
"""Names of OpenAI's own models, also behind the name of a vendor."""

Rule = Callable[[Any, str, Losses], dict[str, Any]]
"""(value, name, losses) -> the members that stand for it. Never called with null: null says nothing."""

_encode = msgspec.json.Encoder().encode


def request(body: Mapping[str, Any], terms: Terms) -> Sent:
    """Equal bodies give equal bytes, and a longer conversation begins with the bytes of the shorter one."""
    losses = Losses(terms.strict)
    out: dict[str, Any] = {"model": terms.model, "messages": messages_of(body, Pen(Marks(terms.model), losses))}
    out |= tools_of(body, losses)
    if body.get("max_tokens") is None and terms.max_tokens is not None:
        out["max_completion_tokens"] = terms.max_tokens
    for name, rule in RULES.items():
        if body.get(name) is not None:
            out |= rule(body[name], name, losses)
    for name, value in body.items():
        if name not in RULES and name not in ELSEWHERE and value is not None:
            losses.add(name)
    out = _known(out, terms.model)
    return Sent("/chat/completions", _encode(out), out, losses.warnings())


def _known(out: dict[str, Any], model: str) -> dict[str, Any]:
    """The members that the servers of this model know, under the names they know: OpenAI's newer models refuse
    `max_tokens`, many others have never heard of its new name (Mistral refuses it, Ollama has then no limit), nor of
    members that are about OpenAI's accounts (read 2026-11)."""
    if OPENAI.search(model) is not None:
        return out
    named = {"max_tokens" if name == "max_completion_tokens" else name: value for name, value in out.items()}
    return {name: value for name, value in named.items() if name not in ("safety_identifier", "service_tier")}


def _max_tokens(value: Any, name: str, losses: Losses) -> dict[str, Any]:
    if type(value) is not int or value < 0:
        raise Refused(400, "`max_tokens` must be an integer, 1 or more", param=name)
    if value == 0:
        raise Refused(400, "a pre-warm has no equivalent in chat completions", param=name)
    return {"max_completion_tokens": value}


def _number(value: Any, name: str, losses: Losses) -> dict[str, Any]:
    return {name: number_of(value, name)}


def _stops(value: Any, name: str, losses: Losses) -> dict[str, Any]:
    stops = [text_of(stop, f"{name}[{place}]") for place, stop in enumerate(list_of(value, name))]
    if len(stops) > STOPS:
        losses.add(name, f"only the first {STOPS} kept")
    return {"stop": stops[:STOPS]} if stops else {}


def _metadata(value: Any, name: str, losses: Losses) -> dict[str, Any]:
    metadata = object_of(value, name)
    for member, other in metadata.items():
        if member != "user_id" and other is not None:
            losses.add(f"{name}.{member}", param=f"{name}.{member}")
    user = metadata.get("user_id")
    if user is None:
        return {}
    # Whoever it is, the next provider is told no more than that it is the same one.
    return {"safety_identifier": sha256(text_of(user, f"{name}.user_id").encode()).hexdigest()[:32]}


def _service_tier(value: Any, name: str, losses: Losses) -> dict[str, Any]:
    if type(value) is not str or value not in TIERS:
        raise Refused(400, f"`{name}` must be auto or standard_only", param=name)
    return {name: TIERS[value]}


def _output_config(value: Any, name: str, losses: Losses) -> dict[str, Any]:
    config = object_of(value, name)
    out: dict[str, Any] = {}
    effort = config.get("effort")
    if effort is not None:
        if effort not in EFFORTS:
            raise Refused(400, f"the effort must be one of {', '.join(EFFORTS)}", param=f"{name}.effort")
        out["reasoning_effort"] = effort
    if config.get("format") is not None:
        out |= _format(config["format"], f"{name}.format", losses)
    for member, other in config.items():
        if member not in ("effort", "format") and other is not None:
            losses.add(f"{name}.{member}", param=f"{name}.{member}")
    return out


def _format(value: Any, name: str, losses: Losses) -> dict[str, Any]:
    """Anthropic's constraint is always strict. The name is demanded by OpenAI and told to the model: any will do."""
    given = object_of(value, name)
    if given.get("type") != "json_schema":
        raise Refused(400, "the format must be a json_schema", param=f"{name}.type")
    schema = object_of(given.get("schema"), f"{name}.schema")
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
    }


def _thinking(value: Any, name: str, losses: Losses) -> dict[str, Any]:
    """How hard to think is said by the effort; whether to think at all is the model's own affair here.

    `disabled` is not `reasoning_effort: none`: most models of most servers refuse that, or the whole member.
    """
    kind = text_of(object_of(value, name).get("type"), f"{name}.type")
    if kind not in ("enabled", "adaptive"):
        losses.add(name, param=f"{name}.type")
    return {}


def _stream(value: Any, name: str, losses: Losses) -> dict[str, Any]:
    """Streams of Messages always tell their usage."""
    return {"stream": True, "stream_options": {"include_usage": True}} if flag_of(value, name) else {}


def _dropped(value: Any, name: str, losses: Losses) -> dict[str, Any]:
    if value not in ([], {}):
        losses.add(name)
    return {}


def _refused(value: Any, name: str, losses: Losses) -> dict[str, Any]:
    if value not in ([], {}):
        raise Refused(400, f"`{name}` has no equivalent at this provider", param=name)
    return {}


def _silent(value: Any, name: str, losses: Losses) -> dict[str, Any]:
    return {}


def _usual(*usual: str) -> Rule:
    """Dropped in silence if it asks for what happens anyway."""

    def rule(value: Any, name: str, losses: Losses) -> dict[str, Any]:
        return {} if value in usual else _dropped(value, name, losses)

    return rule


def _where(value: Any, name: str, losses: Losses) -> dict[str, Any]:
    """Where a request may be computed is not ours to overlook."""
    return {} if value == "global" else _refused(value, name, losses)


RULES: dict[str, Rule] = {
    "max_tokens": _max_tokens,
    "temperature": _number,
    "top_p": _number,
    "stop_sequences": _stops,
    "output_config": _output_config,
    "output_format": _format,  # the name of `output_config.format` in earlier betas
    "service_tier": _service_tier,
    "metadata": _metadata,
    "stream": _stream,
    "thinking": _thinking,
    "top_k": _dropped,
    "speed": _usual("standard"),  # never a paid tier that was not asked for by its own name
    "context_management": _dropped,  # the provider sees the whole conversation, which says no less
    "diagnostics": _dropped,
    "fallbacks": _dropped,
    "cache_control": _silent,  # a mark at the end of the prompt, which OpenAI sets by itself
    "betas": _silent,
    "container": _refused,
    "mcp_servers": _refused,
    "thread": _refused,
    "compaction": _refused,
    "inference_geo": _where,
}
"""Members that stand in neither table are dropped with a warning."""

ELSEWHERE = frozenset({"model", "messages", "system", "tools", "tool_choice"})
