"""`POST /v1/warm`: what is asked of the warming layer, and how its answer is told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import Refused, UpstreamError
from adapters.usage import Usage
from adapters.vocabulary import Call, Extra, Reply, Trace, Warming, Warmup
from proxy.events import Event
from proxy.fanout_bodies import APIS
from proxy.warm_door import WarmDesk, wish_of
from tests.fakes import CHAT
from tests.running import Proxy, proxy

WROTE = Usage(uncached=3, write_5m=4000, write_1h=1000, output=10)


class Warm:
    """The warming layer, as far as this door sees it: notes what it did, and replies with a status."""

    def __init__(self, note: Callable[[Trace], None] = lambda trace: None, status: int = 200) -> None:
        self.note, self.status, self.calls = note, status, list[Call]()
        self.closed = 0

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        self.note(call.trace)
        reply = Reply.whole(self.status, (), b"{}", source="upstream")
        reply.frames = self  # type: ignore[assignment]
        return reply

    async def aclose(self) -> None:
        self.closed += 1


def did(why: str = "", *extra: Extra, shared: int = 5000) -> Callable[[Trace], None]:
    def note(trace: Trace) -> None:
        trace.warming = Warming(why=why, shared=shared, extra=list(extra))

    return note


def extra(usage: Usage | None = WROTE, cost: float | None = 0.25, failed: str = "") -> Extra:
    return Extra("warm", usage, cost, 1.5, failed)


@asynccontextmanager
async def warming(layer: Any, *, enabled: bool = True, config: str = "") -> AsyncIterator[tuple[Proxy, list[Event]]]:
    seen = list[Event]()
    async with proxy("simulated", config=config) as ours:
        desks: Any = ours.app.edge.desks
        desks["/warm"] = WarmDesk(layer, enabled=enabled)
        sinks: Any = ours.app.edge.telling.sinks
        sinks.append(seen.append)
        yield ours, seen


async def told(layer: Any, body: Any = CHAT, *, enabled: bool = True, **headers: str) -> tuple[int, Any]:
    async with warming(layer, enabled=enabled) as (ours, _):
        status, _, raw = await ours.chat(body, path="/warm", **headers)
        return status, json.loads(raw)


async def test_what_was_warmed_is_told() -> None:
    layer = Warm(did("", extra()))
    async with warming(layer) as (ours, seen):
        status, headers, raw = await ours.chat(path="/warm")
    answer = json.loads(raw)
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert answer.pop("seconds") >= 0
    assert answer == {
        "warmed": True,
        "why": "warmed",
        "tokens": 5000,
        "cost": 0.25,
        "usage": {
            "uncached": 3,
            "read": 0,
            "write_5m": 4000,
            "write_1h": 1000,
            "output": 10,
            "reasoning": 0,
            "write_30m": 0,
            "write_12h": 0,
        },
        "expires_in": 300.0,
    }
    (event,) = seen
    assert (event.route, event.status, event.source) == ("warm", 200, "upstream")
    assert event.call is layer.calls[0]
    assert event.trace.warming is not None
    assert layer.closed == 1


async def test_a_bare_request_is_warmed_once_and_a_wish_says_for_how_long() -> None:
    layer = Warm()
    await told(layer)
    await told(layer, {"request": CHAT})
    keep = {"seconds": 3600, "dollars": 0.5}
    await told(layer, {"request": CHAT, "keep_alive": keep})
    assert [call.warmup for call in layer.calls] == [Warmup(), Warmup(), Warmup(3600.0, 0.5)]
    assert {call.target for call in layer.calls} == {"/chat/completions"}
    assert [call.body for call in layer.calls] == [json.dumps(CHAT).encode()] * 3
    assert all(call.route.ways for call in layer.calls)
    assert all(call.tenant for call in layer.calls)


@pytest.mark.parametrize(
    ("note", "status", "expected"),
    [
        (did("warm"), 200, {"warmed": True, "why": "warm", "cost": 0, "usage": None, "expires_in": None}),
        (did("below minimum", shared=12), 200, {"warmed": False, "why": "below minimum", "tokens": 12, "cost": 0}),
        (did("", extra(None, None, "refused")), 400, {"warmed": False, "why": "refused", "upstream_status": 400}),
        (did("x", extra(WROTE, 0.5, "not cached")), 200, {"warmed": False, "why": "not cached", "cost": 0.5}),
        (did("", extra(WROTE, None)), 200, {"warmed": True, "cost": None, "expires_in": 300.0}),
        (did("", extra(Usage(write_1h=5))), 200, {"warmed": True, "expires_in": 3600.0}),
        (did("", extra(Usage(write_30m=5))), 200, {"expires_in": 1800.0}),
        (did("", extra(Usage(write_12h=5))), 200, {"expires_in": 43200.0}),
        (did("", extra(Usage(read=5))), 200, {"warmed": True, "expires_in": None}),
        (did("", extra(None, None, "timeout"), extra()), 200, {"warmed": True, "why": "warmed", "cost": 0.25}),
        (did("content", extra(), extra()), 200, {"warmed": True, "why": "content", "cost": 0.5}),
        (did("warm"), 401, {"warmed": False, "why": "warm", "upstream_status": 401}),
        (lambda trace: None, 401, {"warmed": False, "why": "refused", "upstream_status": 401, "cost": 0}),
        (lambda trace: None, 200, {"warmed": False, "why": "nothing here warms prompt caches", "usage": None}),
        (did("", Extra("ping", WROTE, 0.5, 1.0)), 200, {"warmed": False, "cost": 0}),
    ],
)
async def test_what_came_of_it(note: Callable[[Trace], None], status: int, expected: dict[str, Any]) -> None:
    got, answer = await told(Warm(note, status))
    assert got == 200
    assert {name: answer.get(name) for name in expected} == expected
    assert ("upstream_status" in answer) is ("upstream_status" in expected)


async def test_the_warming_layer_knows_best_how_long_it_lives() -> None:
    def note(trace: Trace) -> None:
        trace.warming = Warming(why="warm", expires=123.5)

    assert (await told(Warm(note)))[1]["expires_in"] == 123.5

    def cold(trace: Trace) -> None:
        trace.warming = Warming(why="refused", expires=123.5)

    assert (await told(Warm(cold)))[1]["expires_in"] is None


async def test_a_request_that_was_sent_as_it_is_shows_its_price() -> None:
    def note(trace: Trace) -> None:
        trace.usage, trace.cost = Usage(uncached=9, output=5), 0.125

    _, answer = await told(Warm(note))
    assert (answer["warmed"], answer["cost"], answer["usage"]["uncached"]) == (False, 0.125, 9)


async def test_where_warming_is_off_nothing_is_asked() -> None:
    layer = Warm()
    status, answer = await told(layer, enabled=False)
    assert (status, answer["warmed"], answer["why"]) == (200, False, "warming is off")
    assert not layer.calls


@pytest.mark.parametrize("error", [UpstreamError("x"), UpstreamError("x", status=504, code="upstream_timeout")])
async def test_a_provider_that_could_not_be_asked(error: UpstreamError) -> None:
    def note(trace: Trace) -> None:
        raise error

    status, answer = await told(Warm(note))
    assert (status, answer["error"]["code"]) == (error.status, error.code)


@pytest.mark.parametrize(
    ("body", "headers", "target"),
    [
        (CHAT, {}, "/chat/completions"),
        ({"request": CHAT}, {}, "/chat/completions"),
        ({"model": "m", "input": "x"}, {}, "/responses"),
        ({"request": {"model": "m", "input": "x"}}, {}, "/responses"),
        (CHAT | {"max_tokens": 5}, {"anthropic_version": "2026-10-21"}, "/messages"),
        ({"api": "messages", "request": CHAT | {"max_tokens": 5}}, {}, "/messages"),
        ({"api": "chat", "request": CHAT}, {"anthropic_version": "2026-10-21"}, "/chat/completions"),
    ],
)
async def test_whose_request_it_is(body: Any, headers: dict[str, str], target: str) -> None:
    layer = Warm()
    await told(layer, body, **headers)
    assert [call.target for call in layer.calls] == [target]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "m"}, "messages"),
        ({"request": {"model": "m"}}, "request.messages"),
        ({"request": CHAT, "stream": True}, "stream"),
        ({"request": None}, "request"),
        ({"request": [CHAT]}, "request"),
        ({"api": "video", "request": CHAT}, "api"),
        ({"api": {}, "request": CHAT}, "api"),
        ({"request": CHAT, "keep_alive": 3600}, "keep_alive"),
        ({"request": CHAT, "keep_alive": {"seconds": 5, "dollars": 1, "x": 1}}, "keep_alive"),
        ({"request": CHAT, "keep_alive": {"seconds": 5}}, "keep_alive.dollars"),
        ({"request": CHAT, "keep_alive": {"dollars": 5}}, "keep_alive.seconds"),
        ({"request": CHAT, "keep_alive": {"seconds": 0, "dollars": 1}}, "keep_alive.seconds"),
        ({"request": CHAT, "keep_alive": {"seconds": "1h", "dollars": 1}}, "keep_alive.seconds"),
        ({"request": CHAT, "keep_alive": {"seconds": True, "dollars": 1}}, "keep_alive.seconds"),
        ({"request": CHAT, "keep_alive": {"seconds": 1e300, "dollars": 1}}, "keep_alive.seconds"),
        ({"request": CHAT, "keep_alive": {"seconds": 5, "dollars": -1}}, "keep_alive.dollars"),
        (b"[]", None),
        (b"", None),
        (b'{"request":{},"request":{}}', None),
    ],
)
async def test_bad_wishes(body: Any, param: str | None) -> None:
    layer = Warm()
    status, answer = await told(layer, body)
    assert (status, answer["error"]["param"], answer["error"]["type"]) == (400, param, "invalid_request_error")
    assert not layer.calls


@given(
    st.dictionaries(
        st.sampled_from(["api", "request", "keep_alive", "input", "messages", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["seconds", "dollars", "input"]), inner, max_size=3)
            ),
            max_leaves=6,
        ),
        max_size=4,
    ),
    st.booleans(),
)
def test_anything_is_a_wish_or_is_refused(body: dict[str, Any], native: bool) -> None:
    try:
        wish = wish_of(json.dumps(body).encode(), native=native)
    except Refused as refused:
        if refused.status != 400:
            raise
        return
    assert wish.api in APIS.values()
    assert (wish.warmup.keep > 0) is (wish.warmup.dollars > 0)
    assert json.loads(wish.body) == body.get("request", body)


async def test_it_is_posted_to() -> None:
    headers = {"Authorization": "Bearer x"}
    async with warming(Warm()) as (ours, _), ours.session.get(ours.base_url + "/warm", headers=headers) as response:
        assert (response.status, response.headers["Allow"]) == (405, "POST")


async def test_it_goes_past_the_caches_and_is_not_kept() -> None:
    config = "simulated: {first_token: 0, tokens_per_second: 100000}"
    async with proxy("simulated", config=config) as ours:
        for _ in range(2):
            assert (await ours.chat(path="/warm"))[0] == 200
        assert (await ours.chat())[1]["X-Cache-Status"] == "miss"


async def test_many_answers_are_warmed_for_once() -> None:
    layer = Warm()
    await told(layer, CHAT | {"model": "claude-opus-5-5", "n": 3})
    (call,) = layer.calls
    assert call.sent is not None
    assert (call.sent.copies, "n" in call.parsed, "n" in call.sent.parsed) == (1, False, False)


async def test_what_can_not_be_said_to_the_provider_is_refused() -> None:
    status, answer = await told(Warm(), CHAT | {"model": "claude-opus-5-5", "audio": {}})
    assert (status, answer["error"]["param"]) == (400, "audio")


LONG = {"role": "system", "content": " ".join(f"Rule {number} of them all." for number in range(3000))}
WISH = {"model": "claude-opus-5-5", "messages": [LONG, {"role": "user", "content": "What is rule 7?"}]}


async def test_a_prefix_is_written_once_and_then_read() -> None:
    config = "simulated: {first_token: 0, tokens_per_second: 100000, prefill_per_second: 10000000}"
    async with proxy("simulated", config=config) as ours:
        first = json.loads((await ours.chat(WISH, path="/warm"))[2])
        again = json.loads((await ours.chat(WISH, path="/warm"))[2])
        _, _, body = await ours.chat(WISH)
    assert (first["warmed"], first["usage"]["write_5m"] > 10_000, first["cost"] > 0) == (True, True, True)
    assert (again["warmed"], again["why"], again["cost"], again["usage"]) == (True, "warm", 0, None)
    usage = json.loads(body)["usage"]["prompt_tokens_details"]
    assert (usage["cached_tokens"], usage["cache_write_tokens"] < 100) == (first["usage"]["write_5m"], True)
