"""Which value `/cache/v1/NAMESPACE/KEY` means. Pure.

A key is any text in UTF-8, percent-encoded as RFC 3986 has it (a `+` is a plus sign); all that stands behind the
namespace is the key, slashes included. What other programs on the way may change, or what could steer a terminal, is no
key: segments of dots, control characters.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from adapters.errors import Refused

ROOT = "/cache/v1/"

RESERVED = frozenset({"llm.response", "embedding"})
"""Namespaces of what models answered: they can be cleared, but nobody's values go there."""

_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_STEERS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SEGMENTS = re.compile(r"[/\\]")


class Place(NamedTuple):
    namespace: str
    name: str | None = None
    """The key; None: the namespace itself is meant."""


def place_of(path: str, longest: int) -> Place:
    """`path`: as it came, without its query. `longest`: bytes of a key. Raises `Refused` (400; 404 for no place)."""
    head, slash, tail = path.removeprefix(ROOT).partition("/")
    if not head:
        raise Refused(404, "unknown route; write /cache/v1/NAMESPACE/KEY", code="unknown_route")
    namespace = checked_namespace(text_of(head, "namespace"))
    # A program that builds its URL of an empty key must not clear the whole namespace by it.
    return Place(namespace, checked_name(text_of(tail, "key"), longest) if slash else None)


def text_of(raw: str, param: str) -> str:
    """What is percent-encoded there. Raises `Refused`."""
    encoded = raw.encode(errors="surrogateescape")
    if _BROKEN.search(encoded):
        raise Refused(400, "a `%` in the path is followed by two hexadecimal digits", param=param)
    try:
        return unquote_to_bytes(encoded).decode()
    except UnicodeDecodeError:
        raise Refused(400, "the path is not UTF-8, percent-encoded", param=param) from None


def checked_namespace(text: str, param: str = "namespace") -> str:
    if not _NAMESPACE.fullmatch(text):
        told = "a namespace has 1 to 64 letters, digits, dots, dashes and underscores, the first a letter or digit"
        raise Refused(400, told, param=param)
    return text


def checked_name(text: str, longest: int, param: str = "key") -> str:
    """The text, which has to be a key. Raises `Refused`."""
    size = len(text.encode(errors="replace"))
    if not 0 < size <= longest:
        raise Refused(400, f"a key has 1 to {longest} bytes in UTF-8" + (f", not {size}" if size else ""), param=param)
    if _STEERS.search(text):
        raise Refused(400, "a key has no control characters", param=param)
    if not {".", ".."}.isdisjoint(_SEGMENTS.split(text)):
        raise Refused(400, "a key has no segments of dots: programs on the way would change it", param=param)
    return text


def shown(place: Place) -> str:
    """As dry runs and statistics show it, and as a purge takes it."""
    return f"{place.namespace}/{place.name}"


def parted(text: str, longest: int, param: str) -> Place:
    """What `shown` shows. Raises `Refused`."""
    namespace, slash, name = text.partition("/")
    if not slash:
        raise Refused(400, "a key of a value is written NAMESPACE/KEY", param=param)
    return Place(checked_namespace(namespace, param), checked_name(name, longest, param))


def line_of(name: str) -> str:
    """A key as a header line can carry it."""
    return quote(name)
