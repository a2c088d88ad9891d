"""One call being answered: what is known of it while it is, and its one event at the end, whatever happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Generic, NamedTuple, TypeVar

from adapters.errors import Unfoldable
from adapters.vocabulary import Answer, Call, Clock, Handler, Reply, Trace
from proxy.events import Event, Sink
from proxy.respond import Writer

Given = TypeVar("Given")


class Telling(NamedTuple):
    """Whom events are told to, and by which clocks: one for durations, one for dates."""

    sinks: Sequence[Sink]
    clock: Clock
    wall: Clock


class Answering(Generic[Given]):
    """`Given` is what becomes of a reply; who answers says so in `told`, which may raise `Unfoldable` with nothing
    given, for an answer of another call that can't take the form asked for here."""

    __slots__ = ("began", "call", "final", "method", "route", "status", "telling", "trace", "warned", "writer")

    def __init__(self, telling: Telling, method: str) -> None:
        self.telling, self.method = telling, method
        self.began = telling.clock()
        self.route, self.status = "none", 500
        self.call: Call | None = None
        self.trace = Trace()
        self.final: Answer | None = None
        self.writer: Writer | None = None
        self.warned = ""
        """What the client is warned of beside what its upstream never sees."""

    async def told(self, call: Call, reply: Reply) -> Given:
        raise NotImplementedError

    async def ask(self, call: Call, handler: Handler) -> Given:
        self.call = call
        try:
            return await self.told(call, await handler(call))
        except Unfoldable:
            # What was kept, or came for another caller, does not take the form asked for here: this one asks himself.
            self.trace = Trace(modified_bytes=self.trace.modified_bytes)
            call = self.call = replace(call, trace=self.trace, controls=replace(call.controls, no_cache=True))
            return await self.told(call, await handler(call))

    def note(self, reply: Reply) -> None:
        """What the head of a reply tells."""
        self.trace.source = self.trace.source or reply.source
        self.status, self.final = reply.status, reply.answer
        self.warn()

    def warn(self) -> None:
        """Puts the warning of our own onto the trace, which layers write anew."""
        trace, sent = self.trace, self.call.sent if self.call else None
        if self.warned and self.warned not in trace.warnings:
            trace.warnings = (*(trace.warnings or (sent.warnings if sent else ())), self.warned)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return self.telling.clock() - self.began

    def hung_up(self) -> None:
        self.status = 499
        self.trace.error = self.trace.error or "client_hung_up"

    def emit(self) -> None:
        self.warn()
        event = Event(
            at=self.telling.wall(),
            method=self.method,
            route=self.route,
            status=self.status,
            seconds=self.seconds,
            source=self.trace.source or "proxy",
            call=self.call,
            trace=self.trace,
            answer=self.final,
            bytes_out=self.writer.bytes_out if self.writer else 0,
        )
        for sink in self.telling.sinks:
            sink(event)
