"""Where a recorded prompt stands among those before it: what it shares with them, or nearly shares. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from adapters.chain import segments
from adapters.profiles import Profile
from adapters.prompt import Point
from adapters.usage import Usage
from proxy.explain_diff import Difference, difference
from proxy.explain_lengths import agreeing_points, cached_of
from proxy.explain_prompt import Shape, front_of, life_of, marked_turns
from proxy.sessions import Recorded


class Seen(NamedTuple):
    """An earlier request."""

    shape: Shape
    points: list[Point]
    """With estimated tokens."""
    exact: list[Point]
    usage: Usage
    ts: float | None


class Place:
    """Where a prompt stands among those before it."""

    def __init__(self, shape: Shape, points: list[Point], source: Seen | None, follows: bool) -> None:
        self.shape, self.points, self.source, self.follows = shape, points, source, follows
        self.known = 0
        """Leading points that an earlier prompt had, too."""
        self.change: Difference | None = None
        self.gap: float | None = None

    def find(self, used: Mapping[bytes, float], ts: float | None, profile: Profile) -> None:
        now = ts or 0.0
        for index in range(len(self.points), 0, -1):
            if used.get(self.points[index - 1].digest, math.inf) <= now:
                self.known = index
                break
        if self.source is not None:
            self.change = difference(self.source.shape, self.shape, profile)
            shared = agreeing_points(self.source.points, self.points)
            if self.change is not None and self.change.what not in ("system", "message") and self.known > shared:
                # Models (and settings) that take turns: under these it had come about as far before.
                back = self.points[self.known - 1].tokens >= self.source.usage.prompt // 2
                self.change = None if back else self.change
        if ts is None:
            return
        if self.known and not (self.follows and self.change):
            self.gap = now - used[self.points[self.known - 1].digest]
        elif self.source is not None and self.source.ts is not None:
            self.gap = now - self.source.ts

    def could(self, profile: Profile) -> int:
        """Tokens that stood in the earlier prompt, up to the first difference and behind it.

        Between sessions only what changes each time counts as a difference that need not be: other users ask other
        things.
        """
        base = self.points[self.known - 1].tokens if self.known else 0
        change, source = self.change, self.source
        if change is None or source is None:
            return base
        if not self.follows and not (change.kind and change.what == "system"):
            return base
        if change.what in ("system", "message"):
            start = max(change.turn, self.known - 1)
        else:
            start = max(0, self.known - 1)
            if not self.known:
                base = int(self.points[0].tokens * _same_tools(source.shape, self.shape))
        again = base + self._again(source.shape, start, change)
        return min(again, max(base, cached_of(source.usage, profile)))

    def _again(self, before: Shape, start: int, change: Difference) -> int:
        old = Counter(segments({"messages": before.turns[start:]})[1:])
        total = 0.0
        for index, segment in enumerate(segments({"messages": self.shape.turns[start:]})[1:], start):
            size = self.points[index + 1].tokens - self.points[index].tokens
            if old[segment] > 0:
                old[segment] -= 1
                total += size
            elif index == change.turn and change.what in ("system", "message"):
                total += size * (change.prefix + change.suffix)
        return int(total)


def _same_tools(before: Shape, now: Shape) -> float:
    if not now.tools:
        return 1.0
    old, new = (Counter(segments({"messages": shape.tools})[1:]) for shape in (before, now))
    return (old & new).total() / len(now.tools)


def marks_of(recorded: Recorded, profile: Profile, place: Place) -> dict[int, str]:
    """The life asked for at each point where a breakpoint stands.

    Where the recording shows none although the provider needs them they are taken to stand where clients put them:
    behind the tools, the system prompt and the last message.
    """
    if not profile.breakpoints or not profile.lives:
        return {}
    last = len(place.points) - 1
    marks = marked_turns(place.shape)
    if recorded.body is not None and (life := life_of(recorded.body.get("cache_control"))):
        marks[last] = life
    if not marks and profile.writes == "breakpoints":
        hour = recorded.usage is not None and recorded.usage.write_1h > recorded.usage.write_5m
        marks = dict.fromkeys((0, front_of(place.shape), last), "1h" if hour else "")
    names = [life.name for life in profile.lives]
    return {index: life if life in names else names[0] for index, life in marks.items()}
