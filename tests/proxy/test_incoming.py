"""Bodies as they come in: up to the limit, with and without a length, and from clients that ask first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from adapters.errors import Refused
from proxy.incoming import Incoming

LIMIT = 100


@asynccontextmanager
async def reading(*, pieces: bool = False, asks: bool = False) -> AsyncIterator[str]:
    """A server that answers with the size of what it read, or with the refusal's status."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        body = Incoming(request, LIMIT)
        try:
            if asks:
                await body.go_on()
            size = sum([len(chunk) async for chunk in body.chunks()]) if pieces else len(await body.whole())
        except Refused as refused:
            return web.Response(status=refused.status, text=str(refused.code))
        return web.Response(text=str(size))

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def chunked(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
        await asyncio.sleep(0)


async def post(url: str, data: Any, **more: Any) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.post(url, data=data, **more) as response:
        return response.status, await response.text()


@pytest.mark.parametrize("pieces", [False, True])
async def test_up_to_the_limit(pieces: bool) -> None:
    async with reading(pieces=pieces) as url:
        assert await post(url, b"x" * LIMIT) == (200, str(LIMIT))
        assert await post(url, b"") == (200, "0")
        assert await post(url, chunked(b"x" * 60, b"y" * 40)) == (200, "100")
        assert await post(url, b"x" * (LIMIT + 1)) == (413, "body_too_large")
        assert await post(url, chunked(b"x" * 60, b"y" * 41)) == (413, "body_too_large")


async def test_a_client_that_asks_first_is_told_to_go_on() -> None:
    async with reading(asks=True) as url:
        assert await post(url, b"x" * 50, expect100=True) == (200, "50")


@asynccontextmanager
async def raw(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_body_that_is_too_long_never_leaves_a_client_that_asks() -> None:
    async with reading(asks=True) as url, raw(url) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\nExpect: 100-continue\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")


class Broken:
    """A request whose client went away inside its body: one piece came."""

    content_length = None

    def __init__(self) -> None:
        self.content, self.pieces = self, [b"abc"]

    def at_eof(self) -> bool:
        return False

    async def readany(self) -> bytes:
        if not self.pieces:
            raise web.RequestPayloadError("gone")
        return self.pieces.pop()


async def test_a_body_that_breaks_off() -> None:
    with pytest.raises(Refused) as caught:
        await Incoming(Broken(), LIMIT).whole()  # type: ignore[arg-type]
    assert (caught.value.status, caught.value.code) == (400, "body_incomplete")
    chunks = Incoming(Broken(), LIMIT).chunks()  # type: ignore[arg-type]
    assert await chunks.__anext__() == b"abc"
    with pytest.raises(Refused):
        await chunks.__anext__()
