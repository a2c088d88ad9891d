"""Answers that hold code or are data: whether two of them say the same. Pure.

Nobody can tell by reading whether two programs do the same, and a model seldom writes one twice in the same way. What
can be told is that they are the same but for comments and spacing, or the same but for a value: then they differ.
"""

from __future__ import annotations

import json
import re
from typing import Any

_BLOCK = re.compile(r"^[ \t]*(`{3,12}(?!`)|~{3,12}(?!~))[^\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"(?<!`)(`+)([^`\n]+)\1(?!`)")
_COMMENT = re.compile(r"(?:(?<=\s)|^)(?:#(?!!|include|define|if|endif)|//|--(?=\s)).*$", re.MULTILINE)
_TOKEN = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|[^\W\d]\w*|[0-9][\w.]*|\S")
_NAME = re.compile(r"[^\W\d]\w*")
_DEPTH = 60
"""Levels of data that are looked into."""


def split(text: str) -> tuple[str, list[str]]:
    """What is said around the blocks of code, and these. Code within a line stays where it is, without its marks."""
    blocks = [found[2] for found in _BLOCK.finditer(text)]
    around = _BLOCK.sub("\n", text) if blocks else text
    return _INLINE.sub(r"\2", around), blocks


def codes_agree(ours: list[str], theirs: list[str]) -> bool | None:
    """True where all blocks are the same but for comments and spacing, False where one differs in a value or a sign
    only, None otherwise."""
    if len(ours) != len(theirs):
        return None
    told = [_agree(one, other) for one, other in zip(ours, theirs, strict=True)]
    return False if False in told else None if None in told else True


def _agree(one: str, other: str) -> bool | None:
    ours, theirs = _tokens(one), _tokens(other)
    if ours == theirs:
        return True if _indents(one) == _indents(other) else None
    if len(ours) != len(theirs):
        return None
    differ = [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]]
    # Another name may be the same thing by another name. Another number, text or operator is not.
    named = any(_NAME.match(this) or _NAME.match(that) for this, that in differ)
    return None if named or any(_quoted(this) == _quoted(that) for this, that in differ) else False


def _tokens(code: str) -> list[str]:
    return _TOKEN.findall(_COMMENT.sub("", code))


def _indents(code: str) -> list[int]:
    """How deep each line stands, in levels of its own making: two spaces or four are the same."""
    depths: list[int] = []
    open_: list[int] = [0]
    for line in _COMMENT.sub("", code).expandtabs(4).splitlines():
        if not line.strip():
            continue
        width = len(line) - len(line.lstrip())
        while open_ and width < open_[-1]:
            open_.pop()
        if not open_ or width > open_[-1]:
            open_.append(width)
        depths.append(len(open_))
    return depths


def _quoted(token: str) -> str:
    """A text without its quotation marks; other tokens with a mark of their own."""
    return token[1:-1] if token[:1] in "\"'" else "\0" + token


def data_agrees(a: str, b: str) -> bool | None:
    """The same for two answers that are JSON objects or lists: False where a number or a truth value differs. Texts may
    say the same in other words, and members that only one has may say nothing."""
    one, other = _data(a), _data(b)
    if one is None or other is None:
        return None
    return _same(one, other, 0)


def _data(text: str) -> Any:
    text = text.strip()
    fenced = _BLOCK.fullmatch(text)
    text = fenced[2].strip() if fenced else text
    if text[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _same(one: Any, other: Any, depth: int) -> bool | None:
    if depth > _DEPTH:
        return None
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return None
        told = [_same(value, other[name], depth + 1) for name, value in one.items()]
    elif isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return None
        told = [_same(this, that, depth + 1) for this, that in zip(one, other, strict=True)]
    elif isinstance(one, str) and isinstance(other, str):
        return True if one == other else None
    elif isinstance(one, bool) or isinstance(other, bool):
        return one is other
    elif isinstance(one, int | float) and isinstance(other, int | float):
        return one == other
    else:
        return one is None and other is None
    return False if False in told else None if None in told else True
