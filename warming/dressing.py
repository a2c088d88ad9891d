"""The bytes of a request as it is sent: breakpoints where the plan says, streamed where others wait for its content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from adapters.edit import set_member
from adapters.marking import BREAKPOINT, Place, explicit, legal, marked
from adapters.prompt_blocks import blocks, wire_of
from adapters.spans import Path
from warming.breakpoints import Mark
from warming.plan import Plan
from warming.request import Request

CHAT = "openai-chat"
"""Its streams carry usage only if asked to."""


class Dressed(NamedTuple):
    raw: bytes
    parsed: dict[str, Any]
    changed: bool
    modified: int
    """Bytes."""
    streamed: bool
    """Whether a stream is asked for that the client did not ask for."""


def paths_of(request: Request, places: Sequence[int]) -> list[Path | None]:
    """Where in the body the blocks of these points stand; None for a point inside a text, and for none."""
    points = request.prompt.points
    found = [
        block.path for block in blocks(request.call.parsed, request.api, wire_of(request.api, request.terms.profile))
    ]
    paths: list[Path | None] = []
    for at in places:
        inside = not 0 <= at < len(points) or points[at].edge == "step"
        place = -1 if inside else at - sum(point.edge == "step" for point in points[:at])
        paths.append(found[place] if 0 <= place < len(found) else None)
    return paths


def with_marks(request: Request, marks: Sequence[Mark]) -> bytes:
    """The body with these breakpoints, as far as the provider takes them beside the client's."""
    if not marks:
        return request.raw
    wire = wire_of(request.api, request.terms.profile)
    paths = paths_of(request, [at for at, _ in marks])
    places = [Place(path, life) for path, (_, life) in zip(paths, marks, strict=True) if path is not None]
    # The most important ones last: what is deepest is what the request is there for.
    taken = legal(request.call.parsed, places[::-1], api=request.api, wire=wire)
    return marked(request.raw, request.call.parsed, api=request.api, places=taken, wire=wire)


def dressed(request: Request, plan: Plan, *, stream: bool) -> Dressed:
    call = request.call
    raw = with_marks(request, plan.marks)
    if plan.explicit and wire_of(request.api, request.terms.profile) == BREAKPOINT:
        raw = explicit(raw, call.parsed)
    if stream:
        raw = set_member(raw, "stream", b"true")
        if request.api == CHAT:
            given = call.parsed.get("stream_options")
            options = {**(given if isinstance(given, dict) else {}), "include_usage": True}
            raw = set_member(raw, "stream_options", msgspec.json.encode(options))
    if raw == request.raw:
        return Dressed(raw, call.parsed, False, 0, False)
    return Dressed(raw, msgspec.json.decode(raw), True, abs(len(raw) - len(request.raw)), stream)
