"""From the events of an Anthropic stream to the chunks of a chat completion, one event at a time.

Folding the chunks gives what `adapters.chat_over_messages_answer.answer` makes of the whole message; only the white
space and the numbers in the arguments of a tool stay as the provider wrote them. Text, thinking and arguments go out
as they come. What is known only when a block closes goes out then: a thinking block with its signature, citations, and
`{}` for a tool that was given nothing. What is known only at the end goes out with the finish reason.

An event that is known but cannot be read ends the stream with an error: leaving it out would falsify the answer.

Source: the event types of Anthropic's SDK 2.11 and how it accumulates them (read 2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from adapters.body import mapping
from adapters.chat_over_messages_answer import (
    Block,
    annotations_of,
    beside,
    call_of,
    check,
    ending,
    name_of,
    refusal_of,
    restorable,
    thought_of,
    tier_of,
    usage_of,
)
from adapters.chat_over_messages_block import ASSIGNED, Growth, InputDelta, Opened, TextDelta, ThinkingDelta
from adapters.chat_over_messages_error import error_frame, unreadable_frame
from adapters.errors import Unfoldable
from adapters.openai_fold import DONE
from adapters.sse import Frame
from adapters.translation import Terms

UNREADABLE = "the provider sent an event that cannot be read"

PING = Frame(b": ping\n\n")
"""A comment: it keeps the connection alive and is no event."""

STOPS = ("stop_reason", "stop_sequence", "stop_details")

TAIL = b',"logprobs":null,"finish_reason":null}]}\n\n'

_FAST = b"event: content_block_delta\ndata: "
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


_growth = msgspec.json.Decoder(Growth).decode


class Stream:
    """`adapters.translation.Turned`."""

    def __init__(self, terms: Terms, now: float) -> None:
        self._reasoning, self._now = terms.reasoning, now
        self._message: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._blocks: list[Opened] = []
        self._open: dict[Any, Opened] = {}
        self._thoughts: list[Block] = []
        self._written = self._calls = 0
        self._head = self._text = self._thought = b""
        self._finished = self._ended = False

    def feed(self, frame: Frame) -> list[Frame]:
        """Nothing comes after `[DONE]` or after an error, whatever the provider still sends."""
        if self._ended:
            return []
        raw = frame.raw
        try:
            if raw.startswith(_FAST) and self._head:
                data = frame.data if b"\r" in raw or raw.count(b"\n") != 3 else raw[len(_FAST) :]
                try:
                    return self._grow(_growth(data or b""))
                except msgspec.ValidationError:
                    pass  # another delta, or one to complain of
            return self._event(frame)
        except (msgspec.MsgspecError, UnicodeError, RecursionError, Unfoldable):
            self._ended = True
            return [unreadable_frame(UNREADABLE)]

    def _event(self, frame: Frame) -> list[Frame]:
        data = frame.data
        if not data:
            return []  # comments, and events without data, are never dispatched
        event = _decode(data)
        if type(event) is not dict:
            raise Unfoldable("an event is no object")
        kind = event.get("type")
        if kind == "ping":
            return [PING]
        if kind == "error" or (kind is None and event.get("error") is not None):  # gateways leave the type out
            self._ended = True
            return [error_frame(event)]
        if kind == "message_start":
            return self._begin(event.get("message"))
        step = _STEPS.get(kind) if isinstance(kind, str) else None
        if step is None:
            return []
        if not self._head:
            raise Unfoldable("the stream does not begin with a message")
        frames: list[Frame] = step(self, event)
        return frames

    def _begin(self, message: Any) -> list[Frame]:
        if self._head or type(message) is not dict or message.get("type") != "message" or message.get("content"):
            raise Unfoldable("a message does not begin")
        self._message = message
        self._usage = mapping(message.get("usage"))
        self._lead()
        return [self._chunk({"role": "assistant", "content": None, "refusal": None})]

    def _lead(self) -> None:
        """What every chunk begins with."""
        header = {"id": name_of(self._message, "id"), "object": "chat.completion.chunk", "created": int(self._now)}
        header["model"] = name_of(self._message, "model")
        self._head = b"data: " + _encode(header | tier_of(self._usage))[:-1] + b',"choices":['
        self._text = self._head + b'{"index":0,"delta":{"content":'
        self._thought = self._head + b'{"index":0,"delta":{"reasoning_content":'

    def _chunk(self, delta: dict[str, Any]) -> Frame:
        return Frame(b'%b{"index":0,"delta":%b%b' % (self._head, _encode(delta), TAIL))

    def _grow(self, event: Growth) -> list[Frame]:
        block, delta = self._open.get(event.index), event.delta
        if block is None:
            raise Unfoldable("a delta belongs to no block")
        kind = block.start["type"]
        if type(delta) is TextDelta:
            block.grow("text", delta.text)
            return self._say(delta.text) if kind == "text" else []
        if type(delta) is ThinkingDelta:
            block.grow("thinking", delta.thinking)
            return self._think(delta.thinking) if kind == "thinking" else []
        assert type(delta) is InputDelta
        block.grow("input", delta.partial_json)
        if kind != "tool_use" or not delta.partial_json:
            return []
        return [self._chunk({"tool_calls": [{"index": block.call, "function": {"arguments": delta.partial_json}}]})]

    def _say(self, text: str) -> list[Frame]:
        if not text:
            return []
        self._written += len(text)
        return [Frame(b"%b%b}%b" % (self._text, _encode(text), TAIL))]

    def _think(self, text: str) -> list[Frame]:
        if not text or not self._reasoning:
            return []
        return [Frame(b"%b%b}%b" % (self._thought, _encode(text), TAIL))]

    def _start(self, event: dict[str, Any]) -> list[Frame]:
        frames = self._stop(event)  # a block that is still open under this index
        start = event.get("content_block")
        check(start)
        assert type(start) is dict
        kind = start["type"]
        block = self._open[_index(event)] = Opened(start, self._written, self._calls)
        self._blocks.append(block)
        if kind == "text":
            frames += self._say(start["text"])
        elif kind == "thinking":
            frames += self._think(thought_of(start))
        elif kind == "tool_use":
            self._calls += 1
            frames.append(self._chunk({"tool_calls": [{"index": block.call} | call_of(start, "")]}))
        return frames

    def _delta(self, event: dict[str, Any]) -> list[Frame]:
        """The deltas that are rare, and those that `Growth` could not read."""
        block, delta = self._open.get(_index(event)), mapping(event.get("delta"))
        kind = delta.get("type")
        if block is None or not isinstance(kind, str):
            raise Unfoldable("a delta is none, or belongs to no block")
        if kind == "citations_delta":
            block.citations.append(delta.get("citation"))
        elif kind in ASSIGNED:
            block.assigned |= {name: delta[name] for name in ASSIGNED[kind] if name in delta}
        elif kind in ("text_delta", "thinking_delta", "input_json_delta"):
            return self._grow(msgspec.convert(event, Growth))
        else:
            block.whole = False
        return []

    def _stop(self, event: dict[str, Any]) -> list[Frame]:
        block = self._open.pop(_index(event), None)
        if block is None:
            return []
        kind = block.start["type"]
        if kind == "tool_use" and not any(block.pieces):
            return [self._chunk({"tool_calls": [{"index": block.call, "function": {"arguments": block.arguments}}]})]
        if kind not in ("text", "thinking", "redacted_thinking"):
            return []
        if kind == "text":
            found = annotations_of(block.cited, block.text_at, self._written)
            return [self._chunk({"annotations": found})] if found else []
        whole = block.block()
        if whole is not None:
            self._thoughts.append(whole)
        return self._flush() if whole is not None and (kind != "thinking" or whole.get("signature")) else []

    def _flush(self) -> list[Frame]:
        """Thinking that nobody signed goes out with the next block or at the end: alone it would look like a piece."""
        blocks, self._thoughts = self._thoughts, []
        return [self._chunk({"thinking_blocks": blocks})] if blocks else []

    def _amend(self, event: dict[str, Any]) -> list[Frame]:
        """Counts are totals: a later one replaces an earlier, and one that is absent lets it stand."""
        delta = mapping(event.get("delta"))
        self._message |= {name: delta[name] for name in STOPS if delta.get(name) is not None}
        self._message |= beside(event) | beside(delta)
        self._usage |= {name: value for name, value in mapping(event.get("usage")).items() if value is not None}
        return self._finish() if self._message.get("stop_reason") is not None else []

    def _finish(self) -> list[Frame]:
        if self._finished:
            return []
        self._finished = True
        frames = [frame for index in list(self._open) for frame in self._stop({"index": index})]
        frames += self._flush()
        self._lead()
        refusal = refusal_of(self._message)
        if refusal is not None:
            frames.append(self._chunk({"refusal": refusal}))
        delta: dict[str, Any] = {} if self._written or self._calls else {"content": ""}
        content = [whole for block in self._blocks if (whole := block.block()) is not None]
        if len(content) == len(self._blocks) and not restorable(content):
            delta["content_blocks"] = content
        choice = {"index": 0, "delta": delta, "logprobs": None} | ending(self._message)
        more = _encode(beside(self._message))[1:-1]
        tail = b"]," + more if more else b"]"
        frames.append(Frame(b"%b%b%b}\n\n" % (self._head, _encode(choice), tail)))
        return frames

    def _end(self, event: Mapping[str, Any]) -> list[Frame]:
        frames = self._finish()
        self._ended = True
        if usage := usage_of(self._usage):
            frames.append(Frame(b'%b],"usage":%b}\n\n' % (self._head, _encode(usage))))
        return [*frames, DONE]


_STEPS = {
    "content_block_start": Stream._start,
    "content_block_delta": Stream._delta,
    "content_block_stop": Stream._stop,
    "message_delta": Stream._amend,
    "message_stop": Stream._end,
}


def _index(event: Mapping[str, Any]) -> int:
    index = event.get("index")
    if type(index) is not int:
        raise Unfoldable("an event of a block has no index")
    return index


def stream(terms: Terms, now: float) -> Stream:
    """`now` in epoch seconds: the time that every chunk carries."""
    return Stream(terms, now)
