"""From a whole answer of the Responses API to the stream it would have come as.

Events in OpenAI's order (types of its client 3.52, read 2026-11): the response as it began, then for every output item
its beginning, its parts with their deltas, and its end, then the whole response. Each level repeats all of the one
below it when it is done, so nothing can be lost: an item or a part of no known form comes in one piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from adapters.errors import Unfoldable
from adapters.openai_unfold import cut, paired
from adapters.sse import Frame, frame_of

TERMINAL = {"completed": "response.completed", "incomplete": "response.incomplete"}
"""Terminal event by status. Whatever has another status is no answer that could be told again."""

LATER = ("completed_at", "incomplete_details", "moderation", "tool_usage", "output_text")
"""Members of a response that are null until it is done, where they are there at all. Usage is null in any case."""

CALLS = {
    "function_call": ("arguments", "response.function_call_arguments"),
    "custom_tool_call": ("input", "response.custom_tool_call_input"),
}
"""By type of item: the member that grows, and the events that tell of it."""

PARTS = {
    ("message", "output_text"): ("text", "response.output_text"),
    ("message", "refusal"): ("refusal", "response.refusal"),
    ("reasoning", "reasoning_text"): ("text", "response.reasoning_text"),
}
"""By types of item and part: the member that grows, and the events that tell of it."""

BY_CALL = ("function_call", "custom_tool_call", "shell_call", "shell_call_output")
"""Items that OpenAI's client tells apart by `call_id` alone."""

Event = tuple[str, dict[str, Any]]
"""Type and members, less those that every event has."""

_encode = msgspec.json.Encoder().encode


def unfold(message: Mapping[str, Any], *, usage: bool) -> list[Frame]:
    """`usage` changes nothing: in this API the terminal event always carries it. Raises `Unfoldable` for what is not
    completed or incomplete, and for items that clients could not tell apart."""
    frames = []
    try:
        for number, (kind, members) in enumerate(_events(message)):
            payload = _encode({"type": kind, "sequence_number": number, **members})
            frames.append(frame_of(payload, kind))
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
        raise Unfoldable("the answer cannot be encoded") from error
    return frames


def _events(message: Mapping[str, Any]) -> Iterator[Event]:
    status, output = message.get("status"), message.get("output")
    terminal = TERMINAL.get(status) if isinstance(status, str) else None
    if terminal is None or message.get("error") is not None or message.get("object", "response") != "response":
        raise Unfoldable("the message is no completed response")
    if not isinstance(output, list) or not all(isinstance(item, dict) for item in output):
        raise Unfoldable("the output is no list of objects")
    if len({_identity(item) for item in output}) < len(output):
        raise Unfoldable("two output items have the same identity")
    later = {name: None for name in LATER if name in message}
    begun = {**message, **later, "status": "in_progress", "output": [], "usage": None}
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    for index, item in enumerate(output):
        yield from _item(item, index)
    yield terminal, {"response": dict(message)}


def _identity(item: Mapping[str, Any]) -> bytes:
    """What OpenAI's client tells items apart by; it gives up on a stream with two alike."""
    kind = item.get("type")
    return _encode([kind, None if kind in BY_CALL else item.get("id"), item.get("call_id")])


def _item(item: dict[str, Any], index: int) -> Iterator[Event]:
    ident = item.get("id")
    where = {"item_id": ident if isinstance(ident, str) else "", "output_index": index}
    opening, inner = item, list[Event]()
    kind = item.get("type")
    if kind in ("message", "reasoning"):
        opening, inner = _opened(item), [*_summary(item, where), *_content(item, where)]
    elif isinstance(kind, str) and kind in CALLS and isinstance(item.get(CALLS[kind][0]), str):
        name, event = CALLS[kind]
        opening = _begun(item) | {name: ""}
        inner = [(f"{event}.delta", {**where, "delta": piece}) for piece in cut(item[name])]
        inner.append((f"{event}.done", {**where, name: item[name]}))
    yield "response.output_item.added", {"output_index": index, "item": opening}
    yield from inner
    yield "response.output_item.done", {"output_index": index, "item": item}


def _begun(item: dict[str, Any]) -> dict[str, Any]:
    return item | {"status": "in_progress"} if item.get("status") is not None else item


def _opened(item: dict[str, Any]) -> dict[str, Any]:
    """A message or a reasoning item before anything was said. Lists of no known form stay: no event will bring them."""
    empty: dict[str, Any] = {name: [] for name in ("summary", "content") if _objects(item.get(name))}
    if item.get("encrypted_content") is not None:
        empty["encrypted_content"] = None
    return _begun(item) | empty


def _objects(value: Any) -> list[dict[str, Any]]:
    """The members of a list of objects; empty for anything else."""
    return value if isinstance(value, list) and all(isinstance(each, dict) for each in value) else []


def _summary(item: dict[str, Any], where: dict[str, Any]) -> Iterator[Event]:
    for place, part in enumerate(_objects(item.get("summary"))):
        at = {**where, "summary_index": place}
        text = part.get("text")
        grows = isinstance(text, str)
        yield "response.reasoning_summary_part.added", {**at, "part": part | {"text": ""} if grows else part}
        if isinstance(text, str):
            for piece in cut(text):
                yield "response.reasoning_summary_text.delta", {**at, "delta": piece}
            yield "response.reasoning_summary_text.done", {**at, "text": text}
        yield "response.reasoning_summary_part.done", {**at, "part": part}


def _content(item: dict[str, Any], where: dict[str, Any]) -> Iterator[Event]:
    for place, part in enumerate(_objects(item.get("content"))):
        at = {**where, "content_index": place}
        kind = part.get("type")
        name, event = PARTS.get((item["type"], kind), ("", "")) if isinstance(kind, str) else ("", "")
        text = part.get(name) if name else None
        if not isinstance(text, str):
            yield "response.content_part.added", {**at, "part": part}
            yield "response.content_part.done", {**at, "part": part}
            continue
        lists: dict[str, Any] = {each: [] for each in ("annotations", "logprobs") if isinstance(part.get(each), list)}
        yield "response.content_part.added", {**at, "part": part | lists | {name: ""}}
        if kind == "output_text":
            yield from _text(part, at)
        else:
            for piece in cut(text):
                yield f"{event}.delta", {**at, "delta": piece}
            yield f"{event}.done", {**at, name: text}
        yield "response.content_part.done", {**at, "part": part}


def _text(part: dict[str, Any], at: dict[str, Any]) -> Iterator[Event]:
    tokens = part.get("logprobs") if isinstance(part.get("logprobs"), list) else None
    for piece, slice_ in paired(part["text"], tokens or []):
        yield "response.output_text.delta", {**at, "delta": piece, "logprobs": slice_}
    annotations = part.get("annotations")
    for number, annotation in enumerate(annotations if isinstance(annotations, list) else ()):
        told = {**at, "annotation_index": number, "annotation": annotation}
        yield "response.output_text.annotation.added", told
    yield "response.output_text.done", {**at, "text": part["text"], "logprobs": tokens or []}
