"""Where two JSON values differ, member by member. Pure.

Values are compared as the exact key counts them: `1`, `1.0` and `true` are three, members come in any order, text
counts to the letter. The work is bounded: what is equal is compared as a whole, what differs is gone into, to a depth
and for a number of steps.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from adapters.texts import common_prefix

MOST = 20
STEPS = 50_000
"""Pairs of values that are compared at most; a conversation of ten thousand turns takes about twenty thousand."""

DEPTH = 48
"""Deeper values are compared as a whole."""

LENGTH = 80
LEAD_IN = 20
"""How many characters of an excerpt stand before the difference."""

WINDOW = 1000
"""Characters around a difference that are looked at for credentials."""

LONGEST_NAME = 60
REORDERED = 2000
"""Items of a list that is looked at for being another one in another order."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,59}")

_encode = msgspec.json.Encoder(order="deterministic").encode


class Absent:
    """What stands where one of the two has nothing."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()


class Difference(NamedTuple):
    path: str
    """`temperature`, `messages[3].content`, `messages[5-9]` for a run of items that only one side has, `x["a b"]`."""
    kind: str
    """`changed`; `added`: only the second has it; `removed`: only the first; `order`: the same items in another one."""
    here: Any = ABSENT
    there: Any = ABSENT
    """Of a run its first item."""


class Found(NamedTuple):
    differences: tuple[Difference, ...] = ()
    complete: bool = True
    """False: there are more, or looking for them all was too much."""


class _Pair(NamedTuple):
    path: str
    depth: int
    here: Any
    there: Any


def differences(here: Any, there: Any, *, most: int = MOST, steps: int = STEPS, depth: int = DEPTH) -> Found:
    """From the first to the second, in the order of the first. Total: any values that JSON can be decoded to."""
    found: list[Difference] = []
    ahead: list[Iterator[_Pair]] = [iter((_Pair("", 0, here, there),))]
    while ahead:
        pair = next(ahead[-1], None)
        if pair is None:
            ahead.pop()
            continue
        if not steps:
            return Found(tuple(found), False)
        steps -= 1
        if same(pair.here, pair.there):
            continue
        within = _within(pair) if pair.depth < depth else None
        if within is not None:
            ahead.append(within)
            continue
        if len(found) == most:
            return Found(tuple(found), False)
        found.append(_told(pair))
    return Found(tuple(found))


def same(here: Any, there: Any) -> bool:
    """Whether both have the same canonical form."""
    if here is there:
        return True
    if type(here) is not type(there):
        return False
    if isinstance(here, float):
        return repr(here) == repr(there)  # -0.0 is written otherwise than 0.0
    try:
        # `==` is quick to see a difference, and takes 1 for 1.0 and for true: so where it sees none, that is no proof.
        return bool(here == there) and (not isinstance(here, dict | list) or _encode(here) == _encode(there))
    except (RecursionError, ValueError, OverflowError):
        return False  # too deep or too large for one comparison: it is made piece by piece


def _told(pair: _Pair) -> Difference:
    if pair.there is ABSENT:
        kind = "removed"
    elif pair.here is ABSENT:
        kind = "added"
    elif isinstance(pair.here, list) and isinstance(pair.there, list):
        kind = "order" if _reordered(pair.here, pair.there) else "changed"
    else:
        kind = "changed"
    return Difference(pair.path, kind, pair.here, pair.there)


def _within(pair: _Pair) -> Iterator[_Pair] | None:
    """The pairs inside of this one; None where it is one difference itself."""
    path, depth, here, there = pair.path, pair.depth + 1, pair.here, pair.there
    if isinstance(here, dict) and isinstance(there, dict):
        return _members(path, depth, here, there)
    if isinstance(here, list) and isinstance(there, list) and not _reordered(here, there):
        return _items(path, depth, here, there)
    return None


def _members(path: str, depth: int, here: Mapping[Any, Any], there: Mapping[Any, Any]) -> Iterator[_Pair]:
    for name in (*here, *[name for name in there if name not in here]):
        yield _Pair(_member(path, name), depth, here.get(name, ABSENT), there.get(name, ABSENT))


def _items(path: str, depth: int, here: Sequence[Any], there: Sequence[Any]) -> Iterator[_Pair]:
    """Items that stand at both ends are those of the other list; between them each is held against the one in its
    place, and those left over are one run."""
    shorter = min(len(here), len(there))
    start = end = 0
    if len(here) != len(there):
        start = next((i for i in range(shorter) if not same(here[i], there[i])), shorter)
        rest = range(shorter - start)
        end = next((i for i in rest if not same(here[-1 - i], there[-1 - i])), len(rest))
    both = shorter - end
    for i in range(start, both):
        yield _Pair(f"{path}[{i}]", depth, here[i], there[i])
    last = max(len(here), len(there)) - end - 1
    if last >= both:
        run = f"{path}[{both}]" if last == both else f"{path}[{both}-{last}]"
        sides = (here[both], ABSENT) if len(here) > len(there) else (ABSENT, there[both])
        yield _Pair(run, depth, sides[0], sides[1])


def _reordered(here: Sequence[Any], there: Sequence[Any]) -> bool:
    if len(here) != len(there) or not 2 <= len(here) <= REORDERED:
        return False
    try:
        return Counter(map(_encode, here)) == Counter(map(_encode, there))
    except (RecursionError, ValueError, OverflowError):
        return False


def _member(path: str, name: Any) -> str:
    text = name if isinstance(name, str) else str(name)
    if _NAME.fullmatch(text):
        return f"{path}.{text}" if path else text
    short = text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"
    return f"{path}[{_json(short)}]"


def excerpts(
    difference: Difference, *, clean: Callable[[str], str] | None = None, length: int = LENGTH
) -> tuple[str | None, str | None]:
    """Both sides around the first character in which they differ, at most `length` characters each; None where a side
    has nothing. Texts as they are, other values as JSON. `clean` takes out what is not to be shown, such as
    credentials: before anything is cut, since half of one still is one."""
    here, there = difference.here, difference.there
    raw = all(isinstance(side, str | Absent) for side in (here, there))
    sides = [None if side is ABSENT else side if raw else _json(side) for side in (here, there)]
    known = [side for side in sides if side is not None]
    at = common_prefix(*known) if len(known) == 2 else 0
    if clean is not None:
        start = max(0, at - WINDOW)
        sides = [None if side is None else _window(clean, side, start, at) for side in sides]
        known = [side for side in sides if side is not None]
        at = common_prefix(*known) if len(known) == 2 else 0
    one, other = [None if side is None else _cut(side, max(0, at - LEAD_IN), length) for side in sides]
    return one, other


def _window(clean: Callable[[str], str], text: str, start: int, at: int) -> str:
    end = at + WINDOW
    return ("…" if start else "") + clean(text[start:end]) + ("…" if end < len(text) else "")


def _cut(text: str, start: int, length: int) -> str:
    begin = "…" if start else ""
    room = length - len(begin)
    rest = text[start:]
    return begin + (rest if len(rest) <= room else rest[: room - 1] + "…")


def _json(value: Any) -> str:
    try:
        return _encode(value).decode()
    except (RecursionError, ValueError, OverflowError, TypeError):
        return f"({type(value).__name__})"
