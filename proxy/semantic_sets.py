"""Labelled sets that a semantic cache is measured on: pairs, streams, and pairs of requests. JSON lines, also gzipped.

    pairs      {"a", "b", "label": 0 | 1, "source"?, "kind"?}     1: what was answered to `a` may be served to `b`
    streams    {"query", "cls", "source"?}                        equal `cls`, equal answer
    multi-turn {"a": REQUEST, "b": REQUEST, "label", "source"?, "kind"?}

Members that are not named here are passed over. A line that is not of its kind is an error that names it: a figure over
what happened to be readable would be a figure of something else.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

GZIP = b"\x1f\x8b"


class SetError(Exception):
    """A file that can't be read, or a line in it; the message says which and why."""


class Pair(NamedTuple):
    a: str
    b: str
    right: bool
    source: str
    kind: str


class Prompt(NamedTuple):
    query: str
    cls: str
    """As JSON: 1 and "1" are two classes."""
    source: str


class Requests(NamedTuple):
    """Two requests, as far as they are given: at least their messages."""

    a: dict[str, Any]
    b: dict[str, Any]
    right: bool
    source: str
    kind: str
    place: str
    """`FILE:LINE`, for what is found out about them later."""


def pairs(path: Path, limit: int | None = None) -> list[Pair]:
    """The first `limit` pairs of a file; raises `SetError`."""
    return [
        Pair(_text(row, "a", place), _text(row, "b", place), _label(row, place), *_names(row, place))
        for place, row in _rows(path, limit)
    ]


def stream(path: Path, limit: int | None = None) -> list[Prompt]:
    """The same of a stream, in the order of the file."""
    return [
        Prompt(_text(row, "query", place), _cls(row, place), _names(row, place)[0]) for place, row in _rows(path, limit)
    ]


def multiturn(path: Path, limit: int | None = None) -> list[Requests]:
    """The same of pairs of requests."""
    return [
        Requests(_request(row, "a", place), _request(row, "b", place), _label(row, place), *_names(row, place), place)
        for place, row in _rows(path, limit)
    ]


def _rows(path: Path, limit: int | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """`FILE:LINE` and the object of each line that is not blank."""
    found = 0
    for number, line in islice(_lines(path), limit):
        place = f"{path}:{number}"
        try:
            row = msgspec.json.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise SetError(f"{place}: not JSON: {str(error).removeprefix('JSON is malformed: ')}") from None
        if not isinstance(row, dict):
            raise SetError(f"{place}: not a JSON object")
        found += 1
        yield place, row
    if not found:
        raise SetError(f"{path}: there is nothing in it")


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == GZIP
            raw.seek(0)
            with gzip.open(raw) if zipped else raw as file:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        yield number, line
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SetError(f"{path}: damaged after line {number}: {error}") from None
    except OSError as error:
        raise SetError(f"{path}: {error.strerror or error}") from None


def _text(row: dict[str, Any], name: str, place: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise SetError(f"{place}: `{name}` has to be a text")
    return value


def _label(row: dict[str, Any], place: str) -> bool:
    value = row.get("label")
    if not isinstance(value, bool) and not (isinstance(value, int) and value in (0, 1)):
        raise SetError(f"{place}: `label` has to be 0 or 1")
    return bool(value)


def _names(row: dict[str, Any], place: str) -> tuple[str, str]:
    """Source and kind; empty where they are not said."""
    return (
        _text(row, "source", place) if row.get("source") is not None else "",
        _text(row, "kind", place) if row.get("kind") is not None else "",
    )


def _cls(row: dict[str, Any], place: str) -> str:
    value = row.get("cls")
    if value is None or isinstance(value, dict | list | float):
        raise SetError(f"{place}: `cls` has to be a whole number or a text")
    return msgspec.json.encode(value).decode()


def _request(row: dict[str, Any], name: str, place: str) -> dict[str, Any]:
    value = row.get(name)
    if not isinstance(value, dict):
        raise SetError(f"{place}: `{name}` has to be a request, an object with messages")
    return value
