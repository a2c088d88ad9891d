"""System prompt and turns of a Messages request as messages of chat completions.

Every message is rendered by itself, so that an appended turn leaves the bytes of those before it as they were. Text
is a plain string where the model knows no breakpoints: many servers take nothing else (DeepSeek and others, 2026-11);
where it does, text is always a list of parts, or the message under a mark would change when the mark moves on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from adapters.errors import Refused
from adapters.messages_over_chat_ids import inward
from adapters.messages_over_chat_marks import Marks
from adapters.messages_over_chat_reading import Losses, flag_of, list_of, object_of, text_of

Part = dict[str, Any]
Message = dict[str, Any]

BILLING = re.compile(r"\Ax-anthropic-billing-header:[^\n]*\n?")
"""What Claude Code writes over its system prompt, with a checksum that changes on every request. It is meant for
Anthropic's billing and no model; left in, it would end every prefix at its first line (Claude Code 2.1, 2026-06)."""

HIDDEN = ("thinking", "redacted_thinking")
"""Blocks that only the model which wrote them may see again."""

_encode = msgspec.json.Encoder().encode


class Pen(NamedTuple):
    marks: Marks
    losses: Losses


def messages_of(body: Mapping[str, Any], pen: Pen) -> list[Message]:
    """All messages, the system prompt first; raises `Refused` (400, with `param`)."""
    messages = _system(body.get("system"), "system", pen)
    turns = list_of(body.get("messages"), "messages")
    for place, turn in enumerate(turns):
        param = f"messages[{place}]"
        role = object_of(turn, param).get("role")
        write = _ROLES.get(role) if type(role) is str else None
        if write is None:
            raise Refused(400, "the role must be user, assistant or system", param=f"{param}.role")
        messages += write(turn.get("content"), f"{param}.content", pen)
    if turns and turns[-1].get("role") == "assistant":
        raise Refused(400, "chat completions cannot go on with a begun answer", param=f"messages[{len(turns) - 1}]")
    pen.marks.keep_latest()
    return messages


def _system(content: Any, param: str, pen: Pen) -> list[Message]:
    parts = []
    for part in _parts(content, param, pen, ("text",)) if content is not None else ():
        part["text"] = BILLING.sub("", part["text"])
        if part["text"]:
            parts.append(part)
    return [{"role": "system", "content": _content(parts, pen)}] if parts else []


def _user(content: Any, param: str, pen: Pen) -> list[Message]:
    """Results of tools become messages of their own and come first. What such a message can't hold, images and files,
    follows in the user's message."""
    if type(content) is not list:
        return [{"role": "user", "content": _content(_parts(content, param, pen, tuple(_BLOCKS)), pen)}]
    results: list[Message] = []
    attached: list[Part] = []
    own: list[Part] = []
    for place, block in enumerate(content):
        at = f"{param}[{place}]"
        if object_of(block, at).get("type") == "tool_result":
            message, more = _result(block, at, pen)
            results.append(message)
            attached += more
        else:
            own += _block(block, at, pen, tuple(_BLOCKS))
    if results and not attached and not own:
        return results
    return [*results, {"role": "user", "content": _content(attached + own, pen)}]


def _result(block: dict[str, Any], param: str, pen: Pen) -> tuple[Message, list[Part]]:
    ident = inward(text_of(block.get("tool_use_id"), f"{param}.tool_use_id"))
    given = block.get("content")
    parts = [] if given is None else _parts(given, f"{param}.content", pen, tuple(_BLOCKS))
    texts = [part for part in parts if part["type"] == "text"]
    others = [part for part in parts if part["type"] != "text"]
    if flag_of(block.get("is_error"), f"{param}.is_error"):
        # Chat completions have no such member; the model is told in words.
        texts.insert(0, {"type": "text", "text": "The tool failed:"})
    if others:
        texts.append({"type": "text", "text": f"({len(others)} attached to the next user message)"})
        others.insert(0, {"type": "text", "text": f"Attached to the result of tool call {ident}:"})
    if not texts:
        texts.append({"type": "text", "text": ""})
    pen.marks.put((others or texts)[-1], block, param)
    return {"role": "tool", "tool_call_id": ident, "content": _content(texts, pen)}, others


def _assistant(content: Any, param: str, pen: Pen) -> list[Message]:
    if type(content) is not list:
        return [{"role": "assistant", "content": _content(_parts(content, param, pen, ("text",)), pen, "")}]
    texts: list[Part] = []
    calls: list[dict[str, Any]] = []
    for place, block in enumerate(content):
        at = f"{param}[{place}]"
        kind = object_of(block, at).get("type")
        if kind == "tool_use":
            calls.append(_call(block, at))
        elif kind not in HIDDEN:
            texts += _block(block, at, pen, ("text",))
    if not texts and not calls:
        return []
    message: Message = {"role": "assistant", "content": _content(texts, pen, "") if texts else None}
    if calls:
        message["tool_calls"] = calls
    return [message]


def _call(block: dict[str, Any], param: str) -> dict[str, Any]:
    ident = inward(text_of(block.get("id"), f"{param}.id"))
    name = text_of(block.get("name"), f"{param}.name")
    arguments = _encode(object_of(block.get("input", {}), f"{param}.input")).decode()
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}


_ROLES: dict[str, Callable[[Any, str, Pen], list[Message]]] = {
    "user": _user,
    "assistant": _assistant,
    "system": _system,
}


def _content(parts: list[Part], pen: Pen, between: str = "\n") -> str | list[Part]:
    """The parts of an answer were one text; those of a prompt are paragraphs."""
    if pen.marks.known and parts:
        return parts
    if all(part["type"] == "text" for part in parts):
        return between.join(part["text"] for part in parts)
    return parts


def _parts(content: Any, param: str, pen: Pen, allowed: tuple[str, ...]) -> list[Part]:
    if type(content) is str:
        return [{"type": "text", "text": content}]
    if type(content) is not list:
        raise Refused(400, f"`{param}` must be a string or an array of blocks", param=param)
    return [
        part
        for place, block in enumerate(content)
        for part in _block(object_of(block, f"{param}[{place}]"), f"{param}[{place}]", pen, allowed)
    ]


def _block(block: dict[str, Any], param: str, pen: Pen, allowed: tuple[str, ...]) -> list[Part]:
    kind = block.get("type")
    if type(kind) is not str or kind not in allowed:
        raise Refused(400, "a block of this type can't be said to this provider here", param=f"{param}.type")
    parts = _BLOCKS[kind](block, param, pen)
    if parts:
        pen.marks.put(parts[-1], block, param)
    return parts


def _text(block: dict[str, Any], param: str, pen: Pen) -> list[Part]:
    return [{"type": "text", "text": text_of(block.get("text"), f"{param}.text")}]


def _image(block: dict[str, Any], param: str, pen: Pen) -> list[Part]:
    at = f"{param}.source"
    source = object_of(block.get("source"), at)
    match source.get("type"):
        case "base64":
            url = _data_url(source, at)
        case "url":
            url = text_of(source.get("url"), f"{at}.url")
        case _:
            raise Refused(400, "an image must be base64 or a URL for this provider", param=f"{at}.type")
    return [{"type": "image_url", "image_url": {"url": url}}]


def _data_url(source: dict[str, Any], param: str) -> str:
    media = text_of(source.get("media_type"), f"{param}.media_type")
    return f"data:{media};base64,{text_of(source.get('data'), f'{param}.data')}"


def _document(block: dict[str, Any], param: str, pen: Pen) -> list[Part]:
    _uncited(block, param, pen)
    at = f"{param}.source"
    source = object_of(block.get("source"), at)
    title, context = (text_of(block.get(name) or "", f"{param}.{name}") for name in ("title", "context"))
    match source.get("type"):
        case "base64":
            name = title or "document.pdf"
            parts: list[Part] = [{"type": "file", "file": {"filename": name, "file_data": _data_url(source, at)}}]
            title = ""  # said by the file's name
        case "text":
            parts = [{"type": "text", "text": text_of(source.get("data"), f"{at}.data")}]
        case "content":
            parts = _parts(source.get("content"), f"{at}.content", pen, ("text", "image"))
        case _:
            raise Refused(400, "a document must be base64, text or content for this provider", param=f"{at}.type")
    head = "\n".join(line for line in (title, context) if line)
    return [{"type": "text", "text": head}, *parts] if head else parts


def _search_result(block: dict[str, Any], param: str, pen: Pen) -> list[Part]:
    _uncited(block, param, pen)
    lines = [text_of(block.get(name), f"{param}.{name}") for name in ("title", "source")]
    return [
        {"type": "text", "text": "\n".join(lines)},
        *_parts(list_of(block.get("content"), f"{param}.content"), f"{param}.content", pen, ("text",)),
    ]


def _uncited(block: dict[str, Any], param: str, pen: Pen) -> None:
    at = f"{param}.citations"
    if flag_of(object_of(block.get("citations") or {}, at).get("enabled"), f"{at}.enabled"):
        pen.losses.add("citations", param=at)


_BLOCKS: dict[str, Callable[[dict[str, Any], str, Pen], list[Part]]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
}
