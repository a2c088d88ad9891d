"""The pieces of a request to OpenAI's chat completions or responses, and to all that speak like them.

Of a message everything that is no content (its name, tool calls, the call that it answers) counts with its first piece:
where exactly a model reads it is not documented. What is null counts like what is absent. System and developer messages
that lead are the system prompt, behind `instructions` where there are any.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from adapters.breakpoint_prompt import listed
from adapters.chain import MARKS
from adapters.outline_pieces import IMAGES, Marks, Piece, Pieces, encode, ending, head, kind_of, text_of, weighed
from adapters.prompt import Edge

INSTRUCTING = frozenset({"system", "developer"})

INPUT = frozenset({"system", "developer", "user", "tool"})
"""Who may say what OpenAI takes a breakpoint on."""

RESULTS = frozenset({"function_call_output", "custom_tool_call_output"})
"""Items whose `output` is a text or a list of input parts; a breakpoint on the last part ends them."""

BREAKPOINT = frozenset({"text", "image_url", "input_audio", "file", "input_text", "input_image", "input_file"})
"""Types of parts that have a `prompt_cache_breakpoint`."""

CONTROL = frozenset({"text"})
"""Types of parts that take `cache_control`, at gateways that pass it on (openrouter.ai on prompt caching, 2026)."""

NESTED = ("content", "output")
"""Members of an item that may hold parts."""


class Shape(NamedTuple):
    """What the two APIs call the same things."""

    user: str
    """Type of a part that holds text."""
    assistant: str
    apart: frozenset[str]
    """Members of a message that are not merely hashed along."""


BEGINS = {
    (kind, more): f"message{'+' if more else ''} {kind}"
    for kind in ("text", "input_text", "output_text")
    for more in (False, True)
}
"""What a text that begins a message is, by its type and by whether the message says more."""

CHAT = Shape("text", "text", frozenset({"role", "content", *MARKS}))
RESPONSES = Shape("input_text", "output_text", CHAT.apart | {"type"})


def messages_in(body: Mapping[str, Any], marks: Marks) -> Pieces:
    """Of a chat completion."""
    walk = _Walk(CHAT, marks)
    messages = body.get("messages")
    return walk.told(body, [], messages if isinstance(messages, list) else [])


def items_in(body: Mapping[str, Any], marks: Marks) -> Pieces:
    """Of a response; a text for an input is a user's message."""
    walk = _Walk(RESPONSES, marks)
    instructions, items = body.get("instructions"), body.get("input")
    first = [] if instructions is None else [walk.instructions(instructions)]
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    return walk.told(body, first, items if isinstance(items, list) else [])


class _Walk:
    """Message by message; all pieces of one stand at one place."""

    def __init__(self, shape: Shape, marks: Marks) -> None:
        self._shape, self._marks = shape, marks
        self._takes = {"prompt_cache_breakpoint": BREAKPOINT, "cache_control": CONTROL}.get(marks.member, frozenset())
        self._images = False
        self._place = 0

    def told(self, body: Mapping[str, Any], system: list[Piece], messages: list[Any]) -> Pieces:
        given = body.get("tools")
        tools = [_tool(tool) for tool in (given if isinstance(given, list) else ())]
        leading = next((n for n, message in enumerate(messages) if not _instructs(message)), len(messages))
        rest: list[Piece] = []
        for place, message in enumerate(messages):
            self._message(message, system if place < leading else rest)
        if tools:
            tools[-1] = ending(tools[-1], "tools")
        if system:
            system[-1] = ending(system[-1], "system")
        return Pieces(tools, system, rest, self._images)

    def instructions(self, told: Any) -> Piece:
        if not isinstance(told, str):
            return self._whole("instructions", "", told, b"", "block")
        data = told.encode()
        return head("instructions", "text"), data, len(data), 0, 0, "", "block", False

    def _message(self, message: Any, pieces: list[Piece]) -> None:
        self._place += 1
        if type(message) is not dict:
            pieces.append(self._whole("", "", message, b"", "message"))
            return
        if self._shape is RESPONSES and message.get("type", "message") != "message":
            pieces.append(self._item(message))
            return
        role, content = message.get("role"), message.get("content")
        more = b"" if len(message) == 2 and role is not None and content is not None else self._more(message)
        kind = self._shape.assistant if role == "assistant" else self._shape.user
        if type(content) is str:
            # What most messages are, without the detour over parts.
            data = content.encode()
            can = kind in self._takes and bool(data) and self._may(message)
            begin = head(role, BEGINS[kind, bool(more)])
            pieces.append((begin + more, data, len(data) + len(more), 0, self._place, "", "message", can))
            return
        begins = "message+" if more else "message"
        if not isinstance(content, list) or not content:
            pieces.append(self._whole(role, f"{begins} whole", None if content == [] else content, more, "message"))
            return
        may = self._may(message)
        for part in content:
            pieces.append(self._part(role, begins, part, kind, more, may))
            begins, more = "part", b""
        pieces[-1] = ending(pieces[-1], "message")

    def _may(self, message: Mapping[str, Any]) -> bool:
        """Whether marks on its parts are taken, and its last part ends it: calls are rendered behind the content."""
        if self._marks.member == "cache_control":
            return not message.get("tool_calls")
        role = message.get("role")
        return isinstance(role, str) and role in INPUT

    def _more(self, message: dict[str, Any]) -> bytes:
        apart = self._shape.apart
        kept = {name: value for name, value in message.items() if name not in apart and value is not None}
        if len(kept) > 1:
            kept = dict(sorted(kept.items()))
        return encode(kept) if kept else b""

    def _part(self, role: Any, begins: str, part: Any, kind: str, more: bytes, may: bool) -> Piece:
        """`kind`: the type of a part that is nothing but text; `more`: what else the message says before it."""
        if not isinstance(part, dict):
            return self._whole(role, f"{begins} odd", part, more, "block")
        text = text_of(part, kind)
        if text is not None:
            begins, data, tokens = f"{begins} {kind}", text.encode(), 0
            weight = len(data)
        else:
            data = encode(_unmarked(part))
            weight, tokens = weighed(data, part)
            self._images = self._images or kind_of(part) in IMAGES
        can = self._taken(part)
        mark = self._marks.of(part) if can and len(part) > 2 else ""
        return head(role, begins) + more, data, weight + len(more), tokens, self._place, mark, "block", can and may

    def _taken(self, part: Mapping[str, Any]) -> bool:
        kind = kind_of(part)
        return kind in self._takes and ("text" not in kind or bool(part.get("text")))

    def _item(self, item: dict[str, Any]) -> Piece:
        """What is no message; of results of tools, a text is the same as one part that holds it."""
        output = item.get("output")
        if kind_of(item) not in RESULTS or not isinstance(output, str | list):
            return self._whole("item", "", item, b"", "message")
        parts = [{"type": "input_text", "text": output}] if isinstance(output, str) else output
        objects = listed(parts)
        said = text_of(objects[0], "input_text") if len(parts) == len(objects) == 1 else None
        data, inner = (encode([_unmarked(part) for part in parts]), objects) if said is None else (said.encode(), [])
        weight, tokens = weighed(data, {}, inner)
        self._images = self._images or any(kind_of(part) in IMAGES for part in inner)
        more = encode({name: item[name] for name in sorted(item) if name != "output" and name not in MARKS})
        can = bool(objects) and self._taken(objects[-1])
        mark = self._marks.of(objects[-1]) if can else ""
        begin = head("item", "result" if said is None else "result text") + more
        return begin, data, weight + len(more), tokens, self._place, mark, "message", can

    def _whole(self, role: Any, begins: str, value: Any, more: bytes, edge: Edge) -> Piece:
        """What has no parts that a breakpoint could stand on; None is nothing."""
        data, tokens = b"" if value is None else encode(_unmarked(value)), 0
        weight = len(data)
        if isinstance(value, dict):
            inner = [part for name in NESTED for part in parts_of(value.get(name))]
            self._images = self._images or any(kind_of(part) in IMAGES for part in inner)
            weight, tokens = weighed(data, value, inner)
        return head(role, begins) + more, data, weight + len(more), tokens, self._place, "", edge, False


def parts_of(value: Any) -> list[dict[str, Any]]:
    """The parts that a member of an item holds: a list of them, or one (the screenshot of a computer)."""
    return [value] if isinstance(value, dict) else listed(value)


def _tool(tool: Any) -> Piece:
    data = encode(_unmarked(tool))
    return head("tool", ""), data, len(data), 0, 0, "", "block", False


def _instructs(message: Any) -> bool:
    if not isinstance(message, dict) or message.get("type", "message") != "message":
        return False
    role = message.get("role")
    return isinstance(role, str) and role in INSTRUCTING


def _unmarked(value: Any) -> Any:
    """In one order, marks left out, also of the parts that it holds."""
    if not isinstance(value, dict):
        return value
    kept = {name: value[name] for name in sorted(value) if name not in MARKS}
    for name in NESTED:
        if isinstance(kept.get(name), list):
            kept[name] = [
                {inner: part[inner] for inner in part if inner not in MARKS} if isinstance(part, dict) else part
                for part in kept[name]
            ]
    return kept
