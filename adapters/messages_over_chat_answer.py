"""A whole chat completion as a message of Anthropic's Messages API.

Reasoning is left out: without the signature of the model that thought it, a thinking block would be sent back with
every later turn and refused as soon as one of them goes to Anthropic. Its tokens are counted (`thinking_tokens`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from adapters.body import mapping
from adapters.errors import Unfoldable
from adapters.messages_over_chat_ids import invented, outward
from adapters.openai_chat import OPENAI_CHAT
from adapters.translation import Terms
from adapters.usage import Usage

TEXTS = ("content", "refusal", "transcript")
"""What a message may say, in this order, one block each."""

STOPS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
CALLED = ("stop", "tool_calls", "function_call")
"""Finish reasons of a message that calls tools: some servers, and OpenAI where one tool was demanded, say `stop`."""

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def answer(message: Mapping[str, Any], terms: Terms, now: float) -> dict[str, Any]:
    """Of several choices the first; no Messages client can ask for more. Which stop sequence was met is not told by
    chat completions, and so not here."""
    choice = _choice(message)
    said = mapping(choice["message"])
    finish = choice.get("finish_reason")
    head = head_of(message, terms, now)
    blocks = [{"type": "text", "text": text} for _, text in texts_of(said) if text.strip()]
    tools = list(_tools(said, head["id"], cut=finish == "length"))
    refusal = said.get("refusal")
    return {
        **head,
        "content": blocks + tools,
        **stop_of(finish, bool(tools), refusal if isinstance(refusal, str) else ""),
        "usage": usage_of(OPENAI_CHAT.usage(message)),
    }


def head_of(first: Mapping[str, Any], terms: Terms, now: float) -> dict[str, Any]:
    """The members that come before the content, from the message or its first chunk. One whose provider gave no id
    gets one of its own: clients tell messages apart by it."""
    ident, model = first.get("id"), first.get("model")
    if not isinstance(ident, str) or not ident:
        ident = "msg_" + sha256(b"%r %b" % (now, _encode(first))).hexdigest()[:24]
    model = model if isinstance(model, str) and model else terms.model
    return {"id": ident, "type": "message", "role": "assistant", "model": model}


def texts_of(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The texts of a message or a delta, by what they are; Mistral's content may be a list of parts."""
    content, refusal, transcript = (
        said.get("content"),
        said.get("refusal"),
        mapping(said.get("audio")).get("transcript"),
    )
    if isinstance(content, list):
        texts = (mapping(part).get("text") for part in content)
        content = "".join(text for text in texts if isinstance(text, str))
    for name, text in zip(TEXTS, (content, refusal, transcript), strict=True):
        if isinstance(text, str) and text:
            yield name, text


def stop_of(finish: Any, called: bool, refusal: str) -> dict[str, Any]:
    """`stop_reason` and what goes with it. A reason that nobody knows becomes null: such an answer is not kept."""
    if called and finish in CALLED:
        return {"stop_reason": "tool_use", "stop_sequence": None}
    reason = STOPS.get(finish) if isinstance(finish, str) else None
    if reason != "refusal" and not (refusal and reason == "end_turn"):
        return {"stop_reason": reason, "stop_sequence": None}
    details = {"type": "refusal", "category": None, "explanation": refusal or None}
    return {"stop_reason": "refusal", "stop_sequence": None, "stop_details": details}


def usage_of(usage: Usage | None) -> dict[str, Any]:
    """Anthropic counts what was read from and written to a cache beside the input, not inside it.

    Without the breakdown by lifetime: it has no class for OpenAI's 30 minutes. Clients need numbers, so that unknown
    counts become zeros here.
    """
    usage = usage or Usage()
    return {
        "input_tokens": usage.uncached,
        "cache_creation_input_tokens": usage.prompt - usage.uncached - usage.read,
        "cache_read_input_tokens": usage.read,
        "output_tokens": usage.output,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
    }


def ident_of(given: Any, message: str, place: int) -> str:
    return outward(given) if isinstance(given, str) and given else invented(message, place)


def arguments_of(given: Any) -> str:
    """The text of a call's arguments; some servers send the object itself."""
    if isinstance(given, str):
        return given
    return _encode(given).decode() if isinstance(given, dict) else ""


def freely(text: str) -> bytes:
    """The input of a tool that takes free text, as an object."""
    return _encode({"input": text})


def _choice(message: Mapping[str, Any]) -> dict[str, Any]:
    choices = message.get("choices")
    if message.get("error") is not None or not isinstance(choices, list) or not choices:
        raise Unfoldable("the message is no chat completion")
    first = next((choice for choice in map(mapping, choices) if choice.get("index") == 0), mapping(choices[0]))
    if not isinstance(first.get("message"), dict):
        raise Unfoldable("a choice has no message")
    return first


def _tools(said: Mapping[str, Any], message: str, *, cut: bool) -> Iterator[dict[str, Any]]:
    """Of an answer cut at its limit, the call in the middle of which it was cut is left out: it is no JSON."""
    calls = said.get("tool_calls") or []
    if not isinstance(calls, list):
        raise Unfoldable("tool calls are no list")
    if isinstance(said.get("function_call"), dict):
        calls = [*calls, {"function": said["function_call"]}]
    for place, call in enumerate(map(mapping, calls)):
        custom = mapping(call.get("custom"))
        function = custom or mapping(call.get("function"))
        name = function.get("name")
        if not isinstance(name, str) or not name:
            raise Unfoldable("a tool call has no name")
        text = freely(arguments_of(custom.get("input"))) if custom else arguments_of(function.get("arguments"))
        try:
            given = _decode(text) if text.strip() else {}
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            given = None
        if isinstance(given, dict):
            yield {"type": "tool_use", "id": ident_of(call.get("id"), message, place), "name": name, "input": given}
        elif not cut:
            raise Unfoldable("the arguments of a tool call are no object")
