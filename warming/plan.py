"""What the planner decides for one request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from adapters.prompt import Prompt
from warming.breakpoints import Mark
from warming.terms import Terms

LEAST = 32
"""Tokens beyond what is warm already for which a wait is worth it. Branches of a conversation share its last turn,
which is often short, and each would write it; of less than this, waiting saves nothing that anybody would see."""


@dataclass(slots=True, eq=False)
class Flight:
    """A request whose prompt the provider is reading."""

    digests: tuple[bytes, ...]
    """What can be read once the first content has come."""
    begun: float
    over: bool = False


class Plan(NamedTuple):
    """`wait`: not to be sent before that flight is over, then to be planned anew. Else to be sent now."""

    prompt: Prompt
    terms: Terms
    begun: float
    why: str
    """Why nothing is done (`below minimum`, `warm`, `local`, ...), or `cold`, `longer` (more than what is warm)."""
    wait: Flight | None = None
    flight: Flight | None = None
    """What others may wait for."""
    marks: tuple[Mark, ...] = ()
    explicit: bool = False
    """Whether the provider is to write at the breakpoints only, and not at the end by itself."""
    warm: int = -1
    """Index of the last point that is expected to be read; -1: none."""
    shared: int = 0
    """Tokens that are waited for."""

    @property
    def leads(self) -> bool:
        """Whether it writes so much that others may wait for it."""
        return self.flight is not None and self.prompt.tokens - self.expected >= LEAST

    @property
    def expected(self) -> int:
        """Tokens that are expected to be read."""
        return self.prompt.points[self.warm].tokens if self.warm >= 0 else 0


class Shared(NamedTuple):
    """The prefix of a declared fan-out."""

    at: int
    """Index of its last point, the same in all of its prompts; -1: nothing to warm, and `why`."""
    tokens: int
    why: str
