"""From a reply to HTTP: headers that tell what happened, and the body in the form that the client asked for."""

from __future__ import annotations

from contextlib import aclosing

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from adapters.errors import Torn, Unfoldable
from adapters.prices import Costs
from adapters.sse import frame_of
from adapters.vocabulary import Answer, Call, Dialect, Form, Nearness, Reply, Trace, Warming
from proxy.providers import DEFAULT

EVENT_STREAM = "text/event-stream; charset=utf-8"
SERVER = "warmgate"


def headers_of(call: Call, reply: Reply, trace: Trace, seconds: float) -> CIMultiDict[str]:
    """Everything the reply came with, and our own lines (RFC 9211 `Cache-Status`, RFC 9111 `Age`, Server-Timing)."""
    key = f'; key="{call.key.hex()[:16]}"' if call.key else ""
    # On an answer that was not asked for anew, what its request would lose.
    lost = trace.warnings or (call.sent.warnings if call.sent is not None else ())
    if trace.age is not None:
        return CIMultiDict(
            (
                *reply.headers,
                ("Server", SERVER),
                ("Age", str(int(trace.age))),
                ("Cache-Status", f"warmgate; hit; ttl={trace.ttl:.0f}{key}; detail={_detail(trace)}{_near(trace)}"),
                ("X-Cache-Status", "stale" if trace.detail in STALE else "hit"),
                ("Server-Timing", f"warmgate;dur={seconds * 1000:.2f}"),
                ("X-Warmgate-Cost", f"cost={_money(trace.cost) if trace.cost else 0}; saved={_money(trace.saved)}"),
                *((("X-Warmgate-Warning", "; ".join(lost)),) if lost else ()),
                *((("X-Warmgate-Semantic", _served(trace.nearness)),) if trace.nearness is not None else ()),
            )
        )
    headers = CIMultiDict(reply.headers)
    headers.setdefault("Server", SERVER)
    headers.add("Cache-Status", _forwarded(trace, key))
    if call.dialect is None:
        return headers
    headers["X-Cache-Status"] = STATUS_WORD.get(trace.why, "bypass")
    waited = trace.upstream_seconds or 0.0
    added = max(0.0, seconds - waited)
    headers.add("Server-Timing", f"warmgate;dur={added * 1000:.2f}, upstream;dur={waited * 1000:.1f}")
    if trace.modified_bytes:
        headers["X-Warmgate-Modified"] = str(trace.modified_bytes)
    if trace.upstream not in ("", DEFAULT):
        headers["X-Warmgate-Upstream"] = trace.upstream
    if lost:
        headers["X-Warmgate-Warning"] = "; ".join(lost)
    if trace.warming is not None and trace.warming.role not in UNTOLD:
        headers["X-Warmgate-Warming"] = _warmed(trace.warming)
    if trace.usage is not None:
        headers["X-Warmgate-Cost"] = _bill(trace)
    return headers


def _forwarded(trace: Trace, key: str) -> str:
    status = f"; fwd-status={trace.upstream_status}" if trace.upstream_status is not None else ""
    stored = "; stored" if trace.stored else ""
    collapsed = "; collapsed" if trace.source == "collapsed" else ""
    told = trace.refused_to_store or trace.detail
    detail = f'; detail="{told}"' if told else ""
    return f"warmgate; fwd={trace.why or 'bypass'}{status}{stored}{collapsed}{key}{detail}"


UNTOLD = ("", "alone")
"""What a request was to warming, where there is nothing to tell."""


def _warmed(warming: Warming) -> str:
    """What is known when the head of the answer leaves: what was saved stands in the event, when the bill has come."""
    return f"{warming.role}; shared={warming.shared}; expected={warming.expected}; waited={warming.waited:.3f}"


STALE = ("stale-if-error", "stale-while-revalidate")
"""Details of answers whose time is up; their `ttl` is negative (RFC 9211 §2.4)."""


def _detail(trace: Trace) -> str:
    return f'"{trace.source}, {trace.detail}"' if trace.detail else trace.source


def _near(trace: Trace) -> str:
    nearness = trace.nearness
    return f"; sim={nearness.similarity:.3f}" if nearness is not None and nearness.similarity is not None else ""


def _served(nearness: Nearness) -> str:
    """What feedback about this answer has to name, and how sure it was."""
    score = "" if nearness.score is None else f"; score={nearness.score:.4f}"
    return f"{nearness.outcome}; entry={nearness.entry}; sim={nearness.similarity or 0.0:.3f}{score}"


STATUS_WORD = {"miss": "miss", "request": "refresh"}


def _bill(trace: Trace) -> str:
    """What this request cost, what of it was saved, and the cost again by class of tokens, and for embeddings."""
    spent = trace.nearness.spent if trace.nearness is not None else 0.0
    cost = None if trace.cost is None else trace.cost + spent
    total = f"cost={_money(cost)}; saved={_money(trace.saved or 0.0)}"
    lines = [*zip(Costs._fields, trace.costs or (), strict=False), ("embeddings", spent)]
    return "; ".join([total, *[f"{name}={_money(dollars)}" for name, dollars in lines if dollars]])


def _money(dollars: float | None) -> str:
    return "unknown" if dollars is None else f"{dollars:.8f}"


def error_headers(extra: tuple[tuple[str, str], ...] = ()) -> CIMultiDict[str]:
    return CIMultiDict((("Content-Type", "application/json"), ("Server", SERVER), *extra))


class Writer:
    """Writes one reply; counts what it wrote. The form is changed only where what came is not what was asked for.

    Raises `Unfoldable` where that can't be done and another call got the answer: then the upstream can still be asked.
    """

    __slots__ = ("begun", "bytes_out", "call", "error", "request")

    def __init__(self, request: web.BaseRequest, call: Call) -> None:
        self.request, self.call = request, call
        self.bytes_out = 0
        self.error = ""
        self.begun: web.StreamResponse | None = None
        """The response whose head has left: there can't be another one."""

    def whole(self, reply: Reply, headers: CIMultiDict[str]) -> web.StreamResponse | None:
        """The response, where all of it is at hand; None where it has yet to come."""
        if reply.form is not Form.WHOLE:
            return None
        body = reply.body or b""
        if self.call.stream and reply.status < 300 and reply.answer is not None:
            try:
                body = unfolded(self.call, reply)
                headers["Content-Type"] = EVENT_STREAM
            except Unfoldable:
                if reply.source != "upstream":
                    raise
                self.error = "unfoldable"  # what came is all there is: it goes out as it came
                body = self._told(reply.answer, headers) or body
        return self._send(reply.status, headers, body)

    async def streamed(self, reply: Reply, headers: CIMultiDict[str]) -> web.StreamResponse:
        """Writes frames as they come, or waits for the end of them for a client who asked for a whole answer."""
        dialect = self.call.dialect
        if reply.form is Form.EVENTS and not self.call.stream and dialect is not None:
            return await self._folded(reply, headers, dialect)
        return await self._stream(reply, headers, dialect)

    def _told(self, answer: Answer, headers: CIMultiDict[str]) -> bytes:
        """An error that came with status 200, as the event that clients of a stream look for; empty for all else."""
        try:
            frame = frame_of(msgspec.json.encode(answer.message()))
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError, Unfoldable):
            return b""
        if not answer.dialect.is_error(frame):
            return b""
        headers["Content-Type"] = EVENT_STREAM
        return frame.raw

    def _send(self, status: int, headers: CIMultiDict[str], body: bytes) -> web.StreamResponse:
        self.bytes_out = len(body)
        return web.Response(status=status, headers=headers, body=body)

    async def _folded(self, reply: Reply, headers: CIMultiDict[str], dialect: Dialect) -> web.StreamResponse:
        """An event stream for a client who asked for the whole answer."""
        headers["Content-Type"] = "application/json"
        try:
            async with aclosing(reply.frames):
                async for _ in reply.frames:
                    pass  # the answer puts its frames down itself
            if reply.answer is None:
                raise Unfoldable("a stream without an answer to fold")
            body = reply.answer.body()
        except (Torn, Unfoldable) as error:
            if isinstance(error, Unfoldable) and reply.source != "upstream":
                raise
            self.error = "torn" if isinstance(error, Torn) else "unfoldable"
            told = "the upstream's stream broke off" if isinstance(error, Torn) else str(error)
            return self._send(502, headers, dialect.error(told, kind="api_error", code=f"upstream_{self.error}"))
        return self._send(reply.status, headers, body)

    async def _stream(self, reply: Reply, headers: CIMultiDict[str], dialect: Dialect | None) -> web.StreamResponse:
        response = web.StreamResponse(status=reply.status, headers=headers)
        async with aclosing(reply.frames):
            await response.prepare(self.request)
            self.begun = response
            try:
                async for frame in reply.frames:
                    # What came together leaves together: a write costs more than all else about a frame.
                    behind = reply.frames.ready()
                    raw = b"".join([frame.raw, *[each.raw for each in behind]]) if behind else frame.raw
                    await response.write(raw)
                    self.bytes_out += len(raw)
            except Torn as torn:
                self.error = "torn"
                if dialect is None or not torn.told:
                    return await self.broken(response, torn.message, code="upstream_torn")
        await response.write_eof()
        return response

    async def broken(self, response: web.StreamResponse, message: str, *, code: str) -> web.StreamResponse:
        """Ends a response that has begun and can't be completed, so that the client hears of it."""
        if self.call.dialect is not None:
            frame = self.call.dialect.error_frame(message, kind="api_error", code=code)
            await response.write(frame.raw)
            await response.write_eof()
        elif self.request.transport is not None:
            # Only a connection that breaks tells this client that the body is not complete.
            self.request.transport.abort()
        return response


def unfolded(call: Call, reply: Reply) -> bytes:
    assert call.dialect is not None
    assert reply.answer is not None
    frames = call.dialect.unfold(reply.answer.message(), usage=call.wants_usage)
    return b"".join([frame.raw for frame in frames])
