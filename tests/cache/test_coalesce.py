"""Identical calls in flight: one upstream call, one bill, everybody's answer. Every schedule here is driven by hand."""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import Torn, UpstreamError
from adapters.openai_chat import OPENAI_CHAT
from adapters.sse import Frame, frame_of
from adapters.tasks import Tasks
from adapters.vocabulary import PLAIN, Answer, Call, Controls, Form, Reply
from cache.coalesce import Coalesce, Flight
from cache.key import key_of

COST = 0.25
DONE = frame_of(b"[DONE]")
AHEAD, LIMIT = 1_000_000, 10_000_000
BODY = b'{"choices":[]}'


def frame(number: int, size: int = 100) -> Frame:
    """An event of exactly this many bytes."""
    blank = len(frame_of(b'{"n":%d,"pad":""}' % number).raw)
    return frame_of(b'{"n":%d,"pad":"%b"}' % (number, b"x" * (size - blank)))


def frames(count: int) -> list[Frame]:
    return [frame(number) for number in range(count)]


async def turn(times: int = 20) -> None:
    """Lets everything happen that can happen."""
    for _ in range(times):
        await asyncio.sleep(0)


class Source:
    """The frames of one upstream answer: what was put is there, and the rest comes when it is put.

    As behind a meter, the cost is known when the terminal event is handed on.
    """

    def __init__(self, call: Call) -> None:
        self.call = call
        self.waiting: deque[Frame] = deque()
        self.over: BaseException | None = None
        self.more = asyncio.Event()
        self.pulled = self.closed = 0
        self.ended = False
        self.together = 0
        """How many frames may be taken at once behind another."""

    def put(self, *more: Frame) -> None:
        self.waiting.extend(more)
        self.more.set()

    def end(self, error: BaseException | None = None) -> None:
        self.over = error or StopAsyncIteration()
        self.more.set()

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        while not self.waiting:
            if self.over is not None:
                raise self.over
            self.more.clear()
            await self.more.wait()
        found = self.waiting.popleft()
        self.pulled += len(found.raw)
        if found == DONE:
            self.ended = True
            self.call.trace.cost = COST
        return found

    def ready(self) -> list[Frame]:
        taken: list[Frame] = []
        while self.waiting and len(taken) < self.together and self.waiting[0] != DONE:
            taken.append(self.waiting.popleft())
            self.pulled += len(taken[-1].raw)
        return taken

    async def aclose(self) -> None:
        self.closed += 1


class Asked:
    """One call as the upstream sees it."""

    def __init__(self, number: int, call: Call) -> None:
        self.headers = (("number", str(number)),)
        self.call = call
        self.answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.source = Source(call)

    def stream(self, *ready: Frame, form: Form = Form.EVENTS) -> Source:
        answer = Answer(OPENAI_CHAT) if form is Form.EVENTS else None
        self.call.trace.upstream_status = 200
        self.source.put(*ready)
        self.answer.set_result(Reply(200, self.headers, "upstream", form, self.source, answer=answer))
        return self.source

    def whole(self, body: bytes = BODY, source: str = "upstream") -> None:
        self.call.trace.cost = COST
        answer = Answer(OPENAI_CHAT, body=body)
        self.answer.set_result(Reply.whole(200, self.headers, body, source=source, answer=answer))

    def fail(self, error: BaseException) -> None:
        self.answer.set_exception(error)


class Caller:
    """One client. Its task ends when it has its reply."""

    def __init__(self, coalesce: Coalesce, call: Call) -> None:
        self.call = call
        self.task = asyncio.ensure_future(coalesce(call))
        self.got: list[Frame] = []

    @property
    def reply(self) -> Reply:
        return self.task.result()

    @property
    def source(self) -> str:
        return self.call.trace.source

    async def read(self, count: int = 1) -> list[Frame]:
        read = [await self.reply.frames.__anext__() for _ in range(count)]
        self.got += read
        return read

    async def rest(self) -> list[Frame]:
        """Everything from here to the end, then leaves."""
        async with aclosing(self.reply.frames) as left:
            async for each in left:
                self.got.append(each)
        return self.got

    async def leave(self) -> None:
        if not self.task.done():
            self.task.cancel()
            await asyncio.wait([self.task])
        elif not self.task.cancelled() and self.task.exception() is None:
            await self.reply.frames.aclose()


class World:
    def __init__(self, ahead: int, limit: int) -> None:
        self.asked: list[Asked] = []
        self.callers: list[Caller] = []
        self.tasks = Tasks()
        self.at_hand: Reply | None = None
        self.uncacheable = self.unproven = False
        self.coalesce = Coalesce(
            self.upstream,
            peek=lambda _: self.at_hand,
            eligible=lambda _: not self.uncacheable,
            unproven=lambda call: call.credential if self.unproven else "",
            tasks=self.tasks,
            ahead=ahead,
            limit=limit,
        )

    async def upstream(self, call: Call) -> Reply:
        asked = Asked(len(self.asked), call)
        self.asked.append(asked)
        if not call.trace.source:
            call.trace.why = "miss"
        return await asked.answer

    async def join(
        self, *, controls: Controls = PLAIN, wants_usage: bool = True, credential: str = "", **body: Any
    ) -> Caller:
        parsed = {"model": "m"} | body
        call = Call("POST", "/chat/completions", {}, b"", OPENAI_CHAT, parsed, "t", credential, controls=controls)
        call.wants_usage = wants_usage
        caller = Caller(self.coalesce, call)
        self.callers.append(caller)
        await turn()
        return caller

    async def crowd(self, count: int) -> list[Caller]:
        return [await self.join() for _ in range(count)]

    @property
    def flight(self) -> Flight:
        (flight,) = self.coalesce.flights.values()
        return flight

    @property
    def bill(self) -> float:
        return sum(caller.call.trace.cost or 0.0 for caller in self.callers)

    @property
    def payers(self) -> list[Caller]:
        return [caller for caller in self.callers if caller.source == "upstream"]


@asynccontextmanager
async def world(*, ahead: int = AHEAD, limit: int = LIMIT) -> AsyncIterator[World]:
    """At the end nothing is left over: no flight, no task, no complaint of the loop's."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    there = World(ahead, limit)
    yield there
    await turn()
    flights, running = dict(there.coalesce.flights), len(there.tasks)
    there.callers.clear()
    there.asked.clear()
    gc.collect()
    await turn()
    assert (flights, running, complaints) == ({}, 0, [])


# Whole answers


async def test_a_hundred_identical_calls_are_one_upstream_call() -> None:
    async with world() as w:
        callers = await w.crowd(100)
        assert len(w.asked) == 1
        w.asked[0].whole()
        await turn()
        assert [caller.reply.body for caller in callers] == [BODY] * 100
        assert [caller.reply.source for caller in callers] == ["upstream"] + ["collapsed"] * 99
        assert w.payers == [callers[0]]
        assert w.bill == COST
        assert sum(caller.call.trace.saved or 0.0 for caller in callers) == pytest.approx(99 * COST)


async def test_each_caller_can_iterate_its_own_whole_answer() -> None:
    async with world() as w:
        callers = await w.crowd(3)
        w.asked[0].whole()
        await turn()
        for caller in callers:
            assert [each.raw for each in await caller.rest()] == [BODY]


async def test_the_next_call_after_a_whole_answer_starts_anew() -> None:
    async with world() as w:
        await w.join()
        w.asked[0].whole()
        await turn()
        again = await w.join()
        assert len(w.asked) == 2
        w.asked[1].whole(b"{}")
        await turn()
        assert again.reply.body == b"{}"
        assert w.bill == 2 * COST


async def test_one_who_leaves_while_waiting_for_a_whole_answer_hurts_nobody() -> None:
    async with world() as w:
        first, second, third = await w.crowd(3)
        await first.leave()
        await third.leave()
        assert first.task.cancelled()
        assert third.task.cancelled()
        assert not w.asked[0].answer.cancelled()
        w.asked[0].whole()
        await turn()
        assert second.reply.body == BODY
        assert w.payers == [second]
        assert w.bill == COST


async def test_when_all_have_left_the_upstream_call_is_cancelled_at_once() -> None:
    async with world() as w:
        first, second = await w.crowd(2)
        await first.leave()
        assert not w.asked[0].answer.cancelled()
        await second.leave()
        await turn()
        assert w.asked[0].answer.cancelled()
        assert w.coalesce.flights == {}


async def test_one_who_leaves_before_anything_began_never_asks_the_upstream() -> None:
    async with world() as w:
        call = Call("POST", "/", {}, b"", OPENAI_CHAT, {})
        waiting = asyncio.ensure_future(w.coalesce(call))
        await asyncio.sleep(0)
        waiting.cancel()
        await turn()
        assert waiting.cancelled()
        assert [asked.answer.cancelled() for asked in w.asked] in ([], [True])


async def test_a_call_behind_one_that_was_abandoned_starts_anew() -> None:
    async with world() as w:
        first = await w.join()
        first.task.cancel()
        second = await w.join()
        assert first.task.cancelled()
        assert [asked.answer.cancelled() for asked in w.asked] == [True, False]
        w.asked[1].whole()
        await turn()
        assert second.reply.body == BODY


# Streams


async def test_a_hundred_streams_are_one_upstream_stream() -> None:
    async with world() as w:
        callers = await w.crowd(100)
        w.asked[0].stream(*frames(5), DONE).end()
        await turn()
        for caller in callers:
            assert await caller.rest() == [*frames(5), DONE]
        assert len(w.asked) == 1
        assert len(w.payers) == 1
        assert w.bill == COST
        assert w.asked[0].source.closed == 1


async def test_frames_are_handed_on_as_they_come() -> None:
    async with world() as w:
        first, second = await w.crowd(2)
        source = w.asked[0].stream()
        await turn()
        for number in range(5):
            waiting = [asyncio.ensure_future(caller.read()) for caller in (first, second)]
            await turn()
            assert not any(task.done() for task in waiting)
            source.put(frame(number))
            assert await asyncio.gather(*waiting) == [[frame(number)]] * 2
        source.put(DONE)
        source.end()
        assert await first.rest() == await second.rest() == [*frames(5), DONE]


async def test_a_late_caller_gets_the_stream_from_its_beginning_and_then_live() -> None:
    async with world() as w:
        first = await w.join()
        source = w.asked[0].stream(*frames(3))
        await turn()
        assert await first.read(3) == frames(3)
        late = await w.join()
        assert len(w.asked) == 1
        assert await late.read(3) == frames(3)
        live = asyncio.ensure_future(late.read())
        await turn()
        assert not live.done()
        source.put(frame(3))
        assert await live == [frame(3)]
        source.put(DONE)
        source.end()
        assert await first.rest() == await late.rest() == [*frames(4), DONE]
        assert w.bill == COST


async def test_status_headers_and_answer_are_those_of_the_upstream() -> None:
    async with world() as w:
        callers = await w.crowd(2)
        w.asked[0].stream(DONE).end()
        await turn()
        for caller in callers:
            assert (caller.reply.status, caller.reply.headers, caller.reply.form) == (
                200,
                w.asked[0].headers,
                Form.EVENTS,
            )
            assert caller.reply.answer is callers[0].reply.answer is not None
        assert [caller.reply.source for caller in callers] == ["upstream", "collapsed"]
        for caller in callers:
            await caller.rest()


async def test_chunks_that_no_dialect_reads_are_shared_too() -> None:
    async with world() as w:
        first, second = await w.crowd(2)
        source = w.asked[0].stream(*frames(2), form=Form.BYTES)
        await turn()
        assert await first.read(2) == frames(2)
        source.put(DONE)
        source.end()
        assert await first.rest() == await second.rest() == [*frames(2), DONE]


async def test_a_leader_who_leaves_early_hurts_nobody_and_pays_nothing() -> None:
    async with world() as w:
        leader, second, third = await w.crowd(3)
        source = w.asked[0].stream(*frames(2))
        await turn()
        await leader.read()
        assert leader.source == "upstream", "as long as it is there, it is the one who pays"
        await leader.leave()
        assert (leader.source, leader.call.trace.cost) == ("collapsed", 0.0)
        source.put(frame(2), DONE)
        source.end()
        assert await second.rest() == await third.rest() == [*frames(3), DONE]
        await turn()
        assert source.closed == 1
        assert w.payers == [second]
        assert w.bill == COST


async def test_a_last_one_who_leaves_early_is_told_what_is_known() -> None:
    async with world() as w:
        first, second = await w.crowd(2)
        w.asked[0].stream(*frames(2))
        await turn()
        await first.leave()
        await second.leave()
        assert [first.source, second.source] == ["collapsed", "upstream"]
        assert second.call.trace.upstream_status == 200
        assert second.call.trace.cost is None, "a price that nobody knows is not zero"


async def test_the_last_one_to_leave_ends_the_upstream_stream_at_once() -> None:
    async with world() as w:
        first, second = await w.crowd(2)
        source = w.asked[0].stream(*frames(2))
        await turn()
        await first.leave()
        await turn()
        assert source.closed == 0
        await second.leave()
        await turn()
        assert source.closed == 1
        assert len(w.tasks) == 0
        again = await w.join()
        assert len(w.asked) == 2
        w.asked[1].stream(DONE).end()
        await turn()
        assert await again.rest() == [DONE]


async def test_the_last_one_to_leave_ends_a_pull_that_waits_for_readers() -> None:
    async with world(ahead=150) as w:
        only = await w.join()
        source = w.asked[0].stream(*frames(50))
        await turn()
        assert source.pulled == 200
        await only.leave()
        await turn()
        assert source.closed == 1


async def test_leaving_twice_is_leaving_once() -> None:
    async with world() as w:
        first, second = await w.crowd(2)
        source = w.asked[0].stream(frame(0))
        await turn()
        await first.leave()
        await first.leave()
        assert source.closed == 0
        source.put(DONE)
        source.end()
        await second.rest()
        await second.leave()
        assert w.bill == COST
        assert w.payers == [second]


async def test_a_stream_that_was_never_read_is_closed_all_the_same() -> None:
    async with world() as w:
        only = await w.join()
        source = w.asked[0].stream()
        await turn()
        await only.leave()
        await turn()
        assert source.closed == 1


# Errors


async def test_an_error_reaches_every_caller_and_the_next_call_starts_anew() -> None:
    async with world() as w:
        callers = await w.crowd(5)
        error = UpstreamError("no connection")
        w.asked[0].fail(error)
        await turn()
        assert [caller.task.exception() for caller in callers] == [error] * 5
        assert w.coalesce.flights == {}
        again = await w.join()
        assert len(w.asked) == 2
        w.asked[1].whole()
        await turn()
        assert again.reply.body == BODY


async def test_an_error_nobody_waits_for_is_no_complaint() -> None:
    async with world() as w:
        first, second = await w.crowd(2)
        w.asked[0].fail(UpstreamError("no connection"))
        first.task.cancel()
        second.task.cancel()
        await turn()
        assert first.task.cancelled()
        assert second.task.cancelled()


async def test_a_stream_that_breaks_off_breaks_off_for_everybody() -> None:
    async with world() as w:
        first, second = await w.crowd(2)
        source = w.asked[0].stream(*frames(2))
        await turn()
        late = await w.join()
        torn = Torn("broken off", told=True)
        source.end(torn)
        await turn()
        for caller in (first, second, late):
            assert await caller.read(2) == frames(2), "what came before it is still theirs"
            with pytest.raises(Torn) as raised:
                await caller.rest()
            assert raised.value is torn
        assert source.closed == 1
        assert len(w.payers) == 1


async def test_nobody_boards_a_stream_that_broke_off() -> None:
    async with world() as w:
        first = await w.join()
        w.asked[0].stream(frame(0)).end(Torn("broken off"))
        await turn()
        second = await w.join()
        assert len(w.asked) == 2
        w.asked[1].stream(DONE).end()
        await turn()
        assert await second.rest() == [DONE]
        await first.leave()


async def test_what_goes_wrong_behind_the_end_is_nobodys_error() -> None:
    async with world() as w:
        fast, slow = await w.crowd(2)
        source = w.asked[0].stream(frame(0), DONE)
        await turn()
        assert await fast.rest() == [frame(0), DONE]
        source.end(Torn("the connection broke behind the answer"))
        await turn()
        assert await slow.rest() == [frame(0), DONE], "the answer was complete, whoever reads when"


async def test_a_shutdown_tears_the_streams_that_are_not_complete() -> None:
    async with world() as w:
        only = await w.join()
        source = w.asked[0].stream(frame(0))
        await turn()
        assert await w.tasks.drain(0) == 1
        assert await only.read() == [frame(0)]
        with pytest.raises(Torn):
            await only.rest()
        assert source.closed == 1


async def test_a_shutdown_before_the_answer_began_is_told_to_the_callers() -> None:
    async with world() as w:
        only = await w.join()
        assert await w.tasks.drain(0) == 1
        await turn()
        assert isinstance(only.task.exception(), Torn)


# The end of a flight


async def test_a_flight_that_has_reached_its_end_is_never_boarded() -> None:
    async with world() as w:
        first = await w.join()
        source = w.asked[0].stream(frame(0), DONE)  # and the connection stays open
        await turn()
        assert await first.rest() == [frame(0), DONE]
        second = await w.join()
        assert len(w.asked) == 2
        w.asked[1].stream(frame(1), DONE).end()
        await turn()
        assert await second.rest() == [frame(1), DONE]
        assert w.bill == 2 * COST
        source.end()


async def test_a_reader_does_not_wait_for_what_comes_behind_the_end() -> None:
    async with world() as w:
        first, second = await w.crowd(2)
        source = w.asked[0].stream(DONE)
        await turn()
        assert await first.rest() == await second.rest() == [DONE]
        assert source.closed == 0, "the connection may still be used again"
        source.end()
        await turn()
        assert source.closed == 1


# Back-pressure


async def test_nobody_reads_and_the_pull_stops() -> None:
    async with world(ahead=1000) as w:
        only = await w.join()
        source = w.asked[0].stream(*frames(100))
        await turn()
        assert source.pulled == 1100, "the first frame beyond"
        await only.read()
        await turn()
        assert source.pulled == 1200
        await only.read(5)
        await turn()
        assert source.pulled == 1700
        source.put(DONE)
        source.end()
        assert await only.rest() == [*frames(100), DONE]


async def test_a_slow_reader_does_not_slow_a_fast_one_down() -> None:
    async with world(ahead=1000) as w:
        fast, slow = await w.crowd(2)
        source = w.asked[0].stream(*frames(100), DONE)
        source.end()
        await turn()
        assert await fast.rest() == [*frames(100), DONE]
        assert await slow.read(3) == frames(3)
        assert await slow.rest() == [*frames(100), DONE]
        assert w.bill == COST


async def test_what_came_together_is_handed_on_together() -> None:
    async with world(ahead=1000) as w:
        early, late = await w.crowd(2)
        source = w.asked[0].stream(*frames(30))
        source.together = 4
        await turn()
        assert source.pulled == 1500, "five at once, and no sixth five beyond the bound"
        assert await early.read(1) == frames(1)
        assert early.reply.frames.ready() == frames(15)[1:]
        assert early.reply.frames.ready() == []
        await turn()
        assert source.pulled == 3000
        source.put(DONE)
        source.end()
        assert await early.rest() == [*frames(1), *frames(30)[15:], DONE], "all but what was taken at once"
        assert await late.rest() == [*frames(30), DONE]
        assert w.bill == COST


async def test_the_pull_goes_on_when_the_only_reader_who_read_has_left() -> None:
    async with world(ahead=1000) as w:
        fast, slow = await w.crowd(2)
        source = w.asked[0].stream(*frames(100))
        await turn()
        await fast.read(50)
        await turn()
        assert source.pulled == 6100
        await fast.leave()
        source.put(DONE)
        source.end()
        assert await slow.rest() == [*frames(100), DONE]


async def test_at_the_limit_the_slowest_holds_the_pull_and_nobody_boards() -> None:
    async with world(ahead=500, limit=1000) as w:
        fast, slow = await w.crowd(2)
        source = w.asked[0].stream(*frames(100))
        await turn()
        flight = w.flight
        reading = asyncio.ensure_future(fast.read(100))
        await turn(100)
        assert source.pulled == 1100
        assert not reading.done()
        assert flight.held == held(flight) == 1100
        assert w.coalesce.flights == {}
        late = await w.join()
        assert len(w.asked) == 2, "the flight may lose its beginning any time now"
        for number in range(100):
            assert await slow.read() == [frame(number)]
            await turn()
            assert flight.held == held(flight) <= 1100
        assert await reading == frames(100)
        source.put(DONE)
        source.end()
        assert await fast.rest() == await slow.rest() == [*frames(100), DONE]
        w.asked[1].stream(DONE).end()
        await turn()
        assert await late.rest() == [DONE]
        assert w.bill == 2 * COST


def held(flight: Flight) -> int:
    return sum(len(each.raw) for each in flight.frames)


async def test_below_the_limit_everything_is_kept_for_late_callers() -> None:
    async with world(ahead=500, limit=2000) as w:
        first = await w.join()
        source = w.asked[0].stream(*frames(19))
        await turn()
        assert await first.read(19) == frames(19)
        await turn()
        late = await w.join()
        assert len(w.asked) == 1
        source.put(DONE)
        source.end()
        assert await late.rest() == await first.rest() == [*frames(19), DONE]


async def test_a_slow_reader_who_leaves_lets_the_others_go_on() -> None:
    async with world(ahead=500, limit=1000) as w:
        fast, slow = await w.crowd(2)
        source = w.asked[0].stream(*frames(100), DONE)
        source.end()
        await turn()
        reading = asyncio.ensure_future(fast.rest())
        await turn(100)
        assert source.pulled == 1100
        await slow.leave()
        assert await reading == [*frames(100), DONE]
        assert w.payers == [fast]


async def test_one_frame_above_the_limit_passes() -> None:
    async with world(ahead=100, limit=1000) as w:
        only = await w.join()
        large = frame(0, 5000)
        source = w.asked[0].stream(large, large, DONE)
        source.end()
        await turn()
        assert source.pulled == 5000
        assert await only.rest() == [large, large, DONE]


# Who shares with whom


@pytest.mark.parametrize("controls", [Controls(no_cache=True), Controls(no_store=True), Controls(only_if_cached=True)])
async def test_a_call_that_does_not_share_goes_alone(controls: Controls) -> None:
    async with world() as w:
        shared = await w.join()
        alone = [await w.join(controls=controls) for _ in range(2)]
        assert len(w.asked) == 3
        assert w.asked[1].call is alone[0].call, "its own trace, no copy"
        assert len(w.tasks) == 1
        for asked in w.asked:
            asked.whole()
        await turn()
        assert [caller.reply.source for caller in (shared, *alone)] == ["upstream"] * 3
        assert w.bill == 3 * COST


async def test_a_call_that_is_not_eligible_goes_alone() -> None:
    async with world() as w:
        w.uncacheable = True
        callers = await w.crowd(2)
        assert (len(w.asked), len(w.tasks), w.coalesce.flights) == (2, 0, {})
        for asked in w.asked:
            asked.whole()
        await turn()
        assert [caller.reply.body for caller in callers] == [BODY] * 2


async def test_an_answer_at_hand_costs_no_task() -> None:
    async with world() as w:
        w.at_hand = Reply.whole(200, (), BODY, source="l1")
        caller = await w.join()
        assert caller.reply is w.at_hand
        assert (w.asked, len(w.tasks), w.coalesce.flights) == ([], 0, {})


@pytest.mark.parametrize("unproven", [True, False])
async def test_who_may_not_be_whom_the_upstream_accepts_does_not_share(unproven: bool) -> None:
    async with world() as w:
        w.unproven = unproven
        seats = [await w.join(credential=credential) for credential in ("a", "b", "a")]
        assert len(w.asked) == (2 if unproven else 1)
        for asked in w.asked:
            asked.stream(frame(0), DONE).end()
        await turn()
        assert [await seat.rest() for seat in seats] == [[frame(0), DONE]] * 3


async def test_who_wants_usage_does_not_share_with_who_does_not() -> None:
    async with world() as w:
        wanting = await w.join(wants_usage=True)
        not_wanting = await w.join(wants_usage=False)
        more = [await w.join(wants_usage=True), await w.join(wants_usage=False)]
        assert [asked.call.wants_usage for asked in w.asked] == [True, False]
        for asked, number in zip(w.asked, range(2), strict=True):
            asked.stream(frame(number), DONE).end()
        await turn()
        assert await wanting.rest() == await more[0].rest() == [frame(0), DONE]
        assert await not_wanting.rest() == await more[1].rest() == [frame(1), DONE]
        assert w.bill == 2 * COST


async def test_other_bodies_are_other_flights() -> None:
    async with world() as w:
        callers = [await w.join(seed=number) for number in range(5)]
        assert len(w.asked) == 5
        assert set(w.coalesce.flights) == {(key_of(caller.call), True, "", ()) for caller in callers}
        for number, asked in enumerate(w.asked):
            asked.whole(b"%d" % number)
        await turn()
        assert [caller.reply.body for caller in callers] == [b"0", b"1", b"2", b"3", b"4"]


# What the traces tell


async def test_a_flight_that_found_its_answer_in_the_cache_is_a_hit_for_everybody() -> None:
    async with world() as w:
        callers = await w.crowd(3)
        trace = w.asked[0].call.trace
        trace.source, trace.why, trace.age, trace.ttl, trace.saved = "l2", "", 5.0, 55.0, COST
        w.asked[0].whole(source="l2")
        trace.cost = 0.0
        await turn()
        for caller in callers:
            told = caller.call.trace
            assert (caller.reply.source, told.source, told.why) == ("l2", "l2", "")
            assert (told.age, told.ttl, told.cost, told.saved) == (5.0, 55.0, 0.0, COST)


async def test_what_was_noted_before_the_flight_is_not_forgotten() -> None:
    async with world() as w:
        call = Call("POST", "/", {}, b"", OPENAI_CHAT, {"model": "m"})
        call.trace.modified_bytes = 14  # the edge took the `cache` member out
        waiting = asyncio.ensure_future(w.coalesce(call))
        await turn()
        w.asked[0].call.trace.modified_bytes += 40  # and a layer below put something in
        w.asked[0].whole()
        await waiting
        assert call.trace.modified_bytes == 54


async def test_the_flight_has_a_trace_of_its_own() -> None:
    async with world() as w:
        first, second = await w.crowd(2)
        assert w.asked[0].call.trace not in (first.call.trace, second.call.trace)
        w.asked[0].call.trace.error = "upstream_unreadable"
        w.asked[0].whole()
        await turn()
        assert [caller.call.trace.error for caller in (first, second)] == ["upstream_unreadable"] * 2
        assert [caller.call.trace.why for caller in (first, second)] == ["miss"] * 2


# Any schedule

ACTIONS = st.lists(
    st.tuples(
        st.sampled_from([*["join"] * 2, "leave", *["read"] * 3, "answer", *["put"] * 2, "finish", "end", "fail"]),
        st.integers(0, 5),
    ),
    max_size=60,
)  # fmt: skip


class Schedule:
    """Callers who come, read and leave in any order, in front of upstream calls that begin, go on and end in any."""

    def __init__(self, there: World) -> None:
        self.world = there
        self.sent: dict[str, list[Frame]] = {}
        self.present: list[Caller] = []
        self.reading: dict[Caller, asyncio.Task[list[Frame]]] = {}

    async def act(self, action: str, place: int) -> None:
        if action == "join":
            self.present.append(await self.world.join())
        elif action in ("leave", "read") and self.present:
            caller = self.present[place % len(self.present)]
            await (self.leave(caller) if action == "leave" else self.read(caller))
        elif action in ("answer", "put", "finish", "end", "fail") and self.world.asked:
            self.upstream(action, self.world.asked[-1 - place % min(2, len(self.world.asked))])
        await turn()

    async def leave(self, caller: Caller) -> None:
        self.present.remove(caller)
        reading = self.reading.pop(caller, None)
        if reading is not None and not reading.done():
            reading.cancel()
            await asyncio.wait([reading])
        await caller.leave()

    async def read(self, caller: Caller) -> None:
        if not caller.task.done() or caller.task.exception() is not None:
            return
        reading = self.reading.get(caller)
        if reading is None or reading.done():
            self.reading[caller] = asyncio.ensure_future(caller.read())

    def upstream(self, action: str, asked: Asked) -> None:
        sent = self.sent.setdefault(dict(asked.headers)["number"], [])
        over = asked.source.over is not None or asked.answer.cancelled()
        if over or (asked.answer.done() and asked.answer.exception() is not None):
            return
        if action == "fail":
            error = Torn("torn")
            asked.source.end(error) if asked.answer.done() else asked.fail(error)
        elif action == "end":
            if DONE in sent:
                asked.source.end()
        elif action == "answer":
            if not asked.answer.done():
                asked.stream(*sent)
        elif DONE not in sent:
            sent.append(DONE if action == "finish" else frame(len(sent)))
            if asked.answer.done():
                asked.source.put(sent[-1])

    def check(self) -> None:
        coalesce = self.world.coalesce
        assert len(coalesce.flights) <= 1
        for caller, reading in self.reading.items():
            sent = self.sent[dict(caller.reply.headers)["number"]]
            assert caller.got == sent[: len(caller.got)], "in order, from the first, none twice"
            if reading.done() and not reading.cancelled():
                error = reading.exception()
                assert error is None or isinstance(error, Torn | RuntimeError | StopAsyncIteration)
                if error is not None and not isinstance(error, Torn):
                    assert caller.got == sent, "an end is a complete answer"
                    assert sent[-1] == DONE

    async def close(self) -> None:
        for caller in list(self.present):
            await self.leave(caller)
        for asked in self.world.asked:
            asked.source.end()
        await turn()
        for asked in self.world.asked:
            answered = asked.answer.done() and not asked.answer.cancelled() and asked.answer.exception() is None
            assert asked.answer.done(), "a call that nobody waits for is cancelled"
            assert asked.source.closed == answered, "what was begun is closed, once"


async def run(actions: list[tuple[str, int]], ahead: int, limit: int) -> None:
    async with world(ahead=ahead, limit=limit) as w:
        schedule = Schedule(w)
        for action, place in actions:
            await schedule.act(action, place)
            schedule.check()
        await schedule.close()
        assert w.bill == COST * sum(asked.source.ended for asked in w.asked), "each answer is paid for exactly once"
        begun = sum(asked.source.closed for asked in w.asked)
        assert begun <= len(w.payers) <= len(w.asked)


@settings(max_examples=200, deadline=None)
@given(ACTIONS, st.sampled_from([(AHEAD, LIMIT), (250, LIMIT), (250, 450), (1, 1)]))
def test_any_schedule(actions: list[tuple[str, int]], bounds: tuple[int, int]) -> None:
    asyncio.run(run(actions, *bounds))
