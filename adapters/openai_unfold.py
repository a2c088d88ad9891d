"""From a whole chat completion to the stream it would have come as; `fold` of that stream is the same answer.

Chunks in OpenAI's order for every choice: role, reasoning, content, refusal, tool calls, audio, annotations, finish.
A member that nobody knows travels once: with the first chunk, with the role, with the first delta of its tool call, or
with the finish reason, whichever object it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from adapters.errors import Unfoldable
from adapters.openai_fold import DONE
from adapters.sse import Frame, frame_of

PIECES = 32
"""A text comes in at most this many deltas: enough to be a stream, few enough to cost nothing."""

SHORTEST = 4
"""Characters of the shortest usual delta, about one token."""

HEADER = ("id", "object", "created", "model", "service_tier", "system_fingerprint")
"""What every chunk repeats."""

TEXTS = ("reasoning_content", "reasoning", "content", "refusal")
LATER = ("thinking_blocks", "tool_calls", "function_call", "audio", "annotations", "content_blocks")
"""Members of a message that have deltas of their own after the one with the role."""

Delta = tuple[dict[str, Any], dict[str, Any] | None]
"""A delta and the log probabilities that come with it."""

_encode = msgspec.json.Encoder().encode


def unfold(message: Mapping[str, Any], *, usage: bool) -> list[Frame]:
    choices = _choices(message)
    header: dict[str, Any] = {name: message[name] for name in HEADER if name in message}
    header["object"] = "chat.completion.chunk"
    rest = {name: value for name, value in message.items() if name not in (*HEADER, "choices", "usage")}
    counted = usage and "usage" in message
    try:
        head, tail = _encode(header)[:-1], b',"usage":null}' if counted else b"}"
        payloads = [b'%b,"choices":[%b]%b' % (head, _encode(chunk), tail) for chunk in _chunks(choices)]
        payloads[0] = _encode(header | rest)[:-1] + payloads[0][len(head) :]
        if counted and message["usage"] is not None:
            payloads.append(b'%b,"choices":[],"usage":%b}' % (head, _encode(message["usage"])))
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
        raise Unfoldable("the answer cannot be encoded") from error
    return [*map(frame_of, payloads), DONE]


def _choices(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The choices, once it is sure that everything in them has a place in a stream."""
    if message.get("error") is not None or message.get("object", "chat.completion") != "chat.completion":
        raise Unfoldable("the message is no chat completion")
    choices = message.get("choices")
    if type(choices) is not list or not choices:
        raise Unfoldable("the message has no choices")
    for choice in choices:
        if type(choice) is not dict or type(choice.get("index")) is not int or "delta" in choice:
            raise Unfoldable("a choice is no object with an index")
        if type(choice.get("message")) is not dict:
            raise Unfoldable("a choice has no message")
        if not choice.get("finish_reason"):
            raise Unfoldable("a choice has no finish reason")
    if len({choice["index"] for choice in choices}) < len(choices):
        raise Unfoldable("two choices have the same index")
    return choices


def _chunks(choices: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The one choice that each chunk carries."""
    for choice in choices:
        index, logprobs, finish = choice["index"], choice.get("logprobs"), choice["finish_reason"]
        rest = {name: value for name, value in choice.items() if name not in ("index", "message", "logprobs")}
        for delta, slice_ in _deltas(choice["message"], _lists(logprobs)):
            chunk: dict[str, Any] = {"index": index, "delta": delta}
            if "logprobs" in choice:
                chunk["logprobs"] = slice_
            chunk["finish_reason"] = None
            yield chunk
        last: dict[str, Any] = {"index": index, "delta": {}}
        if "logprobs" in choice:
            last["logprobs"] = None
        yield {**last, "finish_reason": finish, **rest}


def _lists(logprobs: Any) -> dict[str, Any] | None:
    if logprobs is None:
        return None
    if type(logprobs) is not dict or any(
        not isinstance(logprobs.get(name), list | None) for name in ("content", "refusal")
    ):
        raise Unfoldable("log probabilities are of no known form")
    return logprobs


def _deltas(message: dict[str, Any], logprobs: dict[str, Any] | None) -> Iterator[Delta]:
    texts = {name: _text(message[name]) for name in TEXTS if message.get(name) is not None}
    opening = {"role": message["role"]} if "role" in message else {}
    for name, value in message.items():
        if value is None or value == [] or (name not in TEXTS and name not in LATER):
            opening[name] = value
        elif name in texts:
            opening[name] = ""
    lists = logprobs or {}
    # Tokens whose text is empty or missing have no piece to travel with.
    first = {name: [] if value and name in texts and texts[name] else value for name, value in lists.items()}
    yield opening, first if logprobs is not None else None
    if blocks := _list(message, "thinking_blocks"):
        yield {"thinking_blocks": blocks}, None
    for name, text in texts.items():
        tokens = lists.get(name) if name in ("content", "refusal") else None
        absent = {other: None for other in ("content", "refusal") if other in lists}
        for piece, slice_ in paired(text, tokens or []):
            yield {name: piece}, absent | {name: slice_} if slice_ else None
    for delta in _later(message):
        yield delta, None


def paired(text: str, tokens: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Pieces of a text with their tokens: cut at tokens where these make up the text, else all with the first piece."""
    words = [token.get("token") if type(token) is dict else None for token in tokens]
    if text and all(isinstance(word, str) for word in words) and "".join(map(str, words)) == text:
        size = -(-len(words) // PIECES)
        for start in range(0, len(words), size):
            yield "".join(map(str, words[start : start + size])), tokens[start : start + size]
        return
    for place, piece in enumerate(cut(text)):
        yield piece, tokens if place == 0 else []


def cut(text: str, step: int = 1) -> list[str]:
    """At least two pieces where there is more than one step, at most `PIECES`, at multiples of `step`."""
    size = max(SHORTEST, -(-len(text) // PIECES))
    if size >= len(text):
        size = -(-len(text) // 2)
    size = max(-(-size // step) * step, 1)
    return [text[start : start + size] for start in range(0, len(text), size)]


def _later(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for place, call in enumerate(_list(message, "tool_calls")):
        if type(call) is not dict or call.get("index", place) != place:
            raise Unfoldable("a tool call is no object in its place")
        head: dict[str, Any] = {"index": place} | call
        growing: list[dict[str, Any]] = []
        for name, grows in (("function", "arguments"), ("custom", "input")):
            if call.get(name) is not None:
                head[name], pieces = _opened(call[name], grows)
                growing += [{name: {grows: piece}} for piece in pieces]
        yield {"tool_calls": [head]}
        for part in growing:
            yield {"tool_calls": [{"index": place} | part]}
    if message.get("function_call") is not None:
        opening, pieces = _opened(message["function_call"], "arguments")
        yield {"function_call": opening}
        for piece in pieces:
            yield {"function_call": {"arguments": piece}}
    if message.get("audio") is not None:
        for part in _audio(message["audio"]):
            yield {"audio": part}
    for name in ("annotations", "content_blocks"):
        if items := _list(message, name):
            yield {name: items}


def _list(message: dict[str, Any], name: str) -> list[Any]:
    value = message.get(name)
    if not isinstance(value, list | None):
        raise Unfoldable(f"`{name}` is no list")
    return value or []


def _opened(whole: Any, name: str, step: int = 1) -> tuple[dict[str, Any], list[str]]:
    """The object with its growing text still empty, and the pieces of that text."""
    if type(whole) is not dict:
        raise Unfoldable(f"what holds `{name}` is no object")
    if whole.get(name) is None:
        return whole, []
    return whole | {name: ""}, cut(_text(whole[name]), step)


def _audio(whole: Any) -> Iterator[dict[str, Any]]:
    """Base64 is cut between groups of four characters, so that each piece can be played as it comes."""
    opening, transcript = _opened(whole, "transcript")
    opening, data = _opened(opening, "data", 4)
    if "=" in "".join(data).rstrip("="):
        data = ["".join(data)]
    yield {name: value for name, value in opening.items() if name != "expires_at"}
    for piece in transcript:
        yield {"transcript": piece}
    for piece in data:
        yield {"data": piece}
    if "expires_at" in whole:
        yield {"expires_at": whole["expires_at"]}


def _text(value: Any) -> str:
    if type(value) is not str:
        raise Unfoldable("a text is no string")
    return value
