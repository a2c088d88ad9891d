"""Prompts for tests, written as their pieces."""

from __future__ import annotations

import hashlib

from adapters.prices import Prices
from adapters.profiles import multipliers, profile_of
from adapters.prompt import Point, Prompt
from warming.plan import Plan
from warming.terms import Terms

CLAUDE, NEW, OLD, DEEPSEEK = "claude-sonnet-5", "gpt-6-sol", "gpt-5.4", "deepseek-v4-pro"


def terms(model: str = CLAUDE, **more) -> Terms:
    return Terms(profile_of("maker", model), multipliers(Prices(), model), **{"name": model} | more)


def prompt(*pieces: str, model: str = CLAUDE, marks: dict[int, str] | None = None) -> Prompt:
    """Pieces such as `system:sys:4000`, `block:doc:8000`, `message:q1:30`: edge, text, tokens."""
    digest, total, points = model.encode(), 0, []
    for place, piece in enumerate(pieces):
        edge, text, tokens = piece.split(":")
        digest = hashlib.blake2b(digest + text.encode(), digest_size=16).digest()
        total += int(tokens)
        mark = (marks or {}).get(place, "")
        points.append(Point(digest, total, place, mark, edge, edge != "step"))  # type: ignore[arg-type]
    return Prompt(tuple(points), profile_of("maker", model).minimum)


def branches(count: int, *shared: str, model: str = CLAUDE, own: str = "message:q{}:30") -> list[Prompt]:
    """Prompts that share all but a short last message."""
    return [prompt(*shared, own.format(number), model=model) for number in range(count)]


def seen_by_provider(plan: Plan) -> Prompt:
    """The prompt with the breakpoints of the plan."""
    points = list(plan.prompt.points)
    for at, life in plan.marks:
        points[at] = points[at]._replace(mark=life)
    return plan.prompt._replace(points=tuple(points))
