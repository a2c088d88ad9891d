"""A chat-completions request as one of the Messages API (Anthropic, SDK 2.12 and docs read 2026-11).

Equal requests give equal bytes, and the next turn of a conversation repeats the bytes of the turns before: members
stand in the order of this module, arguments of tool calls are the client's own bytes, and nothing is asked of a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from adapters.capabilities import Capabilities, capabilities_of
from adapters.chat_over_messages_notes import Block, Notes
from adapters.chat_over_messages_parameters import (
    FORWARDED,
    breakpoint_ttl,
    check,
    copies_of,
    format_of,
    sampling_of,
    stop_of,
    tier_of,
    user_of,
)
from adapters.chat_over_messages_thinking import Thinking, limit_of, thinking_of
from adapters.chat_over_messages_tools import choice_of, tools_of
from adapters.chat_over_messages_turns import Conversation, conversation
from adapters.errors import Refused
from adapters.translation import Terms
from adapters.vocabulary import Sent

TARGET = "/messages"

_encode = msgspec.json.Encoder().encode


def request(body: Mapping[str, Any], terms: Terms, known: Capabilities | None = None) -> Sent:
    """Raises `Refused` (400, with `param`). `known` replaces what the table says of the model."""
    copies = copies_of(body)
    known = known or capabilities_of(terms.model)
    notes = Notes(strict=terms.strict, ttl=breakpoint_ttl(body))
    check(body, notes)
    if body.get("cache_control") is not None:
        notes.count("cache_control")  # the automatic one takes a place among the four
    said = conversation(body.get("messages"), known, notes)
    tools = tools_of(body, known, notes)
    limit = limit_of(body, known, terms.max_tokens)
    reason = _unable(said)
    thought = thinking_of(body, known, notes, limit, unable=reason, shown=terms.reasoning)
    thinks = (thought.thinking or {}).get("type") in ("adaptive", "enabled")
    # A model that thinks anyway is not told more by being told so.
    choice = choice_of(body, known, tools=bool(tools), thinking=thinks and not known.thinks)
    members: dict[str, Any] = {
        "model": terms.model,
        "max_tokens": limit,
        "thinking": thought.thinking,
        "output_config": _output_config(body, thought, format_of(body, known, notes)),
        "tools": tools,
        "tool_choice": choice,
        "system": _system(body, said.system, notes),
        "messages": said.sent,
        "stop_sequences": stop_of(body),
        **sampling_of(body, known, notes, terms.version, thinking=thinks),
        "stream": body.get("stream") is True,
        "metadata": user_of(body),
        "service_tier": tier_of(body, notes),
        **{name: body.get(name) for name in FORWARDED},
    }
    sent = _sent({name: value for name, value in members.items() if _says(value)}, said, tuple(notes.warnings))
    return sent if copies == 1 else sent._replace(copies=copies, parsed=sent.parsed | {"n": copies})


def _says(value: Any) -> bool:
    return value is not None and value is not False and value != [] and value != {}


def _sent(members: dict[str, Any], said: Conversation, warnings: tuple[str, ...]) -> Sent:
    try:
        raw = _encode(members)
        # The key is made of decoded values: how a client spaces its arguments is no part of what it asks.
        parsed = members | {"messages": said.plain}
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        raise Refused(400, "the request body can't be encoded") from None
    return Sent(TARGET, raw, parsed, warnings)


def _unable(said: Conversation) -> str:
    """Why thinking can't be `enabled` (extended thinking page, read 2026-08): both are answered with 400."""
    if said.prefilled:
        return "the last message is the assistant's"
    return "the last tool calls come without their thinking" if said.unthought else ""


def _system(body: Mapping[str, Any], blocks: list[Block], notes: Notes) -> list[Any]:
    """Anthropic's own `system`, which a client may send beside its messages, comes first."""
    native = body.get("system")
    if native is None:
        return blocks
    if isinstance(native, str):
        native = [{"type": "text", "text": native}]
    if not isinstance(native, list) or not all(isinstance(block, dict) for block in native):
        raise Refused(400, "`system` must be a string or an array of text blocks", param="system")
    for place, block in enumerate(native):
        if block.get("cache_control") is not None:
            notes.count(f"system[{place}]")
    return [*native, *blocks]


def _output_config(body: Mapping[str, Any], thought: Thinking, schema: dict[str, Any] | None) -> dict[str, Any]:
    native = body.get("output_config")
    if not isinstance(native, dict | None):
        raise Refused(400, "`output_config` must be an object", param="output_config")
    ours = {"effort": thought.effort, "format": schema}
    return {name: value for name, value in ours.items() if value is not None} | (native or {})
