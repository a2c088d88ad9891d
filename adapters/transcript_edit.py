"""Edits of a conversation in the bytes of a request: the edited pieces are written anew, all else stays as it came.

Ids, roles and the number of messages never change, so that every result keeps its call. Marks of the prompt cache stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from adapters.body import mapping
from adapters.chain import MARKS
from adapters.tokens import PER_TOOL_CALL, estimate
from adapters.transcript import Path, Piece, Transcript
from adapters.transcript_parts import PATHS, TEXTS

LONG = 200
"""Bytes of JSON; a shorter argument of a call stays when the others are edited, and so does one that names files."""

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'


def _whole(depth: int) -> bytes:
    """The pattern of an object or array with no more than so many levels of others inside."""
    inside = rb'(?:[^"{}\[\]]++|' + _STRING + (b"|" + _whole(depth - 1) if depth else b"") + rb")*+"
    return rb"\{" + inside + rb"\}|\[" + inside + rb"\]"


_TOKEN = re.compile(_STRING + b"|" + _whole(4) + rb"|[{}\[\],:]", re.DOTALL)
"""A text, an object or array that is not deep, or a single character of one that is. Most messages are one match then,
which makes this several times faster; as every match goes without backtracking, no byte is looked at more than a few
times."""

_BLANK = b" \t\r\n"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Unfit(ValueError):
    """The body is not the one that the transcript was made of, or has no place for this edit."""


class Span(NamedTuple):
    """Where a value stands."""

    name: str | int
    """Of the member, or the place of the element."""
    start: int
    end: int


Places = dict[Path, tuple[int, int]]

Change = tuple[int, int, bytes]
"""`raw[start:end]` becomes this."""


def edited(raw: bytes, transcript: Transcript, texts: Mapping[int, str]) -> bytes:
    """`raw` with these texts in place of the pieces with these indices (see `Edit.text`).

    `raw` must be the valid JSON that `transcript` was made of, without a name that stands twice in one object. Raises
    `Unfit`, also where a text holds half of a surrogate pair.
    """
    wanted: dict[Path, int] = {}
    for index in texts:
        wanted[transcript.pieces[index].path] = index
    changes: list[Change] = []
    places: Places = {}
    _walk(raw, _opened(raw, 0), (), _branches(wanted), places)
    for path, index in wanted.items():
        if path not in places:
            raise Unfit("a piece is not where it was")
        start, end = places[path]
        try:
            changes += _changes(raw, start, end, transcript.pieces[index], texts[index])
        except (UnicodeError, msgspec.MsgspecError) as error:
            raise Unfit(f"{error}") from error
    return _applied(raw, changes)


def replaced(transcript: Transcript, texts: Mapping[int, str]) -> Transcript:
    """The transcript of what `edited` makes, without reading that again. Digests stay those of the original."""
    pieces = list(transcript.pieces)
    for index, text in texts.items():
        pieces[index] = shown(pieces[index], text)
    return transcript._replace(pieces=tuple(pieces))


def shown(piece: Piece, text: str) -> Piece:
    """One piece as it is behind an edit."""
    if piece.kind == "call":
        arguments = shortened(piece.text.encode("utf-8", "surrogatepass"), text).decode("utf-8", "surrogatepass")
        return piece._replace(text=arguments, tokens=PER_TOOL_CALL + estimate(piece.tool) + estimate(arguments))
    if piece.kind == "result":
        return piece._replace(text=text, tokens=PER_TOOL_CALL + estimate(text))
    return piece._replace(kind="text", text=text, tokens=estimate(text))


def shortened(arguments: bytes, text: str) -> bytes:
    """The JSON object with `text` for each member that is long; raises `Unfit` where none is, or where it is none."""
    if not arguments.lstrip(_BLANK).startswith(b"{"):
        raise Unfit("the arguments are no object")
    new = _encode(text)
    least = max(LONG, len(new))
    spans = [span for span in children(arguments, 0, len(arguments)) if span.name not in PATHS]
    changes = [(span.start, span.end, new) for span in spans if span.end - span.start > least]
    if not changes:
        raise Unfit("no argument is long")
    return _applied(arguments, changes)


def children(raw: bytes, start: int, end: int) -> Iterator[Span]:
    """The values of the members or elements of the object or array that is `raw[start:end]`, in their order."""
    while start < end and raw[start] in _BLANK:
        start += 1
    array = raw[start : start + 1] == b"["
    depth, place, value = 1, 0, start + 1
    name: str | None = None
    for match in _TOKEN.finditer(raw, start + 1, end):
        at = match.start()
        token = raw[at]
        if token in b"{[":
            depth += match.end() - at == 1
        elif token in b"}]":
            depth -= 1
            if depth == 0:
                if span := _span(raw, place if array else name, value, at):
                    yield span
                return
        elif depth > 1:
            continue
        elif token == 0x2C:
            if span := _span(raw, place if array else name, value, at):
                yield span
            place, value, name = place + 1, at + 1, None
        elif token == 0x3A:
            value = match.end()
        elif not array and name is None:
            name = _decode(match.group())


def _span(raw: bytes, name: str | int | None, start: int, end: int) -> Span | None:
    while start < end and raw[start] in _BLANK:
        start += 1
    while end > start and raw[end - 1] in _BLANK:
        end -= 1
    return None if name is None or start == end else Span(name, start, end)


def _branches(paths: Mapping[Path, int]) -> dict[Any, Any]:
    """A tree of the names on the way to each path."""
    tree: dict[Any, Any] = {}
    for path in paths:
        node = tree
        for name in path:
            node = node.setdefault(name, {})
    return tree


def _walk(raw: bytes, start: int, path: Path, tree: dict[Any, Any], found: Places) -> int:
    """Notes where everything stands that `tree` names in the object or array at `start`, and returns where that ends.

    `children` of `children` would do; but bodies have megabytes, and this reads each byte once.
    """
    name: str | int = 0 if raw[start] == 0x5B else ""
    named, depth, value, at = isinstance(name, int), 1, start + 1, start + 1
    while True:
        if named and name in tree and tree[name] and (inner := _opened(raw, value)) >= at:
            at = _walk(raw, inner, (*path, name), tree[name], found)
            found[*path, name] = (inner, at)
        for match in _TOKEN.finditer(raw, at):
            at = match.end()
            token = raw[match.start()]
            if token in b"{[":
                depth += at - match.start() == 1
            elif token in b"}]":
                depth -= 1
            elif depth > 1:
                continue
            elif token == 0x22 and not named:
                name, named = _decode(match.group()), True
            elif token == 0x3A:
                value = at
                if tree.get(name):
                    break
            if token == 0x2C or not depth:
                if name in tree and (*path, name) not in found and (span := _span(raw, name, value, match.start())):
                    found[*path, name] = (span.start, span.end)
                if not depth:
                    return at
                name, named, value = (name + 1, True, at) if isinstance(name, int) else ("", False, at)
                if named and tree.get(name):
                    break
        else:
            raise Unfit("an object or array does not end")


def _opened(raw: bytes, start: int) -> int:
    """Where the object or array begins that stands here; -1 where none does."""
    while raw[start : start + 1] and raw[start] in _BLANK:
        start += 1
    return start if raw[start : start + 1] in (b"{", b"[") else -1


def _changes(raw: bytes, start: int, end: int, piece: Piece, text: str) -> Iterator[Change]:
    value = raw[start:end]
    if piece.kind == "call":
        if value.startswith(b'"'):
            inner = shortened(_decode(value).encode(), text)
            yield start, end, _encode(inner.decode())
        else:
            yield start, end, shortened(value, text)
    elif piece.kind == "image":
        yield start, end, _as_text(value, text, piece)
    elif value.startswith(b'"'):
        yield start, end, _encode(text)
    elif piece.kind == "result" and value.startswith(b"["):
        yield from _one_text(raw, start, end, text)
    else:
        raise Unfit(f"a {piece.kind} is no text")


def _one_text(raw: bytes, start: int, end: int, text: str) -> Iterator[Change]:
    """Of an array of parts: the new text in the first that is a text, the others of these left out."""
    before, done = start, False
    for span in children(raw, start, end):
        part = _decode(raw[span.start : span.end])
        kind = mapping(part).get("type")
        if isinstance(kind, str) and kind in TEXTS and isinstance(part.get("text"), str):
            if done:
                yield before, span.end, b""
            else:
                done = True
                (inner,) = (each for each in children(raw, span.start, span.end) if each.name == "text")
                yield inner.start, inner.end, _encode(text)
        before = span.end
    if not done:
        raise Unfit("a result has no text")


def _as_text(value: bytes, text: str, piece: Piece) -> bytes:
    """A text part with the marks of the part that it replaces, to the byte."""
    kind = b"input_text" if piece.path[0] == "input" else b"text"
    marks = [
        b"," + _encode(span.name) + b":" + value[span.start : span.end]
        for span in children(value, 0, len(value))
        if span.name in MARKS
    ]
    return b'{"type":"' + kind + b'","text":' + _encode(text) + b"".join(marks) + b"}"


def _applied(raw: bytes, changes: list[Change]) -> bytes:
    done, out = 0, []
    for start, end, new in sorted(changes):
        if start < done:
            raise Unfit("two edits overlap")
        out += [raw[done:start], new]
        done = end
    return b"".join([*out, raw[done:]])
