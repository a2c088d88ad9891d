"""The file in which edits outlive the process: what one thread does with it. Never raises what a disk can do.

Rows are small: an edit is kept as what it puts between a beginning and an end of the original, which every request
brings along. Several processes may share a file: rows are only ever added, replaced, or dropped for their age.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from adapters.vocabulary import Clock
from cache import disk_files as files
from cache.disk_file import DiskFile

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


class Row(NamedTuple):
    used: int
    """Unix time, in seconds, of when it was last noted to be of use."""
    edits: bytes


class FrozenDisk(DiskFile):
    """For one thread only. Rows beyond `rows` or `size` bytes are dropped, the longest unused first."""

    def __init__(self, path: Path, clock: Clock, *, rows: int, size: int, busy: float, retry_after: float) -> None:
        super().__init__(
            path,
            "pruned edits",
            "frozen_edits",
            clock,
            retry_after=retry_after,
            busy=busy,
            pragmas=PRAGMAS,
            migrations=MIGRATIONS,
            log=log,
        )
        self.rows, self.size = rows, size
        self.damaged_rows = self.dropped = 0
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

    def _connected(self) -> sqlite3.Connection | None:
        if self._connection is not None and self.replaced:
            self.close()  # another process has set it aside
        return super()._connected()

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
