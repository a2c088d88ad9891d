"""Edits of a JSON body at the level of bytes: what is not edited stays as it came, to the byte.

Providers' prompt caches hash what they render from our bytes, so a body is never decoded and encoded again for the sake
of one member.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]', re.DOTALL)


class Member(NamedTuple):
    """Where one member of the top-level object stands: `raw[start:end]` is name, colon and value."""

    name: str
    start: int
    value: int
    end: int


def members(raw: bytes) -> Iterator[Member]:
    """The members of the top-level object, in order.

    `raw` must be valid JSON in which no name stands twice: the dialect has parsed it, and refused it otherwise.
    """
    depth, name, start, value = 0, None, 0, 0
    for match in _TOKEN.finditer(raw):
        token = raw[match.start() : match.start() + 1]
        if token in b"{[":
            depth += 1
        elif token in b"}]":
            depth -= 1
            if depth == 0 and name is not None:
                yield Member(name, start, value, _end(raw, value, match.start()))
        elif depth == 1 and token == b'"' and name is None:
            name, start = msgspec.json.decode(match.group(), type=str), match.start()
        elif depth == 1 and token == b":":
            value = match.end()
        elif depth == 1 and token == b"," and name is not None:
            yield Member(name, start, value, _end(raw, value, match.start()))
            name = None


def _end(raw: bytes, value: int, stop: int) -> int:
    """The end of a value, white space in front of the next comma or brace left out."""
    return value + len(raw[value:stop].rstrip()) if raw[stop - 1 : stop].isspace() else stop


def drop_member(raw: bytes, name: str) -> bytes:
    """`raw` without this top-level member and the one comma that separated it."""
    found = list(members(raw))
    for index, member in enumerate(found):
        if member.name != name:
            continue
        if index + 1 < len(found):
            return raw[: member.start] + raw[found[index + 1].start :]
        start = found[index - 1].end if index else member.start
        return raw[:start] + raw[member.end :]
    return raw


def set_member(raw: bytes, name: str, value: bytes) -> bytes:
    """`raw` with this top-level member set to the JSON `value`: in place where it exists, else as the last one."""
    last = None
    for member in members(raw):
        last = member
        if member.name == name:
            return raw[: member.value] + value + raw[member.end :]
    added = msgspec.json.encode(name) + b":" + value
    if last is None:
        brace = raw.index(b"{") + 1
        return raw[:brace] + added + raw[brace:]
    return raw[: last.end] + b"," + added + raw[last.end :]
