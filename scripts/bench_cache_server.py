"""A `redis-server` on loopback for as long as a benchmark takes; it keeps nothing on disk and is ended by its pid."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from tempfile import TemporaryDirectory
from time import monotonic, sleep

PATIENCE = 10.0
"""Seconds until it must take connections."""


@contextmanager
def redis_server() -> Iterator[str | None]:
    """Its address; None where there is no such program. Raises `SystemExit` where it does not start."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with TemporaryDirectory(prefix="warmgate-bench-") as folder:
        port = _free_port()
        command = [
            program,
            "--bind",
            "127.0.0.1",
            "--port",
            str(port),
            "--dir",
            folder,
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            deadline = monotonic() + PATIENCE
            while not _listens(port):
                if process.poll() is not None or monotonic() > deadline:
                    raise SystemExit(f"redis-server did not start (exit code {process.poll()})")
                sleep(0.02)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
