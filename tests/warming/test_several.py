"""`n` answers of a provider that gives one: the calls that are made, their answers as one, and one bill."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import openai
import pytest
from aiohttp import web
from multidict import CIMultiDict

from adapters.errors import Refused, Torn, UpstreamError
from adapters.openai_chat import OPENAI_CHAT
from adapters.openai_choices import OPENAI_CHOICES
from adapters.openai_fold import DONE, fold
from adapters.sse import Frame
from adapters.tasks import Tasks
from adapters.usage import Usage
from adapters.vocabulary import Answer, Call, Extra, Fanout, Form, Reply, Sent, Trace, Warming
from tests.fakes import CHAT, Seen, answer, chunks, completion, dollars, send, until
from tests.proxy.test_upstreams import anthropic, behind, claude, stream, two
from tests.running import proxy
from warming.several import Ledger, Names, Several, single, warming_of


def call(n: int = 3, **more: Any) -> Call:
    body = CHAT | {"n": n} | more
    parsed = {"model": "claude", "messages": [], "max_tokens": 5} | ({"n": n} if n > 1 else {})
    sent = Sent("/messages", b'{"model":"claude"}', parsed, copies=n)
    raw = json.dumps(body).encode()
    return Call(
        "POST",
        "/chat/completions",
        CIMultiDict(),
        raw,
        OPENAI_CHAT,
        body,
        stream=body.get("stream") is True,
        wants_usage=not body.get("stream") or OPENAI_CHAT.wants_usage(body),
        sent=sent,
    )


class Stream:
    """Frames as an upstream gives them: each behind the gate, put down on the answer, then the end or an error."""

    def __init__(self, raw: list[bytes], error: BaseException | None = None, *, gated: bool = False) -> None:
        self.waiting, self.error = [Frame(each) for each in raw], error
        self.answer = Answer(OPENAI_CHAT)
        self.gate = asyncio.Semaphore(0 if gated else len(raw) + 1)
        self.closed = 0

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        await self.gate.acquire()
        if not self.waiting:
            if self.error is not None:
                raise self.error
            raise StopAsyncIteration
        self.answer.add(self.waiting[0])
        return self.waiting.pop(0)

    def ready(self) -> list[Frame]:
        return []

    async def aclose(self) -> None:
        self.closed += 1


class Inner:
    """Answers each call by the next script: a whole answer, a stream, an exception, or a status; and notes a bill."""

    def __init__(self, *scripts: Any) -> None:
        self.scripts, self.calls = list(scripts), list[Call]()
        self.gates: dict[int, asyncio.Event] = {}

    async def __call__(self, call: Call) -> Reply:
        place = len(self.calls)
        self.calls.append(call)
        if place in self.gates:
            await self.gates[place].wait()
        script, trace = self.scripts[place], call.trace
        trace.attempts, trace.upstream, trace.modified_bytes = 1, "claude", 10
        if isinstance(script, Exception):
            raise script
        if isinstance(script, int):
            trace.upstream_status = script
            return Reply.whole(script, (("x", "y"),), b'{"error":{"message":"no"}}', source="upstream")
        trace.upstream_status = 200
        trace.usage, trace.costs, trace.cost = Usage(uncached=10, output=2), dollars(0.5), 0.5
        headers = (("Content-Type", "whatever"), ("x-request-id", f"r{place}"))
        if isinstance(script, Stream):
            return Reply(200, headers, "upstream", Form.EVENTS, script, answer=script.answer)
        body = json.dumps(script).encode()
        return Reply.whole(200, headers, body, source="upstream", answer=Answer(OPENAI_CHAT, body=body))


def several(*scripts: Any) -> tuple[Several, Inner]:
    inner = Inner(*scripts)
    return Several(inner, OPENAI_CHOICES, Names(1.5), Tasks()), inner


def texts(message: dict[str, Any]) -> list[tuple[int, str]]:
    return [(choice["index"], choice["message"]["content"]) for choice in message["choices"]]


async def test_a_call_for_one_answer_passes_as_it_is() -> None:
    layer, inner = several(completion())
    one = call(1)
    await layer(one)
    assert inner.calls == [one]
    assert inner.calls[0] is one


async def test_each_copy_is_the_request_without_n_and_one_of_a_declared_fanout() -> None:
    layer, inner = several(*map(completion, "abc"), *map(completion, "de"))
    asked = call(3)
    reply = await layer(asked)
    assert texts(json.loads(reply.body or b"")) == [(0, "a"), (1, "b"), (2, "c")]
    for copy in inner.calls:
        assert copy.body == json.dumps(CHAT).encode()
        assert copy.parsed == CHAT
        assert copy.sent == Sent(
            "/messages", b'{"model":"claude"}', {"model": "claude", "messages": [], "max_tokens": 5}
        )
        assert copy.trace is not asked.trace
        assert copy.controls == asked.controls
    assert {copy.fanout for copy in inner.calls} == {Fanout("warmgate/5dc/1", 3)}
    await layer(call(2))
    assert {copy.fanout for copy in inner.calls[3:]} == {Fanout("warmgate/5dc/2", 2)}


async def test_siblings_of_a_declared_fanout_are_of_it_with_all_their_copies() -> None:
    layer, inner = several(*map(completion, "ab"))
    asked = call(2)
    asked.fanout = Fanout("mine", 4)
    await layer(asked)
    assert {copy.fanout for copy in inner.calls} == {Fanout("mine", 8)}


async def test_the_whole_answer_and_the_bill_for_it() -> None:
    layer, _ = several(*map(completion, "ab"))
    asked = call(2)
    asked.trace.modified_bytes = 7
    reply = await layer(asked)
    assert (reply.status, reply.source, reply.form) == (200, "upstream", Form.WHOLE)
    assert reply.headers == (("Content-Type", "application/json"), ("x-request-id", "r0"))
    assert reply.answer is not None
    assert reply.answer.message()["usage"]["prompt_tokens"] == 4000
    trace = asked.trace
    assert (trace.usage, trace.cost, trace.costs) == (Usage(uncached=20, output=4), 1.0, dollars(1.0))
    assert (trace.attempts, trace.upstream, trace.upstream_status, trace.modified_bytes) == (1, "claude", 200, 27)


@pytest.mark.parametrize("usage", [True, False])
async def test_streams_interleave_and_end_once(usage: bool) -> None:
    first, second = Stream(chunks("A a", usage=True), gated=True), Stream(chunks("B b", usage=True), gated=True)
    layer, inner = several(first, second)
    asked = call(2, stream=True, **({"stream_options": {"include_usage": True}} if usage else {}))
    reply = await layer(asked)
    assert reply.headers[0] == ("Content-Type", "text/event-stream; charset=utf-8")
    assert all(copy.wants_usage for copy in inner.calls)
    seen, order = list[Frame](), [0, 0, 1, 0, 1, 1]
    async with aclosing(reply.frames) as frames:
        for place in order:
            (first, second)[place].gate.release()
            seen.append(await frames.__anext__())
        first.gate.release(), second.gate.release()  # type: ignore[func-returns-value]
        seen += [await frames.__anext__(), await frames.__anext__()]
        for source in (first, second):
            for _ in range(4):
                source.gate.release()
        seen += [frame async for frame in frames]
    events: list[Any] = [frame.json() for frame in seen if frame != DONE]
    assert [event["choices"][0]["index"] for event in events[:6]] == order
    assert seen[-1] == DONE
    assert seen.count(DONE) == 1
    assert any(event.get("usage") for event in events) is usage
    assert texts(fold(seen)) == [(0, "A a"), (1, "B b")]
    assert reply.answer is not None
    assert reply.answer.message()["usage"]["prompt_tokens"] == 4000
    assert asked.trace.cost == 1.0


async def test_the_bill_is_known_before_the_end_leaves() -> None:
    layer, inner = several(Stream(chunks("A")), Stream(chunks("B")))
    asked = call(2, stream=True)
    reply = await layer(asked)
    for copy in inner.calls:
        copy.trace.cost, copy.trace.costs = 2.0, dollars(2.0)  # as a meter notes it, with the terminal event
    async with aclosing(reply.frames) as frames:
        async for frame in frames:
            if frame == DONE:
                assert asked.trace.cost == 4.0


async def test_either_form_serves_the_other() -> None:
    layer, _ = several(Stream(chunks("A", usage=True)), completion("B"))
    assert texts(json.loads((await layer(call(2))).body or b"")) == [(0, "A"), (1, "B")]
    layer, _ = several(Stream(chunks("A")), completion("B"))
    reply = await layer(call(2, stream=True))
    assert texts(fold([frame async for frame in reply.frames])) == [(0, "A"), (1, "B")]


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("fault", [429, 500, UpstreamError("x"), Refused(400, "x")])
async def test_one_that_fails_fails_all_before_the_first_byte(fault: Any, streamed: bool) -> None:
    opened = Stream(chunks("A"), gated=True)
    layer, inner = several(opened, fault, completion("never"))
    inner.gates[2] = asyncio.Event()  # still under way, and given up
    asked = call(3, stream=streamed)
    if isinstance(fault, int):
        reply = await layer(asked)
        assert (reply.status, reply.headers) == (fault, (("x", "y"),))
        assert asked.trace.upstream_status == fault
    else:
        with pytest.raises(type(fault)):
            await layer(asked)
    assert opened.closed


async def test_whoever_gives_up_closes_them_all() -> None:
    opened = Stream(chunks("A"), gated=True)
    layer, inner = several(opened, completion("never"))
    inner.gates[1] = asyncio.Event()
    tasks = Tasks()
    asking = tasks.spawn(layer(call(2, stream=True)))
    await until(lambda: len(inner.calls) == 2)
    asking.cancel()
    await tasks.drain(1)
    assert opened.closed


async def test_one_that_breaks_off_breaks_the_answer_off() -> None:
    torn, other = Stream(chunks("A b c")[:2], Torn("cut")), Stream(chunks("B"), gated=True)
    layer, _ = several(torn, other)
    reply = await layer(call(2, stream=True))
    seen = list[Frame]()

    async def read() -> None:
        async with aclosing(reply.frames) as frames:
            async for frame in frames:
                seen.extend((frame, *frames.ready()))

    with pytest.raises(Torn, match="cut"):
        await read()
    assert len(seen) == 2
    assert DONE not in seen
    assert torn.closed
    assert other.closed


async def test_a_torn_stream_fails_a_whole_answer() -> None:
    layer, _ = several(Stream(chunks("A")[:1], Torn("cut")), completion("B"))
    with pytest.raises(Torn):
        await layer(call(2))


@pytest.mark.parametrize("body", [{"choices": []}, {"choices": 7}, {}])
@pytest.mark.parametrize("streamed", [True, False])
async def test_what_can_not_be_joined_is_an_upstreams_error(body: Any, streamed: bool) -> None:
    layer, _ = several(completion("A"), body)
    with pytest.raises(UpstreamError) as failed:
        await layer(call(2, stream=streamed))
    assert failed.value.code == "upstream_unfoldable"


async def test_a_provider_that_sends_frames_together_has_them_passed_on_together() -> None:
    layer, _ = several(Stream(chunks("A b c")), Stream(chunks("B")))
    reply = await layer(call(2, stream=True))
    async with aclosing(reply.frames) as frames:
        seen = [await frames.__anext__()]
        await asyncio.sleep(0)
        seen += frames.ready()
        assert len(seen) > 4
        assert DONE not in seen  # layers wait at terminal events
        assert [frame async for frame in frames] == [DONE]


def test_what_is_not_known_of_one_is_not_known_of_all() -> None:
    trace = Trace(modified_bytes=1)
    parts = [
        Trace(
            usage=Usage(output=1), cost=None, attempts=2, upstream_seconds=1.0, first_frame_seconds=0.4, finish="stop"
        ),
        Trace(usage=Usage(output=2, estimated=True), cost=3.0, costs=dollars(3.0), attempts=3, upstream_seconds=2.0),
        Trace(first_frame_seconds=0.2, warnings=("seed: dropped",), refused_to_store="fallback to x", finish="length"),
    ]
    ledger = Ledger(trace, parts)
    ledger.gather()
    ledger.gather()
    assert trace.usage == Usage(output=3, estimated=True)
    assert (trace.cost, trace.costs, trace.saved) == (None, None, None)
    assert (trace.attempts, trace.upstream_seconds, trace.first_frame_seconds) == (4, 2.0, 0.2)
    assert (trace.finish, trace.warnings, trace.refused_to_store) == (
        "stop,length",
        ("seed: dropped",),
        "fallback to x",
    )
    assert (trace.modified_bytes, trace.upstream_status) == (1, None)


def test_warming_of_several_is_all_that_was_done_for_them() -> None:
    extra = Extra("warm", Usage(write_5m=9), 0.5, 1.0)
    parts = [
        Warming(role="warmed", why="content", group="g", waited=1.0, shared=9, expected=9, saved=0.25, extra=[extra]),
        Warming(role="follower", waited=2.0, shared=9, expected=9, marks=1, pruned=3),
    ]
    found = warming_of(parts)
    assert found == Warming("warmed", "content", "g", 2.0, 9, 18, 1, 0.25, [extra], 3, 0)
    assert found.net == -0.25
    assert warming_of([]) is None


def test_the_same_for_one_answer() -> None:
    one = call(1)
    assert single(one) is one
    none = call(1)
    none.sent = None
    assert single(none) is none
    assert single(call(4)).parsed == CHAT
    assert single(call(4)).sent == call(1).sent


# Over HTTP


async def test_n_at_a_provider_without_it() -> None:
    async with behind(answer, anthropic, two) as (_, fake, ours):
        status, headers, body = await ours.chat(claude(n=3), key="sk-ant-1")
        again = await ours.chat(claude(n=3), key="sk-ant-1")
        one = await ours.chat(claude(), key="sk-ant-1")
        other = await ours.chat(claude(n=2), key="sk-ant-1")
    said = json.loads(body)
    assert status == 200
    assert texts(said) == [(0, "Paris."), (1, "Paris."), (2, "Paris.")]
    assert said["usage"]["prompt_tokens"] == 3 * 2010
    assert "stored" in headers["Cache-Status"]
    assert (again[1]["X-Cache-Status"], again[2]) == ("hit", body)
    assert (one[1]["X-Cache-Status"], other[1]["X-Cache-Status"]) == ("miss", "miss")
    assert [len(json.loads(each[2])["choices"]) for each in (one, other)] == [1, 2]
    assert len(fake.seen) == 3 + 1 + 2
    assert not any("n" in json.loads(seen.body) for seen in fake.seen)
    assert headers["X-Warmgate-Cost"].startswith("cost=0.0")


async def test_n_of_a_provider_that_has_it_is_its_own_affair() -> None:
    async with behind(answer, anthropic, two) as (openai_, _, ours):
        await ours.chat(CHAT | {"n": 3})
        assert [json.loads(seen.body)["n"] for seen in openai_.seen] == [3]


@pytest.mark.parametrize("n", [129, 10**30])
async def test_too_many(n: int) -> None:
    async with behind(answer, anthropic, two) as (_, fake, ours):
        status, _, body = await ours.chat(claude(n=n), key="sk-ant-1")
        assert (status, json.loads(body)["error"]["param"]) == (400, "n")
        assert not fake.seen


async def test_the_official_client_and_the_simulated_provider() -> None:
    config = "simulated: {first_token: 0, tokens_per_second: 100000}"
    async with (
        proxy("simulated", config=config) as ours,
        openai.AsyncOpenAI(base_url=ours.base_url, api_key="sk-x", max_retries=0) as client,
    ):
        messages: Any = [{"role": "user", "content": "What is the capital of France?"}]
        create: Any = client.chat.completions.create
        whole = await create(model="claude-opus-5-5", messages=messages, n=3)
        streamed = await create(
            model="claude-opus-5-5",
            messages=messages,
            n=3,
            stream=True,
            stream_options={"include_usage": True},
            extra_headers={"Cache-Control": "no-cache"},
        )
        texts, usage, finished = ["", "", ""], None, set()
        async for chunk in streamed:
            usage = chunk.usage or usage
            for choice in chunk.choices:
                texts[choice.index] += choice.delta.content or ""
                finished |= {choice.index} if choice.finish_reason else set()
    assert [choice.index for choice in whole.choices] == [0, 1, 2]
    assert [choice.message.content for choice in whole.choices] == texts
    assert finished == {0, 1, 2}
    assert usage is not None
    assert usage.completion_tokens == whole.usage.completion_tokens
    assert usage.prompt_tokens == whole.usage.prompt_tokens
    assert usage.prompt_tokens % 3 == 0


async def test_several_answers_pay_for_the_prompt_once() -> None:
    config = "simulated: {first_token: 0, tokens_per_second: 100000, prefill_per_second: 10000000}"
    rules = " ".join(f"Rule {number} of them all." for number in range(3000))
    async with proxy("simulated", config=config) as ours:
        messages = [{"role": "system", "content": rules}, {"role": "user", "content": "What is rule 7?"}]
        status, headers, body = await ours.chat({"model": "claude-opus-5-5", "messages": messages, "n": 4})
    usage = json.loads(body)["usage"]
    assert status == 200
    assert usage["prompt_tokens_details"]["cached_tokens"] > 0.99 * usage["prompt_tokens"] > 4 * 10_000
    assert headers["X-Warmgate-Warming"].startswith("warmed; ")


def fallbacks(order: str) -> Any:
    """The two providers as ways of one route: `claude` first, or `gpt` first."""

    def config(gpt: str, claude_url: str) -> str:
        first, second = ("c", "g") if order == "claude" else ("g", "c")
        return f"""
upstreams:
  g: {{base_url: "{gpt}", retries: 0, api_key_env: SPARE_KEY}}
  c: {{base_url: "{claude_url}", speaks: anthropic, retries: 0, api_key_env: SPARE_KEY}}
upstream: {{api_key_env: PROVIDER_KEY}}
routes:
  - {{model: "*", upstream: {first}, fallback: [{{upstream: {second}}}]}}
tenants: {{mode: managed, keys: [{{tenant: a, key: wg-team-a}}]}}
"""

    return config


async def overloaded(request: web.Request, seen: Seen) -> web.StreamResponse:
    return web.json_response({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}, status=529)


async def test_each_copy_falls_back_by_itself_and_asks_there_for_one_answer() -> None:
    async with behind(answer, overloaded, fallbacks("claude")) as (gpt, claude_, ours):
        status, headers, body = await ours.chat(claude(n=2), key="wg-team-a")
        assert status == 200
        assert [seen.path for seen in claude_.seen if seen.method == "POST"] == ["/v1/messages"] * 2
        assert [json.loads(seen.body).get("n") for seen in gpt.seen] == [None, None]
    assert texts(json.loads(body)) == [(0, "Paris."), (1, "Paris.")]
    assert headers["X-Warmgate-Upstream"] == "g"
    assert headers["Cache-Status"].endswith('detail="fallback to g"')


async def test_a_fallback_that_gives_one_answer_is_passed_over_where_several_are_wanted() -> None:
    async def down(request: web.Request, seen: Seen) -> web.StreamResponse:
        return web.json_response({"error": {"message": "x"}}, status=503)

    async with behind(down, anthropic, fallbacks("gpt")) as (_, claude_, ours):
        assert (await ours.chat(CHAT | {"n": 2}, key="wg-team-a"))[0] == 503
        assert not [seen for seen in claude_.seen if seen.method == "POST"]
        assert (await ours.chat(CHAT, key="wg-team-a"))[0] == 200


async def test_a_client_that_hangs_up_hangs_up_on_all_copies() -> None:
    gone = list[str]()
    begun = list[str]()

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        if not seen.path.startswith("/v1/messages"):
            return await anthropic(request, seen)

        async def hold(place: int) -> None:
            if place == 3:
                begun.append(seen.path)
                try:
                    await asyncio.Event().wait()
                finally:
                    gone.append(seen.path)

        return await send(request, stream(), after=hold)

    async with behind(answer, script, two) as (_, _, ours):
        async with ours.post(claude(n=3, stream=True), key="sk-ant-1") as response:
            assert (await response.content.readline()).startswith(b"data:")
            await until(lambda: len(begun) == 3)
        await until(lambda: len(gone) == 3)
        await until(lambda: not len(ours.app.tasks))


async def test_one_copy_that_breaks_off_ends_the_stream_with_an_error_and_nothing_is_kept() -> None:
    count = list[int]()

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        count.append(1)
        if len(count) % 2:
            return await send(request, stream())
        return await send(request, stream()[:4])

    async with behind(answer, script, two) as (_, _, ours):
        _, _, body = await ours.chat(claude(n=2, stream=True), key="sk-ant-1")
        assert b'"error"' in body
        assert b"[DONE]" not in body
        assert (await ours.chat(claude(n=2, stream=True), key="sk-ant-1"))[1]["X-Cache-Status"] == "miss"
