"""The blocks of a live request, in the order in which its provider renders them: where a breakpoint may stand.

One block is what the outline of a request has one point for (points inside long texts left out): a tool, a block of the
system prompt, a part of a message, an item. A text that stands for a whole content is one block.

What takes a breakpoint (types of anthropic 2.12 and openai 3.52; guides of both on prompt caching, read 2026-11):
Anthropic takes it on tools, and on all content but thinking and empty texts; OpenAI on input parts, among them those of
tool results, not on tools, instructions or what the assistant said. Gateways that pass `cache_control` on in chat
completions take it on texts (openrouter.ai, 2026).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from adapters.body import mapping
from adapters.breakpoint_prompt import UNMARKABLE
from adapters.profiles import Profile
from adapters.spans import Path

Wire = Literal["cache_control", "prompt_cache_breakpoint"]
"""The member that a marked block has."""

MESSAGES, CHAT, RESPONSES = "anthropic-messages", "openai-chat", "openai-responses"

INPUT_ROLES = frozenset({"system", "developer", "user", "tool"})
"""Who may say what OpenAI takes a breakpoint on."""

CHAT_PARTS = frozenset({"text", "image_url", "input_audio", "file"})
RESPONSES_PARTS = frozenset({"input_text", "input_image", "input_file"})
TEXTS = frozenset({"text", "input_text"})

OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})
"""Items whose `output` is a text or a list of input parts."""


class Block(NamedTuple):
    path: Path
    """Of the text or object that it is; where there is neither, of the message."""
    value: Any
    markable: bool


def wire_of(api: str, profile: Profile) -> Wire:
    """How breakpoints are written to this provider."""
    native = api == MESSAGES or (api == CHAT and profile.boundary == "breakpoint")
    return "cache_control" if native else "prompt_cache_breakpoint"


def usual_wire(api: str) -> Wire:
    """How they are written in this API by who made it."""
    return "cache_control" if api == MESSAGES else "prompt_cache_breakpoint"


def blocks(parsed: Mapping[str, Any], api: str, wire: Wire | None = None) -> Iterator[Block]:
    """All blocks, of a body in which any member may be of any type; none for an API that is not known."""
    wire = wire or usual_wire(api)
    if api == MESSAGES:
        yield from _of_messages(parsed)
    elif api == CHAT:
        yield from _of_chat(parsed, wire)
    elif api == RESPONSES:
        yield from _of_responses(parsed)


def paths(parsed: Mapping[str, Any], api: str, wire: Wire | None = None) -> list[Path | None]:
    """The path of each block, None where no breakpoint can stand at its end: as many as the points of the outline that
    are no steps, in the same order."""
    return [block.path if block.markable else None for block in blocks(parsed, api, wire)]


def _listed(value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """The items of a list with their places, what is no object as an empty one: OpenAI's points count it."""
    for place, item in enumerate(value if isinstance(value, list) else ()):
        yield place, mapping(item)


def _unmarkable(name: str, parsed: Mapping[str, Any]) -> Iterator[Block]:
    for place, item in _listed(parsed.get(name)):
        yield Block((name, place), item, False)


def _objects(value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a list with their places; none where it is no list."""
    for place, item in enumerate(value if isinstance(value, list) else ()):
        if isinstance(item, dict):
            yield place, item


def _of_messages(parsed: Mapping[str, Any]) -> Iterator[Block]:
    for place, tool in _objects(parsed.get("tools")):
        # A tool that is loaded later is not in the prompt: the provider refuses a mark on it.
        yield Block(("tools", place), tool, tool.get("defer_loading") is not True)
    yield from _content(("system",), parsed.get("system"))
    for place, message in _objects(parsed.get("messages")):
        yield from _content(("messages", place, "content"), message.get("content"))


def _content(path: Path, content: Any) -> Iterator[Block]:
    if isinstance(content, str):
        if content:
            yield Block(path, content, True)
        return
    for place, block in _objects(content):
        kind = block.get("type")
        can = isinstance(kind, str) and kind not in UNMARKABLE and not (kind == "text" and not block.get("text"))
        yield Block((*path, place), block, can)


def _of_chat(parsed: Mapping[str, Any], wire: Wire) -> Iterator[Block]:
    yield from _unmarkable("tools", parsed)
    for place, message in _listed(parsed.get("messages")):
        # Calls are rendered behind the content, so that no mark on it ends the message.
        can = not message.get("tool_calls") if wire == "cache_control" else _is(message.get("role"), INPUT_ROLES)
        kinds = TEXTS if wire == "cache_control" else CHAT_PARTS
        yield from _message(("messages", place), message, kinds if can else frozenset())


def _of_responses(parsed: Mapping[str, Any]) -> Iterator[Block]:
    yield from _unmarkable("tools", parsed)
    if (told := parsed.get("instructions")) is not None:
        yield Block(("instructions",), told, False)
    given = parsed.get("input")
    if isinstance(given, str):
        yield Block(("input",), given, bool(given))
    for place, item in _listed(given):
        kind = item.get("type", "message")
        if kind == "message":
            kinds = RESPONSES_PARTS if _is(item.get("role"), INPUT_ROLES) else frozenset()
            yield from _message(("input", place), item, kinds)
        elif _is(kind, OUTPUTS):
            yield _result(("input", place), item)
        else:
            yield Block(("input", place), item, False)


def _message(path: Path, message: Mapping[str, Any], kinds: frozenset[str]) -> Iterator[Block]:
    """A message of OpenAI's APIs; one without content is one block all the same. `kinds` can be marked."""
    content = message.get("content")
    if isinstance(content, str):
        yield Block((*path, "content"), content, bool(content and kinds))
        return
    if not isinstance(content, list) or not content:
        yield Block(path, message, False)
    for place, part in _listed(content):
        yield Block((*path, "content", place), part, _takes(part, kinds))


def _result(path: Path, item: Mapping[str, Any]) -> Block:
    """The result of a tool is one block, which ends with its last part."""
    output = item.get("output")
    if isinstance(output, str):
        return Block((*path, "output"), output, bool(output))
    parts = list(_objects(output))
    if not parts:
        return Block(path, item, False)
    place, part = parts[-1]
    return Block((*path, "output", place), part, _takes(part, RESPONSES_PARTS))


def _takes(part: Mapping[str, Any], kinds: frozenset[str]) -> bool:
    kind = part.get("type")
    return _is(kind, kinds) and not (kind in TEXTS and not part.get("text"))


def _is(value: Any, names: frozenset[str]) -> bool:
    return isinstance(value, str) and value in names
