"""An assistant's message as blocks: thinking, text, tool calls; or the native content that an answer of ours carried.

Two extensions come back from clients that keep what they were given: `thinking_blocks`, which the provider wants first
and unchanged, and `content_blocks`, the whole native content of a turn that its other members would not restore. The
second is believed only as long as it says the same as the message around it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from adapters.body import decoded
from adapters.chat_over_messages_content import ASSISTANT, blank, blocks_of
from adapters.chat_over_messages_notes import UNMARKABLE, Block, Notes
from adapters.errors import Refused

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What the provider takes for the id of a tool call."""


class ToolCall(NamedTuple):
    identity: str
    """As the provider gets it."""
    name: str
    raw: bytes
    """The arguments as the client wrote them."""
    input: dict[str, Any]


def identity_of(tool_call_id: str) -> str:
    """The id itself where the provider takes it, else one that follows from it."""
    if _ID.fullmatch(tool_call_id):
        return tool_call_id
    return "call_" + hashlib.sha256(tool_call_id.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def assistant_blocks(message: Mapping[str, Any], path: str, notes: Notes) -> list[Block]:
    """Empty where the message says nothing. The `input` of tool calls holds the client's bytes, as `msgspec.Raw`."""
    for name, instead in (("audio", "text"), ("function_call", "`tool_calls`")):
        if message.get(name) is not None:
            raise Refused(400, f"`{name}` has no equivalent at this provider: use {instead}", param=f"{path}.{name}")
    calls = _calls(message, path)
    blocks = _native(message, calls, path, notes)
    if blocks is None:
        said = _said(message, path, notes)
        thought = [] if any(block.get("type") in UNMARKABLE for block in said) else _thought(message, path)
        blocks = [*thought, *said, *map(_tool_use, calls)]
    if calls:
        uses = [block for block in blocks if block.get("type") == "tool_use"][-len(calls) :]
        for place, (use, call) in enumerate(zip(uses, message["tool_calls"], strict=True)):
            where = f"{path}.tool_calls[{place}]"
            notes.put(use, notes.mark_of(call, where), where)
    if blocks:
        notes.put_last(blocks, notes.mark_of(message, path), path)
    return blocks


def _tool_use(call: ToolCall) -> Block:
    return {"type": "tool_use", "id": call.identity, "name": call.name, "input": msgspec.Raw(call.raw)}


def _said(message: Mapping[str, Any], path: str, notes: Notes) -> list[Block]:
    blocks = blocks_of(message.get("content"), path, notes, ASSISTANT)
    refused = message.get("refusal")
    if refused is None:
        return blocks
    if not isinstance(refused, str):
        raise Refused(400, "`refusal` must be a string", param=f"{path}.refusal")
    return blocks if blank(refused) else [*blocks, {"type": "text", "text": refused}]


def _thought(message: Mapping[str, Any], path: str) -> list[Block]:
    blocks = message.get("thinking_blocks")
    if blocks is None:
        return []
    if not isinstance(blocks, list) or not all(
        isinstance(block, dict) and block.get("type") in UNMARKABLE for block in blocks
    ):
        raise Refused(400, "`thinking_blocks` must be an array of thinking blocks", param=f"{path}.thinking_blocks")
    return blocks


def _native(message: Mapping[str, Any], calls: list[ToolCall], path: str, notes: Notes) -> list[Block] | None:
    """The turn's own content, without the empty texts that the provider writes but does not read."""
    native = message.get("content_blocks")
    if not isinstance(native, list) or not all(isinstance(block, dict) for block in native):
        return None
    uses = [block for block in native if block.get("type") == "tool_use"]
    if [(use.get("id"), use.get("name"), use.get("input")) for use in uses] != [
        (call.identity, call.name, call.input) for call in calls
    ]:
        return None
    texts = [block.get("text") for block in native if block.get("type") == "text"]
    if not all(isinstance(said, str) for said in texts) or "".join(map(str, texts)) != _text(message.get("content")):
        return None
    kept = [dict(block) for block in native if block.get("type") != "text" or not blank(block["text"])]
    for place, block in enumerate(kept):
        if block.get("cache_control") is not None:
            notes.count(f"{path}.content_blocks[{place}]")
    return kept


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return content if isinstance(content, str) else ""


def _calls(message: Mapping[str, Any], path: str) -> list[ToolCall]:
    calls = message.get("tool_calls")
    if calls is None:
        return []
    path = f"{path}.tool_calls"
    if not isinstance(calls, list):
        raise Refused(400, "`tool_calls` must be an array", param=path)
    return [_call(call, f"{path}[{place}]") for place, call in enumerate(calls)]


def _call(call: Any, path: str) -> ToolCall:
    if not isinstance(call, dict) or call.get("type", "function") != "function":
        raise Refused(400, "a tool call must be one of type `function`", param=path)
    identity, function = call.get("id"), call.get("function")
    if not isinstance(identity, str) or not identity:
        raise Refused(400, "a tool call must have an `id`", param=f"{path}.id")
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str) or not name:
        raise Refused(400, "a tool call must have a `function` with a `name`", param=f"{path}.function")
    arguments = function.get("arguments")
    if arguments is None or (isinstance(arguments, str) and blank(arguments)):
        return ToolCall(identity_of(identity), name, b"{}", {})
    path = f"{path}.function.arguments"
    if not isinstance(arguments, str):
        raise Refused(400, "`arguments` must be a string", param=path)
    try:
        raw = arguments.encode()
        return ToolCall(identity_of(identity), name, raw, decoded(raw))
    except (Refused, UnicodeEncodeError):
        raise Refused(400, "`arguments` must be the text of a JSON object", param=path) from None
