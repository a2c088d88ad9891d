"""Header lines that are read, and the memory of those that were."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from multidict import CIMultiDict

from adapters.errors import Refused
from adapters.vocabulary import Lines
from cache.controls import Asked
from proxy.callers import REMEMBERED, Caller, Callers
from proxy.tenants import Identity


class Counting:
    """A tenancy that knows whoever has a key, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def identify(self, headers: Mapping[str, str]) -> Identity:
        self.asked += 1
        key = headers.get("Authorization", "")
        if not key:
            raise Refused(401, "no key")
        return Identity(f"tenant of {key}", f"mark of {key}")


def read(callers: Callers, *pairs: tuple[str, str]) -> Caller:
    lines: Lines = tuple((name.encode(), value.encode()) for name, value in pairs)
    return callers.read(lines, CIMultiDict(pairs))


KEY = ("Authorization", "Bearer a")


def test_what_the_lines_say() -> None:
    caller = read(Callers(Counting()), KEY, ("cache-control", "no-cache"), ("Content-Length", "7"))
    assert caller == Caller(
        lines=((b"Authorization", b"Bearer a"), (b"cache-control", b"no-cache")),
        identity=Identity("tenant of Bearer a", "mark of Bearer a"),
        cache_control="no-cache",
        encoded=False,
        websocket=False,
        waits=False,
    )


def test_what_the_lines_say_to_the_semantic_cache() -> None:
    lines = [("x-warmgate-similarity", "0.9"), ("X-Warmgate-Context", "shared"), ("X-Warmgate-Context", "personal")]
    callers = Callers(Counting())
    assert read(callers, KEY, *lines).asked == Asked(similarity="0.9", context="shared, personal")
    assert read(callers, KEY, ("X-WARMGATE-SEMANTIC", "off")).asked == Asked(semantic="off")
    assert read(callers, KEY, ("X-Warmgate-Semantic", "")).asked == Asked(semantic="")
    assert read(callers, KEY).asked == Asked()


@pytest.mark.parametrize(
    ("line", "encoded", "websocket"),
    [
        (("content-encoding", "gzip"), True, False),
        (("Content-Encoding", ""), True, False),
        (("Upgrade", "WebSocket"), False, True),
        (("Upgrade", "h2c"), False, False),
        (("X-Any", "websocket"), False, False),
    ],
)
def test_what_is_not_served(line: tuple[str, str], encoded: bool, websocket: bool) -> None:
    caller = read(Callers(Counting()), KEY, line)
    assert (caller.encoded, caller.websocket, caller.cache_control) == (encoded, websocket, None)


@pytest.mark.parametrize(("value", "waits"), [("100-continue", True), ("100-Continue", True), ("coffee", False)])
def test_who_waits_to_be_told_to_go_on(value: str, waits: bool) -> None:
    assert read(Callers(Counting()), KEY, ("Expect", value)).waits is waits


def test_equal_lines_are_read_once_whatever_the_length_of_the_body() -> None:
    tenancy = Counting()
    callers = Callers(tenancy)
    first = read(callers, KEY, ("Content-Length", "1"))
    assert read(callers, KEY, ("Content-Length", "2")) is first
    assert read(callers, ("content-length", "3"), KEY) is first
    assert read(callers, KEY) is first
    assert tenancy.asked == 1


@pytest.mark.parametrize(
    "lines",
    [
        [("Authorization", "Bearer b")],
        [("authorization", "Bearer a")],
        [KEY, ("Cookie", "x")],
        [KEY, KEY],
        [("X", "1"), KEY],
        [KEY, ("Cache-Control", "no-store")],
    ],
)
def test_any_other_lines_are_read_anew(lines: list[tuple[str, str]]) -> None:
    tenancy = Counting()
    callers = Callers(tenancy)
    first = read(callers, KEY)
    assert read(callers, *lines) is not first
    assert tenancy.asked == 2
    assert read(callers, KEY) is first


def test_a_refusal_is_not_remembered() -> None:
    tenancy = Counting()
    callers = Callers(tenancy)
    for _ in range(2):
        with pytest.raises(Refused, match="no key"):
            read(callers, ("X", "1"))
    assert tenancy.asked == 2


def test_a_client_with_a_number_in_each_request_only_starts_the_memory_anew() -> None:
    tenancy = Counting()
    callers = Callers(tenancy)
    for number in range(REMEMBERED):
        read(callers, KEY, ("X-Request-Id", str(number)))
    read(callers, KEY, ("X-Request-Id", "0"))
    assert tenancy.asked == REMEMBERED
    caller = read(callers, KEY, ("X-Request-Id", "one more"))
    assert tenancy.asked == REMEMBERED + 1
    assert caller.identity.tenant == "tenant of Bearer a"
    read(callers, KEY, ("X-Request-Id", "0"))
    assert tenancy.asked == REMEMBERED + 2
