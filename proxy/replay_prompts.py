"""The prompts that a replay sends: recorded ones, their branches, and those with breakpoints set."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from adapters.message_cache import explicit
from adapters.profiles import Profile
from adapters.prompt import Edge, Point, Prompt
from adapters.prompt_entries import edge_at, mark_at

VARIANT = 30
"""Tokens of the short last message by which the branches of a request differ."""

MARKED = ("breakpoint", "message")
"""Boundaries of caches that write at breakpoints."""

Marks = Sequence[tuple[int, str]]
"""Indices of points, and the lives asked for there."""


def prompt_of(points: Sequence[Point], profile: Profile, variant: int = -1) -> Prompt:
    """The prompt of a request, or of its branch with that number. Branches of equal requests are equal."""
    if not points:
        return Prompt((), profile.minimum)
    if profile.boundary == "message" and points[-1].edge == "block":
        # A trace does not tell where its messages end: to this cache each of its points may be such an end.
        points = [point._replace(edge="block") for point in points]
    if variant < 0:
        return Prompt(tuple(points), profile.minimum)
    last = points[-1]
    digest = hashlib.blake2b(b"branch %d:" % variant + last.digest, digest_size=16).digest()
    edge: Edge = "message" if last.edge != "block" else "block"
    more = Point(digest, last.tokens + VARIANT, last.place + 1, edge=edge)
    return Prompt((*points, more), profile.minimum)


def with_marks(prompt: Prompt, marks: Marks, *, only: bool = False) -> Prompt:
    """`only`: the provider writes nowhere else, also where it would by itself."""
    if marks:
        points = list(prompt.points)
        for index, life in marks:
            points[index] = points[index]._replace(mark=life)
        prompt = Prompt(tuple(points), prompt.minimum)
    return explicit(prompt) if only else prompt


def naive(prompt: Prompt, profile: Profile) -> Marks:
    """Breakpoints at the end of the tools, of the system prompt and of the prompt, if the client set none."""
    points = prompt.points
    if profile.boundary not in MARKED or profile.life is None or any(map(mark_at, points)):
        return ()
    edges = [*map(edge_at, points)][::-1]
    ends = [len(points) - 1 - edges.index(edge) for edge in ("tools", "system") if edge in edges]
    places = {end for end in ends if points[end].markable and points[end].tokens}
    backward = range(len(points) - 1, -1, -1)
    places |= {next((index for index in backward if points[index].markable and points[index].tokens), -1)}
    return [(place, profile.life.name) for place in sorted(places - {-1})]
