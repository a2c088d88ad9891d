"""The file in which edits outlive the process: what one thread does with it. Never raises what a disk can do.

Rows are small: an edit is kept as what it puts between a beginning and an end of the original, which every request
brings along. Several processes may share a file: rows are only ever added, replaced, or dropped for their age.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple, TypeVar

from adapters.vocabulary import Clock
from cache import disk_files as files
from cache.disk_faults import DAMAGED, FAULTS, PASSING, Circuit, code_of

T = TypeVar("T")

log = logging.getLogger("warmgate.warming")

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE frozen_edits (
        key BLOB PRIMARY KEY,
        used INTEGER NOT NULL,
        edits BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX frozen_edits_used ON frozen_edits (used)
    """,
)
"""Scripts, in order, as `cache.disk_schema.MIGRATIONS`. Only ever append."""

PRAGMAS: files.Pragmas = (
    ("journal_mode", "WAL"),
    ("synchronous", "NORMAL"),  # a crash of the machine may lose the last edits, one of the process does not
    ("journal_size_limit", 4 * 1024 * 1024),
)

KEYS = 64
"""Keys in one query; always that many, so that there is one statement to prepare."""

SELECT = f"SELECT key, used, edits FROM frozen_edits WHERE key IN ({','.join('?' * KEYS)})"
INSERT = "INSERT OR REPLACE INTO frozen_edits (key, used, edits) VALUES (?, ?, ?)"
TOUCH = "UPDATE frozen_edits SET used = ? WHERE key = ? AND used < ?"
OVERHEAD = 64
"""Bytes of a row beside its edits, in the table and in the index."""
TOTALS = f"SELECT count(*), coalesce(sum(length(edits)), 0) + count(*) * {OVERHEAD} FROM frozen_edits"
OLDEST = f"SELECT key, length(edits) + {OVERHEAD} FROM frozen_edits ORDER BY used"
TRIM_EVERY = 64
"""Writes between two looks at how large the file has become."""

CHECK = 8
"""Bytes of the checksum in front of each row's edits."""

ASIDE_MOST = 8


class Row(NamedTuple):
    used: int
    """Unix time, in seconds, of when it was last noted to be of use."""
    edits: bytes


class FrozenDisk:
    """For one thread only. Rows beyond `rows` or `size` bytes are dropped, the longest unused first."""

    def __init__(self, path: Path, clock: Clock, *, rows: int, size: int, busy: float, retry_after: float) -> None:
        self.path, self.clock, self.rows, self.size, self.busy = path, clock, rows, size, busy
        self.faults = self.set_aside = self.damaged_rows = self.dropped = 0
        self.opens = Circuit(f"open pruned edits {path}", clock, retry_after)
        self.reads = Circuit(f"read pruned edits {path}", clock, retry_after)
        self.writes = Circuit(f"write pruned edits {path}", clock, retry_after)
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._written = 0

    @property
    def sound(self) -> bool:
        """Whether the last that was tried worked."""
        return not (self.opens.reason or self.reads.reason or self.writes.reason)

    def open(self) -> bool:
        return self._attempt(self.reads, lambda _: True, False)

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Row]:
        nothing: dict[bytes, Row] = {}
        return self._attempt(self.reads, lambda connection: self._find(connection, keys), nothing)

    def write(self, rows: Mapping[bytes, bytes]) -> bool:
        """True once it is committed."""
        return self._attempt(self.writes, lambda connection: self._write(connection, rows), False)

    def touch(self, keys: Iterable[bytes]) -> None:
        """Notes that these rows are of use."""
        now = int(self.clock())
        values = [(now, key, now) for key in keys]
        self._attempt(self.writes, lambda connection: _in_one(connection, TOUCH, values), None)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*FAULTS):
                connection.close()

    # Opening and failing, as in cache.disk_store

    def _attempt(self, circuit: Circuit, deed: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        if not circuit.allows():
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
        if self._connection is not None and files.identity(self.path) == self._identity:
            return self._connection
        self.close()  # another process has set it aside
        if not self.opens.allows():
            return None
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with files.alone(self.path.parent):
                self._open()
        except FAULTS as error:
            self.faults += 1
            self.close()
            self.opens.failed(str(error))
            return None
        self.opens.worked()
        return self._connection

    def _open(self) -> None:
        files.begun(self._start, self.close, self._aside)

    def _start(self) -> None:
        self._connection = files.connect(self.path, self.busy, PRAGMAS, MIGRATIONS)
        tables = self._connection.execute("SELECT name FROM sqlite_master WHERE name = 'frozen_edits'").fetchall()
        if not tables:
            self.close()
            raise files.Stranger(f"{self.path} is a file of ours, but of another kind")
        self._identity = files.identity(self.path)

    def _fault(self, circuit: Circuit, error: BaseException) -> None:
        self.faults += 1
        code = code_of(error)
        if self._connection is not None and code not in DAMAGED:
            with suppress(sqlite3.Error):
                self._connection.rollback()
        if code in DAMAGED:
            self.close()
            with suppress(*FAULTS), files.alone(self.path.parent):
                if files.identity(self.path) == self._identity:  # else another process has done it already
                    self._aside("damaged", f"is damaged ({error})")
            return
        if code not in PASSING:
            self.close()
        circuit.failed(str(error))

    def _aside(self, why: str, told: str) -> None:
        if self.set_aside >= ASIDE_MOST:
            raise OSError(f"{told}, like {self.set_aside} files before it")
        target = files.set_aside(self.path, why, self.clock())
        self.set_aside += 1
        log.error("pruned edits %s %s: set aside as %s, starting empty", self.path, told, target.name)

    # Deeds

    def _find(self, connection: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, Row]:
        found = {}
        for start in range(0, len(keys), KEYS):
            some = list(keys[start : start + KEYS])
            for key, used, edits in connection.execute(SELECT, some + [b""] * (KEYS - len(some))).fetchall():
                if _sound(edits) and isinstance(used, int):
                    found[key] = Row(used, edits[CHECK:])
                else:
                    self.damaged_rows += 1
        return found

    def _write(self, connection: sqlite3.Connection, rows: Mapping[bytes, bytes]) -> bool:
        now = int(self.clock())
        _in_one(connection, INSERT, [(key, now, _checksum(edits) + edits) for key, edits in rows.items()])
        self._written += 1
        if self._written % TRIM_EVERY == 1:
            self._trim(connection)
        return True

    def _trim(self, connection: sqlite3.Connection) -> None:
        """Makes room for a tenth as well, so that there is not another row to drop with every write."""
        count, size = connection.execute(TOTALS).fetchone()
        if count <= self.rows and size <= self.size:
            return
        gone = []
        for key, length in connection.execute(OLDEST).fetchall():
            if count <= self.rows * 9 // 10 and size <= self.size * 9 // 10:
                break
            gone.append((key,))
            count, size = count - 1, size - length
        _in_one(connection, "DELETE FROM frozen_edits WHERE key = ?", gone)
        self.dropped += len(gone)


def _in_one(connection: sqlite3.Connection, statement: str, values: Sequence[tuple[object, ...]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(statement, values)
    connection.execute("COMMIT")


def _checksum(edits: bytes) -> bytes:
    return blake2b(edits, digest_size=CHECK).digest()


def _sound(edits: object) -> bool:
    return isinstance(edits, bytes) and _checksum(edits[CHECK:]) == edits[:CHECK]
