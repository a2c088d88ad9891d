"""One branch of a fan-out: a request as any other, but that its answer is a part of another one's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from adapters.errors import UpstreamError
from adapters.sse import Frame, Splitter
from adapters.vocabulary import Call, Dialect, Extra, Form, Frames, Reply
from proxy.answering import Answering
from proxy.callers import Caller
from proxy.edge import HUNG_UP, Door, Exchange, Failure, call_of, settled
from proxy.reading import Reader
from proxy.respond import EVENT_STREAM, Writer, headers_of

SHOWN = (
    "cache-status",
    "x-cache-status",
    "age",
    "retry-after",
    "request-id",
    "x-request-id",
    "x-warmgate-cost",
    "x-warmgate-upstream",
    "x-warmgate-warming",
    "x-warmgate-warning",
)
"""Header lines that stand beside the answer of a branch: what an ordinary request is told of itself by the proxy, and
what names it at the provider."""

Result = TypeVar("Result")

_encode = msgspec.json.Encoder().encode


class Branch(Answering[web.Response | Frames]):
    """Raises `Refused` at once where its body is none. Emits its event when it is over."""

    __slots__ = ("asked", "door", "exchange", "place", "reply")

    def __init__(self, exchange: Exchange, caller: Caller, reader: Reader, raw: bytes, place: int) -> None:
        super().__init__(exchange.edge.telling, exchange.request.method)
        self.exchange, self.place = exchange, place
        self.door: Door = exchange.edge.doors[reader.target]
        self.route = self.door.label
        self.call = self.asked = call_of(reader.target, exchange.request, caller, self.trace)
        reader.fill(self.asked, raw, caller)
        self.reply: Reply | None = None

    async def told(self, call: Call, reply: Reply) -> web.Response | Frames:
        """The whole answer, or the frames of a stream that is still coming."""
        self.note(reply)
        self.reply, self.writer = reply, Writer(self.exchange.request, call)
        headers: CIMultiDict[str] = CIMultiDict()
        given = self.writer.whole(reply, headers)
        if given is None and reply.form is not Form.EVENTS:
            raise UpstreamError("the upstream's answer can't be read", code="upstream_unreadable")
        if given is None and call.stream:
            return reply.frames
        given = given or await self.writer.streamed(reply, headers)
        assert isinstance(given, web.Response)  # both of them hold it whole
        self.status = given.status
        self.trace.error = self.trace.error or self.writer.error
        return given

    async def item(self) -> bytes:
        """Its place in the list, as JSON."""
        try:
            given = await self._begun()
            assert isinstance(given, web.Response)
            told: dict[str, Any] = {"index": self.place, "status": self.status, "headers": self._headers(given)}
            return _encode(told | {"body": _json(_body(given))})
        except asyncio.CancelledError:
            self.hung_up()
            raise
        finally:
            self.emit()

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """Its events for the common stream, as JSON; the last one has `done`."""
        try:
            given = await self._begun()
            if not isinstance(given, web.Response):
                async with aclosing(given), aclosing(self._passed(given)) as lines:
                    async for line in lines:
                        yield line
            elif given.headers.get("Content-Type") == EVENT_STREAM:
                splitter = Splitter()
                frames = splitter.feed(_body(given))
                for line in self._events([*frames, *([Frame(rest)] if (rest := splitter.rest()) else [])]):
                    yield line
                yield self._done()
            else:
                yield self._done(headers=self._headers(given), body=_json(_body(given)))
        except (asyncio.CancelledError, GeneratorExit):
            self.hung_up()
            raise
        finally:
            self.emit()

    async def _begun(self) -> web.Response | Frames:
        given = await settled(_alone(self.ask(self.asked, self.door.handler)))
        return self._failed(given) if isinstance(given, Failure) else given

    def _failed(self, failure: Failure) -> web.Response:
        refused = failure.refused
        self.status, self.trace.error = refused.status, failure.noted or self.trace.error
        self.trace.source = "upstream" if (refused.code or "").startswith("upstream") else "proxy"
        body = self._dialect.error(refused.message, kind=refused.kind, param=refused.param, code=refused.code)
        return web.Response(status=refused.status, headers=CIMultiDict(refused.headers), body=body)

    @property
    def _dialect(self) -> Dialect:
        return self.door.dialect

    async def _passed(self, frames: Frames) -> AsyncGenerator[bytes, None]:
        """The lines of a stream as it comes, up to its end, whichever that is."""
        last: Frame | None = None
        while isinstance(pulled := await settled(_alone(_pull(frames))), list):
            last = pulled[-1]
            for line in self._events(pulled):
                yield line
        await frames.aclose()  # layers bring the trace up to date when they are left
        if pulled is None:
            yield self._done()
            return
        refused, self.trace.error = pulled.refused, pulled.noted
        if last is None or not self._dialect.is_error(last):  # else it was told in the provider's own words
            frame = self._dialect.error_frame(refused.message, kind="api_error", code=refused.code)
            for line in self._events([frame]):
                yield line
        yield self._done(status=502, error=refused.code)

    def _events(self, frames: list[Frame]) -> list[bytes]:
        """`[DONE]`, which is no JSON, is told in our own words; comments are not for anybody."""
        assert self.writer is not None
        lines = []
        for frame in frames:
            data = frame.data
            if data and data != b"[DONE]":
                lines.append(b'{"index":%d,"event":%b}' % (self.place, bytes(_json(data))))
                self.writer.bytes_out += len(data)
        return lines

    def _done(self, **more: Any) -> bytes:
        told = {"index": self.place, "status": self.status} | more | {"done": True}
        return _encode(
            told | {"cost": self.cost, "saved": self.saved, "cache": self._headers(None).get("x-cache-status")}
        )

    def _headers(self, given: web.Response | None) -> dict[str, str]:
        """Once all of it is known."""
        if self.reply is None or self.call is None:
            return {name.lower(): value for name, value in (given.headers if given is not None else {}).items()}
        lines = headers_of(self.call, self.reply, self.trace, self.seconds)
        return {name: lines[name] for name in SHOWN if name in lines}

    @property
    def extra(self) -> list[Extra]:
        return self.trace.warming.extra if self.trace.warming is not None else []

    @property
    def cost(self) -> float | None:
        """US dollars, with what was spent on its account beside it; None where a price is unknown. A request that was
        refused has none."""
        trace = self.trace
        known = [trace.cost if trace.cost is not None or trace.usage is not None or self.status < 300 else 0.0]
        known += [extra.cost if extra.cost is not None or extra.usage is not None else 0.0 for extra in self.extra]
        return None if None in known else sum(dollars or 0.0 for dollars in known)

    @property
    def saved(self) -> float:
        """US dollars that it would have cost more without the proxy."""
        net = self.trace.warming.net if self.trace.warming is not None else None
        return (self.trace.saved or 0.0) + (net or 0.0)


async def _alone(work: Awaitable[Result]) -> Result:
    """A connection that breaks below a branch is not that of the client, who still has the others to come."""
    try:
        return await work
    except HUNG_UP as error:
        raise UpstreamError("the connection to the upstream broke") from error


async def _pull(frames: Frames) -> list[Frame] | None:
    """What is at hand; None at the end."""
    try:
        frame = await frames.__anext__()
    except StopAsyncIteration:
        return None
    return [frame, *frames.ready()]


def _body(response: web.Response) -> bytes:
    return response.body if isinstance(response.body, bytes) else b""


def _json(data: bytes) -> msgspec.Raw:
    """As it stands, where it is JSON on one line; else as a text."""
    try:
        data.decode()
        if b"\n" not in data and b"\r" not in data:
            msgspec.json.decode(data, type=msgspec.Raw)
            return msgspec.Raw(data)
        return msgspec.Raw(_encode(msgspec.json.decode(data)))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return msgspec.Raw(_encode(data.decode(errors="replace")))
