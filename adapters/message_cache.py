"""A model of a prompt cache that ends entries with messages, and at breakpoints, as OpenAI has it since GPT-5.6.

Rules (OpenAI's prompt caching guide of 2026-09-23; SDK 3.52, `PromptCacheOptions` and `PromptCacheBreakpoint`):

* A request has one implicit breakpoint, the end of its latest eligible message: one of the user, the last result of a
  group of tool calls, or the last developer message of the initial block. Mode `explicit` takes it away.
* It writes at no more than four: the implicit one and the latest three explicit ones, or the latest four explicit ones.
  Others count for nothing, and are no error. A request without any is not cached.
* It looks for what earlier requests wrote at its first two and latest fifty explicit breakpoints, at the implicit one,
  at up to twenty ends of eligible messages before that, and at the end of the initial developer block: exactly there,
  without rounding. (The SDK speaks of the latest 80 breakpoints instead.)
* An entry lives at least 30 minutes, or 12 hours, from its last write or read; here exactly so long.
* Nothing is written below the minimum. When it can be read is documented nowhere.

How that stands in a prompt: a point with a mark is an explicit breakpoint; one with the edge `message`, or `system`
(the end of the initial block), is the end of an eligible message. Whoever makes the points gives ends of other messages
the edge `block`, and in the mode `explicit` leaves no end but the marks (`explicit`). A prompt without any end of a
message is one of a trace: its last point with the edge `block` ends a message, and so may every other.

Assumed, as in `adapters.breakpoint_cache`: a read refreshes all entries on the prefix it reads. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from adapters.breakpoint_cache import BreakpointCache
from adapters.profiles import Life
from adapters.prompt import Edge, Point, Prompt
from adapters.prompt_entries import edge_at

LIVES = (Life("30m", 1800, "write_30m"), Life("12h", 43200, "write_12h"))
WRITES = 4
"""Breakpoints at which one request writes."""

FIRST, LATEST, ENDS = 2, 50, 20
"""Where one request looks: explicit breakpoints from its beginning, from its end, and ends of earlier messages."""


class MessageCache(BreakpointCache):
    def __init__(
        self,
        lives: Sequence[Life] = LIVES,
        *,
        breakpoints: int = WRITES,
        lookback: int = ENDS,
        max_entries: int = 100_000,
    ) -> None:
        """`breakpoints`: at how many one request writes. `lookback`: ends of earlier messages at which it looks."""
        super().__init__(lives, lookback=lookback, max_entries=max_entries)
        self._breakpoints = breakpoints

    def _places(self, points: Sequence[Point]) -> tuple[Sequence[int], Sequence[int]]:
        marked, _ = super()._places(points)
        edges = list(map(edge_at, points))
        told = "message" in edges or "system" in edges
        ends = self._ends(edges) if told else [index for index, edge in enumerate(edges) if edge == "block"]
        looked = {*marked[:FIRST], *marked[-LATEST:], *ends}
        if not ends:
            return sorted(looked), marked[-self._breakpoints :]
        explicit = [index for index in marked if index != ends[-1]]
        return sorted(looked), sorted([*explicit[max(0, len(explicit) + 1 - self._breakpoints) :], ends[-1]])

    def _ends(self, edges: list[Edge]) -> list[int]:
        """The latest ends of eligible messages, after that of the initial block, if that stands before them."""
        backward = range(len(edges) - 1, -1, -1)
        ends = list(islice((index for index in backward if edges[index] in ("message", "system")), 1 + self._lookback))
        if "system" in edges[: ends[-1]]:
            ends.append(next(index for index in range(ends[-1], -1, -1) if edges[index] == "system"))
        return ends[::-1]

    def _found(self, points: Sequence[Point], looked: Sequence[int], now: float) -> int:
        get = self._entries.get
        for index in reversed(looked):
            entry = get(points[index].digest)
            if entry is not None and entry[0] <= now < entry[1]:
                return index + 1
        return 0


def explicit(prompt: Prompt) -> Prompt:
    """The same prompt in the mode `explicit`: nothing but its marks is a breakpoint."""
    return prompt._replace(
        points=tuple(point._replace(edge="block" if point.mark else "step") for point in prompt.points)
    )


def _ends(edges: Sequence[str]) -> tuple[list[int], bool]:
    """Where eligible messages end, and whether the prompt says so or leaves it open."""
    ends = [index for index, edge in enumerate(edges) if edge in ("message", "system")]
    return (ends, True) if ends else ([index for index, edge in enumerate(edges) if edge == "block"], False)
