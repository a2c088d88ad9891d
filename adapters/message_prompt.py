"""What a prompt cache sees of a request in one of OpenAI's shapes: chat completions, or Responses.

Rules (OpenAI's prompt caching guide, 2026-09-23; SDK 3.52): the order is tools, instructions, messages. A breakpoint
stands on a content part (`prompt_cache_breakpoint: {"mode": "explicit"}`); it lives as long as it says itself, or as
`prompt_cache_options.ttl` says for all. Which message ends count without one, and what the mode `explicit` does, is
told in `adapters.message_cache`. What else of a request is a part of the prefix is what the model's profile says that
its change breaks. Claude behind chat completions is marked by `cache_control` on content parts, as OpenRouter has it.

A text is the same whether it stands alone or in a part: marking turns the one into the other. Members that no model
sees (ids, states, marks) count nowhere, the order of members only inside strings. Long texts have points on the way,
where caches that keep every prefix may cut.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from adapters.body import mapping
from adapters.breakpoint_prompt import mark_of
from adapters.message_cache import explicit
from adapters.profiles import Level, Profile
from adapters.prompt import Edge, Point, Prompt
from adapters.tokens import PER_MESSAGE, estimate, estimate_message, estimate_tools

MARK, ANTHROPIC_MARK = "prompt_cache_breakpoint", "cache_control"
UNSEEN = frozenset({"id", "status", MARK, ANTHROPIC_MARK, "annotations", "logprobs"})
"""Members of messages and parts that no model sees, or only as the text beside them."""

TEXTS = ("text", "input_text", "output_text")
LEADING = ("system", "developer")
RESULTS = ("function_call_output", "custom_tool_call_output")
IMAGES = ("image_url", "input_image", "image")

STEP = 2048
"""Characters of a long text between two points."""

DEFAULTS: Mapping[str, tuple[Any, ...]] = {
    "parallel_tool_calls": (None, True),
    "service_tier": (None, "auto", "default"),
    "text_format": (None, {"type": "text"}),
    "tool_choice": (None, "auto"),
    "verbosity": (None, "medium"),
}
"""What counts like absence."""

PARTITIONS = ("user_id", "cache_salt")
"""Members by which a request asks for a cache of its own, where its profile says that they do so."""

_encode = msgspec.json.Encoder(order="deterministic").encode


def prompt_of(body: Mapping[str, Any], *, salt: bytes, profile: Profile) -> Prompt:
    """The points of a request of either shape, with its breakpoints. `salt`: what keeps caches apart besides."""
    chain = _Chain(salt, _facts(body, profile), _Marks(body, profile))
    tools = body.get("tools")
    chain.level("tools")
    if tools:
        chain.tools(tools)
    chain.level("system")
    messages = list(_messages(body))
    leading = next((n for n, message in enumerate(messages) if message.get("role") not in LEADING), len(messages))
    for place, message in enumerate(messages):
        if place == leading:
            chain.level("messages")
        chain.message(message, place, _edge(messages, place, leading))
    prompt = Prompt(chain.points(), profile.minimum)
    options = mapping(body.get("prompt_cache_options"))
    return explicit(prompt) if profile.boundary == "message" and options.get("mode") == "explicit" else prompt


def _messages(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Of chat completions, or instructions and items of Responses; what is no object is one's content."""
    told, given = body.get("instructions"), body.get("messages", body.get("input"))
    if told:
        yield {"role": "developer", "content": told}
    for item in given if isinstance(given, list) else [given]:
        yield item if isinstance(item, dict) else {"role": "user", "content": item}


def _edge(messages: Sequence[Mapping[str, Any]], place: int, leading: int) -> Edge:
    """`message` where an eligible one ends, `system` at the end of the initial block, `block` elsewhere."""
    if place < leading:
        return "system" if place == leading - 1 else "block"
    if messages[place].get("role") == "user":
        return "message"
    after = messages[place + 1] if place + 1 < len(messages) else {}
    return "message" if _is_result(messages[place]) and not _is_result(after) else "block"


def _is_result(message: Mapping[str, Any]) -> bool:
    return message.get("role") == "tool" or message.get("type") in RESULTS


def _facts(body: Mapping[str, Any], profile: Profile) -> dict[Level, dict[str, Any]]:
    """By the level that a change of them breaks first: what of the request does so, defaults left out."""
    text, given = mapping(body.get("text")), _messages(body)
    told: dict[str, Any] = {
        "effort": body.get("reasoning_effort", mapping(body.get("reasoning")).get("effort")),
        "images": any(part.get("type") in IMAGES for message in given for part in _parts(message)) or None,
        "text_format": body.get("response_format", text.get("format")),
        "verbosity": body.get("verbosity", text.get("verbosity")),
    }
    facts: dict[Level, dict[str, Any]] = {"tools": {}, "system": {}, "messages": {}}
    for name, levels in profile.breaks.items():
        value = told[name] if name in told else body.get(name)
        if levels and name not in ("tools", "system", "messages") and value not in DEFAULTS.get(name, (None,)):
            facts[levels[0]][name] = value
    apart = {name: body[name] for name in PARTITIONS if name in profile.isolation and body.get(name) is not None}
    facts["tools"] |= apart
    return facts


def _parts(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The content parts of a message, or of what a tool gave back; a text stands for one."""
    content = message.get("output" if message.get("type") in RESULTS else "content")
    parts = content if isinstance(content, list) else [] if content in (None, "") else [content]
    return [part if isinstance(part, dict) else {"type": "text", "text": part} for part in parts]


class _Marks:
    """Which parts are breakpoints, and for how long."""

    def __init__(self, body: Mapping[str, Any], profile: Profile) -> None:
        self._boundary = profile.boundary
        self._lives = [life.name for life in profile.lives]
        self._life = self._named(mapping(body.get("prompt_cache_options")).get("ttl"), "")

    @property
    def implicit(self) -> str:
        """The life of the implicit breakpoint, where the request asks for another one than the default."""
        return self._life if self._boundary == "message" and self._life not in ("", *self._lives[:1]) else ""

    def of(self, part: Mapping[str, Any]) -> str:
        if self._boundary == "breakpoint":
            return mark_of(part.get(ANTHROPIC_MARK))
        control = mapping(part.get(MARK))
        if self._boundary != "message" or control.get("mode") != "explicit" or not self._lives:
            return ""
        return self._named(control.get("ttl"), self._life or self._lives[0])

    def _named(self, ttl: Any, default: str) -> str:
        return ttl if isinstance(ttl, str) and ttl in self._lives else default


class _Piece(NamedTuple):
    raw: bytes
    tokens: int


class _Chain:
    def __init__(self, salt: bytes, facts: Mapping[Level, dict[str, Any]], marks: _Marks) -> None:
        self._facts, self._marks = facts, marks
        self._points: list[Point] = []
        self._digest, self._tokens = b"", 0
        self._mix(salt)

    def level(self, level: Level) -> None:
        """Goes on to the next level, with what breaks it and all behind it."""
        self._mix(_encode([level, self._facts[level]]))

    def tools(self, tools: Any) -> None:
        self._mix(_encode([_seen(tool) for tool in tools] if isinstance(tools, list) else tools))
        self._tokens += estimate_tools(tools)
        self._points.append(Point(self._digest, self._tokens, edge="tools", markable=False))

    def message(self, message: Mapping[str, Any], place: int, edge: Edge) -> None:
        """A point for every part but the last, on the way through a long text, and at the end."""
        parts, ends = _parts(message), self._tokens + estimate_message(message)
        content = "output" if message.get("type") in RESULTS else "content"
        rest = {name: value for name, value in message.items() if name not in (content, "tool_calls") and value}
        self._mix(_encode(_seen(rest)))
        calls, told = message.get("tool_calls"), PER_MESSAGE
        for index, part in enumerate(parts):
            last = index == len(parts) - 1 and not calls
            for piece in _pieces(part):
                self._mix(piece.raw)
                told += piece.tokens
                self._points.append(Point(self._digest, min(self._tokens + told, ends), place, "", "step", False))
            self._points[-1] = self._points[-1]._replace(edge="block", markable=True, mark=self._marks.of(part))
            if last:
                self._points[-1] = self._points[-1]._replace(edge=edge, tokens=ends)
        if calls or not parts:
            self._mix(_encode(calls))
            self._points.append(Point(self._digest, ends, place, "", edge, False))
        self._tokens = ends

    def points(self) -> tuple[Point, ...]:
        """The points, the implicit breakpoint among them marked where it is to live longer than by default."""
        ends = [index for index, point in enumerate(self._points) if point.edge in ("message", "system")]
        if ends and self._marks.implicit and not self._points[ends[-1]].mark:
            self._points[ends[-1]] = self._points[ends[-1]]._replace(mark=self._marks.implicit)
        return tuple(self._points)

    def _mix(self, part: bytes) -> None:
        self._digest = hashlib.blake2b(self._digest + b"%d:" % len(part) + part, digest_size=16).digest()


def _pieces(part: Mapping[str, Any]) -> Iterator[_Piece]:
    """What a part is hashed by: a text in steps, anything else as a whole."""
    text = part.get("text")
    if part.get("type") in TEXTS and isinstance(text, str):
        for begin in range(0, len(text), STEP) or [0]:
            step = text[begin : begin + STEP]
            yield _Piece(step.encode("utf-8", "surrogatepass"), estimate(step))
    else:
        yield _Piece(_encode(_seen(part)), estimate_message({"content": [part]}) - PER_MESSAGE)


def _seen(value: Any) -> Any:
    return {name: value[name] for name in value if name not in UNSEEN} if isinstance(value, dict) else value
