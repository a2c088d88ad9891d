"""One file of invalidations, as one process has it open.

JSON lines behind a header which every worker maps into its memory. Who appends holds the file's lock, writes the line
behind the last one, and then raises the count: half a line is never counted, and the next one is written over it. Who
reads needs no lock; where the numbers of the lines are not what they have to be it reads again with it. A file that has
grown is cut, and `base` says up to which number nobody knows the lines any more.

Whoever cuts the file to nothing under a running process ends that process (SIGBUS), as with SQLite's own `-shm`.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover - not a POSIX system: there is one worker only
    fcntl = None  # type: ignore[assignment]

from cache import disk_files as files
from cache.invalidation import Invalidation
from cache.invalidation_lines import BASE, COUNT, GONE, HEADER, Unheard, header, line_of, lines_of, sound


class Foreign(Exception):
    """No log of this version."""


class LogFile:
    """For one thread at a time; `words[COUNT]` is for any. Raises OSError and `Foreign` when it is made."""

    def __init__(self, path: Path, most: int) -> None:
        self.path, self._most = path, most
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._held = 0
        try:
            with self.alone():
                if os.fstat(self._handle).st_size == 0:
                    os.pwrite(self._handle, header(), 0)
                if not sound(os.pread(self._handle, HEADER, 0)):
                    raise Foreign(f"{path} is no log of invalidations of this version")
                status = os.fstat(self._handle)
                self._identity = status.st_dev, status.st_ino
                self.words = memoryview(mmap.mmap(self._handle, HEADER)).cast("Q")
        except BaseException:
            os.close(self._handle)
            raise
        self._base = self.number = self.words[BASE]
        """The base when lines were read last, and the number of the last one of them."""
        self._offset = HEADER
        """Where that one ends."""

    def close(self) -> None:
        """The mapping goes with the last who asks for the count."""
        os.close(self._handle)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other process writes meanwhile."""
        if fcntl is not None and not self._held:
            fcntl.flock(self._handle, fcntl.LOCK_EX)
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            if fcntl is not None and not self._held:
                fcntl.flock(self._handle, fcntl.LOCK_UN)

    @property
    def stale(self) -> bool:
        """Whether it has been set aside, replaced or removed."""
        try:
            return self.words[COUNT] >= GONE or files.identity(self.path) != self._identity
        except OSError:
            return True

    def set_aside(self, why: str, now: float) -> Path:
        """From now on it is `stale` to all that have it open. To be called with the directory and the file `alone`."""
        self.words[COUNT] |= GONE
        return files.set_aside(self.path, why, now)

    def read(self) -> tuple[bool, list[Invalidation]]:
        """The lines since the last time, and whether some before them are lost. Raises `Unheard`."""
        try:
            return self._read()
        except Unheard:  # cut meanwhile, or damaged
            with self.alone():
                if self.words[BASE] > self.words[COUNT]:
                    self.words[COUNT] = self.words[BASE]  # who was writing died between the two
                return self._read()

    def _read(self) -> tuple[bool, list[Invalidation]]:
        count, base = self.words[COUNT], self.words[BASE]
        if count >= GONE or base > count:
            raise Unheard("set aside, or not finished")
        lost = self.number < base
        number, offset = (base, HEADER) if lost or base != self._base else (self.number, self._offset)
        found: list[Invalidation] = []
        if number < count:
            found, size = lines_of(self._bytes(offset), number + 1, count)
            offset += size
        self._base, self.number, self._offset = base, count, offset
        return lost, found

    def _bytes(self, offset: int) -> bytes:
        pieces = []
        while piece := os.pread(self._handle, 1 << 20, offset):
            pieces.append(piece)
            offset += len(piece)
        return b"".join(pieces)

    def write(self, what: Invalidation) -> bool:
        """Appends it, after all has been read, and `alone`; False where there was no room for it: then it stands for
        everything."""
        number = self.number + 1
        line = line_of(what, number, self._most // 4)
        if self._offset + len(line) > self._most:
            self._cut(self.number)
        try:
            os.ftruncate(self._handle, self._offset)  # what somebody began to write and did not finish
            written = os.pwrite(self._handle, line, self._offset)
        except OSError:
            written = 0
        if written < len(line):
            # The header takes no room that it has not got: those who know all up to here do not know this one.
            self._cut(number)
        else:
            self._offset += written
        self.number = number
        self.words[COUNT] = number
        return written == len(line)

    def _cut(self, base: int) -> None:
        """Lines up to that number are known to nobody any more but those who have read them."""
        self.words[BASE] = self._base = base
        self._offset = HEADER
        with suppress(OSError):
            os.ftruncate(self._handle, HEADER)
