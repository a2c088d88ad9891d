"""From a stream of chat completion chunks to the whole answer it amounts to.

Every member has a rule of how a later chunk adds to earlier ones; the tables below are the complete list. A rule is a
function of what was seen and what comes now (never null: a null only says that the member exists). A member without a
rule is kept if all chunks agree on it, and makes the stream unfoldable if they do not: then nobody knows whether the
pieces should be joined, replaced or listed, and guessing would lose something.

Sources: the reference of chat completion chunks (OpenAI, read 2026-11), and streams of the providers that are named
beside a rule.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from adapters.errors import Unfoldable
from adapters.sse import Frame, frame_of

DONE = frame_of(b"[DONE]")

Rule = Callable[[Any, Any], Any]
"""(what was seen so far or None, what comes now) -> what holds from now on."""

_decode = msgspec.json.Decoder().decode


def is_end(frame: Frame) -> bool:
    return frame.data == b"[DONE]"


def is_error(frame: Frame) -> bool:
    """An `error` event, an object with a non-null `error`, or vLLM's older bare `{"object": "error"}`."""
    if b"error" not in frame.raw:
        return False
    if frame.event == "error":
        return True
    if b'"error"' not in frame.raw:
        return False
    try:
        event = frame.json()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(event, dict) and (event.get("error") is not None or event.get("object") == "error")


class Node(dict[str, Any]):
    """An object under construction; its members may be pieces that are joined at the end."""

    def settled(self) -> dict[str, Any]:
        return {name: settled(value) for name, value in self.items()}


class Text(list[str]):
    def settled(self) -> str:
        return "".join(self)


class Base64(list[str]):
    def settled(self) -> str:
        """Plain concatenation, unless a piece ended in padding: then each piece was an encoding of its own."""
        joined = "".join(self)
        pieces = [piece for piece in self if piece]
        if len(pieces) < 2 or "=" not in joined.rstrip("="):
            return joined
        try:
            return b64encode(b"".join(b64decode(piece, validate=True) for piece in pieces)).decode()
        except (binascii.Error, ValueError) as error:
            raise Unfoldable("pieces of base64 do not join") from error


class Details(list[Node]):
    def settled(self) -> list[dict[str, Any]]:
        return [node.settled() for node in self]


class Calls:
    """The tool calls of one choice. Providers number their deltas badly; what tells calls apart is, in this order:

    an `id` not seen under this index (Gemini and some gateways give every call the index 0, or none at all),
    the `index`, and, where both are missing, a function name, which only the first delta of a call carries.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._open: dict[int | None, Node] = {}
        self._named: dict[tuple[int | None, str], Node] = {}

    def add(self, delta: Mapping[str, Any]) -> None:
        index, ident = delta.get("index"), delta.get("id")
        if index is not None and type(index) is not int:
            raise Unfoldable("a tool call has an index that is no integer")
        ident = ident if isinstance(ident, str) else ""
        node = self._node(index, ident, delta)
        absorb(node, delta, CALL, alone)
        # Whatever comes next without an index goes on with this call.
        self._open[index] = self._open[None] = node
        if ident:
            self._named[index, ident] = node

    def _node(self, index: int | None, ident: str, delta: Mapping[str, Any]) -> Node:
        current = self._open.get(index)
        if ident:
            known = self._named.get((index, ident))
            if known is not None:
                return known
            fresh = index is None or current is None or bool(current.get("id"))
        else:
            function = delta.get("function") if index is None else None
            fresh = current is None or (isinstance(function, dict) and bool(function.get("name")))
        if current is not None and not fresh:
            return current
        self.nodes.append(Node())
        return self.nodes[-1]

    def settled(self) -> list[dict[str, Any]]:
        """In the order of their indices where these are distinct, else in the order of their appearance."""
        indices = [node.get("index") for node in self.nodes]
        calls = [node.settled() for node in self.nodes]
        if None not in indices and len(set(indices)) == len(indices):
            calls.sort(key=lambda call: call["index"])
        for call in calls:
            call.pop("index", None)
        return calls


_BUILT = (Node, Text, Base64, Calls, Details)


def settled(value: Any) -> Any:
    return value.settled() if isinstance(value, _BUILT) else value


def absorb(node: dict[str, Any], delta: Mapping[str, Any], rules: Mapping[str, Rule], unknown: Rule) -> None:
    for name, value in delta.items():
        if value is None:
            node.setdefault(name)
        else:
            node[name] = rules.get(name, unknown)(node.get(name), value)


def first(seen: Any, new: Any) -> Any:
    """The first that says something: the leading chunk of Azure has empty names and a zero time."""
    return seen or new


def last(seen: Any, new: Any) -> Any:
    return new


def once(seen: Any, new: Any) -> Any:
    """Said once, or repeated. An empty string says nothing."""
    if not seen or seen == new:
        return new
    if new == "":
        return seen
    raise Unfoldable("a value changes within the stream")


def same(seen: Any, new: Any) -> Any:
    if seen is None or seen == new:
        return new
    raise Unfoldable("an unknown member has several values")


def alone(seen: Any, new: Any) -> Any:
    """Like `same`, for members of a delta, where an equal string or list may also be the next piece of a longer one."""
    if seen in (None, "", []):
        return new
    if new in ("", []):
        return seen
    if isinstance(new, str | list):
        raise Unfoldable("an unknown member comes in several pieces")
    return same(seen, new)


def text(seen: Any, new: Any) -> Any:
    if type(new) is not str:
        raise Unfoldable("a text is no string")
    if seen is None:
        return Text((new,))
    seen.append(new)
    return seen


def base64(seen: Any, new: Any) -> Any:
    if type(new) is not str:
        raise Unfoldable("audio data is no string")
    seen = Base64() if seen is None else seen
    seen.append(new)
    return seen


def extended(seen: Any, new: Any) -> Any:
    if type(new) is not list:
        raise Unfoldable("a list is no list")
    seen = [] if seen is None else seen  # never the list of the frame, which others may read
    seen.extend(new)
    return seen


def thoughts(seen: Any, new: Any) -> Any:
    """Blocks of thinking, whole in each delta. LiteLLM uses the name for pieces and signs only the last of them."""
    open_ = seen[-1] if seen else None
    if type(open_) is dict and open_.get("type") == "thinking" and not open_.get("signature"):
        raise Unfoldable("a thinking block comes in several pieces")
    return extended(seen, new)


def united(seen: Any, new: Any) -> Any:
    """Objects that come in parts, whose members may be repeated but not changed."""
    if type(new) is not dict:
        raise Unfoldable("an object is no object")
    seen = {} if seen is None else seen
    absorb(seen, new, {}, same)
    return seen


def calls(seen: Any, new: Any) -> Any:
    if type(new) is not list or not all(type(delta) is dict for delta in new):
        raise Unfoldable("tool calls are no list of objects")
    seen = Calls() if seen is None else seen
    for delta in new:
        seen.add(delta)
    return seen


def details(seen: Any, new: Any) -> Any:
    """OpenRouter's reasoning blocks: the first item of a delta goes on with the last block if type and index agree."""
    if type(new) is not list or not all(type(item) is dict for item in new):
        raise Unfoldable("reasoning details are no list of objects")
    seen = Details() if seen is None else seen
    for place, item in enumerate(new):
        open_ = seen[-1] if seen and place == 0 else None
        if open_ is None or item.get("type") not in _GROWING or any(open_.get(m) != item.get(m) for m in _BLOCK):
            open_ = Node()
            seen.append(open_)
        absorb(open_, item, DETAIL, same)
    return seen


def node(rules: Mapping[str, Rule]) -> Rule:
    def merged(seen: Any, new: Any) -> Any:
        if type(new) is not dict:
            raise Unfoldable("an object is no object")
        seen = Node() if seen is None else seen
        absorb(seen, new, rules, alone)
        return seen

    return merged


_GROWING = ("reasoning.text", "reasoning.summary")
_BLOCK = ("type", "index")
DETAIL: dict[str, Rule] = {"text": text, "summary": text, "signature": once, "id": once, "format": once}
FUNCTION: dict[str, Rule] = {"name": once, "arguments": text}
CUSTOM: dict[str, Rule] = {"name": once, "input": text}
CALL: dict[str, Rule] = {
    "index": last,
    "id": once,
    "type": once,
    "function": node(FUNCTION),
    "custom": node(CUSTOM),
}
AUDIO: dict[str, Rule] = {"id": once, "data": base64, "transcript": text, "expires_at": last}
DELTA: dict[str, Rule] = {
    "role": once,
    "content": text,
    "refusal": text,
    "reasoning_content": text,  # DeepSeek, vLLM, Qwen
    "reasoning": text,  # OpenRouter, Groq
    "reasoning_details": details,  # OpenRouter
    "tool_calls": calls,
    "function_call": node(FUNCTION),
    "audio": node(AUDIO),
    "annotations": extended,
    "thinking_blocks": thoughts,  # Anthropic in translation, LiteLLM
    "content_blocks": once,  # Anthropic in translation
}
LOGPROBS: dict[str, Rule] = {"content": extended, "refusal": extended}
CHOICE: dict[str, Rule] = {
    "index": last,
    "delta": node(DELTA),
    "logprobs": node(LOGPROBS),
    "finish_reason": once,
    "content_filter_results": united,  # Azure: empty until the filter has run
}
TOP: dict[str, Rule] = {
    "id": first,
    "created": first,
    "model": first,
    "system_fingerprint": last,
    "service_tier": last,
    "usage": last,
    "x_groq": united,
}
DROPPED = frozenset({"object", "obfuscation", "choices"})
"""Members of a chunk that are no part of a whole answer as they stand: a kind, random padding, and what is merged."""


def fold(frames: Sequence[Frame]) -> dict[str, Any]:
    top: dict[str, Any] = {}
    choices: dict[int, Node] = {}
    for frame in frames:
        data = frame.data
        if not data:
            continue  # comments and events without data are never dispatched (§9.2.6)
        if data == b"[DONE]":
            break
        chunk = _chunk(frame, data)
        for name, value in chunk.items():
            if value is None:
                top.setdefault(name)
            elif name not in DROPPED and (seen := top.get(name)) != value:  # mostly repeated
                top[name] = TOP.get(name, same)(seen, value)
        _absorb_choices(choices, chunk.get("choices"))
    if not choices:
        raise Unfoldable("the stream has no choice")
    return _whole(top, [_choice(choices[index]) for index in sorted(choices)])


def _chunk(frame: Frame, data: bytes) -> dict[str, Any]:
    try:
        chunk = _decode(data)  # not `frame.json()`, which would keep every chunk alive
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unfoldable("an event is not JSON") from error
    if type(chunk) is not dict or (b"error" in frame.raw and is_error(frame)):
        raise Unfoldable("an event is no chunk")
    return chunk


def _absorb_choices(choices: dict[int, Node], deltas: Any) -> None:
    if deltas is None:
        return
    if type(deltas) is not list:
        raise Unfoldable("choices are no list")
    for delta in deltas:
        if type(delta) is not dict or "message" in delta:
            raise Unfoldable("a choice is no delta")
        index = delta.get("index", 0 if len(deltas) == 1 else None)
        if type(index) is not int:
            raise Unfoldable("a choice has no index")
        choice = choices.get(index)
        if choice is None:
            choice = choices[index] = Node(index=index)
        absorb(choice, delta, CHOICE, same)


def _choice(node: Node) -> dict[str, Any]:
    choice = node.settled()
    if not choice.get("finish_reason"):
        raise Unfoldable("a choice has no finish reason")
    ordered = {"index": choice.pop("index"), "message": choice.pop("delta", None) or {}}
    for name in ("logprobs", "finish_reason"):
        if name in choice:
            ordered[name] = choice.pop(name)
    return ordered | choice


def _whole(top: dict[str, Any], choices: list[dict[str, Any]]) -> dict[str, Any]:
    _promote_groq(top)
    whole: dict[str, Any] = {"id": top.pop("id")} if "id" in top else {}
    whole["object"] = "chat.completion"
    for name in ("created", "model"):
        if name in top:
            whole[name] = top.pop(name)
    whole["choices"] = choices
    for name in ("usage", "service_tier", "system_fingerprint"):
        if name in top:
            whole[name] = top.pop(name)
    return whole | {name: value for name, value in top.items() if name not in DROPPED}


def _promote_groq(top: dict[str, Any]) -> None:
    """Groq's streams carry in `x_groq.usage` what its whole answers, and its streams if asked, carry in `usage`."""
    groq = top.get("x_groq") or {}
    usage = groq.get("usage")
    if usage is not None and top.get("usage") in (None, usage):
        top["usage"] = usage
        top["x_groq"] = {name: value for name, value in groq.items() if name != "usage"}
