"""The dialect of OpenAI's Responses API, `POST /responses` (reference and types of its client 3.52, read 2026-11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from adapters.asking import question_of
from adapters.body import WORD, decoded, event_of, is_json, mapping
from adapters.errors import Refused
from adapters.openai_responses_fold import EVENTS, fold, is_end, is_error, read
from adapters.openai_responses_unfold import unfold
from adapters.plain_text import responses_text
from adapters.question import Question
from adapters.sse import Frame, frame_of
from adapters.usage import Usage, count, openai_writes
from adapters.vocabulary import Dialect

CONTINUES = ("previous_response_id", "conversation", "prompt")
"""Members that name something kept at the provider; any of them stands in for what is absent from the request."""

BY_CLIENT = frozenset({"function", "custom", "local_shell", "apply_patch"})
"""Tools that the client runs: calls to them are a part of the answer. All others count as run by the provider."""

_encode = msgspec.json.Encoder().encode


CONTENT = ("response.output", "response.content_part", "response.reasoning", "response.refusal", "response.function")
"""How the names of events begin that carry something generated."""


class OpenAIResponses:
    """`adapters.vocabulary.Dialect`, responses."""

    name = "openai-responses"
    events = EVENTS

    fold = staticmethod(fold)
    unfold = staticmethod(unfold)
    is_end = staticmethod(is_end)
    is_error = staticmethod(is_error)
    plain_text = staticmethod(responses_text)

    def parse(self, raw: bytes) -> dict[str, Any]:
        """Checks what the proxy itself reads; every other member is the provider's to judge."""
        body = decoded(raw)
        _check(body)
        return body

    def stateful(self, body: Mapping[str, Any]) -> str:
        """OpenAI stores an answer unless told not to (reference, read 2026-11), so that an absent `store` asks for
        nothing; only an explicit one does."""
        for name in ("store", "background"):
            if body.get(name) is True:
                return name
        for name in CONTINUES:
            if body.get(name) is not None:
                return name
        if body.get("generate") is False:
            return "generate"
        options = mapping(body.get("prompt_cache_options"))
        if options.get("prewarm") is True:
            return "prewarm"
        if options.get("comparison_response_id") is not None:
            return "comparison_response_id"
        return _run_by_provider(body.get("tools")) or _from_items(body.get("input"))

    def question(self, body: Mapping[str, Any]) -> Question:
        return question_of(body, "input", self.stateful(body))

    def wants_stream(self, body: Mapping[str, Any]) -> bool:
        return body.get("stream") is True

    def wants_usage(self, body: Mapping[str, Any]) -> bool:
        """Always: the terminal event holds the whole answer, usage and all."""
        return True

    def usage(self, message: Mapping[str, Any]) -> Usage | None:
        """None where the counts are absent or no counts."""
        usage = message.get("usage")
        if usage is None:
            usage = mapping(message.get("response")).get("usage")
        return _usage(usage) if isinstance(usage, dict) else None

    def stream_usage(self, frames: Sequence[Frame]) -> Usage | None:
        for frame in reversed(frames):
            if b'"usage"' in frame.raw and (usage := self.usage(event_of(frame))) is not None:
                return usage
        return None

    def objection(self, message: Mapping[str, Any]) -> str:
        if message.get("error") is not None:
            return "error"
        status = message.get("status")
        if status != "completed":
            return _unstorable(status, mapping(message.get("incomplete_details")).get("reason"))
        output = message.get("output")
        if not isinstance(output, list) or not output:
            return "no output"
        items = [mapping(item) for item in output]
        return next((reason for item in items if (reason := _objection(item))), "") or (
            "" if any(map(_says, items)) else "empty answer"
        )

    def is_usage_only(self, frame: Frame) -> bool:
        return False

    def is_content(self, frame: Frame) -> bool:
        """Items and their deltas; `response.created` and `response.in_progress` come before anything is generated."""
        return frame.event.startswith(CONTENT)

    def frames_objection(self, frames: Sequence[Frame]) -> str:
        """By the terminal event, and by all items that are told of anywhere."""
        streamed = read(frames)
        if streamed.error:
            return "error"
        if streamed.response is None:
            return "no terminal event"
        if streamed.unfinished:
            return "unfinished output"
        output = streamed.response.get("output")
        told = output if isinstance(output, list) else []
        return self.objection({**streamed.response, "output": [*streamed.items, *told]})

    def finish(self, message: Mapping[str, Any]) -> str:
        """`completed`, or `incomplete,max_output_tokens`."""
        told = (message.get("status"), mapping(message.get("incomplete_details")).get("reason"))
        return ",".join(word for word in told if isinstance(word, str) and WORD.fullmatch(word))

    def error(self, message: str, *, kind: str, param: str | None = None, code: str | None = None) -> bytes:
        return _encode({"error": _error(message, kind, param, code)})

    def error_frame(self, message: str, *, kind: str, code: str | None = None) -> Frame:
        """As OpenAI documents it, and beside that as it sends it: only for the member `error` do its clients raise.
        The number is a placeholder: how many events came before is not known here."""
        told = {"type": "error", "code": code, "message": message, "param": None, "sequence_number": 0}
        return frame_of(_encode({**told, "error": _error(message, kind, None, code)}), "error")


def _error(message: str, kind: str, param: str | None, code: str | None) -> dict[str, Any]:
    return {"message": message, "type": kind, "param": param, "code": code}


def _check(body: dict[str, Any]) -> None:
    model = body.get("model")
    if (model is not None or body.get("prompt") is None) and (type(model) is not str or not model):
        raise Refused(400, "`model` must be a non-empty string", param="model")
    given = body.get("input")
    if given is None:
        if all(body.get(name) is None for name in CONTINUES):
            raise Refused(400, "`input` must be a string or an array", param="input")
    elif type(given) not in (str, list):
        raise Refused(400, "`input` must be a string or an array", param="input")
    stream = body.get("stream")
    if stream is not None and type(stream) is not bool:
        raise Refused(400, "`stream` must be true or false", param="stream")
    options = body.get("stream_options")
    if options is not None and type(options) is not dict:
        raise Refused(400, "`stream_options` must be an object", param="stream_options")


def _from_items(items: Any) -> str:
    """Items that refer to something kept, or that bring tools along. The type of a reference may be left out."""
    for item in map(mapping, items) if isinstance(items, list) else ():
        kind = item.get("type")
        if kind == "item_reference" or (kind is None and "role" not in item and "id" in item):
            return "item_reference"
        if reason := _run_by_provider(item.get("tools")):
            return reason
    return ""


def _run_by_provider(tools: Any) -> str:
    """Names the first tool whose result depends on more than the request; empty where there is none."""
    for tool in map(mapping, tools) if isinstance(tools, list) else ():
        kind = tool.get("type")
        if isinstance(kind, str) and kind in BY_CLIENT:
            continue
        if kind == "namespace":
            if reason := _run_by_provider(tool.get("tools")):
                return reason
        elif not (
            (kind == "shell" and mapping(tool.get("environment")).get("type") == "local")
            or (kind == "tool_search" and tool.get("execution") == "client")
        ):
            return f"tool {kind}" if isinstance(kind, str) and WORD.fullmatch(kind) else "unknown tool"
    return ""


def _usage(usage: dict[str, Any]) -> Usage | None:
    """`input_tokens` includes what was read from and written to the provider's cache; here the classes are apart.

    Writes whose lifetime is not told are of the default one, 30 minutes (OpenAI's guide to prompt caching, 2026-09).
    """
    if not any(type(usage.get(name)) is int for name in ("input_tokens", "output_tokens")):
        return None
    details = mapping(usage.get("input_tokens_details"))
    prompt, output = count(usage, "input_tokens"), count(usage, "output_tokens")
    read_ = min(count(details, "cached_tokens"), prompt)
    short, long = openai_writes(details, prompt - read_)
    return Usage(
        uncached=prompt - read_ - short - long,
        read=read_,
        write_30m=short,
        write_12h=long,
        output=output,
        reasoning=min(count(mapping(usage.get("output_tokens_details")), "reasoning_tokens"), output),
    )


def _unstorable(status: Any, reason: Any) -> str:
    """Goes into a response header: what a provider made up must not end its line or its quotation."""
    if status is None:
        return "no status"
    if not isinstance(status, str) or not WORD.fullmatch(status):
        return "unknown status"
    why = f": {reason}" if isinstance(reason, str) and WORD.fullmatch(reason) else ""
    return f"status {status}{why}"


def _objection(item: dict[str, Any]) -> str:
    kind, status = item.get("type"), item.get("status")
    if not isinstance(kind, str):
        return "unknown output item"
    if status not in (None, "completed"):
        return f"item {_unstorable(status, None)}"
    if kind == "function_call" and not is_json(item.get("arguments")):
        return "tool arguments do not parse"
    if kind == "custom_tool_call" and not isinstance(item.get("input"), str):
        return "tool arguments do not parse"
    return ""


def _says(item: dict[str, Any]) -> bool:
    """Whether a client can do anything with this item: thoughts alone are no answer, and a text must not be empty."""
    if item["type"] == "message":
        parts = item.get("content")
        known = [mapping(part) for part in parts] if isinstance(parts, list) else []
        return any(part.get("text") or part.get("refusal") for part in known)
    return bool(item["type"] != "reasoning")


OPENAI_RESPONSES: Dialect = OpenAIResponses()
