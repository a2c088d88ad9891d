"""What can go wrong with a store on disk, and how often it is tried again."""

from __future__ import annotations

import logging
import sqlite3

from adapters.vocabulary import Clock

log = logging.getLogger("warmgate.cache")

FAULTS = (sqlite3.Error, OSError, MemoryError)
"""Everything that SQLite and the file system raise (SQLite's own lack of memory comes as MemoryError)."""

DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""The file is not a sound database: it is set aside."""

PASSING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL})
"""The connection is sound and stays open; after any other error it is opened anew."""


def code_of(error: BaseException) -> int:
    """SQLite's primary result code; 0 where the error is not SQLite's."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


class Circuit:
    """After a failure, skips for `retry_after` seconds, so that a locked store costs one timeout and not one per
    request. One log line when it goes bad, one when it is good again."""

    def __init__(self, deed: str, clock: Clock, retry_after: float) -> None:
        self.reason = ""
        self._deed, self._clock, self._retry_after = deed, clock, retry_after
        self._failed_at = 0.0

    def allows(self) -> bool:
        # A clock that was set back says nothing about how long ago it was: try.
        return not self.reason or not 0 <= self._clock() - self._failed_at < self._retry_after

    def failed(self, reason: str) -> None:
        if not self.reason:
            log.warning("%s: failed (%s); doing without, trying every %g s", self._deed, reason, self._retry_after)
        self.reason = reason or "unknown"
        self._failed_at = self._clock()

    def worked(self) -> None:
        if self.reason:
            log.warning("%s: works again", self._deed)
            self.reason = ""
