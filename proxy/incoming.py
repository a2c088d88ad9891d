"""The body of a request as it comes in, within its limit."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import HttpVersion11, web

from adapters.errors import Refused


class Incoming:
    """`limit` in bytes; raises `Refused` (413) for a body above it, and (400) for one that breaks off."""

    __slots__ = ("limit", "request")

    def __init__(self, request: web.BaseRequest, limit: int) -> None:
        self.request, self.limit = request, limit

    async def go_on(self) -> None:
        """Has a client send its body that asked first; one that is too long never leaves it. (aiohttp does this in its
        router, which is not used here.)"""
        self.check_length()
        if self.request.version == HttpVersion11:
            writer = self.request.writer
            await writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            writer.output_size = 0  # none of it belongs to the answer

    async def whole(self) -> bytes:
        content = self.request.content
        first = await self._chunk()
        self._checked(len(first))
        if content.at_eof():
            return first
        self.check_length()
        chunks, size = [first], len(first)
        while not content.at_eof():
            chunks.append(await self._chunk())
            size = self._checked(size + len(chunks[-1]))
        return b"".join(chunks)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The same piece by piece, for a route where nobody reads it."""
        size = 0
        while chunk := await self._chunk():
            size = self._checked(size + len(chunk))
            yield chunk

    def check_length(self) -> None:
        """By what the client says of it."""
        self._checked(self.request.content_length or 0)

    async def _chunk(self) -> bytes:
        try:
            return await self.request.content.readany()
        except web.RequestPayloadError as error:
            raise Refused(400, "the body broke off", code="body_incomplete") from error

    def _checked(self, size: int) -> int:
        if size > self.limit:
            raise Refused(413, f"the body exceeds {self.limit} bytes", code="body_too_large")
        return size
