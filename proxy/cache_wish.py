"""What a caller of `/cache/...` asks for: bodies as values, checked. What is wrong is refused (400, with `param`)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from multidict import CIMultiDict, MultiMapping

from adapters.body import decoded
from adapters.errors import Refused
from proxy.fanout_bodies import sliced
from proxy.tenants import CREDENTIALS

PREFIX = 16
"""Hexadecimal digits that name an exact entry at least: as many as `Cache-Status` tells. Fewer would be a guess."""

OF_THE_EXCHANGE = frozenset({"connection", "content-encoding", "content-length", "expect", "host", "upgrade"})
"""Request headers that say how a body travels, which is another matter for a body inside of a body."""

_HEX = re.compile(r"[0-9a-f]{16,64}")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,8192}")


class Asked(NamedTuple):
    """A request as it would be sent."""

    route: str
    """The label of a door; empty: not named."""
    body: bytes
    headers: dict[str, str]
    where: str = ""
    """What stands in front of a member's name in errors."""


class Feedback(NamedTuple):
    correct: bool
    entry: int
    """0 where an exact entry is meant."""
    key: str
    """Hexadecimal, the whole key or its beginning."""
    similarity: float | None
    route: str


def asked_of(raw: bytes, query: str) -> Asked:
    """A bare body, whose route the query may name (`?route=messages`), or `{"route", "headers", "body"}`."""
    body = decoded(raw)
    named = parse_qs(query).get("route", [""])[-1]
    if "body" not in body:
        return Asked(named, raw, {})
    only(body, ("route", "headers", "body"))
    return _wrapped(body, sliced(raw)["body"], named, "")


def _wrapped(body: Mapping[str, Any], raw: bytes, named: str, where: str) -> Asked:
    route = body.get("route", named)
    if not isinstance(route, str):
        raise Refused(400, "`route` must be a string, such as `chat`", param=f"{where}route")
    if not isinstance(body["body"], dict):
        raise Refused(400, "`body` must be an object: a request as it would be sent", param=f"{where}body")
    return Asked(route, raw, _headers(body.get("headers"), f"{where}headers"), f"{where}body.")


def _headers(value: Any, param: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused(400, "`headers` must be an object of strings", param=param)
    for name, text in value.items():
        where = f"{param}.{name[:64]}"
        if not _NAME.fullmatch(name) or not isinstance(text, str) or not _VALUE.fullmatch(text):
            raise Refused(400, "this is no header line", param=where)
        if name.lower() in {each.lower() for each in CREDENTIALS}:
            raise Refused(400, "the credential belongs to the request itself, not into its body", param=where)
    return value


def headers_with(own: MultiMapping[str], told: Mapping[str, str]) -> CIMultiDict[str]:
    """The header lines of the caller, those that he tells of in place of his own."""
    headers = CIMultiDict(own)
    for name, value in told.items():
        if name.lower() not in OF_THE_EXCHANGE:
            headers[name] = value
    return headers


def feedback_of(raw: bytes) -> Feedback:
    """`{"entry": 123, "correct": false}`, or `{"key": "0123456789abcdef", "correct": false}` for an exact entry."""
    body = decoded(raw)
    only(body, ("entry", "key", "correct", "similarity", "route"))
    if ("entry" in body) is ("key" in body):
        raise Refused(400, "either `entry` or `key` says what this is about", param="entry")
    correct = body.get("correct")
    if not isinstance(correct, bool):
        raise Refused(400, "`correct` must be true or false", param="correct")
    route = body.get("route", "")
    if not isinstance(route, str):
        raise Refused(400, "`route` must be a string, such as `chat`", param="route")
    key = key_of_text(body["key"]) if "key" in body else ""
    return Feedback(correct, 0 if key else entry_of(body["entry"]), key, _similarity(body.get("similarity")), route)


def entry_of(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**63:
        raise Refused(400, "`entry` must be a number as `X-Warmgate-Semantic` tells it", param="entry")
    return value


def key_of_text(value: Any, param: str = "key") -> str:
    text = value.lower() if isinstance(value, str) else ""
    if not _HEX.fullmatch(text):
        told = f"`key` must be {PREFIX} to 64 hexadecimal digits, as `Cache-Status` tells them"
        raise Refused(400, told, param=param)
    return text


def _similarity(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1 <= value <= 1:
        raise Refused(400, "`similarity` must be a number from -1 to 1", param="similarity")
    return float(value)


def asked_within(raw: bytes, value: Mapping[str, Any], where: str) -> Asked:
    """The same for an object that is a member of a body: `raw` are its bytes, `where` stands before its members."""
    if "body" not in value:
        return Asked("", raw, {}, where)
    only(value, ("route", "headers", "body"), where)
    return _wrapped(value, sliced(raw)["body"], "", where)


def only(body: Mapping[str, Any], known: Collection[str], where: str = "") -> None:
    """Raises `Refused` for a member of another name."""
    for name in body:
        if name not in known:
            raise Refused(400, f"unknown member; there are {', '.join(known)}", param=f"{where}{name[:64]}")
