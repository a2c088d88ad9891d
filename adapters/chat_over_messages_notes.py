"""What a request's translation has to say beside its result: warnings, and where cache marks stand.

A mark is Anthropic's `cache_control` on a part, a message or a tool, or OpenAI's `prompt_cache_breakpoint` in the same
places: both name the end of a prefix that will be used again. Marks are kept where they stand, never added or moved
across content, and their order is not corrected (prompt caching page, read 2026-08: at most 4, longer lives first).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from adapters.errors import Refused

Block = dict[str, Any]
"""A content block of the Messages API, or a tool."""

MOST_MARKS = 4

UNMARKABLE = ("thinking", "redacted_thinking")
"""Blocks that carry no mark of their own. A tuple: what is looked for in it may be of any JSON type."""

TTLS = {"5m": "5m", "1h": "1h", "30m": "1h", "12h": "1h"}
"""Life times of a mark at Anthropic by what was asked; 30 minutes are more than 5, 12 hours can't be had."""

_WORD = re.compile(r"[A-Za-z0-9_.\[\]-]{1,64}")


class Notes:
    """Filled while one request is translated."""

    __slots__ = ("marks", "strict", "ttl", "warnings")

    def __init__(self, *, strict: bool = False, ttl: str | None = None) -> None:
        self.strict = strict
        self.ttl = ttl
        """Life time of breakpoints that name none, in OpenAI's terms."""
        self.warnings: list[str] = []
        self.marks = 0

    def warn(self, name: str, what: str, *, at: str | None = None) -> None:
        """Notes a change once; where the configuration is strict, raises `Refused` (400) instead.

        `at` is the path of the member, where that is longer than the name of the parameter.
        """
        name = name if _WORD.fullmatch(name) else "unknown member"  # a client's word must not end a header line
        if self.strict:
            raise Refused(400, f"`{name}` has no equivalent at this provider ({what})", param=at or name)
        warning = f"{name}: {what}"
        if warning not in self.warnings:
            self.warnings.append(warning)

    def mark_of(self, holder: Mapping[str, Any], path: str) -> Block | None:
        """The mark that stands on a part, message or tool, as `cache_control`."""
        control, point = holder.get("cache_control"), holder.get("prompt_cache_breakpoint")
        if control is not None:
            if not isinstance(control, dict):
                raise Refused(400, "`cache_control` must be an object", param=f"{path}.cache_control")
            return control
        if point is None:
            return None
        path = f"{path}.prompt_cache_breakpoint"
        if not isinstance(point, dict) or point.get("mode", "explicit") != "explicit":
            raise Refused(400, "a breakpoint must be an object with the mode `explicit`", param=path)
        ttl = point.get("ttl")
        ttl = self.ttl if ttl is None else ttl
        if ttl is None:
            return {"type": "ephemeral"}
        if not isinstance(ttl, str) or ttl not in TTLS:
            raise Refused(400, "the life time of a breakpoint must be `30m` or `12h`", param=f"{path}.ttl")
        if ttl == "12h":
            self.warn("prompt_cache_breakpoint", "12h lowered to 1h", at=f"{path}.ttl")
        return {"type": "ephemeral", "ttl": TTLS[ttl]}

    def put(self, block: Block, control: Block | None, path: str) -> None:
        """Puts a mark on a block; one that stands there already stays."""
        if control is None:
            return
        if block.get("type") in UNMARKABLE:
            raise Refused(400, "a thinking block can't end a cached prefix", param=path)
        if block.get("cache_control") is None or block["cache_control"] is control:
            block["cache_control"] = control
            self.count(path)

    def put_of(self, holder: Mapping[str, Any], block: Block, path: str) -> None:
        """Puts the mark of a part, message or tool on the block that it became."""
        if "cache_control" in holder or "prompt_cache_breakpoint" in holder:  # seldom
            self.put(block, self.mark_of(holder, path), path)

    def put_last(self, blocks: list[Block], control: Block | None, path: str) -> None:
        """Puts the mark of what became no block on the one before: the prefix that it ends is the same."""
        if control is None:
            return
        if not blocks:
            raise Refused(400, "there is no text here that could end a cached prefix", param=path)
        self.put(blocks[-1], control, path)

    def count(self, path: str) -> None:
        self.marks += 1
        if self.marks > MOST_MARKS:
            raise Refused(400, f"there are more than {MOST_MARKS} cache breakpoints", param=path)
