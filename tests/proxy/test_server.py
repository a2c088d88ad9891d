"""The listening side by itself: addresses, ports, what happens to requests that are no HTTP, signals."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from adapters.errors import UpstreamError
from adapters.openai_chat import OPENAI_CHAT
from adapters.sse import Frame
from adapters.vocabulary import Call, Form, Handler, Reply
from proxy.edge import Door, Edge
from proxy.server import HttpServer, listen, reserve, until_stopped
from proxy.tenants import PassThrough
from tests.fakes import CHAT, KEY, Clock, routing_to, until


class Failing:
    """A body that ends with an error nobody foresaw."""

    def __init__(self, *frames: bytes) -> None:
        self.frames = iter(frames)
        self.closed = False

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        for raw in self.frames:
            return Frame(raw)
        raise ZeroDivisionError(f"with {KEY}")

    def ready(self) -> list[Frame]:
        return []

    async def aclose(self) -> None:
        self.closed = True


def edge_of(handler: Handler) -> Edge:
    return Edge(
        {"/chat/completions": Door(OPENAI_CHAT, handler, "chat")},
        handler,
        routing=routing_to("http://upstream/v1"),
        tenancy=PassThrough(b"x" * 32, share_cache=False),
        operations={},
        sinks=[],
        body_limit=1000,
        clock=Clock(),
        wall=Clock(),
    )


async def nothing(call: Call) -> Reply:
    return Reply.whole(200, (("Content-Type", "application/json"),), b"{}", source="upstream")


@asynccontextmanager
async def listening(
    handler: Handler = nothing, *, host: str = "127.0.0.1", unix: str | None = None
) -> AsyncIterator[str]:
    server = HttpServer(edge_of(handler), headers=1000, body=1000, shutdown=0.1)
    runner, addresses = await listen(server, host=host, port=0, unix=unix, reuse_port=False)
    try:
        yield addresses[0]
    finally:
        await runner.cleanup()


async def test_the_address_holds_the_port_that_was_taken() -> None:
    async with listening() as address, aiohttp.ClientSession() as session:
        assert address.startswith("http://127.0.0.1:")
        assert not address.endswith(":0")
        async with session.get(f"{address}/v1/models") as reply:
            assert await reply.read() == b"{}"


async def test_ipv6_addresses_stand_in_brackets() -> None:
    try:
        async with listening(host="::1") as address, aiohttp.ClientSession() as session:
            assert address.startswith("http://[::1]:")
            async with session.get(f"{address}/v1/models") as reply:
                assert reply.status == 200
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            pytest.skip("this machine has no IPv6")
        raise


async def test_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    async with (
        listening(unix=path) as address,
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as session,
    ):
        assert address == f"unix:{path}"
        async with session.get("http://localhost/v1/models") as reply:
            assert reply.status == 200


async def test_a_port_in_use_leaves_nothing_open() -> None:
    async with listening() as address:
        port = int(address.rpartition(":")[2])
        server = HttpServer(edge_of(nothing), headers=1000, body=1000, shutdown=0.1)
        with pytest.raises(OSError, match=r"address already in use|in use") as error:
            await listen(server, host="127.0.0.1", port=port, unix=None, reuse_port=False)
        assert error.value.errno == errno.EADDRINUSE


def test_a_reserved_port_can_be_shared_and_is_not_listened_on() -> None:
    holder, port = reserve("127.0.0.1", 0)
    second, again = reserve("127.0.0.1", port)
    with holder, second:
        assert again == port > 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 1).close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("then", [signal.SIG_DFL, signal.SIG_IGN])
async def test_the_first_signal_stops_and_the_second_does_as_told(
    number: signal.Signals, then: signal.Handlers
) -> None:
    before = signal.getsignal(number)
    try:
        waiting = asyncio.ensure_future(until_stopped(asyncio.get_running_loop(), (number,), then=then))
        await until(lambda: signal.getsignal(number) is not before)
        os.kill(os.getpid(), number)
        await asyncio.wait_for(waiting, 5)
        assert signal.getsignal(number) is then
    finally:
        signal.signal(number, before)


async def test_an_unforeseen_error_before_the_answer_is_a_500_that_says_nothing() -> None:
    async def handler(call: Call) -> Reply:
        raise ZeroDivisionError(f"with {KEY}")

    async with listening(handler) as address, aiohttp.ClientSession() as session:
        for method, path in (("POST", "/v1/chat/completions"), ("GET", "/v1/models")):
            async with session.request(method, address + path, json=CHAT) as reply:
                assert reply.status == 500
                told = await reply.read()
                assert json.loads(told)["error"]["code"] == "internal"
                assert KEY.encode() not in told


async def test_an_unforeseen_error_inside_a_stream_ends_it_with_an_error_event() -> None:
    frames = Failing(b'data: {"choices":[]}\n\n')

    async def handler(call: Call) -> Reply:
        return Reply(200, (("Content-Type", "text/event-stream"),), "upstream", Form.EVENTS, frames)

    async with listening(handler) as address, aiohttp.ClientSession() as session:
        async with session.post(f"{address}/v1/chat/completions", json=CHAT | {"stream": True}) as reply:
            told = await reply.read()
        first, last = told.split(b"\n\n")[:-1]
        assert first == b'data: {"choices":[]}'
        assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "internal"
        assert KEY.encode() not in told
    assert frames.closed


async def test_an_unforeseen_error_inside_an_opaque_body_breaks_the_connection() -> None:
    frames = Failing(b"x" * 10)

    async def handler(call: Call) -> Reply:
        return Reply(200, (("Content-Type", "audio/mpeg"),), "upstream", Form.BYTES, frames)

    async with listening(handler) as address, aiohttp.ClientSession() as session:
        reply = await session.get(f"{address}/v1/audio")
        with pytest.raises(aiohttp.ClientPayloadError):
            await reply.read()
    assert frames.closed


async def test_an_upstream_that_cannot_be_reached_is_told_by_its_status() -> None:
    async def handler(call: Call) -> Reply:
        raise UpstreamError("it took too long", status=504, code="upstream_timeout")

    async with (
        listening(handler) as address,
        aiohttp.ClientSession() as session,
        session.get(f"{address}/v1/models") as reply,
    ):
        assert (reply.status, (await reply.json())["error"]["code"]) == (504, "upstream_timeout")


async def test_what_is_no_http_is_refused_in_json_and_the_connection_closed() -> None:
    async with listening() as address:
        host, _, port = address.removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET /v1/models HTTP/1.1\r\nAuthorization {KEY}\r\n\r\n".encode())
        wire = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    head, _, body = wire.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"400"
    assert b"server: warmgate" in head.lower()
    assert json.loads(body)["error"]["code"] == "bad_http"
    assert KEY.encode() not in wire
