"""What one message of each API holds, piece by piece (APIs as of 2026-11: types of OpenAI's client 3.52, Anthropic's
2.11). Whatever is not known here is `other`, and locked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from adapters.body import mapping
from adapters.chain import MARKS
from adapters.tokens import BLOBS, IMAGE, IMAGE_LOW, PER_TOOL_CALL, estimate, estimate_value

Kind = Literal["text", "call", "result", "image", "document", "thinking", "other"]

PATHS = frozenset(
    {
        *("path", "file_path", "filepath", "filename", "file", "file_name", "target_file", "notebook_path"),
        *("absolute_path", "relative_path", "paths", "files", "file_paths"),
    }
)
"""Arguments that name files, as the tools of common coding agents call them."""

TEXTS = frozenset({"text", "input_text", "output_text"})

THOUGHTS = frozenset({"reasoning_content", "reasoning", "reasoning_details", "thinking_blocks"})
ODD = THOUGHTS | {"function_call", "refusal", "audio"}
"""Members of a chat message beside its content and its calls."""

FAILED = re.compile(
    r"""\s* (?: (?:fatal \s+)? error\b | exception\b | traceback\ \(most\ recent | fatal: | failed\b | failure\b
        | <tool_use_error> | <exception> | <returncode> (?!0<) | \{ \s* "error" \s* : (?! \s* (?: null | false | "" ) )
        | (?: (?:the\ )? (?:command|process) \s+ )? exit(?:ed)? (?: \s+ with)? \s+ code:? \s* (?!0\b) -?\d )
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""How a result begins that tells of a failure, where the API has no flag or nobody set it. A guess, which is only used
to shorten what a later success of the same call has settled."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Found(NamedTuple):
    """A piece before it has its place in the conversation."""

    kind: Kind
    role: str
    path: tuple[str | int, ...]
    """From the message on."""
    text: str = ""
    tool: str = ""
    call_id: str = ""
    paths: tuple[str, ...] = ()
    failed: bool = False
    locked: str = ""
    value: Any = None
    """What its tokens are to be counted of, where that is not `text`."""


def tokens_of(found: Found) -> int:
    """Estimated; bytes of images and documents count as the constants of `adapters.tokens`."""
    if found.kind == "image":
        value = mapping(found.value)
        low = "low" in (value.get("detail"), mapping(value.get("image_url")).get("detail"))
        return IMAGE_LOW if low else IMAGE
    if found.kind == "document":
        text = _document_text(found.value)
        return BLOBS["file"] if text is None else estimate(text)
    if found.kind == "call":
        return PER_TOOL_CALL + estimate(found.tool) + estimate(found.text)
    if found.kind == "result":
        return PER_TOOL_CALL + estimate(found.text)
    return estimate(found.text) if found.value is None else estimate_value(found.value)


def _document_text(value: Any) -> str | None:
    source = mapping(mapping(value).get("source"))
    data = source.get("data")
    return data if source.get("type") == "text" and isinstance(data, str) else None


# One message


def chat_pieces(message: Any) -> Iterator[Found]:
    message = mapping(message)
    role = _role(message.get("role"))
    if role == "tool":
        yield from _result(message, "content", _text(message, "tool_call_id"), tool=_text(message, "name"))
        return
    odd = ODD.intersection(message)  # seldom any, and there are many messages
    for name in sorted(odd & THOUGHTS):
        if message[name]:
            yield Found("thinking", role, (name,), locked="thinking", value=message[name])
    yield from _content(message, role)
    calls = message.get("tool_calls")
    for place, call in enumerate(calls) if isinstance(calls, list) else ():
        function = mapping(mapping(call).get("function"))
        if isinstance(function.get("arguments"), str):
            yield _call(("tool_calls", place, "function", "arguments"), function["arguments"], function, call, "id")
        else:
            yield _other(role, ("tool_calls", place), call)
    for name in sorted(odd - THOUGHTS):
        if message[name]:
            yield _other(role, (name,), message[name])


def anthropic_pieces(message: Any) -> Iterator[Found]:
    message = mapping(message)
    role = _role(message.get("role"))
    content = message.get("content")
    if not isinstance(content, list):
        yield from _content(message, role)
        return
    for place, block in enumerate(content):
        kind = mapping(block).get("type")
        path = ("content", place)
        if kind in ("thinking", "redacted_thinking"):
            yield Found("thinking", role, path, locked="thinking", value=block.get(kind) or block.get("data") or "")
        elif kind == "tool_use" and isinstance(block.get("input"), dict):
            yield _call((*path, "input"), _encode(block["input"]).decode(), block, block, "id")
        elif kind == "tool_result":
            yield from _result(block, "content", _text(block, "tool_use_id"), path)
        else:
            yield _part(block, role, path)


def responses_pieces(item: Any) -> Iterator[Found]:
    if isinstance(item, str):
        yield Found("text", "user", (), item)
        return
    item = mapping(item)
    kind = item.get("type", "message" if "role" in item else None)
    if kind == "message":
        yield from _content(item, _role(item.get("role")))
    elif kind == "function_call" and isinstance(item.get("arguments"), str):
        yield _call(("arguments",), item["arguments"], item, item, "call_id")
    elif kind in ("function_call_output", "custom_tool_call_output"):
        yield from _result(item, "output", _text(item, "call_id"))
    elif kind == "reasoning":
        yield Found("thinking", "assistant", (), locked="thinking", value=item.get("summary") or "")
    elif kind == "custom_tool_call":
        text, ident = _text(item, "input"), _text(item, "call_id")
        yield Found("call", "assistant", ("input",), text, _text(item, "name"), ident, locked="free text")
    else:
        # What a provider's tool did counts as the model's own, what came back from a client's as a tool's.
        yield _other("tool" if str(kind).endswith("_output") else "assistant", (), item)


# Parts of it


def _role(role: Any) -> str:
    if role in ("tool", "function"):
        return "tool"
    if role in ("system", "developer"):
        return "system"
    return "assistant" if role == "assistant" else "user"


def _content(message: Mapping[str, Any], role: str) -> Iterator[Found]:
    content = message.get("content")
    if isinstance(content, str):
        if content:
            yield Found("text", role, ("content",), content, locked="" if role == "user" else role)
    elif isinstance(content, list):
        yield from (_part(part, role, ("content", place)) for place, part in enumerate(content))
    elif content is not None:
        yield _other(role, ("content",), content)


def _part(part: Any, role: str, path: tuple[str | int, ...]) -> Found:
    kind = mapping(part).get("type")
    if isinstance(kind, str) and kind in TEXTS and isinstance(part.get("text"), str):
        return Found("text", role, (*path, "text"), part["text"], locked="" if role == "user" else role)
    if kind in ("image", "image_url", "input_image"):
        return Found("image", role, path, locked="" if role in ("user", "tool") else role, value=part)
    if kind in ("document", "file", "input_file"):
        return Found("document", role, path, locked="document", value=part)
    return _other(role, path, part)


def _other(role: str, path: tuple[str | int, ...], value: Any) -> Found:
    return Found("other", role, path, locked="other", value=value)


def _call(path: tuple[str | int, ...], text: str, named: Mapping[str, Any], call: Any, ident: str) -> Found:
    try:
        arguments = _decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        return Found("call", "assistant", path, text, _text(named, "name"), _text(call, ident), locked="arguments")
    return Found("call", "assistant", path, text, _text(named, "name"), _text(call, ident), tuple(_paths(arguments)))


def _paths(arguments: Mapping[str, Any]) -> Iterator[str]:
    for name, value in arguments.items():
        if name in PATHS:
            for each in value if isinstance(value, list) else (value,):
                if isinstance(each, str) and each:
                    yield each


def _result(
    holder: Mapping[str, Any], member: str, call_id: str, path: tuple[str | int, ...] = (), tool: str = ""
) -> Iterator[Found]:
    """The texts of a result are one piece; its images and whatever else it holds are pieces of their own."""
    content = holder.get(member)
    parts = content if isinstance(content, list) else []
    texts = [part for part in parts if _is_text(part)]
    text = content if isinstance(content, str) else "\n".join(part["text"] for part in texts)
    # An edit leaves one of the texts, and a mark on any other would be lost with it.
    marked = any(name in part for part in texts[1:] for name in MARKS)
    locked = "marked" if marked else "" if text else "empty"
    flag = holder.get("is_error")
    failed = flag if isinstance(flag, bool) else bool(FAILED.match(text))
    yield Found("result", "tool", (*path, member), text, tool, call_id, failed=failed, locked=locked)
    for place, part in enumerate(parts):
        if not _is_text(part):
            yield _part(part, "tool", (*path, member, place))._replace(call_id=call_id)


def _is_text(part: Any) -> bool:
    kind = mapping(part).get("type")
    return isinstance(kind, str) and kind in TEXTS and isinstance(part.get("text"), str)


def _text(holder: Any, name: str) -> str:
    value = mapping(holder).get(name)
    return value if isinstance(value, str) else ""
