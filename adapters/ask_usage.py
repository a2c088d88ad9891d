"""Asks for the usage chunk of every stream, so that money can be true, and hides it where the client did not ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import msgspec

from adapters.edit import set_member
from adapters.sse import Frame
from adapters.vocabulary import Call, Dialect, Form, Frames, Handler, Reply


class AskUsage:
    """Off by default (`upstream.stream_usage: as_asked`), because it changes bytes: 40 or so, behind the prompt."""

    def __init__(self, inner: Handler) -> None:
        self.inner = inner

    async def __call__(self, call: Call) -> Reply:
        if not call.stream or call.wants_usage or call.dialect is None or not isinstance(call.body, bytes):
            return await self.inner(call)
        options = call.parsed.get("stream_options") or {}
        asked = msgspec.json.encode({**options, "include_usage": True})
        body = set_member(call.body, "stream_options", asked)
        call.trace.modified_bytes += len(body) - len(call.body)
        reply = await self.inner(replace(call, body=body))
        if reply.form is Form.EVENTS:
            reply.frames = _WithoutUsage(reply.frames, call.dialect)
        return reply


class _WithoutUsage:
    __slots__ = ("_dialect", "_frames")

    def __init__(self, frames: Frames, dialect: Dialect) -> None:
        self._frames, self._dialect = frames, dialect

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        while True:
            frame = await self._frames.__anext__()
            if not self._dialect.is_usage_only(frame):
                return frame

    def ready(self) -> list[Frame]:
        return [frame for frame in self._frames.ready() if not self._dialect.is_usage_only(frame)]

    async def aclose(self) -> None:
        await self._frames.aclose()
