"""One branch of a fan-out: whatever its onion replies, what becomes of it in the list and in the stream."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from adapters.errors import Torn
from adapters.openai_chat import OPENAI_CHAT
from adapters.sse import Frame
from adapters.usage import Usage
from adapters.vocabulary import Answer, Call, Extra, Form, Reply, Warming
from proxy.events import Event
from tests.fakes import chunks, completion, dollars
from tests.proxy.test_fanout import end, events, fanned, lines
from tests.running import proxy

JSON = (("Content-Type", "application/json"),)
EVENTS = (("Content-Type", "text/event-stream; charset=utf-8"),)


class Frames:
    """Gives these, then ends or raises."""

    def __init__(self, call: Call, raw: list[bytes], error: Exception | None = None) -> None:
        self.call, self.waiting, self.error = call, [Frame(each) for each in raw], error
        self.answer = Answer(OPENAI_CHAT)

    def __aiter__(self) -> Frames:
        return self

    async def __anext__(self) -> Frame:
        if self.waiting:
            self.answer.add(self.waiting[0])
            return self.waiting.pop(0)
        if self.error is not None:
            raise self.error
        raise StopAsyncIteration

    def ready(self) -> list[Frame]:
        return []

    async def aclose(self) -> None:
        self.call.trace.cost = 0.5  # known only when it is left, as of a flight


def streamed(call: Call, raw: list[bytes], error: Exception | None = None) -> Reply:
    frames = Frames(call, raw, error)
    return Reply(200, EVENTS, "upstream", Form.EVENTS, frames, answer=frames.answer)


def whole(body: Any, status: int = 200, *, source: str = "upstream") -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply.whole(status, JSON, raw, source=source, answer=Answer(OPENAI_CHAT, body=raw))


async def one(script: Callable[[Call], Reply], *, stream: bool, seen: list[Event] | None = None) -> Any:
    """What a fan-out of one branch gives: its item of the list, or the lines of the stream."""

    async def handler(call: Call) -> Reply:
        return script(call)

    async with proxy("simulated") as ours:
        doors: Any = ours.app.edge.doors
        doors["/chat/completions"] = doors["/chat/completions"]._replace(handler=handler)
        sinks: Any = ours.app.edge.telling.sinks
        sinks.append((seen if seen is not None else list[Event]()).append)
        status, _, body = await ours.chat(fanned("q", stream=stream), path="/fanout")
        assert status == 200
        return lines(body) if stream else json.loads(body)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a":1.0}', {"a": 1.0}),
        (b"7", 7),
        (b"not JSON", "not JSON"),
        (b'{"a":', '{"a":'),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b'{"a":\ndata: 1}', {"a": 1}),
        (b"two\ndata: lines", "two\nlines"),
    ],
)
async def test_events_of_any_kind_stand_as_json(data: bytes, expected: Any) -> None:
    told = await one(lambda call: streamed(call, [b"data: " + data + b"\n\n"]), stream=True)
    assert events(told, 0) == [expected]
    assert end(told, 0)["status"] == 200


async def test_comments_and_the_providers_own_end_are_left_out() -> None:
    raw = [b": ping\n\n", b"event: x\n\n", *chunks("a")]
    told = await one(lambda call: streamed(call, raw), stream=True)
    assert events(told, 0) == [Frame(each).json() for each in chunks("a")[:-1]]
    assert end(told, 0)["cost"] == 0.5


async def test_either_form_serves_the_other() -> None:
    told = await one(lambda call: whole(completion("a b")), stream=True)
    assert "".join(event["choices"][0]["delta"].get("content") or "" for event in events(told, 0)) == "a b"
    assert end(told, 0)["status"] == 200
    (item,) = (await one(lambda call: streamed(call, chunks("a b")), stream=False))["data"]
    assert item["body"]["choices"][0]["message"]["content"] == "a b"


@pytest.mark.parametrize("stream", [True, False])
async def test_what_another_calls_answer_can_not_give_is_asked_for_anew(stream: bool) -> None:
    seen = list[Event]()

    def script(call: Call) -> Reply:
        if call.controls.no_cache:
            return whole(completion("new"))
        old = Frames(call, [b"data: 1\n\n"]) if not stream else None
        return (
            Reply(200, EVENTS, "l1", Form.EVENTS, old, answer=old.answer)
            if old is not None
            else whole({"choices": []}, source="l1")
        )

    told = await one(script, stream=stream, seen=seen)
    found = events(told, 0)[0]["id"] if stream else told["data"][0]["body"]["id"]
    assert found == "chatcmpl-123"
    assert [event.source for event in seen] == ["upstream", "proxy"]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_that_is_no_json_stands_as_a_text(stream: bool) -> None:
    def script(call: Call) -> Reply:
        return Reply.whole(401, (("Content-Type", "text/html"),), b"<p>no", source="upstream")

    told = await one(script, stream=stream)
    item = end(told, 0) if stream else told["data"][0]
    assert (item["status"], item["body"]) == (401, "<p>no")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_reply_of_no_readable_form_is_an_upstreams_error(stream: bool) -> None:
    seen = list[Event]()

    def script(call: Call) -> Reply:
        return Reply(200, JSON, "upstream", Form.BYTES, Frames(call, [b"x"]))

    told = await one(script, stream=stream, seen=seen)
    item = end(told, 0) if stream else told["data"][0]
    assert (item["status"], item["body"]["error"]["code"]) == (502, "upstream_unreadable")
    assert (seen[0].status, seen[0].trace.error) == (502, "upstream_unreadable")


async def test_a_stream_that_breaks_off_is_told_once() -> None:
    seen = list[Event]()
    told = await one(lambda call: streamed(call, chunks("a b")[:2], Torn("cut")), stream=True, seen=seen)
    assert ["error" in event for event in events(told, 0)] == [False, False, True]
    assert (end(told, 0)["status"], end(told, 0)["error"]) == (502, "upstream_torn")
    assert (seen[0].status, seen[0].trace.error) == (200, "torn")  # as of any stream that has begun
    own = [chunks("a")[0], b'data: {"error":{"message":"overloaded"}}\n\n']
    told = await one(lambda call: streamed(call, own, Torn("cut", told=True)), stream=True)
    assert [event.get("error") for event in events(told, 0)] == [None, {"message": "overloaded"}]
    assert end(told, 0)["status"] == 502
    (item,) = (await one(lambda call: streamed(call, own, Torn("cut", told=True)), stream=False))["data"]
    assert (item["status"], item["body"]["error"]["code"]) == (502, "upstream_torn")


def billed(
    cost: float | None, saved: float | None, *extra: Extra, worth: float | None = None
) -> Callable[[Call], Reply]:
    def script(call: Call) -> Reply:
        trace = call.trace
        trace.usage, trace.cost, trace.saved = Usage(output=1), cost, saved
        trace.costs = dollars(cost) if cost else None
        trace.warming = Warming(saved=worth, extra=list(extra))
        return whole(completion("a"))

    return script


def warm(cost: float | None, usage: Usage | None = None) -> Extra:
    return Extra("warm", usage, cost, 1.0)


@pytest.mark.parametrize(
    ("script", "cost", "saved"),
    [
        (billed(1.0, None), 1.0, 0.0),
        (billed(0.0, 2.0), 0.0, 2.0),
        (billed(1.0, None, warm(0.25), worth=0.75), 1.25, 0.5),
        (billed(1.0, None, warm(0.25), warm(None), worth=None), 1.25, -0.25),
        (billed(1.0, None, warm(None, Usage(output=1))), None, 0.0),
        (billed(None, None), None, 0.0),
    ],
)
async def test_money(script: Callable[[Call], Reply], cost: float | None, saved: float) -> None:
    """What was spent on warming is a part of the price; cost and savings are what it would have cost without."""
    told = await one(script, stream=False)
    assert (told["cost"], told["saved"]) == (cost, pytest.approx(saved))
    last = end(await one(script, stream=True), 0)
    assert (last["cost"], last["saved"]) == (cost, pytest.approx(saved))


async def test_the_bytes_of_a_branch_are_counted() -> None:
    seen = list[Event]()
    await one(lambda call: whole(completion("a")), stream=False, seen=seen)
    assert [event.bytes_out > 100 for event in seen] == [True, True]
    assert [event.route for event in seen] == ["chat", "fanout"]
    seen = []
    await one(lambda call: streamed(call, chunks("a")), stream=True, seen=seen)
    assert [event.bytes_out > 100 for event in seen] == [True, True]
