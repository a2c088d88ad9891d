"""What an answer cost, noted whichever form it came in, and no matter who reads it how far."""

from __future__ import annotations

import json
from typing import Any

import pytest
from multidict import CIMultiDict

from adapters.meter import Meter
from adapters.openai_chat import OPENAI_CHAT
from adapters.prices import Costs
from adapters.sse import Frame
from adapters.usage import Usage
from adapters.vocabulary import Answer, Call, Form, Handler, Reply
from tests.fakes import CHAT, Clock, chunks, completion, dollars
from tests.frames import Listed

USED = Usage(uncached=976, read=1024, output=100)


def price(model: str, usage: Usage) -> Costs | None:
    return dollars(usage.prompt / 1000) if model == "gpt-4o" else None


def call_of(model: str = "gpt-4o", **more: Any) -> Call:
    more = {"dialect": OPENAI_CHAT} | more
    return Call("POST", "/chat/completions", CIMultiDict(), b"", parsed=CHAT | {"model": model}, **more)


def whole(message: Any, status: int = 200) -> Handler:
    async def handler(call: Call) -> Reply:
        raw = json.dumps(message).encode()
        return Reply.whole(status, (), raw, source="upstream", answer=Answer(OPENAI_CHAT, body=raw))

    return handler


def streams(events: list[bytes], clock: Clock, *, wait: float = 1.0) -> Handler:
    async def handler(call: Call) -> Reply:
        clock.tick(0.25)
        answer = Answer(OPENAI_CHAT, frames=[])

        def told(frame: Frame) -> None:
            clock.tick(wait)
            answer.add(frame)

        return Reply(200, (), "upstream", Form.EVENTS, Listed(events, told), answer=answer)

    return handler


async def test_a_whole_answer() -> None:
    call = call_of()
    await Meter(whole(completion()), price, Clock())(call)
    trace = call.trace
    assert (trace.usage, trace.cost, trace.finish, trace.first_frame_seconds) == (USED, 2.0, "stop", None)


async def test_a_stream_is_noted_with_its_terminal_event_and_timed_to_its_first() -> None:
    clock, call = Clock(), call_of(stream=True)
    reply = await Meter(streams(chunks("Paris.", usage=True), clock), price, clock)(call)
    seen = []
    async for frame in reply.frames:
        seen.append(frame.raw)
        assert (call.trace.cost is not None) is OPENAI_CHAT.is_end(frame)
    assert seen == chunks("Paris.", usage=True)
    assert (call.trace.usage, call.trace.cost) == (USED, 2.0)
    assert call.trace.first_frame_seconds == 1.25


@pytest.mark.parametrize("read", [0, 1, 2])
async def test_a_stream_that_is_left_has_no_cost_and_is_closed(read: int) -> None:
    clock, call = Clock(), call_of(stream=True)
    inner = Listed(chunks(usage=True))

    async def handler(call: Call) -> Reply:
        return Reply(200, (), "upstream", Form.EVENTS, inner, answer=Answer(OPENAI_CHAT, frames=[]))

    reply = await Meter(handler, price, clock)(call)
    for _ in range(read):
        await anext(aiter(reply.frames))
    await reply.frames.aclose()
    assert inner.closed
    assert (call.trace.usage, call.trace.cost, call.trace.finish) == (None, None, "")
    assert (call.trace.first_frame_seconds is not None) is (read > 0)


async def test_an_unknown_price_is_none_and_never_zero() -> None:
    call = call_of("a-model-of-my-own")
    await Meter(whole(completion()), price, Clock())(call)
    assert (call.trace.usage, call.trace.cost) == (USED, None)


async def test_without_usage_there_is_no_cost() -> None:
    call = call_of()
    await Meter(whole(completion(usage=None)), price, Clock())(call)
    assert (call.trace.usage, call.trace.cost, call.trace.finish) == (None, None, "stop")


@pytest.mark.parametrize("status", [300, 400, 429, 500])
async def test_an_error_costs_nothing(status: int) -> None:
    call = call_of()
    await Meter(whole(completion(), status), price, Clock())(call)
    assert (call.trace.usage, call.trace.cost, call.trace.finish) == (None, None, "")


async def test_what_does_not_fold_is_paid_all_the_same() -> None:
    clock, call = Clock(), call_of(stream=True)
    odd = b'data: {"choices":[{"index":0,"delta":{"content":["x"]},"finish_reason":"stop"}]}\n\n'
    reply = await Meter(streams([odd, *chunks(usage=True)[-2:]], clock), price, clock)(call)
    _ = [frame async for frame in reply.frames]
    assert (call.trace.usage, call.trace.cost) == (USED, 2.0)


async def test_what_nobody_reads_passes_untouched() -> None:
    reply = Reply(200, (), "upstream", Form.BYTES, Listed([b"x"]))

    async def handler(call: Call) -> Reply:
        return reply

    call = call_of(dialect=None)
    found = await Meter(handler, price, Clock())(call)
    assert found is reply
    assert isinstance(found.frames, Listed)
    assert call.trace.usage is None


async def test_events_that_the_dialect_does_not_know_pass_and_are_counted() -> None:
    clock, call = Clock(), call_of(stream=True)
    odd = [
        b'event: brand_new\ndata: {"choices":[]}\n\n',
        b"event: error_free\r\ndata: {}\r\n\r\n",
        b": event: comment\n\n",
    ]
    sent = [*chunks("Paris.", usage=True)[:-1], *odd, chunks()[-1]]
    reply = await Meter(streams(sent, clock), price, clock)(call)
    assert [frame.raw async for frame in reply.frames] == sent
    assert call.trace.unknown_events == 2
