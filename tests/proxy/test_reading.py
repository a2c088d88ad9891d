"""Bodies that are read, and the memory of those that were."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.errors import Refused
from adapters.openai_chat import OPENAI_CHAT, OpenAIChat
from adapters.vocabulary import Call, Controls, Dialect
from cache.controls import Asked
from proxy.callers import Caller
from proxy.reading import REMEMBERED, Reader
from proxy.tenants import Identity
from tests.fakes import routing_to

PLAIN = b'{"model" : "m","messages":[{"role":"user","content":"x"}]}'


def reader_of(dialect: Dialect, remembered: int = REMEMBERED) -> Reader:
    return Reader(dialect, "/chat/completions", routing_to("http://upstream/v1"), remembered)


class Counting(OpenAIChat):
    """The dialect, counting what it had to decode."""

    def __init__(self) -> None:
        self.parsed = 0

    def parse(self, raw: bytes) -> dict[str, Any]:
        self.parsed += 1
        return super().parse(raw)


def body(**more: str) -> bytes:
    return PLAIN[:-1] + b"".join(b',"%b":%b' % (name.encode(), value.encode()) for name, value in more.items()) + b"}"


@pytest.mark.parametrize(
    ("raw", "stream", "wants_usage"),
    [
        (PLAIN, False, True),
        (body(stream="false"), False, True),
        (body(stream="null"), False, True),
        (body(stream="true"), True, False),
        (body(stream="true", stream_options="null"), True, False),
        (body(stream="true", stream_options='{"include_usage":false}'), True, False),
        (body(stream="true", stream_options='{"include_usage":true}'), True, True),
        (body(stream_options='{"include_usage":false}'), False, True),
    ],
)
def test_the_form_that_is_asked_for(raw: bytes, stream: bool, wants_usage: bool) -> None:
    read = reader_of(OPENAI_CHAT).read(raw)
    assert (read.stream, read.wants_usage) == (stream, wants_usage)
    assert (read.raw, read.dropped) == (raw, 0)
    assert read.parsed == OPENAI_CHAT.parse(raw)


def test_our_own_member_is_read_and_not_sent() -> None:
    raw = body(cache='{"ttl": 5}', seed="1")
    read = reader_of(OPENAI_CHAT).read(raw)
    assert read.parsed["cache"] == {"ttl": 5}
    assert read.raw == body(seed="1")
    assert read.dropped == len(raw) - len(read.raw) == len(b'"cache":{"ttl": 5},')


def filled(raw: bytes, **caller: Any) -> Call:
    call = Call("POST", "/chat/completions", {}, b"")
    lines: dict[str, Any] = {"lines": (), "cache_control": None, "encoded": False, "websocket": False, "waits": False}
    reader_of(OPENAI_CHAT).fill(call, raw, Caller(identity=Identity("t", "c"), **(lines | caller)))
    return call


def test_what_a_request_asks_of_the_cache_in_lines_and_body() -> None:
    assert filled(PLAIN).controls == Controls()
    assert filled(PLAIN, asked=Asked(similarity="0.9")).controls == Controls(similarity=0.9)
    assert filled(PLAIN, asked=Asked(context="personal"), cache_control="no-store").controls == Controls(
        no_store=True, exact=True
    )
    call = filled(body(cache='{"similarity": 0.95, "semantic": false}'), asked=Asked(similarity="0.9"))
    assert call.controls == Controls(similarity=0.95, exact=True)
    assert call.body == PLAIN
    with pytest.raises(Refused, match="X-Warmgate-Similarity"):
        filled(PLAIN, asked=Asked(similarity="high"))


def test_equal_bytes_are_read_once_and_share_their_digests() -> None:
    dialect = Counting()
    reader = reader_of(dialect)
    first = reader.read(PLAIN)
    assert reader.read(bytes(bytearray(PLAIN))) is first
    assert reader.read(PLAIN + b" ") is not first
    assert dialect.parsed == 2
    assert first.digests is not reader.read(PLAIN + b" ").digests


def test_what_is_refused_is_refused_again() -> None:
    dialect = Counting()
    reader = reader_of(dialect)
    for _ in range(2):
        with pytest.raises(Refused, match="model"):
            reader.read(b'{"messages":[{}]}')
    assert dialect.parsed == 2


def test_a_body_with_our_member_is_remembered_as_it_came() -> None:
    dialect = Counting()
    reader = reader_of(dialect)
    with_member, without = body(cache="{}"), PLAIN
    assert reader.read(with_member) is reader.read(with_member)
    assert reader.read(without) is not reader.read(with_member)
    assert reader.read(without).raw == reader.read(with_member).raw
    assert dialect.parsed == 2


def test_a_memory_within_its_bytes() -> None:
    dialect = Counting()
    reader = reader_of(dialect, remembered=20_000)
    bodies = [body(seed=str(number)) for number in range(100)]
    for raw in bodies:
        reader.read(raw)
    assert dialect.parsed == 100
    reader.read(bodies[-1])
    assert dialect.parsed == 100
    reader.read(bodies[0])
    assert dialect.parsed == 101, "the least recently read was let go"


def test_one_body_never_takes_all_of_the_memory() -> None:
    dialect = Counting()
    reader = reader_of(dialect, remembered=20_000)
    reader.read(PLAIN)
    long = body(user='"' + "x" * 2000 + '"')
    reader.read(long)
    reader.read(long)
    assert dialect.parsed == 3
    reader.read(PLAIN)
    assert dialect.parsed == 3
