"""The exact cache between a scripted handler and real levels: what it answers, what it keeps, what it never does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from adapters.ask_usage import AskUsage
from adapters.errors import Torn, UpstreamError
from adapters.meter import Meter
from adapters.openai_chat import OPENAI_CHAT
from adapters.vocabulary import Call, Controls, Form, Reply
from cache.disk import Disk
from cache.entry import Shape
from cache.exact import Exact
from cache.if_cached import IfCached
from cache.key import key_of
from cache.memory import Memory
from cache.policy import Policy
from cache.recall import Replay
from cache.tiers import Tiers
from tests.cache.scripted import Admission, Script, call_of
from tests.fakes import Clock, chunks, completion, dollars

TTL = 300.0
USAGE = completion()["usage"]
ODD = [
    b'data: {"choices":[{"index":0,"delta":{"odd":"a"},"finish_reason":null}]}\n\n',
    b": a comment\r\n\r\n",
    b'data: {"choices":[{"index":0,"delta":{"odd":"b"},"finish_reason":"stop"}]}\n\n',
    b"data: [DONE]\n\n",
]
"""A complete stream with a member that nobody knows how to join."""


@dataclass
class Scene:
    exact: Exact
    script: Script
    clock: Clock
    admission: Admission
    levels: Tiers

    async def ask(self, **changes: Any) -> tuple[Call, Reply, bytes]:
        """A call, its reply, and the body read to its end."""
        call = call_of(**changes)
        reply = await self.exact(call)
        return call, reply, b"".join([frame.raw async for frame in reply.frames])

    async def hits(self, **changes: Any) -> bool:
        return (await self.ask(**changes))[1].source != "upstream"


def scene(script: Script | None = None, **more: Any) -> Scene:
    clock, script, admission = Clock(), script or Script(), Admission()
    levels = more.pop("levels", None) or Tiers(Memory(100, 1 << 20, TTL, clock), None)
    handler = more.pop("around", lambda inner: inner)(script)
    exact = Exact(handler, levels, more.pop("policy", Policy()), admission, clock)
    assert not more
    return Scene(exact, script, clock, admission, levels)


# ---------------------------------------------------------------- what is kept


async def test_a_whole_answer_is_kept_with_what_a_hit_has_to_tell() -> None:
    at = scene(around=lambda inner: Meter(inner, lambda model, usage: dollars(0.5), Clock()))
    call, reply, body = await at.ask(controls=Controls(namespace="n"))
    assert (reply.source, call.trace.why, call.trace.stored) == ("upstream", "miss", True)
    entry = at.levels.peek(key_of(call))
    assert entry is not None
    assert (entry.body, entry.shape, entry.status, entry.with_usage) == (body, Shape.MESSAGE, 200, True)
    assert (entry.tenant, entry.namespace, entry.model, entry.cost) == ("t", "n", "gpt-4o", 0.5)
    assert (entry.stored_at, entry.expires_at) == (at.clock.now, at.clock.now + TTL)
    assert entry.headers == (("Content-Type", "application/json"), ("X-Request-Id", "r"))
    assert entry.usage is not None
    assert entry.usage.read == 1024


async def test_a_hit_tells_what_it_is() -> None:
    at = scene(around=lambda inner: Meter(inner, lambda model, usage: dollars(0.5), Clock()))
    _, _, first = await at.ask()
    at.clock.tick(20)
    call, reply, body = await at.ask()
    assert (body, reply.source, reply.status, reply.form) == (first, "l1", 200, Form.WHOLE)
    assert reply.headers == (("Content-Type", "application/json"), ("X-Request-Id", "r"))
    trace = call.trace
    assert (trace.source, trace.why, trace.age, trace.ttl) == ("l1", "", 20.0, 280.0)
    assert (trace.cost, trace.saved, trace.usage is not None) == (0.0, 0.5, True)
    assert len(at.script.calls) == 1


async def test_a_stream_is_kept_before_its_terminal_event_leaves() -> None:
    at = scene()
    call = call_of(stream=True)
    reply = await at.exact(call)
    async for frame in reply.frames:
        kept = at.levels.peek(key_of(call)) is not None
        assert kept is OPENAI_CHAT.is_end(frame)
    assert call.trace.stored
    assert await at.hits()


@pytest.mark.parametrize(
    ("events", "why"),
    [
        (chunks()[:-1], ""),
        (chunks()[:-2], ""),
        ([*chunks()[:2], b'data: {"error":{"message":"x"}}\n\n'], "error event"),
        (chunks(finish="length"), "finish_reason length"),
        (chunks(finish=None), "no choices"),
    ],
)
async def test_a_stream_that_is_not_what_it_would_be_next_time_is_not_kept(events: list[bytes], why: str) -> None:
    at = scene(Script(events=events))
    call = call_of(stream=True)
    reply = await at.exact(call)
    if events[-1] == chunks()[-1]:
        _ = [frame async for frame in reply.frames]
    else:
        with pytest.raises(Torn):
            _ = [frame async for frame in reply.frames]
    assert (call.trace.stored, call.trace.refused_to_store) == (False, why)
    assert not await at.hits()


async def test_a_stream_that_is_left_early_is_closed_and_not_kept() -> None:
    at = scene()
    reply = await at.exact(call_of(stream=True))
    await anext(aiter(reply.frames))
    await reply.frames.aclose()
    assert reply.frames._frames.closed  # type: ignore[attr-defined]
    assert at.levels.stats()["l1"]["entries"] == 0


@pytest.mark.parametrize(
    ("status", "kept"), [(200, True), (201, True), (299, True), (199, False), (300, False), (500, False)]
)
async def test_only_a_success_is_kept(status: int, kept: bool) -> None:
    at = scene(Script(status=status))
    call, _, _ = await at.ask()
    assert call.trace.stored is kept
    assert call.trace.refused_to_store == ("" if kept else f"status {status}")


@pytest.mark.parametrize("source", ["semantic", "l1", "proxy", "collapsed", ""])
@pytest.mark.parametrize("stream", [False, True])
async def test_only_answers_of_the_upstream_are_kept(source: str, stream: bool) -> None:
    at = scene(Script(source=source))
    for _ in range(2):
        await at.ask(stream=stream)
    assert len(at.script.calls) == 2
    assert at.levels.stats()["l1"]["entries"] == 0


async def test_what_is_held_can_be_asked_without_a_trace() -> None:
    at = scene()
    assert at.exact.holds(call_of()) is False
    await at.ask()
    before = at.levels.stats()
    call = call_of()
    assert at.exact.holds(call) is True
    assert (call.trace, at.levels.stats()) == (call_of().trace, before)
    assert at.exact.holds(call_of(controls=Controls(no_cache=True))) is False
    assert at.exact.holds(call_of(body={"store": True})) is False
    assert at.exact.holds(call_of(dialect=None)) is False


async def test_what_no_dialect_reads_passes() -> None:
    at = scene()
    for _ in range(2):
        call, reply, _ = await at.ask(dialect=None)
        assert (reply.source, call.trace.why, call.key) == ("upstream", "bypass", b"")
    assert at.exact.peek(call) is None


async def test_what_the_policy_refuses_is_neither_looked_up_nor_kept() -> None:
    at = scene()
    for _ in range(2):
        call, reply, _ = await at.ask(body={"store": True})
        assert (reply.source, call.trace.why, call.trace.stored) == ("upstream", "bypass", False)
        assert at.exact.peek(call) is None
    assert at.levels.stats()["l1"]["entries"] == 0


async def test_an_objection_of_the_policy_is_told() -> None:
    at = scene(Script(whole=completion(finish="length")))
    assert (await at.ask())[0].trace.refused_to_store == "finish_reason length"
    at = scene(policy=Policy(max_answer=10))
    assert (await at.ask())[0].trace.refused_to_store == "larger than 10 bytes"


# ---------------------------------------------------------------- forms


async def test_a_stream_with_usage_serves_every_form() -> None:
    at = scene()
    await at.ask(stream=True)
    call, reply, body = await at.ask()
    assert (reply.source, reply.form, call.trace.age) == ("l1", Form.WHOLE, 0.0)
    assert json.loads(body)["usage"] == USAGE
    for usage in (False, True):
        assert await at.hits(stream=True, usage=usage)
    assert len(at.script.calls) == 1


async def test_a_stream_without_usage_serves_only_streams_without_usage() -> None:
    at = scene(Script(events=chunks()))
    await at.ask(stream=True, usage=False)
    assert await at.hits(stream=True, usage=False)
    call = call_of()
    assert at.exact.peek(call) is None
    assert not await at.hits()
    assert await at.hits(stream=True), "the whole answer has taken its place"


async def test_a_stream_whose_provider_counts_unasked_serves_everybody() -> None:
    at = scene(Script(events=chunks(usage=True)))
    await at.ask(stream=True, usage=False)
    assert await at.hits()
    assert await at.hits(stream=True)


@pytest.mark.parametrize("usage", [False, True])
async def test_what_does_not_fold_is_kept_as_it_came_for_the_same_kind_of_stream(usage: bool) -> None:
    at = scene(Script(events=ODD))
    call, _, first = await at.ask(stream=True, usage=usage)
    entry = at.levels.peek(key_of(call))
    assert entry is not None
    assert (entry.shape, entry.with_usage, entry.body) == (Shape.FRAMES, usage, first)
    assert entry.headers == (("Content-Type", "text/event-stream"), ("X-Request-Id", "r"))
    call, reply, again = await at.ask(stream=True, usage=usage)
    assert (reply.source, reply.form, again) == ("l1", Form.EVENTS, first)
    assert not await at.hits(stream=True, usage=not usage)
    assert not await at.hits()


async def test_usage_that_only_the_proxy_asked_for_is_not_in_what_is_replayed() -> None:
    counted = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n'
    at = scene(Script(events=[*ODD[:-1], counted, ODD[-1]]), around=AskUsage)
    _, _, first = await at.ask(stream=True, usage=False)
    call, reply, again = await at.ask(stream=True, usage=False)
    assert reply.source == "l1"
    assert again == first == b"".join(ODD)
    assert call.trace.usage is not None


async def test_a_replay_gives_every_frame_and_can_be_left() -> None:
    body = b"data: a\r\rdata: [DONE]\r\r"  # the last CR may be half of a CRLF: a splitter holds that event back
    assert [frame.raw async for frame in Replay(body)] == [b"data: a\r\r", b"data: [DONE]\r\r"]
    left = Replay(b"".join(ODD))
    assert (await anext(left)).raw == ODD[0]
    await left.aclose()
    assert [frame async for frame in left] == []


async def test_a_partial_entry_in_the_wrong_form_is_replaced() -> None:
    at = scene(Script(events=ODD))
    await at.ask(stream=True)
    await at.ask()
    entry = at.levels.peek(key_of(call_of()))
    assert entry is not None
    assert entry.shape is Shape.MESSAGE


# ---------------------------------------------------------------- controls


async def test_no_cache_asks_and_keeps() -> None:
    at = scene()
    await at.ask()
    at.clock.tick(50)
    fresh = call_of(controls=Controls(no_cache=True))
    assert at.exact.peek(fresh) is None
    call, reply, _ = await at.ask(controls=Controls(no_cache=True))
    assert (reply.source, call.trace.why, call.trace.stored) == ("upstream", "request", True)
    assert (await at.ask())[0].trace.age == 0.0


@pytest.mark.parametrize("stream", [False, True])
async def test_no_store_keeps_nothing_and_may_be_answered(stream: bool) -> None:
    at = scene()
    never = Controls(no_store=True)
    assert not await at.hits(stream=stream, controls=never)
    assert not await at.hits(stream=stream)
    assert await at.hits(stream=stream, controls=never)


async def test_max_age_in_seconds_exactly() -> None:
    at = scene()
    await at.ask()
    at.clock.tick(10)
    old = call_of(controls=Controls(max_age=9.9))
    assert at.exact.peek(old) is None
    assert at.exact.peek(call_of(controls=Controls(max_age=10))) is not None
    call, reply, _ = await at.ask(controls=Controls(max_age=9.9))
    assert (reply.source, call.trace.why) == ("upstream", "request")
    assert (await at.ask(controls=Controls(max_age=0)))[1].source == "l1", "renewed just now"


async def test_a_time_to_live_of_the_request() -> None:
    at = scene()
    await at.ask(controls=Controls(ttl=5))
    at.clock.tick(4.9)
    assert await at.hits()
    at.clock.tick(0.2)
    assert not await at.hits()
    call, _, _ = await at.ask(controls=Controls(ttl=0, no_cache=True))
    assert (call.trace.stored, call.trace.refused_to_store) == (False, "ttl 0")


async def test_nothing_is_kept_for_longer_than_the_levels_keep() -> None:
    at = scene()
    await at.ask(controls=Controls(ttl=10 * TTL))
    at.clock.tick(TTL + 1)
    assert not await at.hits()


async def test_namespaces_and_tenants_never_meet() -> None:
    at = scene()
    await at.ask()
    assert not await at.hits(controls=Controls(namespace="n"))
    assert not await at.hits(tenant="u")
    assert await at.hits(controls=Controls(namespace="n"))
    assert await at.hits()


async def test_only_if_cached_is_answered_from_memory_or_with_504() -> None:
    at = scene(around=IfCached)
    only = Controls(only_if_cached=True)
    call, reply, body = await at.ask(controls=only)
    assert (reply.status, reply.source, call.trace.stored) == (504, "proxy", False)
    assert json.loads(body)["error"]["type"] == "cache_miss"
    assert (await at.ask(controls=only, body={"store": True}))[1].status == 504
    assert at.script.calls == []
    await at.ask()
    assert (await at.ask(controls=only))[1].status == 200
    assert (await at.ask(controls=replace(only, max_age=-1)))[1].status == 504


# ---------------------------------------------------------------- admission


async def test_a_credential_nobody_remembers_is_asked_about() -> None:
    at = scene()
    await at.ask()
    at.admission.known = False
    assert at.exact.peek(call_of()) is None
    assert await at.hits()
    assert at.admission.asked == 1


async def test_a_refused_credential_gets_the_refusal() -> None:
    at = scene()
    await at.ask()
    at.admission.known = False
    at.admission.answer = Reply.whole(401, (), b"no", source="upstream")
    call, reply, body = await at.ask()
    assert (reply.status, body, call.trace.age) == (401, b"no", None)
    assert len(at.script.calls) == 1
    at.admission.known = True
    assert await at.hits(), "the answer is still there for who may have it"


async def test_where_nobody_can_be_asked_the_request_goes_itself() -> None:
    at = scene()
    await at.ask()
    at.admission.known, at.admission.answer = False, UpstreamError("nobody there")
    _, reply, _ = await at.ask()
    assert reply.source == "upstream"
    assert len(at.script.calls) == 2


async def test_a_miss_asks_about_nobody() -> None:
    at = scene()
    at.admission.known = False
    await at.ask()
    assert at.admission.asked == 0


# ---------------------------------------------------------------- peek, levels, failures


async def test_peek_answers_only_what_lies_in_memory() -> None:
    at = scene()
    assert at.exact.peek(call_of()) is None
    await at.ask()
    reply = at.exact.peek(call_of(stream=True))
    assert reply is not None
    assert (reply.source, reply.form) == ("l1", Form.WHOLE)


@asynccontextmanager
async def on_disk(path: Path, clock: Clock, memory: Memory | None) -> AsyncIterator[Tiers]:
    levels = Tiers(memory, Disk(path, 100, 1 << 20, TTL, clock, patience=5))
    await levels.open()
    try:
        yield levels
    finally:
        await levels.close()


async def test_an_answer_on_disk_is_a_hit_of_l2_then_of_l1(tmp_path: Path) -> None:
    async with on_disk(tmp_path / "a.sqlite", Clock(), None) as levels:
        _, _, first = await scene(levels=levels).ask()
    clock = Clock()
    async with on_disk(tmp_path / "a.sqlite", clock, Memory(10, 1 << 20, TTL, clock)) as levels:
        at = scene(levels=levels)
        assert at.exact.peek(call_of()) is None
        call, reply, body = await at.ask()
        assert (reply.source, call.trace.source, body) == ("l2", "l2", first)
        assert [(await at.ask())[1].source for _ in range(3)] == ["l2", "l2", "l1"]  # after three reads
        assert at.script.calls == []


async def test_frames_outlive_the_process_too(tmp_path: Path) -> None:
    async with on_disk(tmp_path / "a.sqlite", Clock(), None) as levels:
        await scene(Script(events=ODD), levels=levels).ask(stream=True)
    async with on_disk(tmp_path / "a.sqlite", Clock(), None) as levels:
        _, reply, body = await scene(levels=levels).ask(stream=True)
    assert (reply.source, reply.form, body) == ("l2", Form.EVENTS, b"".join(ODD))


@pytest.mark.parametrize("stream", [False, True])
async def test_a_disk_that_does_not_work_never_fails_a_request(tmp_path: Path, stream: bool) -> None:
    (tmp_path / "a.sqlite").mkdir()  # where the file should be
    async with on_disk(tmp_path / "a.sqlite", Clock(), None) as levels:
        at = scene(levels=levels)
        for _ in range(2):
            call, reply, body = await at.ask(stream=stream)
            assert (reply.source, reply.status, call.trace.stored) == ("upstream", 200, False)
            assert body
        assert levels.stats()["l2"]["errors"] > 0


async def test_without_any_level_nothing_is_kept() -> None:
    at = scene(levels=Tiers(None, None))
    for _ in range(2):
        call, reply, _ = await at.ask()
        assert (reply.source, call.trace.refused_to_store) == ("upstream", "ttl 0")


async def test_an_error_of_the_upstream_is_the_callers() -> None:
    async def fails(call: Call) -> Reply:
        raise UpstreamError("gone")

    at = scene(around=lambda inner: fails)
    with pytest.raises(UpstreamError, match="gone"):
        await at.exact(call_of())
