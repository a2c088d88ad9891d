"""What a prompt cache sees of a request: the points where a prompt can be cut, and the classes it is billed in.

One value for all who reason about prompt caches: the simulated providers, the replay, and the gate in front of a real
one. Two prompts share a prefix exactly as far as their points agree.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

Edge = Literal["tools", "system", "message", "block", "step"]
"""What ends at a point: all tools, the whole system prompt, a message, a block (content part, single tool) inside one
of these, or nothing (`step`: a place inside a long text or a trace, where no breakpoint can stand)."""


class Point(NamedTuple):
    """The end of one piece of a prompt: where an entry of a prompt cache can end."""

    digest: bytes
    """16 bytes over everything up to here, and over what keeps caches apart."""
    tokens: int
    """Of everything up to here; estimated, where nobody counted."""
    place: int = 0
    """Position for the lookback; blocks that count as one position share it. All the same: no limit is known."""
    mark: str = ""
    """The life asked for (`5m`, `1h`, `30m`, `12h`) where a breakpoint stands."""
    edge: Edge = "block"
    markable: bool = True
    """Whether the provider takes a breakpoint here."""


class Prompt(NamedTuple):
    points: tuple[Point, ...]
    """In the order of the prompt."""
    minimum: int
    """Tokens below which the model caches nothing."""

    @property
    def tokens(self) -> int:
        return self.points[-1].tokens if self.points else 0

    def shares(self, other: Prompt) -> int:
        """How many leading points two prompts have in common: digests are cumulative, so that can be bisected."""
        low, high = 0, min(len(self.points), len(other.points))
        while low < high:
            middle = (low + high + 1) // 2
            if self.points[middle - 1].digest == other.points[middle - 1].digest:
                low = middle
            else:
                high = middle - 1
        return low


class Billed(NamedTuple):
    """The tokens of one prompt, each in one class."""

    read: int = 0
    write_5m: int = 0
    write_1h: int = 0
    uncached: int = 0
    write_30m: int = 0
    write_12h: int = 0

    @property
    def prompt(self) -> int:
        return sum(self)

    @property
    def written(self) -> int:
        return self.write_5m + self.write_1h + self.write_30m + self.write_12h


class PromptCache(Protocol):
    """The prompt cache of one provider, as a model of it. Times in seconds, on one clock for all calls."""

    def lookup(self, prompt: Prompt, now: float) -> Billed:
        """What the request would be billed; nothing is written or refreshed."""

    def lookup_and_store(self, prompt: Prompt, now: float, readable_at: float) -> Billed:
        """What a request that starts `now` is billed; what it writes can be read from `readable_at` on."""
