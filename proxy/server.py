"""The listening side: aiohttp's low-level server around the edge, without the application framework.

There are four routes; a router, middlewares and signals would cost each request more than the cache does.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from typing import Any

from aiohttp import web

from proxy.edge import Edge
from proxy.respond import error_headers

log = logging.getLogger("warmgate.server")

LONGEST_HEADERS = 64 * 1024


class Protocol(web.RequestHandler):
    """Says of a request that is no HTTP only that: aiohttp's own page echoes the first bytes of the offending header,
    which may be a credential, into the answer and into the log."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        self.log_debug("refused a request: %s", type(exc).__name__)
        told = "the request is not valid HTTP, or its headers are too long" if status < 500 else "internal error"
        body = b'{"error":{"message":"%s","type":"invalid_request_error","param":null,"code":"bad_http"}}'
        response = web.Response(status=status, headers=error_headers(), body=body % told.encode())
        response.force_close()
        return response


class HttpServer(web.Server):
    def __init__(self, edge: Edge, *, headers: int, body: int, shutdown: float) -> None:
        self._options: dict[str, Any] = {
            "access_log": None,
            "auto_decompress": False,
            "keepalive_timeout": 75.0,
            "max_line_size": headers,
            "max_field_size": headers,
            "lingering_time": 2.0,
            "logger": log,
        }
        super().__init__(edge, handler_cancellation=True)
        self._limit = body
        self.shutdown_timeout = shutdown

    def __call__(self) -> web.RequestHandler:
        return Protocol(self, loop=self._loop, **self._options)


async def listen(
    server: HttpServer, *, host: str, port: int, unix: str | None, reuse_port: bool
) -> tuple[web.ServerRunner, list[str]]:
    """Starts listening; returns the runner and the addresses, with the port that was really taken."""
    runner = web.ServerRunner(server, shutdown_timeout=server.shutdown_timeout)
    await runner.setup()
    addresses: list[str] = []
    try:
        if unix:
            await web.UnixSite(runner, unix).start()
            addresses.append(f"unix:{unix}")
        else:
            await web.TCPSite(runner, host, port, reuse_port=reuse_port or None, backlog=1024).start()
            addresses += [_url(address) for address in runner.addresses]
    except OSError:
        await runner.cleanup()
        raise
    return runner, addresses


def _url(address: object) -> str:
    if not isinstance(address, tuple):
        return str(address)
    host, port = address[0], address[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def reserve(host: str, port: int) -> tuple[socket.socket, int]:
    """Takes the port for several workers to share, so that port 0 means the same port for all of them."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    holder = socket.socket(family, socket.SOCK_STREAM)
    try:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind((host, port))
    except OSError:
        holder.close()
        raise
    return holder, holder.getsockname()[1]


async def until_stopped(
    loop: asyncio.AbstractEventLoop, signals: tuple[int, ...], *, then: signal.Handlers = signal.SIG_DFL
) -> None:
    """Waits for one of the signals. What a second one does is `then`: by default it ends the process at once, so that
    an impatient user can; as an exception (`KeyboardInterrupt`) it would come up in the middle of anything."""
    stopped = asyncio.Event()
    for number in signals:
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
    for number in signals:
        loop.remove_signal_handler(number)
        signal.signal(number, then)
