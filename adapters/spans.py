"""Where the values of a JSON body stand: byte spans by path, in one pass over what lies on the way.

A path is the steps from the whole body down: `("messages", 3, "content", 1)`. Values beside the way are skipped by the
decoder, which is many times faster than reading their tokens here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

Path = tuple[str | int, ...]


class Span(NamedTuple):
    """`raw[start:end]` is one value, without the white space around it."""

    start: int
    end: int


class Edit(NamedTuple):
    """`raw[start:end]` is to be replaced."""

    start: int
    end: int
    by: bytes


_GAP = re.compile(rb"[ \t\r\n]*,?[ \t\r\n]*")
_NAME = re.compile(rb'[ \t\r\n]*,?[ \t\r\n]*"[^"\\]*(?:\\.[^"\\]*)*"[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)
_BLANK = b" \t\r\n"

TWICE = "a name stands twice in one object"

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


def spans(raw: bytes, paths: Iterable[Path]) -> dict[Path, Span]:
    """The spans of those values that exist.

    `raw` must be valid JSON in which no name stands twice in one object (as the dialects check); where one does on the
    way, raises `ValueError`.
    """
    found: dict[Path, Span] = {}
    begin = len(raw) - len(raw.lstrip(_BLANK))
    _find(memoryview(raw), raw, Span(begin, len(raw.rstrip(_BLANK))), 0, list(paths), found)
    return found


def edited(raw: bytes, edits: Sequence[Edit]) -> bytes:
    """`raw` with all edits made. They must not overlap."""
    parts, done = [], 0
    for edit in sorted(edits):
        parts += [raw[done : edit.start], edit.by]
        done = edit.end
    return b"".join((*parts, raw[done:]))


def value_at(parsed: Any, path: Path) -> Any:
    """The decoded value there; None where there is none."""
    for step in path:
        if isinstance(parsed, dict) and isinstance(step, str):
            parsed = parsed.get(step)
        elif isinstance(parsed, list) and isinstance(step, int) and 0 <= step < len(parsed):
            parsed = parsed[step]
        else:
            return None
    return parsed


def _find(view: memoryview, raw: bytes, span: Span, depth: int, paths: list[Path], found: dict[Path, Span]) -> None:
    below: dict[str | int, list[Path]] = {}
    for path in paths:
        if len(path) == depth:
            found[path] = span
        else:
            below.setdefault(path[depth], []).append(path)
    if not below:
        return
    opening = raw[span.start : span.start + 1]
    children = _in_object(view, raw, span) if opening == b"{" else _in_array(view, raw, span) if opening == b"[" else ()
    for step, start, end in children:
        if step in below:
            _find(view, raw, Span(start, end), depth + 1, below.pop(step), found)
            if not below:
                return


def _in_array(view: memoryview, raw: bytes, span: Span) -> Iterator[tuple[str | int, int, int]]:
    end, gap = span.start + 1, _GAP.match
    for index, element in enumerate(_elements(view[span.start : span.end])):
        start = gap(raw, end).end()  # type: ignore[union-attr]  # no gap is one as well
        end = start + len(element)
        yield index, start, end


def _in_object(view: memoryview, raw: bytes, span: Span) -> list[tuple[str | int, int, int]]:
    place, laid = span.start + 1, list[tuple[str | int, int, int]]()
    for name, member in _members(view[span.start : span.end]).items():
        matched = _NAME.match(raw, place)
        if matched is None:
            raise ValueError(TWICE)
        place = matched.end() + len(member)
        laid.append((name, matched.end(), place))
    if raw[place : span.end - 1].strip(_BLANK):
        # The decoder has kept fewer members than there are, and their places can't be told.
        raise ValueError(TWICE)
    return laid
