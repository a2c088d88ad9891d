"""`warmgate serve`: one process, or several workers on one port."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from proxy.app import build
from proxy.config import Settings
from proxy.config_file import override
from proxy.config_problem import ConfigError
from proxy.config_rules import located
from proxy.config_types import masked_url
from proxy.server import HttpServer, listen, reserve, until_stopped

log = logging.getLogger("warmgate")

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Worker:
    """Which of the workers this process is; the first one announces the address. `peers`: where they meet."""

    index: int = 0
    peers: Path | None = None


def serve(settings: Settings, env: Mapping[str, str]) -> int:
    """Serves until SIGTERM or SIGINT; the exit code."""
    workers = settings.listen.workers
    if workers == 1:
        return _run(settings, env, Worker())
    try:
        holder, port = reserve(settings.listen.host, settings.listen.port)
    except OSError as error:
        return _cannot_listen(settings, error)
    with closing(holder), TemporaryDirectory(prefix="warmgate-") as peers:
        return _supervise(override(settings, {"listen.port": port}), env, workers, Path(peers))


def _run(settings: Settings, env: Mapping[str, str], worker: Worker) -> int:
    try:
        import uvloop
    except ImportError:  # not on every platform
        return asyncio.run(_serve(settings, env, worker))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, env, worker))


async def _serve(settings: Settings, env: Mapping[str, str], worker: Worker) -> int:
    app = await build(settings, env, index=worker.index, peers=worker.peers)
    shutdown = settings.listen.shutdown
    server = HttpServer(app.edge, headers=settings.limits.headers, body=settings.limits.body, shutdown=shutdown)
    place = settings.listen
    unix = str(located(place.unix, env)) if place.unix else None
    try:
        runner, addresses = await listen(
            server, host=place.host, port=place.port, unix=unix, reuse_port=worker.peers is not None
        )
    except OSError as error:
        await app.close(0)
        return _cannot_listen(settings, error)
    _settle_memory()
    if worker.index == 0:
        _announce(addresses, settings)
    # A worker may be told twice, by its supervisor and by whoever tells the whole group (systemd, a terminal).
    again = signal.SIG_DFL if worker.peers is None else signal.SIG_IGN
    await until_stopped(asyncio.get_running_loop(), SIGNALS, then=again)
    log.info("stopping: no new connections, up to %g s for %d requests", shutdown, app.edge.gate.in_flight)
    app.edge.gate.draining = True
    await runner.cleanup()
    await app.close(shutdown)
    if unix:
        _remove(unix)
    return 0


def _remove(socket: str) -> None:
    """A socket's file outlives its listener, and would look like one that listens."""
    with suppress(OSError):
        os.unlink(socket)


def _cannot_listen(settings: Settings, error: OSError) -> int:
    place = settings.listen
    # The event loops put words of their own around what the system says; a name that does not resolve has only theirs.
    why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
    sys.stderr.write(f"warmgate: can't listen on {place.unix or f'{place.host}:{place.port}'}: {why}\n")
    return 1


def _settle_memory() -> None:
    """What was made so far (modules, prices) stays for good: the collector need not walk it again and again, and may
    wait longer in a process whose requests leave hardly any cycles behind."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _announce(addresses: list[str], settings: Settings) -> None:
    for address in addresses:
        base = address if address.startswith("unix:") else f"{address}/v1"
        sys.stdout.write(f"warmgate is listening on {base} -> {masked_url(str(settings.upstream.base_url))}\n")
    sys.stdout.flush()


def _supervise(settings: Settings, env: Mapping[str, str], workers: int, peers: Path) -> int:
    """Forks the workers, tells them to stop when it is told to, at once when it is told again, and ends with them. One
    that dies by itself ends all: whoever runs the proxy (systemd, Kubernetes) restarts it, and sees that it died."""
    children: list[int] = []
    for index in range(workers):
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # while it starts: end, and no KeyboardInterrupt to explain
            try:
                os._exit(_run(settings, env, Worker(index, peers)))
            except ConfigError as error:
                sys.stderr.write(f"{error}\n")
                os._exit(1)
            finally:  # reached only by an error: the child must never go on as the parent
                traceback.print_exc()
                os._exit(1)
        children.append(pid)
    told: list[int] = []

    def tell(number: int, _frame: object) -> None:
        told.append(number)
        _signal(children, signal.SIGTERM if len(told) == 1 else signal.SIGKILL)

    for number in SIGNALS:
        signal.signal(number, tell)
    code = 0
    while children:
        pid, status = os.wait()
        children.remove(pid)
        ended = os.waitstatus_to_exitcode(status)
        if told and -ended in SIGNALS:
            continue  # it had not begun to listen
        if ended != 0 and code == 0:
            code = 1
            sys.stderr.write(f"warmgate: worker {pid} ended with {ended}\n")
            _signal(children, signal.SIGTERM)
    return code


def _signal(children: list[int], number: int) -> None:
    for child in children:
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(child, number)
