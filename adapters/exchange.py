"""Reading the body of one upstream response: whole, as opaque chunks, or as events."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

import aiohttp

from adapters.errors import Torn, UpstreamError
from adapters.sse import Frame, Splitter
from adapters.vocabulary import Answer, Dialect

MAX_WHOLE = 64 * 1024 * 1024
"""Bytes that a whole answer may have; it has to be held to be read."""

TRAILING = 1.0
"""Seconds to wait for the end of a body after its terminal event, so that the connection can be used again."""


async def read_all(response: aiohttp.ClientResponse, between: float) -> bytes:
    """The whole body; raises `UpstreamError` where it breaks off, stalls for `between` seconds or is too large."""
    chunks: list[bytes] = []
    size, content = 0, response.content
    try:
        while not content.at_eof():
            if content.is_eof():
                chunk = content.read_nowait()  # all of it has come: most answers do in one piece
            else:
                async with asyncio.timeout(between):
                    chunk = await content.readany()
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_WHOLE:
                raise UpstreamError(f"the answer exceeds {MAX_WHOLE} bytes", code="upstream_too_large")
    except TimeoutError as error:
        raise UpstreamError("the upstream stalled inside its answer", status=504, code="upstream_timeout") from error
    except (aiohttp.ClientError, OSError) as error:
        raise UpstreamError("the upstream broke off inside its answer", code="upstream_torn") from error
    finally:
        if not content.at_eof():
            response.close()
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


class Chunks:
    """An opaque body, chunk by chunk as it arrives. Raises `Torn` where it breaks off or stalls."""

    def __init__(self, response: aiohttp.ClientResponse, between: float, on_end: Callable[[], None]) -> None:
        self._response, self._between, self._on_end = response, between, on_end

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        content = self._response.content
        try:
            async with asyncio.timeout(self._between):
                chunk = await content.readany()
        except TimeoutError as error:
            self._response.close()
            raise Torn("the upstream stalled inside its answer") from error
        except (aiohttp.ClientError, OSError) as error:
            self._response.close()
            raise Torn("the upstream broke off inside its answer") from error
        if not chunk:
            self._on_end()
            raise StopAsyncIteration
        return Frame(chunk)

    def ready(self) -> list[Frame]:
        return []

    async def aclose(self) -> None:
        if not self._response.content.at_eof():
            self._response.close()


class Events:
    """A stream of events. Every frame is put down on `answer` before it is handed on.

    Ends normally only after the dialect's terminal event; raises `Torn` at any other end, and after an error event,
    which itself is handed on (`told`).
    """

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        dialect: Dialect,
        answer: Answer,
        between: float,
        on_end: Callable[[], None],
    ) -> None:
        self._response, self._dialect, self._answer = response, dialect, answer
        self._between, self._on_end = between, on_end
        self._splitter = Splitter()
        self._ready: deque[Frame] = deque()
        self._failed = self._ended = False

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        if self._failed:
            self._response.close()
            raise Torn("the upstream ended the stream with an error", told=True)
        if self._ended:
            await self._finish()
            raise StopAsyncIteration
        while not self._ready:
            await self._fill()
        frame = self._ready.popleft()
        self._answer.add(frame)
        if self._dialect.is_end(frame):
            self._ended = True
            self._on_end()
        elif self._dialect.is_error(frame):
            self._failed = True
        return frame

    def ready(self) -> list[Frame]:
        frames: list[Frame] = []
        if self._ended or self._failed:
            return frames
        waiting, dialect, add = self._ready, self._dialect, self._answer.add
        while waiting and not dialect.is_end(waiting[0]) and not dialect.is_error(waiting[0]):
            frame = waiting.popleft()
            add(frame)
            frames.append(frame)
        return frames

    async def _fill(self) -> None:
        try:
            async with asyncio.timeout(self._between):
                chunk = await self._response.content.readany()
        except TimeoutError as error:
            self._response.close()
            raise Torn("the upstream stalled inside its stream") from error
        except (aiohttp.ClientError, OSError) as error:
            self._response.close()
            raise Torn("the upstream broke off inside its stream") from error
        if not chunk:
            self._tail()
            return
        try:
            self._ready.extend(self._splitter.feed(chunk))
        except ValueError as error:
            self._response.close()
            raise Torn(f"the upstream sent {error}") from error

    def _tail(self) -> None:
        """The end of the body. Some servers leave out the blank line after their last event; any other tail is torn."""
        rest = self._splitter.rest()
        # Complete, but held back: the line feed of a CRLF might have followed.
        tail = Frame(rest if rest.endswith((b"\r\r", b"\n\r")) else rest + b"\n\n")
        if self._dialect.is_end(tail):
            self._ready.append(tail)
            return
        self._response.close()
        raise Torn("the upstream's stream ended before it was complete")

    async def _finish(self) -> None:
        content = self._response.content
        try:
            async with asyncio.timeout(TRAILING):
                while not content.at_eof():
                    await content.readany()
        except (TimeoutError, aiohttp.ClientError, OSError):
            self._response.close()

    async def aclose(self) -> None:
        if not self._response.content.at_eof():
            self._response.close()
