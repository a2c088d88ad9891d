"""Reading one response: whole, as chunks, as events; complete, torn, stalled, left, and too large."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from adapters.errors import Torn, UpstreamError
from adapters.exchange import Chunks, Events, read_all
from adapters.openai_chat import OPENAI_CHAT
from adapters.sse import MAX_FRAME
from adapters.vocabulary import Answer
from tests.fakes import Provider, Seen, chunks, provider

PATIENT, SHORT = 5.0, 0.05
"""Seconds. A stall has to be waited for: there is no clock to turn in a socket."""


class Ends:
    """Counts how often an end was told."""

    def __init__(self) -> None:
        self.told = 0

    def __call__(self) -> None:
        self.told += 1


@asynccontextmanager
async def response(*pieces: bytes, then: str = "end") -> AsyncIterator[tuple[aiohttp.ClientResponse, Provider]]:
    """A response that sends these pieces, then ends, breaks off, or stalls."""

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        sent = web.StreamResponse()
        await sent.prepare(request)
        for piece in pieces:
            await sent.write(piece)
        if then == "break":
            assert request.transport is not None
            request.transport.close()
            raise ConnectionResetError
        if then == "stall":
            await asyncio.Event().wait()
        await sent.write_eof()
        return sent

    async with provider(script) as fake, aiohttp.ClientSession() as session, session.get(fake.base_url) as found:
        yield found, fake


def events_of(found: aiohttp.ClientResponse, ends: Ends, between: float = PATIENT) -> tuple[Events, Answer]:
    answer = Answer(OPENAI_CHAT, frames=[])
    return Events(found, OPENAI_CHAT, answer, between, ends), answer


async def pulled(frames: Any) -> list[bytes]:
    return [frame.raw async for frame in frames]


# ---------------------------------------------------------------- whole


@pytest.mark.parametrize("pieces", [(), (b"x",), (b"x" * 100_000, b"y", b"z" * 300_000)])
async def test_a_whole_body(pieces: tuple[bytes, ...]) -> None:
    async with response(*pieces) as (found, _):
        assert await read_all(found, PATIENT) == b"".join(pieces)
        assert found.connection is None, "the connection can be used again"


@pytest.mark.parametrize(
    ("then", "status", "code"), [("break", 502, "upstream_torn"), ("stall", 504, "upstream_timeout")]
)
async def test_a_body_that_does_not_end(then: str, status: int, code: str) -> None:
    async with response(b"x", then=then) as (found, _):
        with pytest.raises(UpstreamError) as caught:
            await read_all(found, SHORT if then == "stall" else PATIENT)
        assert (caught.value.status, caught.value.code) == (status, code)
        assert found.closed


async def test_a_reader_who_is_cancelled_hangs_up() -> None:
    async with response(b"x", then="stall") as (found, fake):
        reading = asyncio.ensure_future(read_all(found, PATIENT))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await asyncio.wait_for(fake.hung_up.wait(), 5)


# ---------------------------------------------------------------- chunks


async def test_chunks_are_the_body_and_their_end_is_told_once() -> None:
    ends = Ends()
    async with response(b"a" * 1000, b"b" * 100_000) as (found, _):
        frames = Chunks(found, PATIENT, ends)
        assert b"".join(await pulled(frames)) == b"a" * 1000 + b"b" * 100_000
        await frames.aclose()
        assert found.connection is None
    assert ends.told == 1


@pytest.mark.parametrize(("then", "says"), [("break", "broke off"), ("stall", "stalled")])
async def test_chunks_that_do_not_end_are_torn(then: str, says: str) -> None:
    ends = Ends()
    async with response(b"a", then=then) as (found, _):
        frames = Chunks(found, SHORT if then == "stall" else PATIENT, ends)
        with pytest.raises(Torn, match=says):
            await pulled(frames)
        assert found.closed
    assert ends.told == 0


async def test_closing_chunks_hangs_up() -> None:
    async with response(b"a", then="stall") as (found, fake):
        frames = Chunks(found, PATIENT, Ends())
        await anext(frames)
        await frames.aclose()
        await asyncio.wait_for(fake.hung_up.wait(), 5)


# ---------------------------------------------------------------- events


async def test_events_are_put_down_as_they_are_handed_on_and_the_connection_is_kept() -> None:
    ends, sent = Ends(), chunks(usage=True)
    async with response(b"".join(sent)) as (found, _):
        frames, answer = events_of(found, ends)
        seen = []
        async for frame in frames:
            seen.append(frame)
            assert answer.frames == seen
            assert ends.told == (1 if OPENAI_CHAT.is_end(frame) else 0)
        assert [frame.raw for frame in seen] == sent
        await frames.aclose()
        assert found.connection is None
        with pytest.raises(StopAsyncIteration):
            await anext(frames)


@pytest.mark.parametrize(
    ("tail", "last"),
    [
        (b"data: [DONE]", b"data: [DONE]\n\n"),
        (b"data: [DONE]\n", b"data: [DONE]\n\n\n"),
        (b"data: [DONE]\r\r", b"data: [DONE]\r\r"),
        (b"data: [DONE]\r\n\r", b"data: [DONE]\r\n\r"),
    ],
)
async def test_a_last_event_that_lacks_its_blank_line_gets_it_and_others_stay(tail: bytes, last: bytes) -> None:
    async with response(chunks()[0], tail) as (found, _):
        frames, _ = events_of(found, Ends())
        assert await pulled(frames) == [chunks()[0], last]


@pytest.mark.parametrize("tail", [b"", b": comment", b"data: [DON", b"data: {}", b"data: {}\r\r"])
async def test_any_other_tail_is_torn_and_not_handed_on(tail: bytes) -> None:
    ends = Ends()
    async with response(chunks()[0], tail or b"\n\n") as (found, _):
        frames, answer = events_of(found, ends)
        with pytest.raises(Torn, match="before it was complete"):
            await pulled(frames)
        assert found.closed
    assert answer.frames[0].raw == chunks()[0]
    assert ends.told == 0


async def test_what_comes_after_the_end_is_not_handed_on() -> None:
    async with response(b"data: [DONE]\n\n", b"data: more\n\n") as (found, _):
        frames, answer = events_of(found, Ends())
        assert await pulled(frames) == [b"data: [DONE]\n\n"]
        assert len(answer.frames) == 1


async def test_a_body_that_does_not_end_behind_its_end_is_left() -> None:
    async with response(*chunks(), then="stall") as (found, fake):
        frames, _ = events_of(found, Ends())
        assert await pulled(frames) == chunks()
        await asyncio.wait_for(fake.hung_up.wait(), 5)


async def test_an_error_event_is_handed_on_then_told() -> None:
    error = b'event: error\ndata: {"error":{"message":"x"}}\n\n'
    async with response(chunks()[0], error, b"data: [DONE]\n\n") as (found, _):
        frames, answer = events_of(found, Ends())
        assert (await anext(frames)).raw == chunks()[0]
        assert (await anext(frames)).raw == error
        with pytest.raises(Torn) as caught:
            await anext(frames)
        assert caught.value.told
        assert found.closed
    assert len(answer.frames) == 2


async def test_an_event_that_never_ends_is_torn() -> None:
    async with response(b"data: " + b"x" * (MAX_FRAME + 1), then="stall") as (found, _):
        frames, _ = events_of(found, Ends())
        with pytest.raises(Torn, match="exceeds"):
            await pulled(frames)
        assert found.closed


@pytest.mark.parametrize(("then", "says"), [("break", "broke off"), ("stall", "stalled")])
async def test_events_that_do_not_end_are_torn(then: str, says: str) -> None:
    async with response(*chunks()[:2], then=then) as (found, _):
        frames, answer = events_of(found, Ends(), SHORT if then == "stall" else PATIENT)
        with pytest.raises(Torn, match=says) as caught:
            await pulled(frames)
        assert not caught.value.told
        assert [frame.raw for frame in answer.frames] == chunks()[:2]


async def test_closing_events_that_were_never_read_hangs_up() -> None:
    async with response(chunks()[0], then="stall") as (found, fake):
        frames, _ = events_of(found, Ends())
        await frames.aclose()
        await asyncio.wait_for(fake.hung_up.wait(), 5)
