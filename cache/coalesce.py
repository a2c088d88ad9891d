"""Identical calls in flight are one upstream call, whose answer all of them get live.

A flight pulls the answer in a task of its own and keeps every frame; a seat is one caller's place on it, with its own
position, so that late joiners get the stream from its first byte and then live. The pull waits when it is too far ahead
of the fastest caller, and at the memory limit for the slowest: a client that reads slowly slows nobody else down before
that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import fields, replace

from adapters.errors import Torn
from adapters.sse import Frame
from adapters.tasks import Tasks
from adapters.vocabulary import Call, Form, Handler, OneFrame, Reply, Trace
from cache.key import key_of

Peek = Callable[[Call], Reply | None]
Slot = tuple[bytes, bool, str, tuple[str, ...]]
_FACTS = [field.name for field in fields(Trace)]


class Coalesce:
    """Outermost layer of the onion. `peek` answers at once what lies in L1, before a task is spawned for it.

    `eligible` says which calls may share. `unproven` names what of a call only the upstream can judge (a credential
    that nobody has checked): calls that differ in it never share. `ahead` and `limit` are bytes a flight may be ahead
    of its fastest caller and may hold in all.
    """

    def __init__(
        self,
        inner: Handler,
        peek: Peek,
        eligible: Callable[[Call], bool],
        unproven: Callable[[Call], str],
        tasks: Tasks,
        ahead: int,
        limit: int,
    ) -> None:
        self.inner, self.peek, self.eligible, self.unproven, self.tasks = inner, peek, eligible, unproven, tasks
        self.ahead, self.limit = ahead, limit
        self.flights: dict[Slot, Flight] = {}

    async def __call__(self, call: Call) -> Reply:
        reply = self.peek(call)
        if reply is not None:
            return reply
        if not call.controls.shareable or not self.eligible(call):
            return await self.inner(call)
        # An answer without usage can't serve a caller who needs it; the reverse would hand out a chunk unasked. And one
        # that is kept without somebody's tags would outlive their invalidation.
        slot = (key_of(call), call.wants_usage, self.unproven(call), call.controls.tags)
        flight = self.flights.get(slot)
        if flight is None or flight.closed:
            apart = call.apart()
            apart.trace.modified_bytes = call.trace.modified_bytes  # the one fact that was noted before
            flight = self.flights[slot] = Flight(self, slot, apart)
            flight.task = self.tasks.spawn(flight.fly())
            flight.task.add_done_callback(flight.ended)
        return await flight.board(call)

    def landed(self, flight: Flight) -> None:
        if self.flights.get(flight.slot) is flight:
            del self.flights[flight.slot]


class Flight:
    """One call on its way, and those who wait for it. One of the seats pays: its trace tells of the upstream call."""

    def __init__(self, owner: Coalesce, slot: Slot, call: Call) -> None:
        self.owner, self.slot, self.call = owner, slot, call
        self.task: asyncio.Task[None] | None = None
        self.reply: Reply | None = None
        self.seats: dict[Seat, None] = {}
        self.frames: list[Frame] = []
        self.first = 0
        """Index of `frames[0]` in the stream: more than 0 once the limit was reached and read frames were let go."""
        self.pulled = 0
        self.held = 0
        self.closed = self.done = self.paid = False
        self.error: BaseException | None = None
        self._changed: list[asyncio.Future[None]] = []

    async def board(self, call: Call) -> Reply:
        seat = Seat(self, call.trace)
        self.seats[seat] = None
        try:
            while self.reply is None:
                if self.error is not None:
                    raise self.error
                await self.change()
        except BaseException:
            await seat.aclose()
            raise
        reply = self.reply
        if reply.form is Form.WHOLE:
            await seat.aclose()
            reply = replace(reply, frames=OneFrame(reply.body or b""))
        else:
            seat.tell(pays=not self.paid and next(iter(self.seats)) is seat)
            reply = replace(reply, frames=seat)
        return replace(reply, source=call.trace.source)

    async def fly(self) -> None:
        reply = await self.owner.inner(self.call)
        if not self.call.trace.source:
            self.call.trace.source = reply.source
        self.reply = reply
        if reply.form is Form.WHOLE:
            self._arrived()
            return
        self.changed()
        # Those who wait go first: an answer that came all at once would be kept before it is sent.
        await asyncio.sleep(0)
        async with aclosing(reply.frames):
            await self._pull(reply)

    def ended(self, task: asyncio.Task[None]) -> None:
        """Whatever ended the pull ends every seat, unless the answer was complete before."""
        error = Torn("nobody waited for the answer any more") if task.cancelled() else task.exception()
        if not self.done:
            self.error = error
        self._arrived()

    def _arrived(self) -> None:
        """From here on a new caller finds the answer in the cache, or has to ask anew."""
        self.done = True
        self.owner.landed(self)
        self.changed()

    async def _pull(self, reply: Reply) -> None:
        answer = reply.answer
        async for frame in reply.frames:
            behind = reply.frames.ready()
            self.frames += (frame, *behind)
            size = len(frame.raw) + sum([len(each.raw) for each in behind])
            self.pulled += size
            self.held += size
            if answer is not None and answer.dialect.is_end(frame):
                self._arrived()
            self.changed()
            await asyncio.sleep(0)
            while not self.done and self._too_far():
                await self.change()

    def _too_far(self) -> bool:
        if self.held > self.owner.limit:
            # Nobody may board a flight whose beginning is gone.
            self.closed = True
            self.owner.landed(self)
            self._let_go()
            if self.held > self.owner.limit:
                return True
        return bool(self.seats) and self.pulled - max(seat.read for seat in self.seats) > self.owner.ahead

    def _let_go(self) -> None:
        """Drops the frames that every seat has read."""
        count = min((seat.index for seat in self.seats), default=0) - self.first
        if count > 0:
            self.held -= sum(len(frame.raw) for frame in self.frames[:count])
            del self.frames[:count]
            self.first += count

    def changed(self) -> None:
        waiting, self._changed = self._changed, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def change(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changed.append(future)
        await future

    def leave(self, seat: Seat) -> None:
        if seat not in self.seats:
            return
        del self.seats[seat]
        self.changed()
        if not self.seats and not self.done and self.task is not None:
            self.closed = True
            self.owner.landed(self)
            self.task.cancel()


class Seat:
    """One caller's frames of a flight."""

    __slots__ = ("flight", "index", "read", "trace")

    def __init__(self, flight: Flight, trace: Trace) -> None:
        self.flight, self.trace = flight, trace
        self.index = 0
        self.read = 0

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        flight = self.flight
        while True:
            at = self.index - flight.first
            if at < len(flight.frames):
                frame = flight.frames[at]
                self.index += 1
                self.read += len(frame.raw)
                if flight._changed:
                    flight.changed()
                return frame
            if flight.error is not None:
                raise flight.error
            if flight.done:
                raise StopAsyncIteration
            await flight.change()

    def ready(self) -> list[Frame]:
        at = self.index - self.flight.first
        frames = self.flight.frames[at:]
        if frames:
            self.index += len(frames)
            self.read += sum([len(frame.raw) for frame in frames])
            self.flight.changed()
        return frames

    def tell(self, *, pays: bool) -> None:
        """Brings the caller's trace up to what the flight knows; only the one who pays tells of its cost."""
        facts, trace = self.flight.call.trace, self.trace
        if pays or facts.age is not None:  # an answer out of the cache is a hit for each of them
            for name in _FACTS:
                setattr(trace, name, getattr(facts, name))
            return
        trace.source = "collapsed"
        trace.why, trace.usage, trace.finish, trace.error = facts.why, facts.usage, facts.finish, facts.error
        trace.cost, trace.upstream_seconds = 0.0, facts.upstream_seconds
        trace.saved = None if facts.cost is None else facts.cost + (facts.saved or 0.0)

    async def aclose(self) -> None:
        """Leaves the flight. Of those who stayed to the end the first pays; a last one who leaves early does too."""
        flight = self.flight
        if self not in flight.seats:
            return
        pays = not flight.paid and (flight.done or len(flight.seats) == 1)
        flight.paid = flight.paid or pays
        self.tell(pays=pays)
        flight.leave(self)
