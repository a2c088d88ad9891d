"""The edge: from an HTTP request to a call, from a reply to HTTP, and one event for each, whatever happened."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from aiohttp import HttpVersion11, web

from adapters.errors import Refused, Torn, Unfoldable, UpstreamError
from adapters.routing import Routing
from adapters.vocabulary import Answer, Call, Clock, Dialect, Handler, Reply, Trace
from cache.controls import controls_of
from proxy.callers import Caller, Callers
from proxy.events import Event, Sink
from proxy.reading import Reader
from proxy.respond import Writer, error_headers, headers_of
from proxy.tenants import Tenancy

log = logging.getLogger("warmgate.edge")

MOUNT = "/v1"

DOTS = re.compile(r"^[^?]*?(?:[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:[/\\?]|%2f|%5c|$)", re.IGNORECASE)
"""A path with a segment that may lead out of the provider's base URL, where the proxy's key may open other doors."""

Operation = Callable[[], Awaitable[web.Response]]


def origin_form(target: str) -> str:
    """The path and query of a target in absolute form, which a server must accept (RFC 9112 §3.2.2); others as they
    are."""
    scheme, found, rest = target.partition("://")
    if not found or scheme.lower() not in ("http", "https"):
        return target
    slash = rest.find("/")
    return rest[slash:] if slash >= 0 else "/"


class Door(NamedTuple):
    """A route whose bodies are read."""

    dialect: Dialect
    handler: Handler
    label: str
    """Its name in events and metrics."""


@dataclass(slots=True)
class Gate:
    """What the edge is doing, for readiness and shutdown."""

    in_flight: int = 0
    draining: bool = False


class Edge:
    """The request handler of the server.

    `doors` (by path below `/v1`) are the routes whose bodies are read, each with its onion; `relay` passes every other
    one on as it is. `operations` are this proxy's own pages, GET only. `body_limit` in bytes.
    """

    def __init__(
        self,
        doors: Mapping[str, Door],
        relay: Handler,
        *,
        routing: Routing,
        tenancy: Tenancy,
        operations: Mapping[str, Operation],
        sinks: Sequence[Sink],
        body_limit: int,
        clock: Clock,
        wall: Clock,
    ) -> None:
        self.doors, self.relay, self.callers = doors, relay, Callers(tenancy)
        self.readers = {target: Reader(door.dialect, target, routing) for target, door in doors.items()}
        self.operations, self.sinks, self.body_limit = operations, sinks, body_limit
        self.clock, self.wall = clock, wall
        self.gate = Gate()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        exchange = Exchange(self, request)
        self.gate.in_flight += 1
        try:
            return await exchange.answer()
        except asyncio.CancelledError:
            exchange.hung_up()
            raise
        except (ConnectionResetError, BrokenPipeError):
            exchange.hung_up()
            return web.Response(status=499)  # nobody reads it
        finally:
            self.gate.in_flight -= 1
            exchange.emit()


class Exchange:
    """One request being answered."""

    __slots__ = ("began", "call", "edge", "final", "request", "route", "status", "trace", "writer")

    def __init__(self, edge: Edge, request: web.BaseRequest) -> None:
        self.edge, self.request = edge, request
        self.began = edge.clock()
        self.route, self.status = "none", 500
        self.call: Call | None = None
        self.trace = Trace()
        self.final: Answer | None = None
        self.writer: Writer | None = None

    async def answer(self) -> web.StreamResponse:
        dialect = next(iter(self.edge.doors.values())).dialect
        try:
            raw = self.request.raw_path
            path, _, query = (raw if raw[:1] == "/" else origin_form(raw)).partition("?")
            if path.startswith(MOUNT + "/"):
                target = path[len(MOUNT) :]
                reader = self.edge.readers.get(target) if self.request.method == "POST" else None
                # Below a route that is read errors look as they do there.
                near = reader or next(
                    (each for path, each in self.edge.readers.items() if target.startswith(path)), None
                )
                dialect = near.dialect if near else dialect
                return await self._proxied(f"{target}?{query}" if query else target, reader)
            return await self._own(path)
        except Refused as refused:
            return self._error(dialect, refused)
        except UpstreamError as error:
            self.trace.error = error.code
            return self._error(dialect, Refused(error.status, error.message, kind="api_error", code=error.code))
        except Torn as torn:
            self.trace.error = "torn"
            return self._error(dialect, Refused(502, torn.message, kind="api_error", code="upstream_torn"))
        except (ConnectionResetError, BrokenPipeError):
            raise
        except Exception:
            # The one place where an error nobody foresaw becomes an answer instead of a dead connection.
            log.exception("unforeseen error")
            self.trace.error = "internal"
            if self.writer is not None and self.writer.begun is not None:
                return await self.writer.broken(self.writer.begun, "internal error of the proxy", code="internal")
            return self._error(dialect, Refused(500, "internal error of the proxy", kind="api_error", code="internal"))

    async def _own(self, path: str) -> web.StreamResponse:
        operation = self.edge.operations.get(path)
        if operation is None:
            raise Refused(404, "unknown route; the API is under /v1", code="unknown_route")
        self.route = "ops"
        if self.request.method not in ("GET", "HEAD"):
            allow = (("Allow", "GET, HEAD"),)
            raise Refused(405, "this page only answers GET", code="method_not_allowed", headers=allow)
        response = await operation()
        self.status = response.status
        return response

    async def _proxied(self, target: str, reader: Reader | None) -> web.StreamResponse:
        request, edge = self.request, self.edge
        caller = edge.callers.read(request.raw_headers, request.headers)
        if caller.websocket:
            raise Refused(501, "WebSocket connections are not proxied; connect to the provider", code="no_websocket")
        if caller.waits:
            await self._go_on()
        self.call = call = Call(
            request.method,
            target,
            request.headers,
            b"",
            tenant=caller.identity.tenant,
            credential=caller.identity.credential,
            trace=self.trace,
            lines=caller.lines,
        )
        if reader is None:
            if DOTS.search(target):
                raise Refused(400, "the path has a segment of dots", code="bad_path")
            self._check_length()
            call.body = self._chunks() if request.can_read_body else b""
            self.route = "v1"
            return await self._told(call, await edge.relay(call))
        door = edge.doors[reader.target]
        self.route = door.label
        await self._read(call, reader, caller)
        try:
            return await self._told(call, await door.handler(call))
        except Unfoldable:
            # What was kept, or came for another caller, does not take the form asked for here: this one asks himself.
            self.trace = Trace(modified_bytes=self.trace.modified_bytes)
            call = self.call = replace(call, trace=self.trace, controls=replace(call.controls, no_cache=True))
            return await self._told(call, await door.handler(call))

    async def _told(self, call: Call, reply: Reply) -> web.StreamResponse:
        """Raises `Unfoldable`, with nothing written, for an answer of another call that can't take this one's form."""
        trace = self.trace
        trace.source = trace.source or reply.source
        self.status, self.final = reply.status, reply.answer
        self.writer = Writer(self.request, call)
        lines = headers_of(call, reply, trace, self.edge.clock() - self.began)
        response = self.writer.whole(reply, lines) or await self.writer.streamed(reply, lines)
        self.status = response.status
        if self.writer.error:
            trace.error = trace.error or self.writer.error
        return response

    async def _go_on(self) -> None:
        """Has a client send its body that asked first; one that is too long never leaves it. (aiohttp does this in its
        router, which is not used here.)"""
        self._check_length()
        if self.request.version == HttpVersion11:
            writer = self.request.writer
            await writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            writer.output_size = 0  # none of it belongs to the answer

    async def _read(self, call: Call, reader: Reader, caller: Caller) -> None:
        """Fills the call with what its body says."""
        if caller.encoded:
            raise Refused(415, "send the body without Content-Encoding", code="unsupported_content_encoding")
        body = reader.read(await self._body())
        call.dialect, call.body, call.digests = reader.dialect, body.raw, body.digests
        call.parsed, call.stream, call.wants_usage = body.parsed, body.stream, body.wants_usage
        call.route, call.sent = body.route, body.sent
        if caller.cache_control is not None or body.dropped:
            call.controls = controls_of(caller.cache_control, body.parsed.get("cache"))
            call.trace.modified_bytes = body.dropped

    async def _body(self) -> bytes:
        """The whole body; raises `Refused` above the limit or where it breaks off."""
        content = self.request.content
        first = await self._chunk()
        self._checked(len(first))
        if content.at_eof():
            return first
        self._check_length()
        chunks, size = [first], len(first)
        while not content.at_eof():
            chunks.append(await self._chunk())
            size = self._checked(size + len(chunks[-1]))
        return b"".join(chunks)

    async def _chunks(self) -> AsyncIterator[bytes]:
        """The same piece by piece, for a route where nobody reads it."""
        size = 0
        while chunk := await self._chunk():
            size = self._checked(size + len(chunk))
            yield chunk

    async def _chunk(self) -> bytes:
        try:
            return await self.request.content.readany()
        except web.RequestPayloadError as error:
            raise Refused(400, "the body broke off", code="body_incomplete") from error

    def _check_length(self) -> None:
        self._checked(self.request.content_length or 0)

    def _checked(self, size: int) -> int:
        if size > self.edge.body_limit:
            raise Refused(413, f"the body exceeds {self.edge.body_limit} bytes", code="body_too_large")
        return size

    def _error(self, dialect: Dialect, refused: Refused) -> web.StreamResponse:
        self.status = refused.status
        self.trace.source = "upstream" if (refused.code or "").startswith("upstream") else "proxy"
        body = dialect.error(refused.message, kind=refused.kind, param=refused.param, code=refused.code)
        return web.Response(status=refused.status, headers=error_headers(refused.headers), body=body)

    def hung_up(self) -> None:
        self.status = 499
        self.trace.error = self.trace.error or "client_hung_up"

    def emit(self) -> None:
        edge = self.edge
        event = Event(
            at=edge.wall(),
            method=self.request.method,
            route=self.route,
            status=self.status,
            seconds=edge.clock() - self.began,
            source=self.trace.source or "proxy",
            call=self.call,
            trace=self.trace,
            answer=self.final,
            bytes_out=self.writer.bytes_out if self.writer else 0,
        )
        for sink in edge.sinks:
            sink(event)
