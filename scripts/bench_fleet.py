"""The processes of the benchmark: started on loopback, pinned to a core, ended by their pid whatever happens."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
PATIENCE = 20.0
"""Seconds until a process must be ready."""

CONFIG = """\
listen: {{host: 127.0.0.1, port: {port}}}
upstream: {{base_url: "http://127.0.0.1:{upstream}/v1", speaks: {speaks}}}
cache:
  exact: {{enabled: {exact}}}
  coalesce: {{enabled: {exact}}}
  multi_level:
    l1: {{enabled: {l1}}}
    l2: {{enabled: {l2}, persistence_path: "{folder}/l2.sqlite"}}
log: {{level: warning}}
"""

SETTINGS: Mapping[str, Mapping[str, str]] = {
    "warmgate-l1": {"exact": "true", "l1": "true", "l2": "true"},
    "warmgate-l2": {"exact": "true", "l1": "false", "l2": "true"},
    "warmgate-off": {"exact": "false", "l1": "false", "l2": "false"},
    "warmgate-on": {"exact": "true", "l1": "true", "l2": "true"},
    "warmgate-translated": {"exact": "false", "l1": "false", "l2": "false", "speaks": "anthropic"},
}
"""What each of ours has switched on; `on` is `l1` again, so that misses do not fill the memory of the hits."""


class Server(NamedTuple):
    name: str
    port: int
    pid: int


def cores() -> tuple[set[int], set[int]]:
    """Where load and upstream run, and where the contestants run: two cores, or all there are where there is one."""
    if not hasattr(os, "sched_getaffinity"):
        return set(), set()
    allowed = sorted(os.sched_getaffinity(0))
    return ({allowed[0]}, {allowed[1]}) if len(allowed) > 1 else (set(allowed), set(allowed))


def warmgate_missing() -> str:
    """Why our own proxy can't take part; empty where it can."""
    asked = subprocess.run(
        [sys.executable, "-m", "proxy.cli", "serve", "--help"],
        cwd=HERE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode == 0 and "--config" in asked.stdout:
        return ""
    return (asked.stderr.strip().splitlines() or ["it says nothing of --config"])[-1]


class Fleet:
    """Owns every process it started."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[str]] = []
        self._folder = tempfile.TemporaryDirectory(prefix="warmgate-bench-")
        self._load_cores, self._contestant_cores = cores()

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running:
            process.terminate()
        for process in self._running:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        self._running.clear()
        self._folder.cleanup()

    def bare(self, kind: str, upstream: Server | None = None) -> Server:
        arguments = [str(HERE / "bench_servers.py"), kind]
        if upstream is not None:
            arguments += ["--upstream", f"http://127.0.0.1:{upstream.port}"]
        process = self._start(arguments, self._load_cores if kind == "upstream" else self._contestant_cores)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.strip().isdigit():
            raise SystemExit(f"{kind} did not start")
        return Server(kind, int(line), process.pid)

    def warmgate(self, name: str, upstream: Server) -> Server:
        folder = Path(self._folder.name) / name
        folder.mkdir()
        port = _free_port()
        config = folder / "warmgate.yaml"
        config.write_text(
            CONFIG.format(port=port, upstream=upstream.port, folder=folder, **{"speaks": "openai", **SETTINGS[name]})
        )
        process = self._start(["-m", "proxy.cli", "serve", "--config", str(config)], self._contestant_cores)
        deadline = monotonic() + PATIENCE
        while not _ready(port):
            if process.poll() is not None or monotonic() > deadline:
                raise SystemExit(f"{name} did not become ready on /readyz (exit code {process.poll()})")
            sleep(0.05)
        return Server(name, port, process.pid)

    def generator(self) -> Generator:
        return Generator(self._start([str(HERE / "bench_client.py")], self._load_cores))

    def _start(self, arguments: list[str], cores: set[int]) -> subprocess.Popen[str]:
        """A child inherits the affinity, from its first thread on. A session of its own: Ctrl-C is ours alone."""
        before = os.sched_getaffinity(0) if cores else set()
        if cores:
            os.sched_setaffinity(0, cores)
        try:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=HERE.parent,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if arguments[0] != "-m" else subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
        finally:
            if cores:
                os.sched_setaffinity(0, before)
        self._running.append(process)
        return process


class Generator:
    """The load generator's other end."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def order(self, **order: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the load generator ended")
        result: dict[str, Any] = json.loads(line)
        return result


def resident(pid: int) -> float:
    """Resident memory of a process, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
