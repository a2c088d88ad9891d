"""What a recorded request asked of a prompt cache: its parts in the order of the prompt, and its points. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from adapters.chain import MARKS, chain, extend
from adapters.profiles import Profile
from adapters.prompt import Point
from adapters.tokens import Counting
from proxy.sessions import Recorded

SETTINGS: dict[str, tuple[tuple[str, ...], ...]] = {
    "speed": (("speed",),),
    "thinking": (("thinking",),),
    "effort": (("reasoning_effort",), ("reasoning", "effort"), ("output_config", "effort")),
    "tool_choice": (("tool_choice",),),
    "parallel_tool_calls": (("parallel_tool_calls",),),
    "text_format": (("response_format",), ("text", "format")),
    "verbosity": (("verbosity",), ("text", "verbosity")),
    "context_management": (("context_management",),),
    "service_tier": (("service_tier",),),
    "prompt_cache_key": (("prompt_cache_key",),),
}
"""Names of changes in the profiles' `breaks`, and the members that they are changes of."""

IMAGES = frozenset({"image", "image_url", "input_image"})

_encode = msgspec.json.Encoder(order="deterministic").encode


class Shape(NamedTuple):
    """A recorded request, whichever API it was for."""

    model: str
    tools: list[Any]
    settings: dict[str, Any]
    """What breaks a prefix of this provider where it changes, by the name of the change; absent ones are left out."""
    turns: list[Any]
    """The system prompt, where it is a member of its own, then the messages (of Responses: the items of its input)."""
    lead: int
    """How many turns stand before the first message."""


def shape_of(recorded: Recorded, profile: Profile) -> Shape:
    body = recorded.body or {}
    own = body.get("system") if recorded.route == "messages" else body.get("instructions")
    said = body.get("messages", body.get("input"))
    turns = said if isinstance(said, list) else [] if said is None else [{"role": "user", "content": said}]
    lead = [{"role": "system", "content": own}] if own else []
    tools = body.get("tools")
    return Shape(
        recorded.model,
        tools if isinstance(tools, list) else [] if tools is None else [tools],
        _settings(body, turns, profile),
        [*lead, *turns] if lead else turns,
        len(lead),
    )


def _settings(body: Mapping[str, Any], turns: Iterable[Any], profile: Profile) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, places in SETTINGS.items():
        if name in profile.breaks:
            for place in places:
                value = _at(body, place)
                if value is not None:
                    found[name] = value
    if "images" in profile.breaks and any(map(_pictured, turns)):
        found["images"] = True
    return found


def _at(body: Any, place: Sequence[str]) -> Any:
    for name in place:
        body = body.get(name) if isinstance(body, Mapping) else None
    return body


def _pictured(turn: Any) -> bool:
    content = turn.get("content") if isinstance(turn, Mapping) else None
    return isinstance(content, list) and any(
        isinstance(part, Mapping) and isinstance(part.get("type"), str) and part["type"] in IMAGES for part in content
    )


def role_of(turn: Any) -> str:
    """The role as it was written; of an item without one its type."""
    if not isinstance(turn, Mapping):
        return ""
    role = turn.get("role", turn.get("type"))
    return role if isinstance(role, str) else ""


def front_of(shape: Shape) -> int:
    """How many turns the system prompt takes: those before anybody spoke."""
    for place, turn in enumerate(shape.turns):
        if role_of(turn) not in ("system", "developer"):
            return place
    return len(shape.turns)


def points_of(
    shape: Shape, profile: Profile, salt: bytes, count: Counting, like: tuple[Shape, list[Point]] | None = None
) -> list[Point]:
    """One point for the tools (with all that breaks them), one for each turn. Tokens are estimates.

    `like`: an earlier request and its points, which are taken over as far as both agree.
    """
    same = 0
    if like is not None and heads_agree(like[0], shape):
        same = agreeing(like[0].turns, shape.turns)
        points = like[1][: 1 + same]
    else:
        head = _mixed(salt, shape.settings, profile, ("tools", "system"))
        points = chain({"model": shape.model, "tools": shape.tools}, head, count)
    front = front_of(shape)
    if same < front:
        points = extend(points, shape.turns[same:front], count)
        points[front] = points[front]._replace(edge="system")
        same = front
    if len(points) == 1 + front and len(shape.turns) > same:
        # What breaks the messages alone is mixed in behind the system prompt, whose own point it leaves as it is.
        facts = _mixed(b"", shape.settings, profile, ("messages",))
        seed = points[-1]._replace(digest=_digest(points[-1].digest + facts)) if facts else points[-1]
        more = extend([seed], shape.turns[same:], count)[1:]
    else:
        more = extend(points[-1:], shape.turns[same:], count)[1:]
    return points + _placed(more, shape.turns[same:], points[-1].place, role_of(shape.turns[same - 1]) if same else "")


def heads_agree(a: Shape, b: Shape) -> bool:
    return a.model == b.model and a.settings == b.settings and (a.tools is b.tools or a.tools == b.tools)


def agreeing(a: Sequence[Any], b: Sequence[Any]) -> int:
    """How many leading turns two requests have in common. Equal ones of a session are mostly one object."""
    shared = 0
    for one, other in zip(a, b, strict=False):
        if one is not other and not (one == other and _encode(one) == _encode(other)):
            break
        shared += 1
    return shared


def _mixed(salt: bytes, settings: Mapping[str, Any], profile: Profile, levels: tuple[str, ...]) -> bytes:
    """The settings that break this level first (tools and system are one point here), behind the salt."""
    facts = {name: value for name, value in settings.items() if (profile.breaks.get(name) or ("",))[0] in levels}
    return salt + b"\x00" + _encode(facts) if facts else salt


def _placed(points: list[Point], turns: Sequence[Any], place: int, role: str) -> list[Point]:
    """The results of parallel tool calls are one position of a lookback; each other turn is one."""
    placed = []
    for point, turn in zip(points, turns, strict=True):
        before, role = role, role_of(turn)
        place += not (before == role == "tool")
        placed.append(point._replace(place=place))
    return placed


def marked_turns(shape: Shape) -> dict[int, str]:
    """The points at which the request itself sets a breakpoint, with the life that it asks for."""
    found = {1 + place: life for place, turn in enumerate(shape.turns) if (life := _marked(turn))}
    tools = [life for tool in shape.tools if (life := _marked(tool))]
    if tools:
        found[0] = tools[-1]
    return found


def _marked(turn: Any) -> str:
    if not isinstance(turn, Mapping):
        return ""
    content = turn.get("content")
    for holder in (turn, *(content if isinstance(content, list) else ())):
        if isinstance(holder, Mapping) and any(life := life_of(holder.get(mark)) for mark in MARKS):
            return life
    return ""


def life_of(control: Any) -> str:
    """The life that a breakpoint asks for, `default` where it does not say; empty where there is no breakpoint."""
    if not isinstance(control, Mapping):
        return ""
    life = control.get("ttl")
    return life if isinstance(life, str) and life else "default"


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
