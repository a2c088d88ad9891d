"""From a stream of Anthropic's Messages API to the whole message it amounts to.

`message_start` carries the message without its content, each block comes between its start and its stop, and
`message_delta` says how it ended and what it cost. The tables below are the complete list of what adds to what; an
event, a delta or a member without a rule makes the stream unfoldable, because what is not understood would be lost.

Sources: the event types of Anthropic's Python client 2.11, and its reference of streaming (both read 2026-11).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from adapters.body import event_of, mapping
from adapters.errors import Unfoldable
from adapters.openai_fold import Rule, absorb, last, once
from adapters.sse import Frame

_decode = msgspec.json.Decoder().decode


def is_end(frame: Frame) -> bool:
    if b"message_stop" not in frame.raw or not frame.data:
        return False
    event = event_of(frame)  # what a text says about `message_stop` is no end
    return bool(event) and _kind(frame, event) == "message_stop"


def is_error(frame: Frame) -> bool:
    """An `error` event, or an object with a non-null `error`, as gateways send it that speak several dialects."""
    if b"error" not in frame.raw:
        return False
    if frame.event == "error":
        return True
    if b'"error"' not in frame.raw:
        return False
    event = event_of(frame)
    return event.get("type") == "error" or event.get("error") is not None


def _kind(frame: Frame, event: Mapping[str, Any]) -> str:
    """The event's type; its name stands there twice, and some who copied the format send only one of the two."""
    kind = event.get("type")
    return kind if isinstance(kind, str) else frame.event


class Block:
    """A content block under construction: the members that its start event gave, and the pieces that came since."""

    __slots__ = ("node", "open", "pieces")

    def __init__(self, node: dict[str, Any]) -> None:
        self.node = node
        self.pieces: dict[str, list[str]] = {}
        self.open = True

    def settled(self) -> dict[str, Any]:
        for member, pieces in self.pieces.items():
            joined = "".join(pieces)
            if member == "input":
                self._set_input(joined)
            else:
                self.node[member] = joined
        return self.node

    def _set_input(self, text: str) -> None:
        if not text:
            return  # a tool without arguments: what the start event says, `{}`, is the input
        try:
            decoded = _decode(text)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise Unfoldable("the input of a tool is not JSON") from error
        if self.node.get("input") not in ({}, None, decoded):
            raise Unfoldable("the input of a tool comes twice")
        self.node["input"] = decoded


Growth = Callable[[Block, Any], None]
"""(the block, a member of a delta, never null) -> nothing; the block has grown by it."""


def joined(member: str) -> Growth:
    """A text that comes in pieces."""

    def grow(block: Block, new: Any) -> None:
        seen = block.pieces.get(member)
        if type(new) is not str:
            raise Unfoldable("a text is no string")
        if seen is None:
            begun = block.node.get(member)
            seen = block.pieces[member] = [begun] if isinstance(begun, str) else []
        seen.append(new)

    return grow


def said(member: str) -> Growth:
    """A value that comes once, or is repeated: nobody documents whether two signatures are joined or replaced."""

    def grow(block: Block, new: Any) -> None:
        block.node[member] = once(block.node.get(member), new)

    return grow


def listed(member: str) -> Growth:
    """One more item of a list, which the start event has empty, null, or not at all."""

    def grow(block: Block, new: Any) -> None:
        seen = block.node.get(member)
        if seen is None:
            seen = block.node[member] = []
        if type(seen) is not list:
            raise Unfoldable("a list is no list")
        seen.append(new)

    return grow


def hint(block: Block, new: Any) -> None:
    """For a progress bar; the whole message has no place for it."""


DELTAS: dict[str, dict[str, Growth]] = {
    "text_delta": {"text": joined("text")},
    "thinking_delta": {"thinking": joined("thinking"), "estimated_tokens": hint},
    "signature_delta": {"signature": said("signature")},
    "citations_delta": {"citation": listed("citations")},
    "input_json_delta": {"partial_json": joined("input")},
    "compaction_delta": {"content": said("content"), "encrypted_content": said("encrypted_content")},
}
HOMES = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
    "citations_delta": "text",
    "compaction_delta": "compaction",
}
"""The only type of block that a delta may grow. Input grows on any block that begins with an object of that name."""

MESSAGE: dict[str, Rule] = {
    "stop_reason": last,
    "stop_sequence": last,
    "stop_details": last,
    "container": last,
    "context_management": last,
    "input_transformations": last,
}
"""What `message_delta` adds to the message. The counters of its usage are totals, so that the last one wins, too."""

KNOWN = {
    "message_start": {"type", "message"},
    "content_block_start": {"type", "index", "content_block"},
    "content_block_delta": {"type", "index", "delta"},
    "content_block_stop": {"type", "index"},
    "message_stop": {"type"},
    "ping": {"type"},
}
"""Every member of these events. A ping that carries more than its name has something to say which nobody here reads."""

EVENTS = frozenset({*KNOWN, "message_delta", "error"})


class Whole:
    """A message under construction."""

    def __init__(self) -> None:
        self.message: dict[str, Any] | None = None
        self.blocks: dict[int, Block] = {}

    def start(self, event: dict[str, Any]) -> None:
        message = event.get("message")
        if self.message is not None or type(message) is not dict or message.get("content") not in ([], None):
            raise Unfoldable("the stream has no one beginning")
        if not isinstance(message.get("usage"), dict | None):
            raise Unfoldable("usage is no object")
        self.message = message

    def block_start(self, event: dict[str, Any]) -> None:
        self._begun()
        index, node = event.get("index"), event.get("content_block")
        if type(index) is not int or index in self.blocks:
            raise Unfoldable("a block has no index of its own")
        if type(node) is not dict or type(node.get("type")) is not str:
            raise Unfoldable("a block is no object with a type")
        self.blocks[index] = Block(node)

    def block_delta(self, event: dict[str, Any]) -> None:
        block, delta = self._open(event), event.get("delta")
        if type(delta) is not dict or type(delta.get("type")) is not str:
            raise Unfoldable("a delta is no object with a type")
        kind = delta["type"]
        rules = DELTAS.get(kind)
        if rules is None or not _fits(kind, block.node):
            raise Unfoldable("a block has a delta of an unknown type")
        for name, value in delta.items():
            if name != "type" and value is not None:
                if name not in rules:
                    raise Unfoldable("a delta has an unknown member")
                rules[name](block, value)

    def block_stop(self, event: dict[str, Any]) -> None:
        self._open(event).open = False

    def delta(self, event: dict[str, Any]) -> None:
        message = self._begun()
        delta, usage = event.get("delta"), event.get("usage")
        if type(delta) is not dict or not isinstance(usage, dict | None) or "content" in (*delta, *event):
            raise Unfoldable("what ends the message is of no known form")
        absorb(message, delta, MESSAGE, once)
        absorb(message, {n: v for n, v in event.items() if n not in ("type", "delta", "usage")}, MESSAGE, once)
        if usage is not None:
            if message.get("usage") is None:
                message["usage"] = {}
            absorb(message["usage"], usage, {}, last)

    def settled(self) -> dict[str, Any]:
        message = self._begun()
        if not isinstance(message.get("stop_reason"), str):
            raise Unfoldable("the message has no stop reason")
        if any(block.open for block in self.blocks.values()):
            raise Unfoldable("a block has no end")
        message["content"] = content = [self.blocks[index].settled() for index in sorted(self.blocks)]
        for block in content:
            if served := served_by(block):  # a whole message names the model that ended it
                message["model"] = served
        return message

    def _begun(self) -> dict[str, Any]:
        if self.message is None:
            raise Unfoldable("the stream has no beginning")
        return self.message

    def _open(self, event: dict[str, Any]) -> Block:
        index = event.get("index")
        block = self.blocks.get(index) if type(index) is int else None
        if block is None or not block.open:
            raise Unfoldable("an event belongs to no open block")
        return block


def served_by(block: Mapping[str, Any]) -> str:
    """The model that takes over at a `fallback` block; empty at every other."""
    model = mapping(block.get("to")).get("model") if block["type"] == "fallback" else None
    return model if isinstance(model, str) else ""


def _fits(kind: str, node: Mapping[str, Any]) -> bool:
    if kind in HOMES:
        return bool(node["type"] == HOMES[kind])
    return isinstance(node.get("input"), dict) or node["type"] == "tool_use"


STEPS: dict[str, Callable[[Whole, dict[str, Any]], None]] = {
    "message_start": Whole.start,
    "content_block_start": Whole.block_start,
    "content_block_delta": Whole.block_delta,
    "content_block_stop": Whole.block_stop,
    "message_delta": Whole.delta,
}


def fold(frames: Sequence[Frame]) -> dict[str, Any]:
    whole = Whole()
    for frame in frames:
        data = frame.data
        if not data:
            if is_error(frame):
                raise Unfoldable("the stream ends with an error")
            continue  # comments, and events without data
        kind, event = _event(frame, data)
        if not KNOWN.get(kind, event.keys()) >= event.keys():
            raise Unfoldable("an event has an unknown member")
        if kind == "message_stop":
            return whole.settled()
        if kind in STEPS:
            STEPS[kind](whole, event)
        elif kind != "ping":
            raise Unfoldable("an event is of an unknown type")
    raise Unfoldable("the stream has no end")


def _event(frame: Frame, data: bytes) -> tuple[str, dict[str, Any]]:
    try:
        event = _decode(data)  # not `frame.json()`, which would keep every event alive, and is not ours to change
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unfoldable("an event is not JSON") from error
    if type(event) is not dict or is_error(frame):
        raise Unfoldable("an event is no object, or an error")
    kind = _kind(frame, event)
    if not frame.raw.startswith(b"event: %b\n" % kind.encode()) and frame.event not in ("", kind):
        raise Unfoldable("an event has two names")  # the official clients go by both, others by either
    return kind, event
