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
    for name in RENDERED.get(api, ()):
        value = parsed.get(name)
        places = range(len(value)) if isinstance(value, list) and name in LISTS else (None,)
        for place in places:
            yield from _of(name, value, place, api, wire)


def block_at(parsed: Mapping[str, Any], path: Path, api: str, wire: Wire | None = None) -> Block | None:
    """The block of that path, without a walk through all of them."""
    if not path or path[0] not in RENDERED.get(api, ()):
        return None
    name, place = str(path[0]), None
    value = parsed.get(name)
    if isinstance(value, list) and name in LISTS:
        step = path[1] if len(path) > 1 else None
        if not isinstance(step, int) or not 0 <= step < len(value):
            return None
        place = step
    return next((block for block in _of(name, value, place, api, wire or usual_wire(api)) if block.path == path), None)


def paths(parsed: Mapping[str, Any], api: str, wire: Wire | None = None) -> list[Path | None]:
    """The path of each block, None where no breakpoint can stand at its end: as many as the points of the outline that
    are no steps, in the same order."""
    return [block.path if block.markable else None for block in blocks(parsed, api, wire)]


RENDERED = {
    MESSAGES: ("tools", "system", "messages"),
    CHAT: ("tools", "messages"),
    RESPONSES: ("tools", "instructions", "input"),
}
"""The members that hold blocks, in the order in which they are rendered."""

LISTS = frozenset({"tools", "messages", "input"})
"""Those whose items are taken one by one."""


def _of(name: str, value: Any, place: int | None, api: str, wire: Wire) -> Iterator[Block]:
    """The blocks of one item of a member, or of all of it where it has none."""
    if place is None:
        if name == "system":
            yield from _content((name,), value)
        elif (name == "input" and isinstance(value, str)) or (name == "instructions" and value is not None):
            yield Block((name,), value, name == "input" and bool(value))
        return
    item = value[place]
    if api == MESSAGES:
        if isinstance(item, dict) and name == "tools":
            # A tool that is loaded later is not in the prompt: the provider refuses a mark on it.
            yield Block((name, place), item, item.get("defer_loading") is not True)
        elif isinstance(item, dict):
            yield from _content((name, place, "content"), item.get("content"))
    elif name == "tools" or not isinstance(item, dict):
        yield Block((name, place), item, False)
    elif name == "messages":
        # Calls are rendered behind the content, so that no mark on it ends the message.
        can = not item.get("tool_calls") if wire == "cache_control" else _is(item.get("role"), INPUT_ROLES)
        kinds = TEXTS if wire == "cache_control" else CHAT_PARTS
        yield from _message((name, place), item, kinds if can else frozenset())
    elif item.get("type", "message") == "message":
        yield from _message((name, place), item, RESPONSES_PARTS if _is(item.get("role"), INPUT_ROLES) else frozenset())
    else:
        yield _result((name, place), item) if _is(item.get("type"), OUTPUTS) else Block((name, place), item, False)


def _content(path: Path, content: Any) -> Iterator[Block]:
    """Of a message of Anthropic's, or of its system prompt."""
    if isinstance(content, str):
        if content:
            yield Block(path, content, True)
        return
    for place, block in _objects(content):
        kind = block.get("type")
        can = isinstance(kind, str) and kind not in UNMARKABLE and not (kind == "text" and not block.get("text"))
        yield Block((*path, place), block, can)


def _objects(value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a list with their places; none where it is no list."""
    for place, item in enumerate(value if isinstance(value, list) else ()):
        if isinstance(item, dict):
            yield place, item


def _message(path: Path, message: Mapping[str, Any], kinds: frozenset[str]) -> Iterator[Block]:
    """A message of OpenAI's APIs; one without content is one block all the same. `kinds` can be marked."""
    content = message.get("content")
    if isinstance(content, str):
        yield Block((*path, "content"), content, bool(content and kinds))
        return
    if not isinstance(content, list) or not content:
        yield Block(path, message, False)
    else:
        for place, part in enumerate(content):
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


def _takes(part: Any, kinds: frozenset[str]) -> bool:
    if not isinstance(part, dict):
        return False
    kind = part.get("type")
    return _is(kind, kinds) and not (kind in TEXTS and not part.get("text"))


def _is(value: Any, names: frozenset[str]) -> bool:
    return isinstance(value, str) and value in names
