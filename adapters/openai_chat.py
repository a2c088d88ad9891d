"""The dialect of OpenAI's chat completions, as spoken by OpenAI and by everybody who copied it (read 2026-11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from adapters.asking import question_of, runs_tools
from adapters.body import WORD, decoded, event_of, is_json, mapping
from adapters.errors import Refused
from adapters.openai_fold import fold, is_end, is_error
from adapters.openai_unfold import unfold
from adapters.plain_text import chat_text
from adapters.question import Question
from adapters.sse import Frame, frame_of
from adapters.usage import Usage, count, writes
from adapters.vocabulary import Dialect

STORABLE = frozenset({"stop", "tool_calls"})
"""Finish reasons of an answer that is what it would be next time: not cut at a limit, not filtered, not failed."""

SAYING = ("content", "tool_calls", "refusal", "audio", "reasoning_content", "reasoning")
"""Members of which a message must have one that is not empty."""

_encode = msgspec.json.Encoder().encode


class OpenAIChat:
    """`adapters.vocabulary.Dialect`, chat completions."""

    name = "openai-chat"
    events = frozenset({"error"})

    fold = staticmethod(fold)
    unfold = staticmethod(unfold)
    is_end = staticmethod(is_end)
    is_error = staticmethod(is_error)
    plain_text = staticmethod(chat_text)

    def parse(self, raw: bytes) -> dict[str, Any]:
        """Checks what the proxy itself reads; every other member is the provider's to judge."""
        body = decoded(raw)
        _check(body)
        return body

    def stateful(self, body: Mapping[str, Any]) -> str:
        if body.get("store") is True:
            return "store"
        return "web_search_options" if body.get("web_search_options") is not None else ""

    def question(self, body: Mapping[str, Any]) -> Question:
        return question_of(body, "messages", self.stateful(body) or runs_tools(body))

    def wants_stream(self, body: Mapping[str, Any]) -> bool:
        return body.get("stream") is True

    def wants_usage(self, body: Mapping[str, Any]) -> bool:
        options = body.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True

    def usage(self, message: Mapping[str, Any]) -> Usage | None:
        """None where the counts are absent or no counts. Groq's streams keep them in `x_groq`."""
        usage = message.get("usage")
        if usage is None:
            usage = mapping(message.get("x_groq")).get("usage")
        return _usage(usage) if isinstance(usage, dict) else None

    def stream_usage(self, frames: Sequence[Frame]) -> Usage | None:
        for frame in reversed(frames):
            if b'"usage"' not in frame.raw:
                continue
            try:
                event = frame.json()
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue
            usage = self.usage(event) if isinstance(event, dict) else None
            if usage is not None:
                return usage
        return None

    def objection(self, message: Mapping[str, Any]) -> str:
        if message.get("error") is not None:
            return "error"
        choices = message.get("choices")
        if not isinstance(choices, list) or not choices:
            return "no choices"
        return next((reason for choice in choices if (reason := _objection(mapping(choice)))), "")

    def is_usage_only(self, frame: Frame) -> bool:
        if b'"usage"' not in frame.raw:
            return False
        event = event_of(frame)
        return event.get("choices") == [] and isinstance(event.get("usage"), dict)

    def is_content(self, frame: Frame) -> bool:
        """Not the first chunk, which names the role before anything was generated; reasoning is content."""
        choices = event_of(frame).get("choices")
        for choice in map(mapping, choices) if isinstance(choices, list) else ():
            delta = mapping(choice.get("delta"))
            if choice.get("finish_reason") is not None or any(delta.get(name) for name in delta if name != "role"):
                return True
        return False

    def frames_objection(self, frames: Sequence[Frame]) -> str:
        """By finish reasons alone: arguments that do not fold can't be tried."""
        open_choices: set[Any] = set()
        finished: set[Any] = set()
        for frame in frames:
            choices = event_of(frame).get("choices")
            for choice in map(mapping, choices) if isinstance(choices, list) else ():
                index, reason = choice.get("index"), choice.get("finish_reason")
                if reason is not None and (not isinstance(reason, str) or reason not in STORABLE):
                    return _unstorable(reason)
                # Anything may stand here, and not all of it can be in a set.
                (open_choices if reason is None else finished).add(index if isinstance(index, int) else None)
        if not finished:
            return "no choices"
        return "no finish_reason" if open_choices - finished else ""

    def finish(self, message: Mapping[str, Any]) -> str:
        choices = message.get("choices")
        reasons = [mapping(choice).get("finish_reason") for choice in choices] if isinstance(choices, list) else []
        return ",".join(reason for reason in reasons if isinstance(reason, str))

    def error(self, message: str, *, kind: str, param: str | None = None, code: str | None = None) -> bytes:
        return _encode({"error": {"message": message, "type": kind, "param": param, "code": code}})

    def error_frame(self, message: str, *, kind: str, code: str | None = None) -> Frame:
        return frame_of(self.error(message, kind=kind, code=code))


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
    stream = body.get("stream")
    if stream is not None and type(stream) is not bool:
        raise Refused(400, "`stream` must be true or false", param="stream")
    options = body.get("stream_options")
    if options is not None and type(options) is not dict:
        raise Refused(400, "`stream_options` must be an object", param="stream_options")
    n = body.get("n")
    if n is not None and (type(n) is not int or n < 1):
        raise Refused(400, "`n` must be an integer, 1 or more", param="n")


def _usage(usage: dict[str, Any]) -> Usage | None:
    """`prompt_tokens` includes what was read from and written to the provider's cache; here the three are apart.

    DeepSeek says `prompt_cache_hit_tokens` and Moonshot `cached_tokens` for what OpenAI says in the details; where
    several are there they are the same tokens. xAI counts reasoning beside the completion, which only its total shows.
    """
    if not any(type(usage.get(name)) is int for name in ("prompt_tokens", "completion_tokens")):
        return None
    details = mapping(usage.get("prompt_tokens_details"))
    hit = count(usage, "prompt_cache_hit_tokens")
    prompt = count(usage, "prompt_tokens") or hit + count(usage, "prompt_cache_miss_tokens")
    read = min(max(count(details, "cached_tokens"), hit, count(usage, "cached_tokens")), prompt)
    short, hour, half_hour, half_day = writes(details, prompt - read)
    output = count(usage, "completion_tokens")
    reasoning = count(mapping(usage.get("completion_tokens_details")), "reasoning_tokens")
    if reasoning and count(usage, "total_tokens") == prompt + output + reasoning:
        output += reasoning
    return Usage(
        uncached=prompt - read - short - hour - half_hour - half_day,
        read=read,
        write_5m=short,
        write_1h=hour,
        output=output,
        reasoning=min(reasoning, output),
        write_30m=half_hour,
        write_12h=half_day,
    )


def _unstorable(reason: Any) -> str:
    """Goes into a response header: what a provider made up must not end its line or its quotation."""
    return f"finish_reason {reason}" if isinstance(reason, str) and WORD.fullmatch(reason) else "unknown finish_reason"


def _objection(choice: dict[str, Any]) -> str:
    finish = choice.get("finish_reason")
    if not isinstance(finish, str):
        return "no finish_reason"
    if finish not in STORABLE:
        return _unstorable(finish)
    message = mapping(choice.get("message"))
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list) or not all(_parses(mapping(call)) for call in calls):
        return "tool arguments do not parse"
    if finish == "tool_calls" and not calls:
        return "no tool calls"
    return "" if any(message.get(name) for name in SAYING) else "empty answer"


def _parses(call: dict[str, Any]) -> bool:
    """Whether a tool can be called with this. The input of a custom tool is free text."""
    if isinstance(call.get("custom"), dict):
        return isinstance(call["custom"].get("input"), str)
    return is_json(mapping(call.get("function")).get("arguments"))


OPENAI_CHAT: Dialect = OpenAIChat()
