"""A real Redis on loopback, that a test starts, halts, kills and starts again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import pytest

from adapters.tasks import Tasks
from cache.redis_client import Connected, connect

PATIENT = 30.0
"""Seconds: a timeout that a busy machine does not reach."""


class Server:
    """`redis-server` on a free port, in a directory of its own, without persistence unless told otherwise."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.port = _free_port()
        self._directory, self._options = directory, options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def socket_url(self) -> str:
        return f"unix://{self._directory}/redis.sock"

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._directory)]
        command += ["--unixsocket", f"{self._directory}/redis.sock", "--save", "", "--loglevel", "warning"]
        self._process = subprocess.Popen([*command, *self._options], stdout=subprocess.DEVNULL)
        until = monotonic() + 30
        while self("PING") != "PONG":
            assert self._process.poll() is None, "redis-server ended at once"
            assert monotonic() < until, "redis-server does not answer"

    def __call__(self, *words: str) -> str:
        """What `redis-cli` says, which shares no code with what is tested."""
        command = ["redis-cli", "-h", "127.0.0.1", "-p", str(self.port), *words]
        return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False).stdout.strip()

    def names(self, pattern: str = "*") -> list[str]:
        return sorted(self("--scan", "--pattern", pattern).split())

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    @contextmanager
    def halted(self) -> Iterator[None]:
        """It takes connections (the kernel does) and answers nothing."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._signal(signal.SIGCONT)
            self.kill()


def _free_port() -> int:
    """One below those that the kernel gives away by itself, so that nobody else gets it before the server does (and
    with room above for a cluster's second one)."""
    for offset in range(4000):
        port = 18000 + (os.getpid() * 37 + offset * 7) % 12000
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 10000))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")


@contextmanager
def server(*options: str) -> Iterator[Server]:
    if shutil.which("redis-server") is None or shutil.which("redis-cli") is None:
        if os.environ.get("CI"):
            pytest.fail("redis-server and redis-cli are needed")
        pytest.skip("redis-server or redis-cli is not installed")
    with TemporaryDirectory(prefix="wg") as directory:
        started = Server(Path(directory), *options)
        started.start()
        try:
            yield started
        finally:
            started.stop()


@contextmanager
def one_node_cluster() -> Iterator[Server]:
    """A cluster of one node, which has all slots."""
    with server("--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1") as node:
        assert node("CLUSTER", "ADDSLOTSRANGE", "0", "16383") == "OK"
        until = monotonic() + 30
        while "cluster_state:ok" not in node("CLUSTER", "INFO"):
            assert monotonic() < until, "the cluster does not come up"
        yield node


class _Shared:
    """One server for all modules that import the fixture: to pytest each of those has a fixture of its own."""

    def __init__(self, start: Callable[[], AbstractContextManager[Server]]) -> None:
        self._start, self._running, self._users = start, ExitStack(), 0
        self._server: Server | None = None

    @contextmanager
    def used(self) -> Iterator[Server]:
        if self._server is None:
            self._server = self._running.enter_context(self._start())
        self._users += 1
        try:
            yield self._server
        finally:
            self._users -= 1
            if not self._users:
                self._running.close()
                self._server = None


_plain, _cluster = _Shared(server), _Shared(one_node_cluster)


@pytest.fixture(scope="session", name="redis")
def redis_for_all() -> Iterator[Server]:
    """One for all tests that do it no harm; each uses a prefix of its own. Imported by the modules that want it."""
    with _plain.used() as shared:
        yield shared


@pytest.fixture(scope="session", name="cluster")
def cluster_for_all() -> Iterator[Server]:
    with _cluster.used() as shared:
        yield shared


_prefixes = (f"wg{number}" for number in count())


def new_prefix() -> str:
    """One that no other test uses."""
    return next(_prefixes)


@asynccontextmanager
async def connected(url: str, **choices: Any) -> AsyncIterator[Connected]:
    """A patient client, opened."""
    tasks = Tasks()
    client = connect(url, tasks=tasks, **{"clock": monotonic, "timeout": PATIENT, **choices})
    await client.open()
    try:
        yield client
    finally:
        await tasks.drain(PATIENT)
        await client.close()
