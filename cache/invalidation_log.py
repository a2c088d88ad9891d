"""The log of invalidations that the workers of one machine share: a file beside the store.

Asking how many there are is one read of mapped memory. Whatever can't be heard any more counts as an invalidation of
everything: what was before a cut, or in a file that was damaged, replaced or removed; and while no file can be opened
everything is invalidated with every question. A file that somebody else removes or replaces is noticed within `poll`
seconds, one that this program sets aside at once.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from adapters.vocabulary import Clock
from cache import disk_files as files
from cache.invalidation import REMEMBERED, Invalidation
from cache.invalidation_file import Foreign, LogFile
from cache.invalidation_lines import COUNT, GONE, Unheard

log = logging.getLogger("warmgate.cache")

MOST = 4 * 1024 * 1024
"""Bytes after which the file is cut."""

POLL = 0.25
"""Seconds until a file that somebody removed or replaced is noticed."""

TRIES = 4
"""Files that are tried for one line: each may be replaced, or turn out to be damaged."""

_NOWHERE: Sequence[int] = (0,) * COUNT + (GONE,)
"""A header that sends who asks to look for a file."""


class FileLog:
    """`cache.invalidation.Log` of the file at `path`, for all threads of a process, between `open` and `close`; outside
    of them nothing is told and nothing comes. `open` raises OSError, and so does `append` where no file can be opened:
    then nobody else has heard of it."""

    def __init__(self, path: Path, clock: Clock, *, most: int = MOST, poll: float = POLL) -> None:
        self.path = path
        self.faults = self.set_aside = 0
        self._clock, self._most, self._poll = clock, most, poll
        self._lock = threading.RLock()
        self._file: LogFile | None = None
        self._opened = False
        self._known: tuple[Sequence[int], int] = (_NOWHERE, 0)
        """The header, and what its count has to be raised by, so that ours never falls and never repeats."""
        self._count = 0
        """Of those that have been read, or that nobody can read any more."""
        self._latest: deque[Invalidation] = deque(maxlen=REMEMBERED)
        """The last of them."""
        self._looked = clock()
        self._failing = False

    def open(self) -> None:
        with self._lock:
            try:
                self._begin()
            except OSError as error:
                raise OSError(f"the log of invalidations {self.path} can't be opened: {error}") from error
            self._opened = True

    def close(self) -> None:
        with self._lock:
            self._opened = False
            self._leave()

    @property
    def count(self) -> int:
        words, shift = self._known
        number = words[COUNT]
        if number < GONE and 0 <= self._clock() - self._looked < self._poll:
            return number + shift
        return self._look()

    def append(self, what: Invalidation) -> None:
        with self._lock:
            if not self._opened:
                return
            for _ in range(TRIES):
                file = self._file or self._begin()
                with file.alone():
                    if not file.stale and self._read(file):
                        self.faults += not file.write(what)
                        self._latest.append(what)
                        self._count += 1
                        return
                self._begin()
            raise OSError(f"{self.path} can't be written: it is replaced again and again")

    def since(self, count: int) -> tuple[int, list[Invalidation]]:
        with self._lock:
            self._look()
            if self._file is not None and not self._read(self._file):
                self._again()
            missed = self._count - count
            if missed > len(self._latest):
                return self._count, [Invalidation(everything=True)]
            return self._count, [self._latest[-at] for at in range(missed, 0, -1)]

    def _look(self) -> int:
        """The count, of the file that lies there now."""
        with self._lock:
            if not self._opened:
                return self._count
            now = self._clock()
            due = not 0 <= now - self._looked < self._poll
            if due:
                self._looked = now
            if self._file is None and not due:
                self._forget()
            elif self._file is None or self._known[0][COUNT] >= GONE or (due and self._file.stale):
                self._again()
            words, shift = self._known
            return self._count if self._file is None else words[COUNT] + shift

    def _again(self) -> None:
        try:
            self._begin()
        except OSError as error:
            self.faults += 1
            if not self._failing:
                log.error("the log of invalidations %s can't be opened, memory serves nothing: %s", self.path, error)
            self._failing = True
            self._leave()
        else:
            self._failing = False

    def _leave(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            told = (file.words[COUNT] & (GONE - 1)) + self._known[1]
            self._count = max(self._count, told)
            file.close()
        self._forget()
        self._known = (_NOWHERE, 0)

    def _forget(self) -> None:
        """Something has come that nobody knows any more."""
        self._latest.clear()
        self._count += 1

    def _begin(self) -> LogFile:
        """Opens what lies there now, or a new one. Raises OSError, and then nothing is open."""
        self._leave()
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with files.alone(self.path.parent):
            for _ in range(TRIES):
                try:
                    file = LogFile(self.path, self._most)
                except Foreign as error:
                    self._told(error, files.set_aside(self.path, "foreign", self._clock()))
                    continue
                try:
                    with file.alone():
                        file.read()
                except Unheard as error:
                    with file.alone():
                        self._told(error, file.set_aside("damaged", self._clock()))
                    file.close()
                    continue
                except OSError:
                    file.close()
                    raise
                self._file = file
                self._known = (file.words, self._count - file.number)
                return file
        raise OSError(f"one after the other is damaged ({self.set_aside})")

    def _told(self, why: Exception, target: Path) -> None:
        self.set_aside += 1
        log.error("%s: set aside as %s, everything in memory is dropped", why, target.name)

    def _read(self, file: LogFile) -> bool:
        """Catch up; False where it can't be read."""
        try:
            lost, found = file.read()
        except (Unheard, OSError):
            return False
        if lost:
            self._latest.clear()
        self._latest.extend(found)
        self._count = file.number + self._known[1]
        return True
