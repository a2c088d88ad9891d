"""Where two prompts begin to differ: model, tool, setting, or the message, its part and the character in it.

What is shown of a prompt is a short excerpt without credentials: they are taken out of the whole text before it is cut,
since half a key is still half a key. Offsets count in the text as it was sent. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from adapters.chain import MARKS, segments
from adapters.profiles import Level, Profile
from adapters.texts import common_prefix
from proxy.explain_prompt import Shape, agreeing, front_of, role_of
from proxy.explain_volatile import volatile
from proxy.redact import redact, redact_text

EXCERPT = 60
"""Characters that are shown of each side."""

LEAD_IN = 20
"""How many of them stand before the difference."""

_encode = msgspec.json.Encoder().encode


class Difference(NamedTuple):
    """The first place where a prompt is not what an earlier one was."""

    what: str
    """`model`, `tools`, a setting by its name in the profiles' `breaks`, `system` or `message`."""
    breaks: Level
    """The first level that can't be read any more."""
    name: str = ""
    """Of tools: which one, and what became of it. Of messages: `changed`, `removed`, `inserted`, or
    `compacted` (the history became shorter)."""
    turn: int = 0
    """Index among the turns, where it is `system` or `message`."""
    part: int | None = None
    """Index of the content part; None where the content is one text, or something beside the content differs."""
    role: str = ""
    offset: int = 0
    """Characters of the part (where it is no text: of its JSON) that are still the same."""
    before: str = ""
    now: str = ""
    kind: str = ""
    """What it is where it comes anew each time (`explain_volatile.KINDS`)."""
    prefix: float = 0.0
    """Share of the turn that stands before the difference."""
    suffix: float = 0.0
    """Share of the turn behind it that is the same again."""


def difference(before: Shape, now: Shape, profile: Profile) -> Difference | None:
    """None where one of them only goes on from the other."""
    if before.model != now.model:
        return Difference("model", "tools", before=_short(before.model), now=_short(now.model))
    if before.tools is not now.tools and (found := _tools(before.tools, now.tools)) is not None:
        return found
    front = min(front_of(before), front_of(now))
    same = agreeing(before.turns, now.turns)
    settings = _setting(before.settings, now.settings, profile)
    if settings is not None and (settings.breaks != "messages" or same >= front):
        return settings
    if same == min(len(before.turns), len(now.turns)):
        return None
    return _turn(before.turns, now.turns, same, "system" if same < front else "message")


def _tools(before: Sequence[Any], now: Sequence[Any]) -> Difference | None:
    old, new = segments({"messages": before})[1:], segments({"messages": now})[1:]
    if old == new:
        return None
    if Counter(old) == Counter(new):
        return Difference("tools", "tools", "the same in another order")
    place = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    names = (
        {name for tool in before if (name := _tool_name(tool))},
        {name for tool in now if (name := _tool_name(tool))},
    )
    if place == len(new) or (place < len(old) and _tool_name(before[place]) not in names[1]):
        name = f"{_named(before[place])} is gone"
    elif place == len(old) or _tool_name(now[place]) not in names[0]:
        name = f"{_named(now[place])} is new"
    elif _tool_name(before[place]) != _tool_name(now[place]):
        name = f"{_named(now[place])} stands elsewhere"
    else:
        name = f"{_named(now[place])} changed"
    if place >= min(len(old), len(new)):
        return Difference("tools", "tools", name)
    return Difference("tools", "tools", name, **_compared(_text(before[place]), _text(now[place])))


def _tool_name(tool: Any) -> str:
    function = tool.get("function") if isinstance(tool, Mapping) else None
    holder = function if isinstance(function, Mapping) else tool
    name = holder.get("name", holder.get("type")) if isinstance(holder, Mapping) else None
    return name if isinstance(name, str) else ""


def _named(tool: Any) -> str:
    return _short(_tool_name(tool)) or "a tool without a name"


def _setting(before: Mapping[str, Any], now: Mapping[str, Any], profile: Profile) -> Difference | None:
    """The change that breaks most, by the order of levels."""
    found: Difference | None = None
    for name in [*before, *(name for name in now if name not in before)]:
        levels = profile.breaks.get(name)
        a, b = before.get(name), now.get(name)
        if levels and a != b and (found is None or ORDER[levels[0]] < ORDER[found.breaks]):
            found = Difference(name, levels[0], before=_short(_text(a)), now=_short(_text(b)))
    return found


ORDER: dict[Level, int] = {"tools": 0, "system": 1, "messages": 2}


def _turn(before: Sequence[Any], now: Sequence[Any], place: int, what: str) -> Difference:
    old, new = before[place], now[place]
    role = _short(role_of(new))
    breaks: Level = "system" if what == "system" else "messages"
    ids = set(segments({"messages": before[place + 1 : place + 1 + NEAR]})[1:])
    if what == "message" and segments({"messages": [new]})[1] in ids:
        name = "removed"
    elif what == "message" and segments({"messages": [old]})[1] in segments({"messages": now[place:][:NEAR]})[2:]:
        name = "inserted"
    elif what == "message" and len(now) < len(before):
        name = "compacted"
    else:
        name = "changed"
    part, a, b = _differing(old, new)
    return Difference(what, breaks, name, place, part, role, **_compared(a, b))


NEAR = 50
"""Turns behind a difference among which a removed or inserted one is looked for."""


def _differing(old: Any, new: Any) -> tuple[int | None, str, str]:
    """The first parts of two turns that differ, as texts."""
    if role_of(old) != role_of(new) or not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return None, _text(old), _text(new)
    a, b = old.get("content"), new.get("content")
    if isinstance(a, list) and isinstance(b, list):
        for place, (one, other) in enumerate(zip(a, b, strict=False)):
            if _text(one) != _text(other):
                return place, _text(one), _text(other)
        if len(a) != len(b):
            place = min(len(a), len(b))
            return place, _text(a[place]) if place < len(a) else "", _text(b[place]) if place < len(b) else ""
    elif _text(a) != _text(b):
        return None, _text(a), _text(b)
    rest = [{name: value for name, value in turn.items() if name != "content"} for turn in (old, new)]
    return None, _text(rest[0]), _text(rest[1])


def _text(value: Any) -> str:
    """What is said, where it is text; else its JSON, without what directs the cache."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        if value.get("type") in ("text", "input_text", "output_text") and isinstance(text := value.get("text"), str):
            return text
        value = {name: item for name, item in value.items() if name not in MARKS}
    return _encode(value).decode()


def _compared(a: str, b: str) -> dict[str, Any]:
    """The members of a `Difference` that say how two texts differ."""
    offset = common_prefix(a, b)
    rest = common_suffix(a[offset:], b[offset:])
    clean_a, clean_b = _clean(a), _clean(b)
    cut = max(0, common_prefix(clean_a, clean_b) - LEAD_IN)
    return {
        "offset": offset,
        "before": _short(clean_a[cut : cut + EXCERPT]),
        "now": _short(clean_b[cut : cut + EXCERPT]),
        "kind": volatile(a, b, offset),
        "prefix": offset / len(b) if b else 0.0,
        "suffix": rest / len(b) if b else 0.0,
    }


def _clean(text: str) -> str:
    """Without credentials. What is JSON is read as such: there they stand under names, too."""
    if text[:1] in ("{", "["):
        try:
            return _encode(redact(msgspec.json.decode(text))).decode()
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            pass
    return redact_text(text)


def _short(text: str) -> str:
    """One printable line of at most `EXCERPT` characters, whatever a prompt holds."""
    return "".join(char if char.isprintable() else " " for char in redact_text(text)[:EXCERPT])


def common_suffix(a: str, b: str) -> int:
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[len(a) - middle : len(a) - low] == b[len(b) - middle : len(b) - low]:
            low = middle
        else:
            high = middle - 1
    return low
