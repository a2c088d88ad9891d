"""What leaves: the header lines that tell what happened, and the body in the form that was asked for."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web
from multidict import CIMultiDict

from adapters.errors import Unfoldable
from adapters.openai_chat import OPENAI_CHAT
from adapters.usage import Usage
from adapters.vocabulary import Answer, Call, Form, Reply, Trace
from proxy.respond import error_headers, headers_of, unfolded
from tests.fakes import CHAT, Seen, answers, chunks, completion, provider, send, until
from tests.running import proxy

STREAM = CHAT | {"stream": True}
COUNTED = STREAM | {"stream_options": {"include_usage": True}}
KEY = bytes(range(32))


def call_of(**more: Any) -> Call:
    return Call("POST", "/chat/completions", CIMultiDict(), b"", dialect=OPENAI_CHAT, key=KEY, **more)


def reply_of(body: Any = b"{}", *headers: tuple[str, str]) -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply.whole(200, headers, raw, source="upstream", answer=Answer(OPENAI_CHAT, body=raw))


def told(trace: Trace, call: Call | None = None, *headers: tuple[str, str], seconds: float = 0.5) -> dict[str, str]:
    return dict(headers_of(call or call_of(), reply_of(b"{}", *headers), trace, seconds))


def test_a_hit_tells_its_age_its_time_to_live_and_what_it_saved() -> None:
    trace = Trace(source="l2", age=12.9, ttl=287.4, cost=0.0, saved=0.25)
    assert told(trace, None, ("Content-Type", "a/b")) == {
        "Content-Type": "a/b",
        "Server": "warmgate",
        "Age": "12",
        "Cache-Status": 'warmgate; hit; ttl=287; key="0001020304050607"; detail=l2',
        "X-Cache-Status": "hit",
        "Server-Timing": "warmgate;dur=500.00",
        "X-Warmgate-Cost": "cost=0; saved=0.25000000",
    }


def test_a_hit_whose_price_is_unknown_saved_an_unknown_sum() -> None:
    assert told(Trace(source="l1", age=0.0, ttl=1.0))["X-Warmgate-Cost"] == "cost=0; saved=unknown"


@pytest.mark.parametrize(
    ("facts", "status", "word"),
    [
        ({"why": "miss", "upstream_status": 200, "stored": True}, "fwd=miss; fwd-status=200; stored", "miss"),
        ({"why": "request", "upstream_status": 200}, "fwd=request; fwd-status=200", "refresh"),
        ({"why": "bypass"}, "fwd=bypass", "bypass"),
        ({}, "fwd=bypass", "bypass"),
        ({"why": "miss", "source": "collapsed"}, "fwd=miss; collapsed", "miss"),
        ({"why": "miss", "upstream_status": 500}, "fwd=miss; fwd-status=500", "miss"),
    ],
)
def test_what_was_forwarded_says_why(facts: dict[str, Any], status: str, word: str) -> None:
    headers = told(Trace(**facts))
    assert headers["Cache-Status"] == f'warmgate; {status}; key="0001020304050607"'
    assert headers["X-Cache-Status"] == word
    assert "Age" not in headers


def test_why_nothing_was_stored() -> None:
    status = told(Trace(why="miss", refused_to_store="finish_reason length"))["Cache-Status"]
    assert status == 'warmgate; fwd=miss; key="0001020304050607"; detail="finish_reason length"'


def test_the_time_of_the_proxy_is_what_the_upstream_did_not_take() -> None:
    assert told(Trace(upstream_seconds=0.3))["Server-Timing"] == "warmgate;dur=200.00, upstream;dur=300.0"
    assert told(Trace(upstream_seconds=0.9))["Server-Timing"] == "warmgate;dur=0.00, upstream;dur=900.0"


@pytest.mark.parametrize(
    ("facts", "cost"),
    [
        ({}, None),
        ({"usage": Usage(1), "cost": 0.5}, "cost=0.50000000; saved=0.00000000"),
        ({"usage": Usage(1)}, "cost=unknown; saved=0.00000000"),
        ({"usage": Usage(1), "cost": 0.0, "saved": 0.125}, "cost=0.00000000; saved=0.12500000"),
    ],
)
def test_cost_is_told_where_usage_is_known(facts: dict[str, Any], cost: str | None) -> None:
    assert told(Trace(**facts)).get("X-Warmgate-Cost") == cost


def test_a_route_that_nobody_reads_only_says_that_it_passed() -> None:
    other = Call("GET", "/models", CIMultiDict(), b"")
    assert told(Trace(upstream_status=200), other, ("server", "theirs")) == {
        "server": "theirs",
        "Cache-Status": "warmgate; fwd=bypass; fwd-status=200",
    }


def test_headers_of_the_upstream_stay_and_ours_are_added() -> None:
    lines = (("Set-Cookie", "a"), ("Set-Cookie", "b"), ("Cache-Status", "cdn; hit"), ("Server", "nginx"))
    headers = headers_of(call_of(), reply_of(b"{}", *lines), Trace(why="miss", modified_bytes=7), 0.0)
    assert headers.getall("Set-Cookie") == ["a", "b"]
    assert headers.getall("Cache-Status")[0] == "cdn; hit"
    assert headers.getall("Server") == ["nginx"]
    assert headers["X-Warmgate-Modified"] == "7"


def test_headers_of_an_error() -> None:
    assert dict(error_headers((("Allow", "GET"),))) == {
        "Content-Type": "application/json",
        "Server": "warmgate",
        "Allow": "GET",
    }


@pytest.mark.parametrize("usage", [False, True])
def test_unfolded_carries_usage_where_it_was_asked_for(usage: bool) -> None:
    raw = unfolded(call_of(stream=True, wants_usage=usage), reply_of(completion()))
    assert raw.endswith(b"data: [DONE]\n\n")
    assert (b'"prompt_tokens":2000' in raw) is usage


# ---------------------------------------------------------------- what cannot take the form that was asked for

PARTS: Any = completion() | {
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": [{"type": "thinking", "thinking": "x"}, {"type": "text"}]},
        }
    ]
}
"""A whole answer whose content is no string: there is no telling what its stream looks like."""

IN_PIECES = [
    b'data: {"choices":[{"index":0,"delta":{"odd":"a"},"finish_reason":null}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{"odd":"b"},"finish_reason":"stop"}]}\n\n',
    b"data: [DONE]\n\n",
]
"""A stream with a member that nobody knows how to join."""


async def both(request: web.Request, seen: Seen) -> web.StreamResponse:
    if json.loads(seen.body).get("stream"):
        return await send(request, IN_PIECES)
    return await answers(PARTS)(request, seen)


async def test_a_kept_answer_that_has_no_stream_is_no_answer_to_who_wants_one() -> None:
    async with provider(both) as fake, proxy(fake.base_url) as ours:
        await ours.chat()
        assert (await ours.chat())[1]["X-Cache-Status"] == "hit"
        status, headers, body = await ours.chat(COUNTED)
        assert (status, body) == (200, b"".join(IN_PIECES))
        assert headers["Content-Type"].startswith("text/event-stream")
        assert headers["X-Cache-Status"] == "refresh"
        assert "Age" not in headers
        assert fake.calls == 2
        # A streaming client who comes next is served what was kept for the last one.
        assert (await ours.chat(COUNTED))[2] == b"".join(IN_PIECES)
        assert fake.calls == 2


async def test_a_stream_on_its_way_that_does_not_fold_is_no_answer_to_who_wants_it_whole() -> None:
    gate, begun = asyncio.Event(), asyncio.Event()

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        async def wait(index: int) -> None:
            begun.set()
            await gate.wait()

        if json.loads(seen.body).get("stream"):
            return await send(request, IN_PIECES, after=wait)
        return await answers(completion())(request, seen)

    async with provider(script) as fake, proxy(fake.base_url) as ours:
        leader = asyncio.ensure_future(ours.chat(COUNTED))
        await begun.wait()
        follower = asyncio.ensure_future(ours.chat())
        await until(lambda: ours.app.edge.gate.in_flight == 2)
        gate.set()
        assert (await leader)[2] == b"".join(IN_PIECES)
        status, _, body = await follower
    assert (status, json.loads(body)) == (200, completion())
    assert fake.calls == 2


async def test_the_upstreams_own_answer_goes_out_as_it_came_and_is_asked_for_once() -> None:
    async with provider(answers(PARTS)) as fake, proxy(fake.base_url) as ours:
        status, headers, body = await ours.chat(STREAM)
        assert (status, json.loads(body)) == (200, PARTS)
        assert headers["Content-Type"].startswith("application/json")
        assert fake.calls == 1


async def test_a_stream_nobody_asked_for_is_folded_or_refused() -> None:
    async def streams(request: web.Request, seen: Seen) -> web.StreamResponse:
        return await send(request, IN_PIECES if json.loads(seen.body).get("seed") else chunks(usage=True))

    async with provider(streams) as fake, proxy(fake.base_url) as ours:
        status, headers, body = await ours.chat()
        assert (status, headers["Content-Type"]) == (200, "application/json")
        assert json.loads(body)["choices"][0]["message"]["content"] == "Paris is it."
        status, _, body = await ours.chat(CHAT | {"seed": 1})
        assert (status, json.loads(body)["error"]["code"]) == (502, "upstream_unfoldable")
        assert fake.calls == 2


def test_what_has_no_stream_raises() -> None:
    reply = reply_of(PARTS)
    assert reply.form is Form.WHOLE
    with pytest.raises(Unfoldable):
        unfolded(call_of(stream=True), reply)
