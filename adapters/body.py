"""Reading JSON that somebody else wrote: request bodies, events, and values that may be of any type."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from adapters.errors import Refused
from adapters.sse import Frame

NUMBERS = (b"NaN", b"Infinity", b"-Infinity")
"""What some encoders write for numbers that JSON does not have."""

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def decoded(raw: bytes) -> dict[str, Any]:
    """The object of a request body; raises `Refused` (400) where it is none, or where a member stands twice in it.

    Never puts anything of the body into a message: it may end in a log.
    """
    try:
        body = _decode(raw)
        encoded = _encode(body)
        if raw != encoded:  # they are equal for what compact encoders send
            _check_members(raw, encoded)
    except msgspec.MsgspecError as error:
        raise Refused(400, _malformed(raw, str(error))) from None
    except UnicodeDecodeError:
        raise Refused(400, "the request body is not JSON: a string is not valid UTF-8") from None
    except RecursionError:
        raise Refused(400, "the request body is nested too deeply") from None
    if type(body) is not dict:
        raise Refused(400, "the request body must be a JSON object")
    return body


def _malformed(raw: bytes, reason: str) -> str:
    if not raw.strip():
        return "the request body is empty"
    place = re.search(r"\(byte (\d+)\)", reason)
    if place and raw.startswith(NUMBERS, int(place[1])):
        return f"the request body is not JSON: NaN and Infinity are no numbers (byte {place[1]})"
    return f"the request body is not JSON: {reason.removeprefix('JSON is malformed: ')}"


def _check_members(raw: bytes, encoded: bytes) -> None:
    r"""Refuses a member that stands twice in one object: decoders differ in which of the two they believe.

    A dropped member takes at least two quotation marks with it, and encoding what is left brings none but those that
    stood there as `\u0022`. So equal counts prove that nothing was dropped; only where they differ is it worth looking.
    """
    quotes = raw.count(b'"') + raw.count(rb"\u0022")
    if quotes != encoded.count(b'"'):
        # Numbers are left as text: whether Python can hold them is not the question here.
        json.loads(raw, object_pairs_hook=_distinct, parse_int=str, parse_float=str)


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    names: set[str] = set()
    for name, _ in pairs:
        if name in names:
            raise Refused(400, f"the member {json.dumps(name[:64])} occurs twice in one object")
        names.add(name)


WORD = re.compile(r"[A-Za-z0-9_.-]{1,40}")
"""What a provider made up may stand in a header line of ours if it is one of these: it can end neither the line nor a
quotation."""


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def event_of(frame: Frame) -> dict[str, Any]:
    """The object of one event; empty where it has none."""
    try:
        return mapping(frame.json()) if frame.data else {}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


def is_json(text: Any) -> bool:
    """Whether this is a text that holds JSON, as the arguments of a tool call must."""
    if not isinstance(text, str):
        return False
    try:
        _decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return True
