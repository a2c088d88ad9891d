"""Notes what every upstream answer cost, whichever layer asked for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from adapters.errors import Unfoldable
from adapters.prices import Costs
from adapters.sse import Frame
from adapters.usage import Usage
from adapters.vocabulary import Answer, Call, Clock, Form, Frames, Handler, Reply, Trace

Price = Callable[[str, Usage], Costs | None]
"""Model and usage to US dollars by class; None where the model's price is unknown."""


class Meter:
    """Stands directly around an upstream: usage, cost, finish reason and time to the first frame go onto the trace."""

    def __init__(self, inner: Handler, price: Price, clock: Clock) -> None:
        self.inner, self.price, self.clock = inner, price, clock

    async def __call__(self, call: Call) -> Reply:
        began = self.clock()
        reply = await self.inner(call)
        if reply.answer is None or call.dialect is None:
            return reply
        if reply.form is Form.EVENTS:
            reply.frames = _Metered(reply.frames, self, call, reply.answer, began)
        elif reply.status < 300:
            self.note(call, reply.answer)
        return reply

    def note(self, call: Call, answer: Answer) -> None:
        trace = call.trace
        trace.usage = answer.usage()
        if trace.usage is not None:
            trace.costs = self.price(call.model, trace.usage)
            trace.cost = None if trace.costs is None else trace.costs.total
        if answer.streamed:
            trace.unknown_events = _unknown(answer)
        else:  # of a stream whoever folds it may tell; folding costs more than passing it on
            try:
                trace.finish = answer.dialect.finish(answer.message())
            except Unfoldable:
                trace.finish = "unfoldable"


def _unknown(answer: Answer) -> int:
    """Looks at first lines only: that is where a name stands, and it is all that this is worth."""
    known, found = answer.dialect.events, 0
    for frame in answer.frames:
        raw = frame.raw
        if raw.startswith(b"event: ") and raw[7 : raw.find(b"\n")].decode(errors="replace").rstrip("\r") not in known:
            found += 1
    return found


class _Metered:
    __slots__ = ("_answer", "_began", "_call", "_frames", "_meter", "_trace")

    def __init__(self, frames: Frames, meter: Meter, call: Call, answer: Answer, began: float) -> None:
        self._frames, self._meter, self._call, self._answer, self._began = frames, meter, call, answer, began
        self._trace: Trace = call.trace

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        frame = await self._frames.__anext__()
        if self._trace.first_frame_seconds is None:
            self._trace.first_frame_seconds = self._meter.clock() - self._began
        if self._answer.dialect.is_end(frame):
            self._meter.note(self._call, self._answer)
        return frame

    def ready(self) -> list[Frame]:
        return self._frames.ready()

    async def aclose(self) -> None:
        await self._frames.aclose()
