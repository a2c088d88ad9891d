"""Patterns with `*` for any characters and `?` for one; everything else stands for itself. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

LONGEST = 1024
"""Characters of a pattern."""

MOST = 16
"""Stars in one: what a match takes grows with each of them."""


class BadPattern(ValueError):
    """Too long, or with too many stars."""


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a whole text is what the pattern says, letter case included. Raises `BadPattern`."""
    pattern = re.sub(r"\*+", "*", pattern)
    if len(pattern) > LONGEST or pattern.count("*") > MOST:
        raise BadPattern(f"a pattern has at most {LONGEST} characters and {MOST} stars")
    if pattern == "*":
        return lambda text: True
    if "*" not in pattern and "?" not in pattern:
        return pattern.__eq__
    first, star, last = pattern.partition("*")
    if star and "*" not in last and "?" not in pattern:  # the most frequent, ten times as quick
        shortest = len(first) + len(last)
        return lambda text: len(text) >= shortest and text.startswith(first) and text.endswith(last)
    return lambda text: _matches(pattern, text)


def _matches(pattern: str, text: str) -> bool:
    """Piece by piece, each at the first place where it fits: at most the product of the lengths, whatever is asked."""
    first, *pieces = pattern.split("*")
    if not pieces:
        return len(text) == len(first) and _at(first, text, 0)
    *middle, last = pieces
    if len(text) < len(first) + len(last) or not _at(first, text, 0) or not _at(last, text, len(text) - len(last)):
        return False
    place, end = len(first), len(text) - len(last)
    for piece in middle:
        found = next((at for at in range(place, end - len(piece) + 1) if _at(piece, text, at)), -1)
        if found < 0:
            return False
        place = found + len(piece)
    return True


def _at(piece: str, text: str, place: int) -> bool:
    if "?" not in piece:
        return text.startswith(piece, place)
    return all(one in ("?", other) for one, other in zip(piece, text[place : place + len(piece)], strict=True))
