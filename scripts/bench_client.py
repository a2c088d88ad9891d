"""The load generator of the benchmark, a process of its own: prebuilt bytes out, a minimal HTTP/1.1 parser in.

Reads one JSON order per line from standard input and prints one JSON result per line. Orders: `load` (one cell: as many
requests as fit into a time, or a number of them) and `alternate` (one request here, one there, in turns).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import Callable
from time import clock_gettime, perf_counter, process_time
from typing import Any

import uvloop

SLOT = "%016d"
_numbers = itertools.count(1)  # unique over the life of this process, whatever the cell
SENTENCE = "The quarterly report says that revenue grew by 12.5% while costs stayed flat, which nobody had expected. "
FEW = 5


def chat_body(size: int, *, stream: bool) -> tuple[bytes, bytes]:
    """A chat request of `size` bytes, cut where the number goes that makes it unique: inside the last user message."""
    turns: list[dict[str, str]] = [{"role": "system", "content": "You are a careful analyst. Answer briefly."}]
    tail = {"role": "user", "content": f"[{SLOT}] What follows from this for the next quarter?"}

    def encoded(messages: list[dict[str, str]]) -> str:
        body = {"model": "gpt-4o-mini", "messages": messages, "temperature": 0.2, "max_tokens": 256, "stream": stream}
        return json.dumps(body, separators=(",", ":"))

    while len(encoded([*turns, tail])) + 700 < size:
        role = "assistant" if turns[-1]["role"] == "user" else "user"
        turns.append({"role": role, "content": SENTENCE * 6})
    missing = size - len(encoded([*turns, tail])) - (len(SLOT % 0) - len(SLOT))
    turns[0]["content"] += (SENTENCE * 20)[: max(0, missing)]
    before, after = encoded([*turns, tail]).split(SLOT)
    return before.encode(), after.encode()


def requests(port: int, size: int, *, stream: bool, unique: bool) -> Callable[[], bytes]:
    """Gives the bytes of the next request."""
    before, after = chat_body(size, stream=stream)
    length = len(before) + len(SLOT % 0) + len(after)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer sk-bench\r\n"
        f"Content-Type: application/json\r\nAccept: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()
    if not unique:
        same = head + before + (SLOT % 0).encode() + after
        return lambda: same
    return lambda: head + before + (SLOT % next(_numbers)).encode() + after


class Connection(asyncio.Protocol):
    """One keep-alive connection. Calls `answered` when a response has come in full."""

    def __init__(self, answered: Callable[[Connection], None]) -> None:
        self.answered = answered
        self.transport: Any = None
        self.sent = self.first = 0.0
        self.sample = b""
        """Head of the first response, for the checks that a cell was what it claims to be."""
        self.failure = ""
        self._head = b""
        self._left: int | None = None  # bytes of the body still to come; -1: chunked; None: no head yet
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.failure = self.failure or f"connection lost: {exc}"
        self.answered(self)

    def send(self, request: bytes) -> None:
        self._head, self._left, self._tail, self.first = b"", None, b"", 0.0
        self.sent = perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._left is None:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            data = self._head[end + 4 :]
            self._begin(self._head[:end].lower())
        if data and not self.first:
            self.first = perf_counter()
        if self._left == -1:
            self._tail = (self._tail + data)[-7:]
            if self._tail == b"\r\n0\r\n\r\n":
                self.answered(self)
            return
        self._left -= len(data)  # type: ignore[operator]
        if self._left == 0:
            self.answered(self)

    def _begin(self, head: bytes) -> None:
        if not self.sample:
            self.sample = head
        if not head.startswith(b"http/1.1 200"):
            self.failure = head[:60].decode(errors="replace")
        at = head.find(b"content-length:")
        self._left = int(head[at + 15 :].partition(b"\r\n")[0]) if at >= 0 else -1


async def connect(port: int, count: int, answered: Callable[[Connection], None]) -> list[Connection]:
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(lambda: Connection(answered), "127.0.0.1", port))[1] for _ in range(count)]


def cpu_seconds(pid: int) -> float:
    """CPU time of another process, threads included; the id of its clock as clock_getcpuclockid(3) computes it."""
    return clock_gettime((~pid << 3) | 2) if pid else 0.0


class Load:
    """Keeps some connections busy for a while and counts."""

    def __init__(self, request: Callable[[], bytes]) -> None:
        self.request = request
        self.latencies: list[float] = []
        self.first_bytes: list[float] = []
        self.failure = ""
        self._until = 0.0
        self._limit = 0
        self._busy = 0
        self._idle = asyncio.Event()

    async def run(self, connections: list[Connection], seconds: float, limit: int = 0) -> float:
        """Returns the seconds it took; every connection is quiet afterwards."""
        self.latencies, self.first_bytes = [], []
        begun = perf_counter()
        self._until, self._limit, self._busy = begun + seconds, limit, len(connections)
        self._idle.clear()
        for connection in connections:
            connection.send(self.request())
        await self._idle.wait()
        return perf_counter() - begun

    def answered(self, connection: Connection) -> None:
        if self._busy == 0:
            return  # closing after the run
        now = perf_counter()
        self.latencies.append(now - connection.sent)
        self.first_bytes.append(connection.first - connection.sent)
        self.failure = self.failure or connection.failure
        if now < self._until and not connection.failure and (not self._limit or len(self.latencies) < self._limit):
            connection.send(self.request())
            return
        self._busy -= 1
        if self._busy == 0:
            self._idle.set()


def quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


async def load(order: dict[str, Any]) -> dict[str, Any]:
    """One cell; times in seconds. CPU shares are those of the contestant, of the upstream and of this process."""
    make = requests(order["port"], order["size"], stream=order["stream"], unique=order["unique"])
    running = Load(make)
    connections = await connect(order["port"], order["concurrency"], running.answered)
    await running.run(connections, order["warm"], FEW * len(connections))
    sample = connections[0].sample
    for connection in connections:
        connection.sample = b""
    pids = (order["pid"], order["upstream_pid"])
    before, own = [cpu_seconds(pid) for pid in pids], process_time()
    took = await running.run(connections, order["seconds"], order.get("count", 0))
    spent, own = [cpu_seconds(pid) - was for pid, was in zip(pids, before, strict=True)], process_time() - own
    count, ordered = len(running.latencies), sorted(running.latencies)
    for connection in connections:
        connection.transport.close()
    return {
        "requests": count,
        "rate": count / took,
        "p50": quantile(ordered, 0.5),
        "p99": quantile(ordered, 0.99),
        "first": quantile(sorted(running.first_bytes), 0.5),
        "cpu": spent[0] / count,
        "busy": spent[0] / took,
        "others_busy": (spent[1] + own) / took,
        "head": (connections[0].sample or sample).decode(errors="replace"),
        "failure": running.failure,
    }


async def alternate(order: dict[str, Any]) -> dict[str, Any]:
    """Seconds to the first byte of the body, one list per port, measured in turns on one connection each."""
    waiting: list[asyncio.Future[None]] = []

    def answered(connection: Connection) -> None:
        if waiting and not waiting[0].done():
            waiting[0].set_result(None)

    sides = []
    for port in order["ports"]:
        (connection,) = await connect(port, 1, answered)
        sides.append((connection, requests(port, order["size"], stream=order["stream"], unique=True), []))
    loop = asyncio.get_running_loop()
    for number in range(order["count"] + FEW):
        for connection, request, firsts in sides if number % 2 else sides[::-1]:
            waiting[:] = [loop.create_future()]
            connection.send(request())
            await waiting[0]
            if connection.failure:
                return {"failure": connection.failure}
            if number >= FEW:
                firsts.append(connection.first - connection.sent)
    waiting.clear()
    for connection, _, _ in sides:
        connection.transport.close()
    return {"firsts": [firsts for _, _, firsts in sides], "failure": ""}


ORDERS = {"load": load, "alternate": alternate}


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(uvloop.run(ORDERS[order["do"]](order))), flush=True)


if __name__ == "__main__":
    main()
