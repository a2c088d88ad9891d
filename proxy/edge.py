"""The edge: from an HTTP request to a call, from a reply to HTTP, and one event for each, whatever happened."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from aiohttp import web

from adapters.errors import Refused, Torn, UpstreamError
from adapters.routing import Routing
from adapters.vocabulary import Call, Clock, Dialect, Handler, Reply, Trace
from proxy.answering import Answering, Telling
from proxy.callers import Caller, Callers
from proxy.events import Sink
from proxy.fanout_header import HEADER, fanout_of
from proxy.incoming import Incoming
from proxy.reading import Reader
from proxy.respond import Writer, error_headers, headers_of
from proxy.tenants import Tenancy

log = logging.getLogger("warmgate.edge")

MOUNT = "/v1"

ROOM = "GET, HEAD, POST, PUT, DELETE, PURGE"
"""Methods that a room may know; each of its paths says which."""

DOTS = re.compile(r"^[^?]*?(?:[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:[/\\?]|%2f|%5c|$)", re.IGNORECASE)
"""A path with a segment that may lead out of the provider's base URL, where the proxy's key may open other doors."""

HUNG_UP = (ConnectionResetError, BrokenPipeError)
"""What writing raises where the client is gone."""

Operation = Callable[[], Awaitable[web.Response]]
Result = TypeVar("Result")


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


class Desk(Protocol):
    """A route of this proxy's own that works for a caller, whom it knows."""

    label: str

    async def serve(self, exchange: Exchange, raw: bytes, caller: Caller) -> web.StreamResponse:
        """`raw`: the body. May raise what a handler may."""


@dataclass(slots=True)
class Gate:
    """What the edge is doing, for readiness and shutdown."""

    in_flight: int = 0
    draining: bool = False


class Edge:
    """The request handler of the server.

    `doors` (by path below `/v1`) are the routes whose bodies are read, each with its onion; `desks` those of this
    proxy's own; `relay` passes every other one on as it is. Outside of `/v1`, `rooms` (by the first segment of a path)
    are desks that answer everything below it; `operations` are pages for anybody, GET only. `body_limit` in bytes.
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
        desks: Mapping[str, Desk] | None = None,
        rooms: Mapping[str, Desk] | None = None,
    ) -> None:
        self.doors, self.relay, self.callers = doors, relay, Callers(tenancy)
        self.readers = {target: Reader(door.dialect, target, routing) for target, door in doors.items()}
        self.desks, self.rooms = desks or {}, rooms or {}
        self.operations, self.body_limit = operations, body_limit
        self.telling = Telling(sinks, clock, wall)
        self.gate = Gate()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        exchange = Exchange(self, request)
        self.gate.in_flight += 1
        try:
            return await exchange.answer()
        except asyncio.CancelledError:
            exchange.hung_up()
            raise
        except HUNG_UP:
            exchange.hung_up()
            return web.Response(status=499)  # nobody reads it
        finally:
            self.gate.in_flight -= 1
            exchange.emit()


class Failure(NamedTuple):
    """What the caller is told of work that failed."""

    refused: Refused
    noted: str = ""
    """The error as it stands in the event; empty for a refusal of our own."""


async def settled(work: Awaitable[Result]) -> Result | Failure:
    """What came of the work. Lets pass that a client hung up."""
    try:
        return await work
    except Refused as refused:
        return Failure(refused)
    except UpstreamError as error:
        return Failure(Refused(error.status, error.message, kind="api_error", code=error.code), error.code)
    except Torn as torn:
        return Failure(Refused(502, torn.message, kind="api_error", code="upstream_torn"), "torn")
    except HUNG_UP:
        raise
    except Exception:
        # The one place where an error nobody foresaw becomes an answer instead of a dead connection.
        log.exception("unforeseen error")
        return Failure(Refused(500, "internal error of the proxy", kind="api_error", code="internal"), "internal")


class Exchange(Answering[web.StreamResponse]):
    """One request being answered over HTTP."""

    __slots__ = ("body", "dialect", "edge", "request")

    def __init__(self, edge: Edge, request: web.BaseRequest) -> None:
        super().__init__(edge.telling, request.method)
        self.edge, self.request = edge, request
        self.body = Incoming(request, edge.body_limit)
        self.dialect = next(iter(edge.doors.values())).dialect
        """Of the errors that this client is told."""

    async def answer(self) -> web.StreamResponse:
        given = await settled(self._answered())
        if not isinstance(given, Failure):
            return given
        self.trace.error = given.noted or self.trace.error
        if self.writer is not None and self.writer.begun is not None:
            return await self.writer.broken(self.writer.begun, given.refused.message, code=given.refused.code or "")
        return self._error(given.refused)

    async def _answered(self) -> web.StreamResponse:
        edge, raw = self.edge, self.request.raw_path
        path, _, query = (raw if raw[:1] == "/" else origin_form(raw)).partition("?")
        if not path.startswith(MOUNT + "/"):
            room = edge.rooms.get(path[1:].partition("/")[0])
            return await (self._served(path, room, ROOM) if room is not None else self._own(path))
        target = path[len(MOUNT) :]
        if target in edge.desks:
            return await self._served(target, edge.desks[target])
        reader = edge.readers.get(target) if self.request.method == "POST" else None
        # Below a route that is read errors look as they do there.
        near = reader or next((each for path, each in edge.readers.items() if target.startswith(path)), None)
        self.dialect = near.dialect if near else self.dialect
        return await self._proxied(f"{target}?{query}" if query else target, reader)

    async def _own(self, path: str) -> web.StreamResponse:
        operation = self.edge.operations.get(path)
        if operation is None:
            raise Refused(404, "unknown route; the API is under /v1", code="unknown_route")
        self.route = "ops"
        self.only("GET, HEAD")
        response = await operation()
        self.status = response.status
        return response

    def only(self, methods: str) -> None:
        """Raises `Refused` (405) where the request has another method than these, separated by commas."""
        if self.request.method not in methods.split(", "):
            told = f"this page only answers {methods}"
            raise Refused(405, told, code="method_not_allowed", headers=(("Allow", methods),))

    async def _called(self, target: str) -> tuple[Call, Caller]:
        """Who calls; the call is still without its body."""
        request = self.request
        caller = self.edge.callers.read(request.raw_headers, request.headers)
        if caller.websocket:
            raise Refused(501, "WebSocket connections are not proxied; connect to the provider", code="no_websocket")
        if caller.waits:
            await self.body.go_on()
        self.call = call = call_of(target, request, caller, self.trace)
        return call, caller

    async def _served(self, target: str, desk: Desk, methods: str = "POST") -> web.StreamResponse:
        """By a route of our own. Its errors look as they do where the client's other requests go."""
        self.route = desk.label
        if "anthropic-version" in self.request.headers and "/messages" in self.edge.doors:
            self.dialect = self.edge.doors["/messages"].dialect
        self.only(methods)
        _, caller = await self._called(target)
        response = await desk.serve(self, await self._whole(caller), caller)
        self.status = response.status
        return response

    async def _proxied(self, target: str, reader: Reader | None) -> web.StreamResponse:
        edge = self.edge
        call, caller = await self._called(target)
        if reader is None:
            if DOTS.search(target):
                raise Refused(400, "the path has a segment of dots", code="bad_path")
            self.body.check_length()
            call.body = self.body.chunks() if self.request.can_read_body else b""
            self.route = "v1"
            return await self.told(call, await edge.relay(call))
        door = edge.doors[reader.target]
        self.route = door.label
        reader.fill(call, await self._whole(caller), caller)
        if HEADER in self.request.headers:
            self._declared(call)
        return await self.ask(call, door.handler)

    def _declared(self, call: Call) -> None:
        """A header that can't be read is as good as none: it only says what may be saved."""
        try:
            call.fanout = fanout_of(", ".join(self.request.headers.getall(HEADER)))
        except ValueError as error:
            self.warned = f"fanout header ignored: {error}"

    async def _whole(self, caller: Caller) -> bytes:
        if caller.encoded:
            raise Refused(415, "send the body without Content-Encoding", code="unsupported_content_encoding")
        return await self.body.whole()

    async def told(self, call: Call, reply: Reply) -> web.StreamResponse:
        self.note(reply)
        trace = self.trace
        self.writer = Writer(self.request, call)
        lines = headers_of(call, reply, trace, self.seconds)
        response = self.writer.whole(reply, lines) or await self.writer.streamed(reply, lines)
        self.status = response.status
        if self.writer.error:
            trace.error = trace.error or self.writer.error
        return response

    def _error(self, refused: Refused) -> web.StreamResponse:
        self.status = refused.status
        self.trace.source = "upstream" if (refused.code or "").startswith("upstream") else "proxy"
        body = self.dialect.error(refused.message, kind=refused.kind, param=refused.param, code=refused.code)
        return web.Response(status=refused.status, headers=error_headers(refused.headers), body=body)


def call_of(target: str, request: web.BaseRequest, caller: Caller, trace: Trace) -> Call:
    """A call of this caller, still without a body."""
    return Call(
        request.method,
        target,
        request.headers,
        b"",
        tenant=caller.identity.tenant,
        credential=caller.identity.credential,
        trace=trace,
        lines=caller.lines,
    )
