"""The dialect of Anthropic's Messages API (types of its Python client 2.11 and its reference, both read 2026-11)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from adapters.anthropic_fold import EVENTS, fold, is_end, is_error
from adapters.anthropic_unfold import unfold
from adapters.anthropic_usage import stream_usage, usage
from adapters.asking import question_of
from adapters.body import WORD, decoded, event_of, is_json, mapping
from adapters.errors import Refused
from adapters.plain_text import messages_text
from adapters.question import Question
from adapters.sse import Frame, frame_of
from adapters.vocabulary import Dialect

STORABLE = frozenset({"end_turn", "stop_sequence", "tool_use"})
"""Stop reasons of an answer that is what it would be next time: not cut at a limit, not paused, not refused."""

KEPT_THERE = ("container", "diagnostics", "context_management")
"""Members that, unless null, go on from something that the provider keeps, or have it change the conversation."""

ACTING = ("mcp_servers", "fallbacks", "fallback_credit_token", "thread", "compaction")
"""The same, unless empty."""

CLIENT_RUN = re.compile(r"custom$|(bash|text_editor|computer|memory|browser)_(toolset_)?\d")
"""Types of tools that the client runs. Every other one is taken for the provider's: a new tool must not be answered
from memory because nobody here has heard of it."""

ERRORS = (
    "invalid_request_error",
    "authentication_error",
    "billing_error",
    "permission_error",
    "not_found_error",
    "request_too_large",
    "rate_limit_error",
    "timeout_error",
    "api_error",
    "overloaded_error",
)
"""Anthropic's own kinds; every other one is an `api_error`."""

SILENT = {"text": "text", "thinking": None, "redacted_thinking": None}
"""Blocks that say nothing to the user, or only through the member named here."""

_encode = msgspec.json.Encoder().encode


class AnthropicMessages:
    """`adapters.vocabulary.Dialect`, Messages API."""

    name = "anthropic-messages"
    events = EVENTS

    fold = staticmethod(fold)
    unfold = staticmethod(unfold)
    is_end = staticmethod(is_end)
    is_error = staticmethod(is_error)
    plain_text = staticmethod(messages_text)
    usage = staticmethod(usage)
    stream_usage = staticmethod(stream_usage)

    def parse(self, raw: bytes) -> dict[str, Any]:
        """Checks what the proxy itself reads; every other member is the provider's to judge."""
        body = decoded(raw)
        _check(body)
        return body

    def stateful(self, body: Mapping[str, Any]) -> str:
        """A file is no state: its id names the same bytes for ever."""
        if type(body.get("max_tokens")) is int and body["max_tokens"] == 0:
            return "max_tokens 0"  # asks for nothing but that the provider's prompt cache is filled
        for name in KEPT_THERE:
            if body.get(name) is not None:
                return name
        for name in ACTING:
            if body.get(name):
                return name
        return "server tools" if any(map(_provider_runs, _tools(body))) else ""

    def question(self, body: Mapping[str, Any]) -> Question:
        return question_of(body, "messages", self.stateful(body))

    def wants_stream(self, body: Mapping[str, Any]) -> bool:
        return body.get("stream") is True

    def wants_usage(self, body: Mapping[str, Any]) -> bool:
        """Always: these streams carry usage without being asked."""
        return True

    def is_usage_only(self, frame: Frame) -> bool:
        """Never: usage comes with the first event and with the stop reason."""
        return False

    def is_content(self, frame: Frame) -> bool:
        """The start of a block is enough; `message_start` and pings tell nothing (guide of 2026-08, read 2026-11)."""
        return frame.event.startswith("content_block_")

    def objection(self, message: Mapping[str, Any]) -> str:
        if message.get("error") is not None or message.get("type") == "error":
            return "error"
        reason = message.get("stop_reason")
        if not isinstance(reason, str) or reason not in STORABLE:
            return _unstorable(reason)
        content = message.get("content")
        blocks = [mapping(block) for block in content] if isinstance(content, list) else []
        calls = [block for block in blocks if block.get("type") == "tool_use"]
        if not all(isinstance(call.get("input"), dict) for call in calls):
            return "tool arguments do not parse"
        if reason == "tool_use" and not calls:
            return "no tool calls"
        return "" if any(map(_says, blocks)) else "empty answer"

    def frames_objection(self, frames: Sequence[Frame]) -> str:
        """By the stop reason, and by whether the joined input of each tool is JSON."""
        reason: Any = None
        inputs: dict[Any, list[str]] = {}
        started = False
        for frame in frames:
            if is_error(frame):
                return "error"
            event = event_of(frame)
            delta = mapping(event.get("delta"))
            kind, told = event.get("type"), delta.get("stop_reason")
            started = started or kind == "content_block_start"
            if kind == "message_delta" and told is not None:
                reason = told
            elif isinstance(piece := delta.get("partial_json"), str):
                index = event.get("index")
                inputs.setdefault(index if isinstance(index, int) else None, []).append(piece)
        if not isinstance(reason, str) or reason not in STORABLE:
            return _unstorable(reason)
        if not all(is_json(text) for pieces in inputs.values() if (text := "".join(pieces))):
            return "tool arguments do not parse"
        return "" if started else "empty answer"

    def finish(self, message: Mapping[str, Any]) -> str:
        reason = message.get("stop_reason")
        return reason if isinstance(reason, str) else ""

    def error(self, message: str, *, kind: str, param: str | None = None, code: str | None = None) -> bytes:
        """`param` and `code` are no members of Anthropic's errors; its clients leave alone what they do not know."""
        error = {"type": kind if kind in ERRORS else "api_error", "message": message}
        error |= {name: value for name, value in (("param", param), ("code", code)) if value is not None}
        return _encode({"type": "error", "error": error, "request_id": None})

    def error_frame(self, message: str, *, kind: str, code: str | None = None) -> Frame:
        return frame_of(self.error(message, kind=kind, code=code), "error")


def _check(body: dict[str, Any]) -> None:
    model = body.get("model")
    if type(model) is not str or not model:
        raise Refused(400, "`model` must be a non-empty string", param="model")
    messages = body.get("messages")
    if type(messages) is not list or not messages:
        raise Refused(400, "`messages` must be a non-empty array", param="messages")
    kinds = list(map(type, messages))
    if set(kinds) != {dict}:
        place = next(place for place, kind in enumerate(kinds) if kind is not dict)
        raise Refused(400, "a message must be an object", param=f"messages[{place}]")
    if "max_tokens" in body and (type(body["max_tokens"]) is not int or body["max_tokens"] < 0):
        raise Refused(400, "`max_tokens` must be an integer, 0 or more", param="max_tokens")
    stream = body.get("stream")
    if stream is not None and type(stream) is not bool:
        raise Refused(400, "`stream` must be true or false", param="stream")


def _tools(body: Mapping[str, Any]) -> Iterator[Any]:
    """Of the request, and those that a system message defines on the way (beta `inline-tools-2026-09-15`)."""
    tools = body.get("tools")
    if isinstance(tools, list):
        yield from tools
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, dict) and message.get("role") == "system" and isinstance(message.get("content"), list):
            for block in map(mapping, message["content"]):
                if block.get("type") == "tool_addition":
                    yield mapping(block.get("tool")).get("definition")


def _provider_runs(tool: Any) -> bool:
    kind = mapping(tool).get("type")
    return kind is not None and not (isinstance(kind, str) and CLIENT_RUN.match(kind))


def _says(block: Mapping[str, Any]) -> bool:
    kind = block.get("type")
    if not isinstance(kind, str) or kind not in SILENT:
        return bool(block)
    member = SILENT[kind]
    return member is not None and bool(block.get(member))


def _unstorable(reason: Any) -> str:
    """Goes into a response header: what a provider made up must not end its line or its quotation."""
    if reason is None:
        return "no stop_reason"
    return f"stop_reason {reason}" if isinstance(reason, str) and WORD.fullmatch(reason) else "unknown stop_reason"


ANTHROPIC_MESSAGES: Dialect = AnthropicMessages()
