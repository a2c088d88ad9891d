"""One call to a provider of another dialect: asked as it is asked there, answered as the client understands it."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import replace

import msgspec

from adapters.errors import Unfoldable
from adapters.sse import Frame
from adapters.translation import Terms, Translation
from adapters.vocabulary import Answer, Call, Clock, Form, Frames, Handler, Headers, Reply, Sent

JSON = ("Content-Type", "application/json")
EVENTS = ("Content-Type", "text/event-stream; charset=utf-8")

REQUEST_IDS = ("x-request-id", "request-id")
"""OpenAI's name for it, and Anthropic's: clients of either look for their own."""

OVERLOADED = "5"
"""Seconds to wait that a client is told where a provider is overloaded and names no time."""


async def translated(
    handler: Handler, call: Call, sent: Sent, translation: Translation, terms: Terms, wall: Clock
) -> Reply:
    """`handler` is the upstream, `call` the client's, `sent` what `translation` made of it."""
    call.trace.modified_bytes += len(sent.body)
    asked = replace(
        call,
        target=sent.target,
        body=sent.body,
        parsed=sent.parsed,
        dialect=translation.provider,
        wants_usage=True,
        sent=None,
    )
    reply = await handler(asked)
    headers = _headers(reply.headers)
    if reply.status >= 300 or reply.answer is None:
        return _refused(reply, headers, translation)
    if reply.form is Form.EVENTS:
        frames = _Translated(reply.frames, reply.answer, translation, terms, wall(), call)
        return Reply(reply.status, (EVENTS, *headers), reply.source, Form.EVENTS, frames, answer=frames.answer)
    try:
        call.trace.refused_to_store = call.trace.refused_to_store or _objection(reply.answer)
        body = msgspec.json.encode(translation.answer(reply.answer.message(), terms, wall()))
    except (Unfoldable, msgspec.MsgspecError, UnicodeEncodeError) as error:
        call.trace.error = "upstream_unreadable"
        told = f"the upstream's answer can't be translated: {error}"
        body = translation.client.error(told, kind="api_error", code="upstream_unreadable")
        return Reply.whole(502, (JSON, *headers), body, source=reply.source)
    answer = Answer(translation.client, body=body)
    return Reply.whole(reply.status, (JSON, *headers), body, source=reply.source, answer=answer)


def _headers(headers: Headers) -> Headers:
    """Without what described the other body, and with the request's id under both of its names."""
    kept = tuple((name, value) for name, value in headers if name.lower() not in ("content-type", *REQUEST_IDS))
    ident = _request_id(headers)
    return (*kept, *((name, ident) for name in REQUEST_IDS if ident))


def _request_id(headers: Headers) -> str:
    return next((value for name, value in headers if name.lower() in REQUEST_IDS), "")


def _refused(reply: Reply, headers: Headers, translation: Translation) -> Reply:
    status, body = translation.error(reply.status, reply.body or b"", _request_id(headers))
    if status != reply.status and not any(name.lower() == "retry-after" for name, _ in headers):
        headers = (*headers, ("Retry-After", OVERLOADED))
    return Reply.whole(status, (JSON, *headers), body, source=reply.source)


def _objection(native: Answer) -> str:
    """Why the provider's own words may not be kept: in the client's some reasons to stop look like any other."""
    try:
        return native.dialect.objection(native.message())
    except Unfoldable:
        return native.dialect.frames_objection(native.frames) if native.streamed else "no JSON object"


class _Translated:
    """The client's frames; the answer puts down all of them, also a usage event that the client did not ask for."""

    __slots__ = ("_call", "_frames", "_native", "_queue", "_turned", "answer")

    def __init__(
        self, frames: Frames, native: Answer, translation: Translation, terms: Terms, now: float, call: Call
    ) -> None:
        self._frames, self._native, self._call = frames, native, call
        self._turned = translation.stream(terms, now)
        self.answer = Answer(translation.client)
        self._queue: deque[Frame] = deque()

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        while not self._queue:
            self._take(await self._frames.__anext__())
        return self._queue.popleft()

    def ready(self) -> list[Frame]:
        for frame in self._frames.ready():
            self._take(frame)
        dialect, found = self.answer.dialect, []
        while self._queue and not dialect.is_end(self._queue[0]) and not dialect.is_error(self._queue[0]):
            found.append(self._queue.popleft())
        return found

    async def aclose(self) -> None:
        await self._frames.aclose()

    def _take(self, frame: Frame) -> None:
        if self._native.dialect.is_end(frame) and not self._call.trace.refused_to_store:
            self._call.trace.refused_to_store = _objection(self._native)
        hidden = None if self._call.wants_usage else self.answer.dialect.is_usage_only
        for each in self._turned.feed(frame):
            self.answer.add(each)
            if hidden is None or not hidden(each):
                self._queue.append(each)
