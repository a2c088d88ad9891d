"""Chat completion chunks as events of Anthropic's Messages API.

`message_start` comes with the first chunk that has a choice, `message_delta` and `message_stop` with `[DONE]`: only
then is it known that nothing follows, and the usage has come by then, with the finish reason or after it. The counts
of the prompt are therefore zeros in `message_start`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from adapters.body import mapping
from adapters.messages_over_chat_answer import arguments_of, head_of, ident_of, stop_of, texts_of, usage_of
from adapters.messages_over_chat_blocks import Block, Blocks, delta, event
from adapters.messages_over_chat_error import error_event, failed
from adapters.openai_chat import OPENAI_CHAT
from adapters.openai_fold import is_error
from adapters.sse import Frame, frame_of
from adapters.translation import Terms
from adapters.usage import Usage

COMMENT = Frame(b": waiting\n\n")
PING = frame_of(b'{"type":"ping"}', "ping")

QUIET = 32
"""Chunks without anything to show, reasoning above all, between two pings: a client shall not take it for silence."""


class _Delta(msgspec.Struct):
    content: str | None = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None
    audio: Any = None


class _Choice(msgspec.Struct):
    delta: _Delta
    index: int = 0
    finish_reason: Any = None


class _Chunk(msgspec.Struct):
    """What a chunk looks like that carries text and nothing else; nearly all do."""

    choices: list[_Choice]
    usage: Any = None
    x_groq: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode


class Stream:
    """`adapters.translation.Turned`. After an error or the end it says nothing more."""

    def __init__(self, terms: Terms, now: float) -> None:
        self._terms, self._now = terms, now
        self._head: dict[str, Any] = {}
        self._first: dict[str, Any] = {}
        self._blocks = Blocks()
        self._calls: dict[int | None, Block] = {}
        self._named: dict[tuple[int | None, str], Block] = {}
        self._places = 0
        self._refusal: list[str] = []
        self._finish: Any = None
        self._usage: Usage | None = None
        self._quiet = 0
        self._over = False

    def feed(self, frame: Frame) -> list[Frame]:
        data = frame.data
        if self._over:
            return []
        if not data and not is_error(frame):
            return [COMMENT] if frame.raw.startswith(b":") else []
        index = self._blocks.open_text()
        if index >= 0 and data and (text := _only_text(frame.raw, data)):
            return [delta(index, text)]
        if data == b"[DONE]":
            return self._end()
        if is_error(frame):
            self._over = True
            return [error_event(frame)]
        try:
            chunk = mapping(frame.json())
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._fail("the provider sent an event that is not JSON")
        return self._chunk(chunk)

    def _chunk(self, chunk: dict[str, Any]) -> list[Frame]:
        usage = OPENAI_CHAT.usage(chunk)
        self._usage = self._usage if usage is None else usage
        choices = chunk.get("choices")
        given = map(mapping, choices) if isinstance(choices, list) else ()
        ours = [choice for choice in given if choice.get("index") in (0, None)]
        frames = self._start(chunk, begin=bool(ours))
        before = len(frames)
        for choice in ours:
            said = mapping(choice.get("delta")) or mapping(choice.get("message"))
            for kind, text in texts_of(said):
                if kind == "refusal":
                    self._refusal.append(text)
                frames += self._blocks.say(kind, text)
            frames += self._tools(said)
            if choice.get("finish_reason") is not None:
                self._finish = choice["finish_reason"]
        if len(frames) == before and self._head:
            self._quiet += 1
            return frames if self._quiet % QUIET else [*frames, PING]
        return frames

    def _start(self, chunk: Mapping[str, Any], *, begin: bool) -> list[Frame]:
        """The first chunk of Azure has no choice, an empty id and an empty model."""
        if self._head:
            return []
        self._first |= {name: value for name, value in chunk.items() if value and name in ("id", "model", "created")}
        if not begin:
            return []
        self._head = head_of(self._first, self._terms, self._now)
        nothing: dict[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None, "usage": usage_of(None)}
        return [event("message_start", {"message": {**self._head, **nothing}})]

    def _tools(self, said: Mapping[str, Any]) -> list[Frame]:
        deltas = said.get("tool_calls")
        if isinstance(said.get("function_call"), dict):
            deltas = [*(deltas if isinstance(deltas, list) else ()), {"index": -1, "function": said["function_call"]}]
        frames: list[Frame] = []
        for part in map(mapping, deltas) if isinstance(deltas, list) else ():
            custom = mapping(part.get("custom"))
            function = custom or mapping(part.get("function"))
            name = function.get("name")
            name = name if isinstance(name, str) else ""
            block = self._call(part, name, "custom" if custom else "tool")
            block.name = block.name or name
            frames += self._blocks.add(block, arguments_of(function.get("input" if custom else "arguments")))
        return frames

    def _call(self, part: Mapping[str, Any], name: str, kind: str) -> Block:
        """The call that this delta goes on with, or a new one. What tells calls apart is the same as in
        `adapters.openai_fold.Calls`, and another name under a known index where there are no ids at all."""
        index, ident = part.get("index"), part.get("id")
        index = index if type(index) is int else None
        ident = ident if isinstance(ident, str) else ""
        block = self._named.get((index, ident)) if ident else None
        current = self._calls.get(index)
        if block is None and current is not None:
            if ident:
                fresh = index is None or current.given
            else:
                fresh = bool(name and current.name) and (index is None or name != current.name)
            block = None if fresh else current
        if block is None:
            block = Block(kind, ident_of(ident, self._head["id"], self._places), bool(ident))
            self._places += 1
        if ident:
            self._named[index, ident] = block
        self._calls[index] = self._calls[None] = block
        return block

    def _end(self) -> list[Frame]:
        if not self._head:
            return self._fail("the provider's stream had no answer in it")
        frames = self._blocks.finish()
        if frames is None:
            return self._fail("the provider sent a tool call without a name")
        self._over = True
        stop = stop_of(self._finish, self._blocks.called, "".join(self._refusal))
        end = event("message_delta", {"delta": stop, "usage": usage_of(self._usage)})
        return [*frames, end, event("message_stop", {})]

    def _fail(self, message: str) -> list[Frame]:
        self._over = True
        return [failed(message)]


def stream(terms: Terms, now: float) -> Stream:
    return Stream(terms, now)


def _only_text(raw: bytes, data: bytes) -> str:
    """The text of a chunk that carries one piece of text and nothing else; empty for all others."""
    if b"error" in raw:
        return ""
    try:
        chunk = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    if len(chunk.choices) != 1 or chunk.usage is not None or chunk.x_groq is not None:
        return ""
    choice = chunk.choices[0]
    said = choice.delta
    if choice.index or choice.finish_reason is not None or said.tool_calls or said.function_call or said.audio:
        return ""
    return "" if said.refusal else said.content or ""
