"""Cache breakpoints: Anthropic's `cache_control` as OpenAI's `prompt_cache_breakpoint`.

Only OpenAI's models from gpt-5.6 on know the member (types of its SDK 3.52, read 2026-11); other servers may refuse
what they do not know, and cache by themselves. There the marks go without a word: nothing that was asked for changes.
"""

from __future__ import annotations

import re
from typing import Any

from adapters.errors import Refused

MOST = 4
"""Breakpoints that one request can write, at OpenAI as at Anthropic."""

_GPT = re.compile(r"(?:^|/)gpt-(\d)(?:\.(\d+))?(?!\d)")
_FIRST = (5, 6)


def knows_breakpoints(model: str) -> bool:
    """Whether this is a GPT of 5.6 or later, also behind the name of a vendor. A Messages `ttl` (5m, 1h) has no
    counterpart; every breakpoint lives for OpenAI's default of 30 minutes."""
    found = _GPT.search(model)
    return found is not None and (int(found[1]), int(found[2] or 0)) >= _FIRST


class Marks:
    """The marked parts of one request, in their order."""

    def __init__(self, model: str) -> None:
        self.known = knows_breakpoints(model)
        self._parts: list[dict[str, Any]] = []

    def put(self, part: dict[str, Any], block: dict[str, Any], param: str) -> None:
        """Marks the part if the block that it stands for is marked."""
        control = block.get("cache_control")
        if control is None:
            return
        if type(control) is not dict:
            raise Refused(400, f"`{param}.cache_control` must be an object", param=f"{param}.cache_control")
        if self.known and "prompt_cache_breakpoint" not in part:
            part["prompt_cache_breakpoint"] = {"mode": "explicit"}
            self._parts.append(part)

    def keep_latest(self) -> None:
        """Takes away all but the last four, which are those that OpenAI would write."""
        for part in self._parts[:-MOST]:
            del part["prompt_cache_breakpoint"]
        del self._parts[:-MOST]
