"""The rows of one SQLite file: what the thread that owns them does. Synchronous, and never raises what a disk can do.

Theory of operation. The rows are the truth, the `View` follows them. Every deed runs inside `DiskFile._attempt`, which
turns what goes wrong into a counted fault.

The file does not grow without bound: the view holds the sum of all rows within the budgets at every write, deleted rows
free their pages, and SQLite writes new rows into free pages first. So it stays at the largest size it ever needed,
`max_bytes` plus at most a page (4 KiB) for each row; `clear` gives all of it back. The WAL is folded in every 1,000
pages.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from adapters.vocabulary import Clock
from cache import disk_files as files
from cache import disk_schema as schema
from cache.disk_check import verify
from cache.disk_faults import log
from cache.disk_file import SKEW, Followed
from cache.disk_view import Due, Slot, View
from cache.entry import Entry

EXPIRED_PER_WRITE = 16
"""Expired rows that one write deletes at most; of rows above the budgets as many more as it adds."""


class Store(Followed):
    """For one thread only, except for reading `view`, `reads` and the counters."""

    def __init__(
        self,
        path: Path,
        max_size: int,
        max_bytes: int,
        ttl: float,
        clock: Clock,
        *,
        retry_after: float,
        busy: float,
        pragmas: files.Pragmas,
        migrations: Sequence[str],
    ) -> None:
        super().__init__(
            path,
            "disk cache",
            "entries",
            clock,
            retry_after=retry_after,
            busy=busy,
            pragmas=pragmas,
            migrations=migrations,
            log=log,
        )
        self.max_size, self.max_bytes, self.ttl = max_size, max_bytes, ttl
        self.view = View()
        self.evictions = self.expirations = self.damaged_rows = 0
        self._owed: set[int] = set()  # rows that are gone for us, and still have to be deleted

    # -- deeds ---------------------------------------------------------------------------------------------------

    def read(self, keys: Iterable[bytes]) -> dict[bytes, Entry]:
        wanted = list(dict.fromkeys(keys))
        nothing: dict[bytes, Entry] = {}
        found = self._attempt(self.reads, lambda connection: self._read(connection, wanted), nothing)
        if self._owed:
            self.write({})
        return found

    def write(self, changes: Mapping[bytes, Entry | None]) -> dict[bytes, bool]:
        """Put entries, delete the keys of None, in one transaction. True for what is kept now, or was there.

        Where it can't be done, what was to be replaced or deleted is not served again, and deleted later.
        """
        rows = {key: row for key, entry in changes.items() if entry and (row := self._row(entry))}
        gone = [key for key, entry in changes.items() if entry is None or (key not in rows and key in self.view.slots)]
        known = {key for key, entry in changes.items() if entry is None and key in self.view.slots}
        if not (rows or gone or self._owed):
            return dict.fromkeys(changes, False)
        done = self._attempt(self.writes, lambda connection: self._write(connection, rows, gone), False)
        if not done:
            self._forget(changes)
        return {key: done and (key in rows or key in known) for key in changes}

    def clear(self) -> int | None:
        """How many rows there were; None where it failed (they are not served again, and deleted later)."""
        count = len(self.view)
        if self._attempt(self.writes, self._clear, False):
            return count
        self._forget(list(self.view.slots))
        return None

    def purge(self, tenant: str) -> set[bytes] | None:
        """The keys of all rows of a tenant, which are deleted; None where that failed (those that are known by then are
        not served again, and deleted later)."""
        self.notice()  # what others wrote of it goes with the rest
        nothing: list[bytes] | None = None
        keys = self._attempt(self.reads, lambda connection: _keys_of(connection, tenant), nothing)
        if keys is None:
            return None
        gone = {key for key in keys if key in self.view.slots}  # the others are deleted already, or about to be
        return gone if all(self.write(dict.fromkeys(gone)).values()) else None

    def notice(self) -> None:
        """Look what others did to the file: new rows, another file in its place. Opens it where that is due."""
        self._attempt(self.reads, self._notice, None)

    def check(self) -> list[str]:
        """What is wrong with the store, verified against itself: pages, indexes, checksums, the view."""
        failed = [f"{self.path} cannot be read"]
        return self._attempt(self.reads, self._check, failed)

    def _check(self, connection: sqlite3.Connection) -> list[str]:
        self._notice(connection)
        connection.execute("BEGIN")  # one state of the file for all that follows, whatever others write meanwhile
        try:
            self._scan(connection)
            return verify(connection, self.view, self._owed, shared=self._shared)
        finally:
            connection.rollback()

    def _began(self, connection: sqlite3.Connection, *, same: bool) -> None:
        if not same:
            self._owed.clear()  # numbers of rows in another file
        self._catch_up(connection)

    def _ended(self) -> None:
        super()._ended()
        self.view.clear()

    def _forget(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            slot = self.view.drop(key)
            if slot is not None:
                self._owed.add(slot.seq)

    # -- reading -------------------------------------------------------------------------------------------------

    def _read(self, connection: sqlite3.Connection, keys: list[bytes]) -> dict[bytes, Entry]:
        found: dict[bytes, Entry] = {}
        now = self.clock()
        for piece in schema.pieces(keys):
            for row in connection.execute(schema.SELECT[len(piece)], piece).fetchall():
                try:
                    entry = schema.entry_of(row)
                except schema.Damaged:
                    self.damaged_rows += 1
                    continue
                if now < entry.expires_at and entry.stored_at <= now + SKEW:
                    found[entry.key] = entry
        self._forget(key for key in keys if key not in found)  # damaged, too old, or deleted by another process
        return found

    def _scan(self, connection: sqlite3.Connection) -> None:
        for seq, key, expires_at, size in connection.execute(schema.SELECT_NEWER, (self._seen,)).fetchall():
            self._seen = seq
            if isinstance(key, bytes) and isinstance(expires_at, float) and isinstance(size, int):
                if seq not in self._owed:
                    self.view.add(key, Slot(seq, expires_at, size))
            else:
                self.damaged_rows += 1
                self._owed.add(seq)

    # -- writing -------------------------------------------------------------------------------------------------

    def _row(self, entry: Entry) -> schema.Row | None:
        """None for what can't be kept: over the budgets by itself, expired, or no text that SQLite can hold."""
        now = self.clock()
        expires_at = min(now + self.ttl, entry.expires_at)
        if self.max_size < 1 or entry.size > self.max_bytes or not now < expires_at:
            return None
        try:
            return schema.row_of(entry, expires_at)
        except (ValueError, OverflowError) as error:
            log.warning("an answer of model %r can't be kept on disk: %s", entry.model, error)
            return None

    def _write(self, connection: sqlite3.Connection, rows: Mapping[bytes, schema.Row], gone: list[bytes]) -> bool:
        victims = self._victims(rows, gone)
        owed = list(self._owed)[: schema.SIZES[0]]
        try:
            slots = self._commit(connection, list(rows.values()), gone, [seq for _, seq, _ in victims] + owed)
        except BaseException:
            self.view.back(victims)
            with suppress(sqlite3.Error):
                connection.rollback()
            raise
        self._owed.difference_update(owed)
        now = self.clock()
        for expires_at, seq, key in victims:
            if self.view.drop(key, seq) is not None:
                self.expirations += expires_at <= now
                self.evictions += expires_at > now
        for key in gone:
            self.view.drop(key)
        for key, slot in slots:
            self.view.add(key, slot)
        if slots and slots[0][1].seq == self._seen + 1:
            self._seen = slots[-1][1].seq  # nobody wrote between: these need not be scanned
        return True

    def _victims(self, rows: Mapping[bytes, schema.Row], gone: list[bytes]) -> list[Due]:
        view = self.view
        leaving = [slot for key in (*rows, *gone) if (slot := view.slots.get(key)) is not None]
        entries = len(view) - len(leaving) + len(rows) - self.max_size
        incoming = sum(row[schema.SIZE] for row in rows.values())
        size = view.bytes - sum(slot.size for slot in leaving) + incoming - self.max_bytes
        most = EXPIRED_PER_WRITE + len(rows)
        return view.victims(self.clock(), entries=entries, size=size, expired=EXPIRED_PER_WRITE, most=most)

    def _commit(
        self, connection: sqlite3.Connection, rows: list[schema.Row], gone: list[bytes], seqs: list[int]
    ) -> list[tuple[bytes, Slot]]:
        """Deletes first, so that on a full disk expired rows make room for new ones."""
        deletes: list[tuple[dict[int, str], Sequence[Any]]] = [(schema.DELETE_SEQS, seqs), (schema.DELETE_KEYS, gone)]
        plan: list[tuple[str, Sequence[Any]]] = [
            (table[len(piece)], piece) for table, values in deletes for piece in schema.pieces(values)
        ]
        inserts = list(schema.pieces(rows))
        alone = len(plan) + len(inserts) == 1  # a single statement is a transaction by itself: two hand-overs less
        if not alone:
            connection.execute("BEGIN IMMEDIATE")
        for statement, values in plan:
            connection.execute(statement, values)
        slots: list[tuple[bytes, Slot]] = []
        for piece in inserts:
            cursor = connection.execute(schema.INSERT[len(piece)], [value for row in piece for value in row])
            first = (cursor.lastrowid or 0) - len(piece) + 1  # one statement numbers its rows without a gap
            for seq, row in enumerate(piece, first):
                slots.append((row[0], Slot(seq, row[schema.EXPIRES_AT], row[schema.SIZE])))
        if not alone:
            connection.execute("COMMIT")
        return slots

    def _clear(self, connection: sqlite3.Connection) -> bool:
        connection.execute(schema.CLEAR)
        self.view.clear()
        self._owed.clear()
        with suppress(sqlite3.OperationalError):  # giving the space back can wait: another process is reading
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return True


def _keys_of(connection: sqlite3.Connection, tenant: str) -> list[bytes]:
    rows = connection.execute(schema.SELECT_TENANT, (tenant,)).fetchall()
    return [key for (key,) in rows if isinstance(key, bytes)]
