"""One call being answered: asked again where it has to be, and its one event."""

from __future__ import annotations

from typing import Any

import pytest
from multidict import CIMultiDict

from adapters.errors import Unfoldable
from adapters.vocabulary import Call, Reply, Sent
from proxy.answering import Answering, Telling
from proxy.events import Event
from tests.fakes import Clock


class Told(Answering[str]):
    """Takes the form of the reply that it is given at the given time."""

    def __init__(self, telling: Telling, refuses: int = 0) -> None:
        super().__init__(telling, "POST")
        self.refuses, self.seen = refuses, list[Call]()

    async def told(self, call: Call, reply: Reply) -> str:
        self.seen.append(call)
        self.note(reply)
        if len(self.seen) <= self.refuses:
            raise Unfoldable("another form")
        return (reply.body or b"").decode()


async def answer(call: Call) -> Reply:
    call.trace.attempts += 1
    return Reply.whole(207, (), b"yes", source="upstream")


def call(trace: Any) -> Call:
    return Call("POST", "/t", CIMultiDict(), b"", trace=trace)


def telling() -> tuple[Telling, list[Event], Clock]:
    events, clock = list[Event](), Clock(5.0)
    return Telling([events.append, events.append], clock, lambda: 77.0), events, clock


async def test_its_event_tells_what_became_of_it() -> None:
    how, events, clock = telling()
    told = Told(how)
    told.route = "chat"
    clock.tick(2)
    assert await told.ask(call(told.trace), answer) == "yes"
    told.emit()
    first, second = events
    assert first is second
    assert (first.at, first.seconds, first.method, first.route, first.status) == (77.0, 2.0, "POST", "chat", 207)
    assert (first.source, first.call, first.trace) == ("upstream", told.seen[0], told.trace)
    assert first.bytes_out == 0


async def test_an_answer_that_does_not_take_the_form_is_asked_for_anew_and_once() -> None:
    how, events, _ = telling()
    told = Told(how, refuses=1)
    told.trace.modified_bytes = 9
    assert await told.ask(call(told.trace), answer) == "yes"
    assert [each.controls.no_cache for each in told.seen] == [False, True]
    assert (told.trace.attempts, told.trace.modified_bytes) == (1, 9)
    told.emit()
    assert events[0].call is told.seen[1]
    with pytest.raises(Unfoldable):
        await Told(how, refuses=2).ask(call(told.trace), answer)


async def test_before_anything_is_known_there_is_an_event_too() -> None:
    how, events, _ = telling()
    Told(how).emit()
    assert (events[0].status, events[0].route, events[0].source, events[0].call) == (500, "none", "proxy", None)


async def test_a_client_that_hung_up() -> None:
    how, events, _ = telling()
    told = Told(how)
    told.hung_up()
    told.emit()
    assert (events[0].status, events[0].trace.error) == (499, "client_hung_up")
    told.trace.error = "torn"
    told.hung_up()
    assert told.trace.error == "torn"


async def test_a_warning_of_our_own_stands_beside_those_of_the_layers_and_outlives_them() -> None:
    how, events, _ = telling()
    told = Told(how)
    told.warned = "header ignored"
    one = call(told.trace)
    one.sent = Sent("/x", b"", {}, ("seed: dropped",))
    await told.ask(one, answer)
    assert told.trace.warnings == ("seed: dropped", "header ignored")
    told.trace.warnings = ("top_k: dropped",)  # a layer wrote its facts again
    told.emit()
    assert events[0].trace.warnings == ("top_k: dropped", "header ignored")
    told.emit()
    assert events[0].trace.warnings == ("top_k: dropped", "header ignored")
