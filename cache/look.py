"""What the semantic cache would do with a request, for whoever asks why."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from adapters.vocabulary import Call
from cache.verdict import Verdict


class Look(NamedTuple):
    mode: str = "off"
    """`off`, `shadow`, `on`."""
    why: str = "off"
    """Why nothing was looked for: `images`, `several choices`, `no question`, `context: personal`, ...; or why it
    failed: `embedding: timeout`."""
    scope: str = ""
    """Hexadecimal; empty where there is none."""
    in_scope: int = 0
    """Entries of that scope."""
    verdict: Verdict | None = None
    """None where nothing was looked for, or could be."""


class Explains(Protocol):
    async def explain(self, call: Call) -> Look:
        """Looks, serves nothing, notes nothing."""
