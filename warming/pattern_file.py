"""The file in which access patterns outlive the process: what one thread does with it. Never raises what a disk can do.

Rows hold keys and counts, and nothing of what the keys stand for. Several processes share a file: each adds what it has
seen since it last did, in one transaction, so that nobody overwrites what another knows.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from math import exp2, isfinite, log2
from pathlib import Path
from typing import Any

from adapters.vocabulary import Clock
from cache import disk_files as files
from cache.disk_file import DiskFile
from warming.access_patterns import Pattern
from warming.access_rows import Ident
from warming.scores import HOURS

log = logging.getLogger("warmgate.warming")

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE access_patterns (
        user BLOB NOT NULL,
        namespace BLOB NOT NULL,
        key BLOB NOT NULL,
        text INTEGER NOT NULL,
        weight REAL NOT NULL,
        last REAL NOT NULL,
        hours BLOB NOT NULL,
        worth REAL NOT NULL,
        PRIMARY KEY (user, namespace, key, text)
    ) WITHOUT ROWID
    """,
)
"""Scripts, in order, as `cache.disk_schema.MIGRATIONS`. Only ever append."""

PRAGMAS: files.Pragmas = (
    ("journal_mode", "WAL"),
    ("synchronous", "NORMAL"),
    ("journal_size_limit", 1024 * 1024),
)

NAMED = "user = ? AND namespace = ? AND key = ? AND text = ?"
FIND = f"SELECT weight, last, hours FROM access_patterns WHERE {NAMED}"
PUT = "INSERT OR REPLACE INTO access_patterns VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
COUNT = "SELECT count(*) FROM access_patterns"
BEST = "SELECT user, namespace, key, text, weight, last, hours FROM access_patterns ORDER BY worth DESC LIMIT ?"
TRIM = (
    "DELETE FROM access_patterns WHERE (user, namespace, key, text) IN"
    " (SELECT user, namespace, key, text FROM access_patterns ORDER BY worth LIMIT ?)"
)

MOST = 1e9
"""Accesses that a row counts."""

TINY = 1e-300

HOUR_MOST = 0xFF


class PatternFile(DiskFile):
    """For one thread only; without a path, in memory. Rows beyond `rows` are dropped, the least worth first: about 150
    bytes each."""

    def __init__(
        self, path: Path | None, clock: Clock, half_life: float, *, rows: int, busy: float, retry_after: float
    ) -> None:
        super().__init__(
            path,
            "access patterns",
            "access_patterns",
            clock,
            retry_after=retry_after,
            busy=busy,
            pragmas=PRAGMAS,
            migrations=MIGRATIONS,
            log=log,
        )
        self.rows, self.damaged_rows, self.dropped = rows, 0, 0
        self._half_life = half_life

    def add(self, patterns: Sequence[Pattern]) -> bool:
        """Adds these accesses to those that the file knows; True once it is committed."""
        return self._attempt(self.writes, lambda connection: self._add(connection, patterns), False)

    def best(self, most: int) -> list[Pattern] | None:
        """What is worth most, best first; None where the file can't be read."""
        return self._attempt(self.reads, lambda connection: self._best(connection, most), None)

    def _connected(self) -> sqlite3.Connection | None:
        if self._connection is not None and self.replaced:
            self.close()  # another process has set it aside
        return super()._connected()

    def _add(self, connection: sqlite3.Connection, patterns: Sequence[Pattern]) -> bool:
        connection.execute("BEGIN IMMEDIATE")
        rows = []
        for pattern in patterns:
            name = _name(pattern.ident)
            found = connection.execute(FIND, name).fetchone()
            known = None if found is None else self._read((*name, *found))
            weight, last, hours = self._sum(known, pattern)
            rows.append((*name, weight, last, bytes(hours), log2(max(weight, TINY)) + last / self._half_life))
        connection.executemany(PUT, rows)
        count = int(connection.execute(COUNT).fetchone()[0])
        if count > self.rows:
            gone = count - self.rows * 9 // 10  # a tenth more, so that not every time some have to go
            connection.execute(TRIM, (gone,))
            self.dropped += gone
        connection.execute("COMMIT")
        return True

    def _sum(self, known: Pattern | None, more: Pattern) -> tuple[float, float, list[int]]:
        if known is None:
            return min(more.weight, MOST), more.last, _fitting(more.hours)
        # The file may have been written before the clock was set back: nothing is later than now.
        known = known._replace(last=min(known.last, max(more.last, self.clock())))
        last = max(known.last, more.last)
        weight = sum(each.weight * exp2((each.last - last) / self._half_life) for each in (known, more))
        return min(weight, MOST), last, _fitting([a + b for a, b in zip(known.hours, more.hours, strict=True)])

    def _best(self, connection: sqlite3.Connection, most: int) -> list[Pattern]:
        read = [self._read(row) for row in connection.execute(BEST, (most,)).fetchall()]
        return [pattern for pattern in read if pattern is not None]

    def _read(self, row: Sequence[Any]) -> Pattern | None:
        """None for a row that is not what was written: a damaged one may hold any type in any column."""
        *name, weight, last, hours = row
        try:
            ident = _ident(name)
            sound = isfinite(weight) and 0 <= weight <= MOST and isfinite(last)
            sound = sound and isinstance(hours, bytes) and len(hours) == HOURS
        except (TypeError, ValueError, AttributeError):
            sound = False
        if not sound:
            self.damaged_rows += 1
            return None
        return Pattern(ident, float(weight), float(last), tuple(hours))


def _name(ident: Ident) -> tuple[bytes, bytes, bytes, int]:
    text = isinstance(ident.key, str)
    key = ident.key.encode(errors="surrogatepass") if isinstance(ident.key, str) else ident.key
    user, namespace = (each.encode(errors="surrogatepass") for each in (ident.user, ident.namespace))
    return user, namespace, key, int(text)


def _ident(name: Sequence[Any]) -> Ident:
    user, namespace, key, text = name
    if not isinstance(key, bytes):
        raise TypeError("a key is bytes")
    decoded = [each.decode(errors="surrogatepass") for each in (user, namespace)]
    return Ident(decoded[0], decoded[1], key.decode(errors="surrogatepass") if text else key)


def _fitting(hours: Sequence[int]) -> list[int]:
    """Halved until each fits into a byte."""
    fitting = list(hours)
    while max(fitting) > HOUR_MOST:
        fitting = [each >> 1 for each in fitting]
    return fitting
