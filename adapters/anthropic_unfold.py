"""From a whole message of Anthropic's Messages API to the stream it would have come as; `fold` of that gives it back.

Events in Anthropic's order: the message without its content, then each block with its start, its deltas and its stop,
then how it ended and the final counters. A member that nobody knows travels once, in the start of what it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from adapters.anthropic_fold import served_by
from adapters.errors import Unfoldable
from adapters.openai_unfold import cut
from adapters.sse import Frame, frame_of

ENDING = ("stop_reason", "stop_sequence", "stop_details", "container")
"""Members that are null in `message_start` and told in the `delta` of `message_delta`."""

FINAL = ("output_tokens_details", "iterations", "fallback_credit")
"""Counters that only `message_delta` knows."""

TOTALS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens", "server_tool_use")
"""Counters that `message_delta` repeats. The write classes (`cache_creation`) and the tier stand in the start alone."""

CALLING = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
"""Blocks whose input comes in pieces of JSON."""

_encode = msgspec.json.Encoder().encode


def unfold(message: Mapping[str, Any], *, usage: bool) -> list[Frame]:
    """The frames, in at least two deltas for each text. `usage` changes nothing: these streams always carry it."""
    content = _content(message)
    frames: list[Frame] = []
    try:
        frames.append(_frame("message_start", message=_opening(message)))
        for index, block in enumerate(content):
            start, deltas = _block(block)
            frames.append(_frame("content_block_start", index=index, content_block=start))
            frames += [_frame("content_block_delta", index=index, delta=delta) for delta in deltas]
            frames.append(_frame("content_block_stop", index=index))
        frames.append(_frame("message_delta", **_closing(message)))
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
        raise Unfoldable("the message cannot be encoded") from error
    return [*frames, _frame("message_stop")]


def _frame(kind: str, **members: Any) -> Frame:
    return frame_of(_encode({"type": kind, **members}), kind)


def _content(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The blocks, once it is sure that everything in the message has a place in a stream."""
    if message.get("error") is not None or message.get("type", "message") != "message":
        raise Unfoldable("the message is no message")
    if type(message.get("stop_reason")) is not str:
        raise Unfoldable("the message has no stop reason")
    if type(message.get("usage")) is not dict:
        raise Unfoldable("the message has no usage, without which no client reads its end")
    content = message.get("content")
    if type(content) is not list:
        raise Unfoldable("the message has no content")
    for block in content:
        if type(block) is not dict or type(block.get("type")) is not str:
            raise Unfoldable("a block is no object with a type")
        if served_by(block) not in ("", message.get("model")):
            raise Unfoldable("the message does not name the model that ended it")
    return content


def _opening(message: Mapping[str, Any]) -> dict[str, Any]:
    usage = message["usage"]
    counted = {name: value for name, value in usage.items() if name not in FINAL or value is None}
    if type(usage.get("output_tokens")) is int:
        counted["output_tokens"] = min(usage["output_tokens"], 1)  # as many as there are with the first event
    silent = dict.fromkeys(name for name in ENDING if name in message)
    return {**message, "content": [], **silent, "usage": counted}


def _closing(message: Mapping[str, Any]) -> dict[str, Any]:
    usage = message["usage"]
    counted = {name: usage[name] for name in (*TOTALS, *FINAL) if usage.get(name) is not None}
    return {"delta": {name: message[name] for name in ENDING if name in message}, "usage": counted}


def _block(block: dict[str, Any]) -> tuple[dict[str, Any], Iterator[dict[str, Any]]]:
    """The block as its start event has it, and its deltas. What is of no known form is all there with the start."""
    kind = block["type"]
    if kind == "text" and type(block.get("text")) is str:
        citations = _citations(block.get("citations"))
        return block | {"text": ""} | ({"citations": []} if citations else {}), _text(block["text"], citations)
    if kind == "thinking" and type(block.get("thinking")) is str:
        signature = block.get("signature")
        signed = type(signature) is str and signature != ""
        return block | {"thinking": ""} | ({"signature": ""} if signed else {}), _thinking(block, signed)
    if kind in CALLING and type(block.get("input")) is dict:
        return block | {"input": {}}, _input(block["input"])
    return block, iter(())


def _citations(value: Any) -> list[dict[str, Any]]:
    """Those that have a delta each: all, or none."""
    return value if type(value) is list and all(type(citation) is dict for citation in value) else []


def _text(text: str, citations: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for piece in cut(text):
        yield {"type": "text_delta", "text": piece}
    for citation in citations:
        yield {"type": "citations_delta", "citation": citation}


def _thinking(block: dict[str, Any], signed: bool) -> Iterator[dict[str, Any]]:
    for piece in cut(block["thinking"]):
        yield {"type": "thinking_delta", "thinking": piece}
    if signed:
        yield {"type": "signature_delta", "signature": block["signature"]}


def _input(whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Also `{}` is said: a client that decodes the joined pieces, and looks at nothing else, must find JSON."""
    for piece in cut(_encode(whole).decode()):
        yield {"type": "input_json_delta", "partial_json": piece}
