"""What Anthropic's Messages API says against the conversation in a request: roles, blocks, tool results, thinking.

A generator of complaints, in the order in which they are looked for; the first is what the provider answers with. What
later checks rely on, earlier ones have established, so nothing behind the first complaint may be asked for.

Source: Anthropic's API reference and error texts as quoted by its users, SDK 2.11 for the members of blocks (read
2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from adapters.body import mapping
from adapters.breakpoint_prompt import blocks_of
from adapters.simulated_messages import is_signed
from adapters.simulated_models import Traits

ROLES = ("user", "assistant", "system")
IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
SOURCES = {"image": ("base64", "url", "file"), "document": ("base64", "text", "url", "content", "file")}

IDENTIFIER = re.compile(r"[a-zA-Z0-9_-]+")


class Kind(NamedTuple):
    """A type of block: whose turns it may stand in, and its members beside `type` (None where they are not checked)."""

    roles: tuple[str, ...]
    members: frozenset[str] | None = None


KINDS: Mapping[str, Kind] = {
    "text": Kind(ROLES, frozenset({"text", "citations", "cache_control"})),
    "image": Kind(("user",), frozenset({"source", "transformations", "cache_control"})),
    "document": Kind(("user",), frozenset({"source", "title", "context", "citations", "cache_control"})),
    "search_result": Kind(("user",), frozenset({"source", "title", "content", "citations", "cache_control"})),
    "container_upload": Kind(("user",)),
    "tool_result": Kind(("user",), frozenset({"tool_use_id", "content", "is_error", "toolset_name", "cache_control"})),
    "tool_use": Kind(("assistant",), frozenset({"id", "name", "input", "caller", "toolset_name", "cache_control"})),
    "thinking": Kind(("assistant",), frozenset({"thinking", "signature"})),
    "redacted_thinking": Kind(("assistant",), frozenset({"data"})),
    "server_tool_use": Kind(("assistant",)),
}
"""All others that exist are results of server tools (`..._tool_result`), in assistant turns."""

RESULT = Kind(("assistant",))


class Turn(NamedTuple):
    """Consecutive messages of one role: the provider takes them for one turn."""

    role: str
    blocks: list[dict[str, Any]]
    place: int
    """Index of its first message."""


def complaints(body: Mapping[str, Any], allowed: Traits, seed: int) -> Iterator[str]:
    """`body` has `messages` that is a list of at least one object."""
    messages = body["messages"]
    yield from _system(body.get("system"))
    for place, message in enumerate(messages):
        yield from _message(message, f"messages.{place}", last=place == len(messages) - 1)
    if messages[0]["role"] != "user":
        yield 'messages: first message must use the "user" role'
    turns = list(_turns(messages))
    for place, turn in enumerate(turns):
        yield from _pairs(turns, place)
        if turn.role == "system":
            yield from _system_turn(turns, place, allowed)
    yield from _thoughts(turns, mapping(body.get("thinking")), seed)
    if turns[-1].role == "assistant":
        if not allowed.prefill:
            yield "This model does not support assistant message prefill. The last message must be of the user."
        if turns[-1].blocks and str(turns[-1].blocks[-1].get("text", "")).endswith((" ", "\n", "\t")):
            yield "messages: final assistant content cannot end with trailing whitespace"


def _system(system: Any) -> Iterator[str]:
    if system is None or isinstance(system, str):
        return
    if not isinstance(system, list):
        yield "system: Input should be a string or a list of text blocks"
        return
    for place, block in enumerate(system):
        yield from _block(block, "system", f"system.{place}")


def _message(message: Any, path: str, *, last: bool) -> Iterator[str]:
    if not isinstance(message, dict):
        yield f"{path}: Input should be an object"
    for name in message:
        if name not in ("role", "content"):
            yield f"{path}.{name}: Extra inputs are not permitted"
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        yield f"messages: Unexpected role {role!r}. Allowed roles are user, assistant and system"
    if not isinstance(content, str | list):
        yield f"{path}.content: Input should be a string or a list of blocks"
    if not content and not (last and role == "assistant"):
        yield f"{path}: all messages must have non-empty content except for the optional final assistant message"
    if isinstance(content, str) and content and not content.strip():
        yield f"{path}: text content blocks must contain non-whitespace text"
    for place, block in enumerate(content if isinstance(content, list) else ()):
        yield from _block(block, role, f"{path}.content.{place}")


def _block(block: Any, role: str, path: str) -> Iterator[str]:
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        yield f"{path}.type: Field required"
    name = block["type"]
    kind = KINDS.get(name, RESULT if name.endswith("_tool_result") else None)
    if kind is None:
        yield f"{path}: Input tag {name!r} found using 'type' does not match any of the expected tags"
        return
    if role not in kind.roles:
        yield f"{path}: `{name}` blocks can not be in `{role}` turns"
    for member in block:
        if kind.members is not None and member != "type" and member not in kind.members:
            yield f"{path}.{name}.{member}: Extra inputs are not permitted"
    match name:
        case "text":
            yield from _text(block.get("text"), path)
        case "image" | "document":
            yield from _source(name, block.get("source"), path)
        case "tool_use":
            yield from _call(block, path)
        case "tool_result":
            yield from _result(block, path)


def _text(text: Any, path: str) -> Iterator[str]:
    if not isinstance(text, str):
        yield f"{path}.text: Input should be a valid string"
    if not text:
        yield f"{path}: text content blocks must be non-empty"
    if not text.strip():
        yield f"{path}: text content blocks must contain non-whitespace text"


def _source(name: str, given: Any, path: str) -> Iterator[str]:
    source = mapping(given)
    kind = source.get("type")
    if kind not in SOURCES[name]:
        yield f"{path}.{name}.source: Input tag {kind!r} does not match any of the expected tags"
    if kind in ("base64", "text"):
        media = IMAGES if name == "image" else ("application/pdf",) if kind == "base64" else ("text/plain",)
        if source.get("media_type") not in media:
            yield f"{path}.{name}.source.{kind}.media_type: Input should be one of {', '.join(media)}"
        if not isinstance(source.get("data"), str) or not source["data"]:
            yield f"{path}.{name}.source.{kind}.data: Input should be a non-empty string"
    elif kind == "url" and not str(source.get("url")).startswith(("https://", "http://")):
        yield f"{path}.{name}.source.url.url: Only http and https URLs are supported"


def _call(block: dict[str, Any], path: str) -> Iterator[str]:
    for name in ("id", "name"):
        if not isinstance(block.get(name), str) or not IDENTIFIER.fullmatch(block[name]):
            yield f"{path}.tool_use.{name}: String should match pattern '^[a-zA-Z0-9_-]+$'"
    if not isinstance(block.get("input"), dict):
        yield f"{path}.tool_use.input: Input should be an object"


def _result(block: dict[str, Any], path: str) -> Iterator[str]:
    if not isinstance(block.get("tool_use_id"), str):
        yield f"{path}.tool_result.tool_use_id: Field required"
    content = block.get("content")
    if content is not None and not isinstance(content, str | list):
        yield f"{path}.tool_result.content: Input should be a string or a list of blocks"
    for place, part in enumerate(content if isinstance(content, list) else ()):
        if mapping(part).get("type") not in ("text", "image", "document", "search_result", "tool_reference"):
            yield f"{path}.tool_result.content.{place}: Input tag does not match any of the expected tags"
        if part["type"] != "tool_reference":
            yield from _block(part, "user", f"{path}.tool_result.content.{place}")


def _turns(messages: list[dict[str, Any]]) -> Iterator[Turn]:
    turn: Turn | None = None
    for place, message in enumerate(messages):
        if turn is not None and turn.role == message["role"]:
            turn.blocks.extend(blocks_of(message["content"]))
            continue
        if turn is not None:
            yield turn
        turn = Turn(message["role"], list(blocks_of(message["content"])), place)
    if turn is not None:
        yield turn


def _pairs(turns: list[Turn], place: int) -> Iterator[str]:
    """Every call has one result, at the beginning of the next turn, and every result its call."""
    turn = turns[place]
    before = turns[place - 1] if place else Turn("", [], 0)
    called = [block["id"] for block in before.blocks if block["type"] == "tool_use"]
    results = [block["tool_use_id"] for block in turn.blocks if block["type"] == "tool_result"]
    for name in results:
        if name not in called:
            yield (
                f"messages.{turn.place}: unexpected `tool_use_id` found in `tool_result` blocks: {name}. Each "
                "`tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        if results.count(name) > 1:
            yield f"messages.{turn.place}: each tool_use must have a single result. Found multiple for id: {name}"
    own = [block["id"] for block in turn.blocks if block["type"] == "tool_use"]
    if len(set(own)) < len(own):
        yield f"messages.{turn.place}: `tool_use` ids must be unique"
    after = turns[place + 1].blocks if place + 1 < len(turns) else []
    leading = [block.get("tool_use_id") for block in after[: len(own)]]
    if missing := [name for name in own if name not in leading]:
        yield (
            f"messages.{turn.place}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the next "
            "message."
        )


def _system_turn(turns: list[Turn], place: int, allowed: Traits) -> Iterator[str]:
    at = f"messages.{turns[place].place}"
    if not allowed.system_turns:
        yield f"{at}: role 'system' is not supported on this model"
    if turns[place - 1].role != "user" or (place + 1 < len(turns) and turns[place + 1].role != "assistant"):
        yield f"{at}: a system message must follow a user turn, and be last or followed by an assistant turn"


def _thoughts(turns: list[Turn], thinking: dict[str, Any], seed: int) -> Iterator[str]:
    for turn in turns:
        for place, block in enumerate(turn.blocks):
            shown = block.get("thinking") if block["type"] == "thinking" else ""
            seal = {"thinking": "signature", "redacted_thinking": "data"}.get(block["type"])
            if seal and not is_signed(shown, block.get(seal), seed):
                yield f"messages.{turn.place}.content.{place}: Invalid `signature` in `{block['type']}` block"
    loop = len(turns) > 1 and any(block["type"] == "tool_result" for block in turns[-1].blocks)
    if loop and thinking.get("type") == "enabled" and "thinking" not in turns[-2].blocks[0]["type"]:
        yield (
            f"messages.{turns[-2].place}.content.0.type: Expected `thinking` or `redacted_thinking`, but found "
            f"`{turns[-2].blocks[0]['type']}`. When `thinking` is enabled, a final `assistant` message must start with "
            "a thinking block."
        )
