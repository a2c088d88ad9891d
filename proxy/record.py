"""Recordings of traffic, for `warmgate replay`: a sink of finished chat requests that appends lines to a file.

One thread owns the file. A recording never delays a request and never fails one; it holds no header, and no credential
that can be told by its form.
"""

from __future__ import annotations

import logging
import os
import threading
from asyncio import to_thread
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec

from proxy.deltas import OPEN_SESSIONS, Book, Finished

WAITING = 1000
"""Requests between the event loop and the file; more are not recorded."""

PAUSE = 60.0
"""Seconds without recording after a write failed."""

log = logging.getLogger("warmgate.record")


class Recorder:
    """Appends to `sessions-START-PID.jsonl` (mode 0600) in `directory`, made (0700) with the first request.

    `started` (epoch seconds) and `pid` name the file: replicas and restarts never share one.
    """

    def __init__(self, directory: Path, *, started: float, pid: int, max_sessions: int = OPEN_SESSIONS) -> None:
        start = datetime.fromtimestamp(started, UTC).strftime("%Y%m%dT%H%M%SZ")
        self.recorded = 0
        self._refused = self._lost = 0  # one counter for each thread: neither waits for a lock
        self._file = Lines(directory / f"sessions-{start}-{pid}.jsonl")
        self._book = Book(max_sessions)
        self._queue: SimpleQueue[Finished | None] = SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="warmgate-record", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Requests that are missing from the file: too many waiting, a write that failed, a body that is no JSON."""
        return self._refused + self._lost

    @property
    def path(self) -> Path:
        return self._file.path

    def record(
        self,
        tenant: str,
        session_hint: str,
        body: Mapping[str, Any],
        message: Mapping[str, Any] | None,
        usage: Mapping[str, Any] | None,
        ts: float,
        route: str = "chat",
    ) -> None:
        """Notes a finished request and returns at once; `body`, `message` and `usage` may not change afterwards.

        `session_hint`: the client's name for the conversation (`x-session-id`), empty where it gave none; then
        `prompt_cache_key` of the body stands in. `message`: the assistant's message, or the whole answer with its
        `choices`; None where there is none. `ts`: epoch seconds.
        """
        if self._closed or self._queue.qsize() >= WAITING:
            self._refused += 1
            return
        self._queue.put(Finished(tenant, session_hint, body, message, usage, ts, route))

    async def close(self) -> None:
        """Writes what is waiting, then closes the file. Requests that come later are dropped."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        await to_thread(self._thread.join)

    def _work(self) -> None:
        resume = float("-inf")
        while (finished := self._queue.get()) is not None:
            if finished.ts < resume:
                self._lost += 1
                continue
            try:
                self._file.append(self._book.line(finished))
                self.recorded += 1
            except OSError as error:
                resume = finished.ts + PAUSE
                self._lose(f"recording to {self.path} pauses for {PAUSE:.0f} s: {error.strerror or error}")
            except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
                self._lose(f"a request was not recorded ({type(error).__name__})")
        self._file.close()

    def _lose(self, why: str) -> None:
        self._lost += 1
        self._book.forget()
        log.warning(why)


class Lines:
    """A file that is only appended to, line by line, opened with the first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1
        self._torn = False

    def append(self, line: bytes) -> None:
        """Raises `OSError`. A line that was written in part is ended before the next."""
        if self._fd < 0:
            self._fd = self._create()
        rest = memoryview(b"\n" + line if self._torn else line)
        self._torn = True
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        self._torn = False

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _create(self) -> int:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # O_EXCL: never into a file, or through a link, that somebody else put there.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        stem = self.path.stem
        for again in range(1, 100):
            try:
                return os.open(self.path, flags, 0o600)
            except FileExistsError:
                self.path = self.path.with_name(f"{stem}-{again}.jsonl")
        return os.open(self.path, flags, 0o600)
