"""The names of the strategies that a replay can compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

PLAIN: dict[str, str] = {
    "none": "every request goes to the provider as it was recorded",
    "naive": "breakpoints at the end of tools, system prompt and each request, and everything is sent at once",
    "leader": "the first request of a shared prefix warms it, the others wait for its first content",
    "call": "a warm call before each declared fan-out; else as `leader`",
    "auto": "whichever is expected to cost least",
}

TOLD = {
    **PLAIN,
    "exact": "`none` behind the exact cache",
    "exact+X": "X behind the exact cache",
    "X+prune": "X behind the pruning hooks",
}

EXACT, PRUNE = "exact", "prune"


class Strategy(NamedTuple):
    name: str
    how: str
    """A key of `PLAIN`: what is done about the provider's prompt cache."""
    exact: bool = False
    """Whether the exact cache stands in front."""
    prune: bool = False
    """Whether pruning hooks do."""

    def alone(self, *, declared: bool, starts: bool) -> Strategy:
        """The same without its name, and as what it comes to where no fan-outs are declared: the first request of a
        shared prefix goes ahead, the others are observed. `starts`: sessions are known to start together."""
        known = {"call": declared or starts, "auto": declared}
        return Strategy("", self.how if known.get(self.how, True) else "leader", self.exact, self.prune)


def strategy_of(name: str) -> Strategy | None:
    """`exact` alone, or a key of `PLAIN` with `exact+` in front or `+prune` behind; None where it is neither."""
    words = name.split("+")
    exact = words[0] == EXACT
    words = words[exact:]
    prune = len(words) > 1 and words[-1] == PRUNE
    words = words[: len(words) - prune] or (["none"] if exact and not prune else [])
    if len(words) != 1 or words[0] not in PLAIN or (prune and words[0] == "none"):
        return None
    return Strategy(name, words[0], exact, prune)


def unknown(names: Sequence[str]) -> str:
    """Why these can't be replayed; empty where they can."""
    wrong = next((name for name in names if strategy_of(name) is None), None)
    if names and wrong is None:
        return ""
    said = "no strategy given" if wrong is None else f"no such strategy: {wrong}"
    return f"{said}; there are {', '.join(['none', EXACT, *list(PLAIN)[1:]])}, exact+X and X+prune"
