"""What a prompt cache with explicit breakpoints sees of a request to Anthropic's Messages API.

Rules (Anthropic's prompt caching guide, 2026-08-21, read 2026-11): the order is tools, system, messages, whatever the
order of members; a change breaks its own level and all behind it. `speed` and the use of citations count with the
system; tool choice, thinking, effort, output format and the presence of images with the messages; what only steers the
answer counts nowhere. `cache_control` at the top level marks the last block that can be cached.

The members of a block are compared in any order, those of a tool's input or schema in the order they came: the provider
renders them so, and that is how clients with unstable maps lose their cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from adapters.body import mapping
from adapters.breakpoint_cache import TTL
from adapters.prompt import Point, Prompt
from adapters.tokens import BLOBS, IMAGE, PER_MESSAGE, PER_TOOL, PER_TOOL_CALL, estimate, estimate_value

MARK = "cache_control"

TOOL = "tool"
"""The role of a tool's definition."""

RUNS = frozenset({"tool_use", "tool_result"})
"""Consecutive blocks of one of these types count as one position (documented for the Claude API, September 2026)."""

UNMARKABLE = frozenset({"thinking", "redacted_thinking"})
"""Blocks that are cached with what stands around them, never marked themselves."""

_encode = msgspec.json.Encoder().encode


def listed(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; none where it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def blocks_of(content: Any) -> list[dict[str, Any]]:
    """The blocks of a content; a text stands for one text block, an empty one for none."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return listed(content)


def marked_blocks(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Everything that can carry a mark, in the order of the prompt: tools, system, messages, and what results hold."""
    yield from listed(body.get("tools"))
    contents = [body.get("system"), *(message.get("content") for message in listed(body.get("messages")))]
    for block in (block for content in contents for block in blocks_of(content)):
        yield from listed(block.get("content")) if block.get("type") == "tool_result" else ()
        yield block


def unmarked(block: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """A block as the model sees it: members in one order, without marks on it or on the blocks that it holds."""
    kept = {name: block[name] for name in sorted(block) if name != MARK}
    if isinstance(kept.get("content"), list) and not depth:
        kept["content"] = [unmarked(item, 1) if isinstance(item, dict) else item for item in kept["content"]]
    return kept


def prompt_of(body: Mapping[str, Any], *, salt: bytes, minimum: int, thinks: str = "") -> Prompt:
    """The points of a request, with their marks.

    `salt`: what keeps caches apart besides the model (workspace, credential). `minimum`: tokens below which the model
    caches nothing. `thinks`: the type of thinking that the model has where the request names none.
    """
    chain = _Chain(salt)
    for role, block, begins in rendered(body, thinks):
        if not role:
            chain.level(block)
        elif role == TOOL:
            chain.add(role, block, PER_TOOL + estimate_value(unmarked(block)))
        else:
            chain.add(role, block, block_tokens(block) + (PER_MESSAGE if begins else 0))
    return Prompt(chain.marked(body.get(MARK)), minimum)


def rendered(body: Mapping[str, Any], thinks: str = "") -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Everything that the cache counts, in the order of the prompt: role, block, and whether a message begins with it.

    What has no role are the facts that break the level which they head.
    """
    yield "", {"model": body.get("model")}, False
    yield from ((TOOL, tool, False) for tool in listed(body.get("tools")))
    yield "", _of_system(body), False
    yield from (("system", block, not place) for place, block in enumerate(blocks_of(body.get("system"))))
    yield "", _of_messages(body, thinks), False
    for message in listed(body.get("messages")):
        blocks = blocks_of(message.get("content"))
        yield from ((f"{message.get('role')}", block, not place) for place, block in enumerate(blocks))


def block_tokens(block: Mapping[str, Any], depth: int = 0) -> int:
    """Estimated tokens of one block; bytes of images and documents count as the constants of `adapters.tokens`."""
    kind, source = block.get("type"), mapping(block.get("source"))
    if kind in ("text", "thinking") and isinstance(text := block.get(kind), str):
        return estimate(text)
    if kind in ("tool_use", "server_tool_use"):
        return PER_TOOL_CALL + estimate_value(block.get("name") or "") + estimate_value(block.get("input") or {})
    if kind == "image":
        return IMAGE
    if kind == "document" and source.get("type") != "text":
        return BLOBS["file"]
    if kind == "document":
        return estimate_value(source.get("data") or "")
    if kind == "tool_result" and not depth:
        return PER_TOOL_CALL + sum(block_tokens(part, 1) for part in blocks_of(block.get("content")))
    return estimate_value(unmarked(block))


class _Chain:
    def __init__(self, salt: bytes) -> None:
        self._points: list[Point] = []
        self._cacheable: list[bool] = []
        self._digest, self._tokens, self._place, self._run = b"", 0, 0, ("", "")
        self._mix(salt)

    def level(self, facts: dict[str, Any]) -> None:
        """Goes on to the next level; `facts` are what breaks it and all behind it."""
        self._mix(_encode(facts))

    def add(self, role: str, block: Mapping[str, Any], tokens: int) -> None:
        kind = str(block.get("type"))
        if not (kind in RUNS and self._run == (role, kind)):
            self._place += 1
        self._run = (role, kind)
        self._tokens += tokens
        self._mix(_encode([role, unmarked(block)]))
        can = kind not in UNMARKABLE and not (kind == "text" and not block.get("text"))
        self._cacheable.append(can)
        self._points.append(Point(self._digest, self._tokens, self._place, mark_of(block.get(MARK)) if can else ""))

    def marked(self, automatic: Any) -> tuple[Point, ...]:
        """The points, the last that can be cached among them marked if the request asks for that."""
        if mark := mark_of(automatic):
            for index in range(len(self._points) - 1, -1, -1):
                if self._cacheable[index]:
                    point = self._points[index]
                    self._points[index] = point._replace(mark=point.mark or mark)
                    break
        return tuple(self._points)

    def _mix(self, part: bytes) -> None:
        self._digest = hashlib.blake2b(self._digest + b"%d:" % len(part) + part, digest_size=16).digest()


def mark_of(control: Any) -> str:
    """The lifetime that a `cache_control` asks for; empty where it is none."""
    if not isinstance(control, dict):
        return ""
    ttl = control.get("ttl", "5m")
    return ttl if isinstance(ttl, str) and ttl in TTL else ""


def _of_system(body: Mapping[str, Any]) -> dict[str, Any]:
    fast = body.get("speed") not in (None, "standard")
    cites = any(mapping(block.get("citations")).get("enabled") is True for block in marked_blocks(body))
    return {"fast": fast, "cites": cites}


def _of_messages(body: Mapping[str, Any], thinks: str) -> dict[str, Any]:
    """What stands for its default counts like what is absent."""
    thinking, config = mapping(body.get("thinking")), mapping(body.get("output_config"))
    kind = thinking.get("type", thinks)
    choice = body.get("tool_choice")
    return {
        "choice": None if choice == {"type": "auto"} else choice,
        "thinking": None if kind in ("", "disabled") else [kind, thinking.get("budget_tokens")],
        "effort": config.get("effort") or "high",
        "format": config.get("format"),
        "images": any(block.get("type") == "image" for block in marked_blocks(body)),
    }
