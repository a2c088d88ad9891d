"""What a prompt cache sees of a recorded request: its chain of points, with the breakpoints that the client had set.

A point ends the tools, the system prompt (also where that is the first messages), each content part and each message.
Their tokens are estimates, laid out so that the last point has the length that the provider reported, wherever it did:
what a request adds to the one before it then has the length that it had, and its points are shared objects.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from adapters.body import mapping
from adapters.chain import chain, extend
from adapters.prompt import Edge, Point
from adapters.tokens import PER_MESSAGE, Counting, estimate_message

RUNS = frozenset({"tool_use", "tool_result"})
"""Consecutive blocks of one of these are one position of Anthropic's lookback (documented September 2026)."""

INITIAL = ("system", "developer")
"""Roles of the messages that are a system prompt, where they stand in front of all others."""

_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(slots=True)
class Talk:
    """A session while it is read: its last request and the points of it, so that only new messages are counted."""

    number: int
    ts: float | None = None
    head: tuple[Any, ...] = ()
    """Model, tools and system prompt, as the last request had them."""
    messages: list[Any] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    """Of the points: how many stand up to the head, and up to the end of each message."""
    points: list[Point] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    """Of the last block of the head and of each message."""
    shared: int = 0
    """How many messages the last request has in common with the one before it."""
    grew: bool = False
    """Whether the last request goes on from the one before it."""


def points_of(body: Mapping[str, Any], salt: bytes, talk: Talk, count: Counting, prompt: int | None) -> list[Point]:
    """The points of the next request of a session. `salt`: what keeps caches apart besides the model. `prompt`: the
    length that the provider reported."""
    messages = body.get("messages", body.get("input"))
    messages = messages if isinstance(messages, list) else [messages]
    head = (body.get("model"), body.get("tools"), body.get("system", body.get("instructions")))
    shared = -1
    if talk.points and head[0] == talk.head[0] and head[1] is talk.head[1] and head[2] == talk.head[2]:
        shared = 0
        # Readers give equal messages (and tools) of a session as one object.
        for old, new in zip(talk.messages, messages, strict=False):
            if old is not new:
                break
            shared += 1
    talk.shared = max(0, shared)
    talk.grew = 0 < len(talk.messages) == shared < len(messages)
    if shared < 0:
        talk.points, talk.kinds = _head(body, head, salt, count), [""]
        talk.ends = [len(talk.points)]
        begin, shared = 0, 0
    else:
        begin = talk.ends[shared]
        talk.points = talk.points[:begin]
        del talk.ends[shared + 1 :], talk.kinds[shared + 1 :]
    initial = all(mapping(message).get("role") in INITIAL for message in messages[:shared])
    for message in messages[shared:]:
        initial = initial and mapping(message).get("role") in INITIAL
        points, kind = _message(talk.points[-1], message, talk.kinds[-1], initial, count)
        talk.points += points
        talk.ends.append(len(talk.points))
        talk.kinds.append(kind)
    talk.head, talk.messages = head, messages
    if prompt is not None:
        talk.points = laid_out(talk.points, begin, prompt)
    return talk.points


def laid_out(points: list[Point], begin: int, prompt: int) -> list[Point]:
    """The points from `begin` on with their tokens stretched, so that the last one has `prompt`. Where that can't be
    (the prompt is no longer than what an earlier one had there), all of them are."""
    base, end = points[begin - 1].tokens if begin else 0, points[-1].tokens
    if begin == len(points):
        base, begin = 0, 0 if end != prompt else begin
    if prompt < base or (prompt > base and end == base):
        base, begin = 0, 0
    if begin == len(points) or end == prompt:
        return points
    ratio = (prompt - base) / (end - base) if end > base else 0.0
    kept = points[:begin]
    kept += [point._replace(tokens=base + round((point.tokens - base) * ratio)) for point in points[begin:]]
    return kept


def _head(body: Mapping[str, Any], head: tuple[Any, ...], salt: bytes, count: Counting) -> list[Point]:
    points = chain({"model": body.get("model"), "tools": body.get("tools"), "messages": []}, salt, count)
    tools = body.get("tools")
    if isinstance(tools, list):
        points[0] = points[0]._replace(mark=next((mark for tool in reversed(tools) if (mark := mark_of(tool))), ""))
    if head[2]:
        more, _ = _message(points[0], {"role": "system", "content": head[2]}, "", True, count)
        points += more
    return points


def _message(last: Point, message: Any, run: str, initial: bool, count: Counting) -> tuple[list[Point], str]:
    """The points of one message that follows `last`, whose last block was of kind `run`; and the kind of its own."""
    whole = extend([last], [message], count)[-1]
    edge: Edge = "system" if initial else "message"
    fields = mapping(message)
    content = fields.get("content")
    if not isinstance(content, list) or len(content) < 2:
        place, run = _placed(last.place, run, _kinds(fields))
        part = content[0] if isinstance(content, list) and content else None
        return [whole._replace(place=place, edge=edge, mark=mark_of(message) or mark_of(part))], run
    digest, tokens, place = last.digest, last.tokens + PER_MESSAGE, last.place
    points = []
    for part in content[:-1]:
        kind = f"{mapping(part).get('type')}"
        place, run = _placed(place, run, [kind])
        digest = hashlib.blake2b(digest + _encode([fields.get("role"), unmarked(part)]), digest_size=16).digest()
        tokens += max(0, estimate_message({"content": [part]}, count) - PER_MESSAGE)
        points.append(Point(digest, min(tokens, whole.tokens), place, mark_of(part), "block", "thinking" not in kind))
    rest = [f"{mapping(content[-1]).get('type')}", *(["tool_use"] if fields.get("tool_calls") else [])]
    place, run = _placed(place, run, rest)
    return [*points, whole._replace(place=place, edge=edge, mark=mark_of(message) or mark_of(content[-1]))], run


def _kinds(message: Mapping[str, Any]) -> list[str]:
    if message.get("role") == "tool":
        return ["tool_result"]
    content = message.get("content")
    kinds = [f"{mapping(content[0]).get('type')}"] if isinstance(content, list) and content else []
    kinds += ["text"] if isinstance(content, str) and content else []
    return kinds + (["tool_use"] if message.get("tool_calls") else []) or ["text"]


def _placed(place: int, run: str, kinds: Sequence[str]) -> tuple[int, str]:
    for kind in kinds:
        place += not (kind in RUNS and kind == run)
        run = kind
    return place, run


def mark_of(value: Any) -> str:
    """The life that a mark on this block asks for; empty where it has none."""
    fields = mapping(value)
    control = fields.get("cache_control")
    if isinstance(control, Mapping):
        return "1h" if control.get("ttl") == "1h" else "5m"
    return "30m" if isinstance(fields.get("prompt_cache_breakpoint"), Mapping) else ""


def unmarked(part: Any) -> Any:
    if not isinstance(part, Mapping):
        return part
    return {name: value for name, value in part.items() if name not in ("cache_control", "prompt_cache_breakpoint")}


def before_last(points: Sequence[Point]) -> Point | None:
    """The point in front of the last message; None where there is none, or where it is not known."""
    ends: Iterator[Point] = (point for point in reversed(points) if point.edge in ("message", "system", "tools"))
    next(ends, None)
    return next(ends, None)
