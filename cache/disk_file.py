"""One SQLite file of ours and the one connection to it: how it is opened, how it fails, and when it is set aside.

Every deed runs inside `_attempt`, which skips it while its circuit is open, opens the file where it is not open, and
turns whatever SQLite raises into a counted fault: a damaged file is set aside and the next deed starts a fresh one; a
file that is locked or full is tried again later; anything else closes the connection, which is opened anew later.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import TypeVar

from adapters.vocabulary import Clock
from cache import disk_files as files
from cache.disk_faults import DAMAGED, FAULTS, PASSING, Circuit, code_of

T = TypeVar("T")

SKEW = 60.0
"""Seconds by which a row may come from the future. A later one was written before the clock was set back: nobody knows
its age, so it is not served."""

ASIDE_MOST = 8
"""Files that one process sets aside; a disk that damages every new one must not be filled with them."""


class DiskFile:
    """For one thread only, except for reading the circuits and counters. Without a path the database is in memory.

    `what` it holds stands in log lines; a file of ours without the `table` is of another kind, and stays as it is.
    """

    def __init__(
        self,
        path: Path | None,
        what: str,
        table: str,
        clock: Clock,
        *,
        retry_after: float,
        busy: float,
        pragmas: files.Pragmas,
        migrations: Sequence[str],
        log: logging.Logger,
    ) -> None:
        self.path, self.clock = path, clock
        self.faults = self.skipped = self.set_aside = 0
        self._what = f"{what} {path or 'in memory'}"
        self.opens, self.reads, self.writes = (
            Circuit(f"{deed} {self._what}", clock, retry_after) for deed in ("open", "read", "write")
        )
        self._table, self._busy, self._pragmas, self._migrations, self._log = table, busy, pragmas, migrations, log
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    @property
    def replaced(self) -> bool:
        """Whether another file lies there than the one that was opened, or none."""
        return self.path is not None and files.identity(self.path) != self._identity

    def begin(self) -> None:
        """For whoever has something to do in its thread before anything else."""

    def work(self) -> bool:
        """For whoever has something to do that nobody waits for; whether there is more of it."""
        return False

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*FAULTS):
                connection.close()
        self._ended()

    def _began(self, connection: sqlite3.Connection, *, same: bool) -> None:
        """For whoever keeps a view: the file is open, and whether it is the one that was open before. May raise what
        a disk can do."""

    def _ended(self) -> None:
        """For whoever keeps a view: the file is closed."""

    def _attempt(self, circuit: Circuit, deed: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        if not circuit.allows():
            self.skipped += 1
            return otherwise
        connection = self._connected()
        if connection is None:
            return otherwise
        try:
            result = deed(connection)
        except FAULTS as error:
            self._fault(circuit, error)
            return otherwise
        circuit.worked()
        return result

    def _connected(self) -> sqlite3.Connection | None:
        if self._connection is not None:
            return self._connection
        if not self.opens.allows():
            self.skipped += 1
            return None
        try:
            if self.path is not None:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._alone():
                files.begun(self._start, self.close, self._aside)
        except FAULTS as error:
            self.faults += 1
            self.close()
            self.opens.failed(str(error))
            return None
        self.opens.worked()
        return self._connection

    def _alone(self) -> AbstractContextManager[None]:
        return nullcontext() if self.path is None else files.alone(self.path.parent)

    def _start(self) -> None:
        connection = files.connect(self.path, self._busy, self._pragmas, self._migrations, self._table)
        self._connection = connection
        found = None if self.path is None else files.identity(self.path)
        same, self._identity = found is not None and found == self._identity, found
        self._began(connection, same=same)

    def _fault(self, circuit: Circuit, error: BaseException) -> None:
        self.faults += 1
        code = code_of(error)
        if code in DAMAGED:
            self.close()
            with suppress(*FAULTS), self._alone():
                if not self.replaced:  # else another process has done it already
                    self._aside("damaged", f"is damaged ({error})")
            return
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.rollback()
        if code not in PASSING:
            self.close()
        circuit.failed(str(error))

    def _aside(self, why: str, told: str) -> None:
        if self.path is None:
            return
        if self.set_aside >= ASIDE_MOST:
            raise OSError(f"{told}, like {self.set_aside} files before it")
        target = files.set_aside(self.path, why, self.clock())
        self.set_aside += 1
        self._log.error("%s %s: set aside as %s, starting empty", self._what, told, target.name)


class Followed(DiskFile):
    """A file whose rows have numbers that only grow, several processes writing to it: what is new is known by them."""

    _seen = 0
    """Every row up to this number has been noted."""
    _version = -1
    _shared = False
    """Whether others write to this file: rows may vanish."""

    def _scan(self, connection: sqlite3.Connection) -> None:
        """Note the rows above `_seen`."""
        raise NotImplementedError

    def _ended(self) -> None:
        self._seen, self._version = 0, -1

    def _notice(self, connection: sqlite3.Connection) -> None:
        if self.replaced:
            self.close()
            self._connected()
        elif self._catch_up(connection):
            self._shared = True

    def _catch_up(self, connection: sqlite3.Connection) -> bool:
        """Note new rows; whether another connection has written since the last time."""
        version = files.pragma(connection, "data_version")
        if version == self._version:
            return False
        self._scan(connection)
        self._version = version
        return True
