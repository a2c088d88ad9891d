"""`n` answers of a provider that gives one: as many calls at once, which are a declared fan-out, and their answers as
one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import count
from typing import Any, Protocol, TypeVar

import msgspec

from adapters.edit import drop_member
from adapters.errors import Torn, Unfoldable, UpstreamError
from adapters.interleave import Interleaved
from adapters.prices import Costs
from adapters.sse import Frame
from adapters.tasks import Tasks
from adapters.usage import Usage
from adapters.vocabulary import Answer, Call, Fanout, Form, Handler, Reply, Sent, Trace, Warming
from cache.recall import Replay

JSON = ("Content-Type", "application/json")
EVENTS = ("Content-Type", "text/event-stream; charset=utf-8")


Known = TypeVar("Known")


class Names:
    """Names for fan-outs that the proxy itself declares. `started`: epoch seconds, so that the names of one process are
    not those of another."""

    def __init__(self, started: float) -> None:
        self._began, self._count = int(started * 1000), count(1)

    def fresh(self) -> str:
        return f"warmgate/{self._began:x}/{next(self._count)}"


class Merging(Protocol):
    def feed(self, place: int, frame: Frame) -> list[Frame]:
        """The client's events for this one of the answer at this place; the terminal one behind all others."""


class Joining(Protocol):
    """What one dialect makes of several answers. Raises `Unfoldable` where they can't be one."""

    def merged(self, messages: Sequence[Mapping[str, Any]], /) -> dict[str, Any]: ...
    def stream(self, count: int, /) -> Merging: ...


class _Failed(Exception):
    """One of the calls was answered with an error, which is the answer to all."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Several:
    """In front of the router, for calls whose `Sent.copies` is more than one; all others pass.

    Each copy is the same request without `n`, so that one that falls back to a provider which has `n` asks it for one
    answer too. If one of them fails before the first byte, the others are given up and its answer is the client's.
    """

    def __init__(self, inner: Handler, joining: Joining, groups: Names, tasks: Tasks) -> None:
        self.inner, self.joining, self.groups, self.tasks = inner, joining, groups, tasks

    async def __call__(self, call: Call) -> Reply:
        sent = call.sent
        if sent is None or sent.copies < 2:
            return await self.inner(call)
        fanout = self._fanout(call, sent)
        copies = [replace(single(call.apart()), fanout=fanout, wants_usage=True) for _ in range(sent.copies)]
        ledger = Ledger(call.trace, [copy.trace for copy in copies])
        try:
            replies = await self._ask(copies)
        except _Failed as failed:
            return failed.reply
        finally:
            ledger.gather()
        first = replies[0]
        kept = tuple((name, value) for name, value in first.headers if name.lower() != "content-type")
        assert call.dialect is not None
        if not call.stream:
            body = _merged(self.joining, [reply.body or b"" for reply in replies])
            answer = Answer(call.dialect, body=body)
            return Reply.whole(first.status, (JSON, *kept), body, source=first.source, answer=answer)
        source = Interleaved([reply.frames for reply in replies], self.tasks)
        joined = _Joined(source, self.joining.stream(len(replies)), call, ledger)
        return Reply(first.status, (EVENTS, *kept), first.source, Form.EVENTS, joined, answer=joined.answer)

    def _fanout(self, call: Call, sent: Sent) -> Fanout:
        """Siblings that each want several answers are one fan-out all the same."""
        declared = call.fanout or Fanout(self.groups.fresh(), 1)
        return Fanout(declared.group, declared.n * sent.copies)

    async def _ask(self, copies: Sequence[Call]) -> list[Reply]:
        """The replies to all, each a stream or whole as the client wants it. Raises what the first one failed with."""
        tasks: list[asyncio.Task[Reply]] = []
        try:
            async with asyncio.TaskGroup() as group:
                tasks += [group.create_task(self._one(copy)) for copy in copies]
        except BaseException as error:
            for task in tasks:
                if task.done() and not task.cancelled() and task.exception() is None:
                    await task.result().frames.aclose()
            if isinstance(error, BaseExceptionGroup):
                raise error.exceptions[0] from None
            raise
        return [task.result() for task in tasks]

    async def _one(self, call: Call) -> Reply:
        reply = await self.inner(call)
        if reply.status >= 300:
            raise _Failed(reply)
        if reply.answer is None or call.dialect is None:
            raise UpstreamError("the upstream's answer can't be read", code="upstream_unreadable")
        if call.stream is (reply.form is Form.EVENTS):
            return reply
        try:
            if call.stream:
                frames = call.dialect.unfold(reply.answer.message(), usage=True)
                return replace(reply, frames=Replay(b"".join([frame.raw for frame in frames])))
            async with aclosing(reply.frames):
                async for _ in reply.frames:
                    pass  # the answer puts its frames down itself
            return replace(reply, body=reply.answer.body())
        except Unfoldable as error:
            raise UpstreamError(str(error), code="upstream_unfoldable") from error


def single(call: Call) -> Call:
    """The same request for one answer."""
    sent = call.sent
    if sent is None or sent.copies < 2:
        return call
    assert isinstance(call.body, bytes)
    one = sent._replace(copies=1, parsed=_without_n(sent.parsed))
    return replace(call, body=drop_member(call.body, "n"), parsed=_without_n(call.parsed), sent=one)


def _without_n(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "n"}


def _merged(joining: Joining, bodies: Sequence[bytes]) -> bytes:
    try:
        return msgspec.json.encode(joining.merged([msgspec.json.decode(body, type=dict) for body in bodies]))
    except (Unfoldable, msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise UpstreamError(f"the answers can't be joined: {error}", code="upstream_unfoldable") from error


class _Joined:
    """The client's frames; the answer puts down all of them, also a usage event that the client did not ask for."""

    def __init__(self, source: Interleaved[Frame], merging: Merging, call: Call, ledger: Ledger) -> None:
        assert call.dialect is not None
        self._source, self._merging, self._ledger = source, merging, ledger
        self._hides_usage = not call.wants_usage
        self._queue: deque[Frame] = deque()
        self.answer = Answer(call.dialect)

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        while not self._queue:
            self._take(*await self._source.__anext__())
        return self._queue.popleft()

    def ready(self) -> list[Frame]:
        dialect, found = self.answer.dialect, []
        for place, frame in self._source.ready():
            self._take(place, frame)
        while self._queue and not dialect.is_end(self._queue[0]) and not dialect.is_error(self._queue[0]):
            found.append(self._queue.popleft())
        return found

    def _take(self, place: int, frame: Frame) -> None:
        dialect = self.answer.dialect
        try:
            made = self._merging.feed(place, frame)
        except Unfoldable as error:
            raise Torn(f"the answers can't be joined: {error}") from error
        for each in made:
            if dialect.is_end(each):
                self._ledger.gather()  # whoever keeps the answer does so before this event leaves
            self.answer.add(each)
            if not (self._hides_usage and dialect.is_usage_only(each)):
                self._queue.append(each)

    async def aclose(self) -> None:
        await self._source.aclose()
        self._ledger.gather()


class Ledger:
    """What the traces of several calls say of the one they were made for. May be asked for while they are written."""

    def __init__(self, trace: Trace, parts: Sequence[Trace]) -> None:
        self.trace, self.parts = trace, parts
        self._modified = trace.modified_bytes

    def gather(self) -> None:
        """Money, tokens and bytes are sums; an upstream was asked once, and again as often as all parts were; it took
        as long as the slowest."""
        trace, parts = self.trace, self.parts
        self._bill([part for part in parts if part.usage is not None])
        trace.saved = _total(_told(part.saved for part in parts))
        trace.attempts = sum(max(0, part.attempts - 1) for part in parts) + any(part.attempts for part in parts)
        trace.modified_bytes = self._modified + sum(part.modified_bytes for part in parts)
        trace.unknown_events = sum(part.unknown_events for part in parts)
        trace.upstream_seconds = max(_told(part.upstream_seconds for part in parts), default=None)
        trace.first_frame_seconds = min(_told(part.first_frame_seconds for part in parts), default=None)
        trace.upstream_status = max(_told(part.upstream_status for part in parts), default=None)
        trace.upstream = next((part.upstream for part in parts if part.upstream), "")
        trace.refused_to_store = next((part.refused_to_store for part in parts if part.refused_to_store), "")
        trace.error = next((part.error for part in parts if part.error), "")
        trace.finish = ",".join(part.finish for part in parts if part.finish)
        trace.warnings = tuple(dict.fromkeys(warning for part in parts for warning in part.warnings))
        trace.warming = warming_of(_told(part.warming for part in parts))

    def _bill(self, parts: Sequence[Trace]) -> None:
        """Nothing is known of a sum of which one part is not."""
        trace = self.trace
        usages, costs = _told(part.usage for part in parts), _told(part.costs for part in parts)
        trace.usage = trace.costs = trace.cost = None
        if usages:
            estimated = any(usage.estimated for usage in usages)
            trace.usage = Usage._make(map(sum, zip(*usages, strict=True)))._replace(estimated=estimated)
        if parts and len(costs) == len(parts):
            trace.costs = Costs._make(map(sum, zip(*costs, strict=True)))
            trace.cost = trace.costs.total


def _told(values: Iterable[Known | None]) -> list[Known]:
    return [value for value in values if value is not None]


def _total(values: Sequence[float]) -> float | None:
    return sum(values) if values else None


def warming_of(parts: Sequence[Warming]) -> Warming | None:
    """What was done for several requests, as of one: the role of the first, all that was spent and saved."""
    if not parts:
        return None
    return Warming(
        role=parts[0].role,
        why=parts[0].why,
        group=parts[0].group,
        waited=max(part.waited for part in parts),
        shared=max(part.shared for part in parts),
        expected=sum(part.expected for part in parts),
        marks=sum(part.marks for part in parts),
        saved=_total(_told(part.saved for part in parts)),
        extra=[extra for part in parts for extra in part.extra],
        expires=max((part.expires for part in parts if part.expires is not None), default=None),
        pruned=sum(part.pruned for part in parts),
        proposed=sum(part.proposed for part in parts),
    )
