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
from collections.abc import Iterable, Sequence, Set
from contextlib import suppress
from pathlib import Path

from adapters.vocabulary import Clock
from cache import disk_files as files
from cache import disk_schema as schema
from cache.disk_check import verify
from cache.disk_faults import log
from cache.disk_file import SKEW, Followed
from cache.disk_view import Row, View
from cache.disk_writing import Change, Put, Ready, Writing
from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.room import Room

OWED = 1000
"""Invalidations that may wait for a disk which fails; of more of them, everything goes."""


class Store(Followed):
    """For one thread only, except for reading `view`, `reads` and the counters."""

    def __init__(
        self,
        path: Path,
        room: Room[Row],
        ttl: float,
        grace: float,
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
        self.ttl = ttl
        self.view = View(room, grace)
        self.evictions = self.expirations = self.damaged_rows = 0
        self.telling = False
        """Whether somebody wants to know what is dropped for want of room while it is fresh: in `dropped`."""
        self.dropped: list[Entry] = []
        self._owed: set[int] = set()  # rows that are gone for us, and still have to be deleted
        self._due: list[Invalidation] = []  # what they cover is gone for us too; some of it may be unknown

    # -- deeds ---------------------------------------------------------------------------------------------------

    def read(self, keys: Iterable[bytes], used: Set[bytes] = frozenset()) -> dict[bytes, Entry]:
        """Those that there are; the fresh ones of `used` count as read."""
        wanted = list(dict.fromkeys(keys))
        nothing: dict[bytes, Entry] = {}
        found = self._attempt(self.reads, lambda connection: self._read(connection, wanted), nothing)
        now = self.clock()
        for key, entry in found.items():
            if key in used and entry.fresh(now):
                self.view.touch(key)
        if self._owed or self._due:
            self.write([])
        return found

    def write(self, changes: Sequence[Change]) -> list[bool]:
        """Put entries, delete keys, one after the other in one transaction. True for what is kept now, or was there.

        Where it can't be done, what was to be replaced or deleted is not served again, and deleted later.
        """
        ready = [(change, self._row(change.entry) if isinstance(change, Put) else None) for change in changes]
        if not (self._owed or self._due or any(map(self._touches, ready))):
            return [False] * len(ready)
        failed: list[bool] | None = None
        done = self._attempt(self.writes, lambda connection: self._write(connection, ready), failed)
        if done is None:
            self._forget(key for change in changes if (key := _replaced(change)) is not None)
            return [False] * len(ready)
        return done

    def clear(self) -> int | None:
        """How many rows there were; None where it failed (they are not served again, and deleted later)."""
        count = len(self.view)
        if self._attempt(self.writes, self._clear, False):
            return count
        self._forget(list(self.view.slots))
        return None

    def invalidate(self, what: Invalidation) -> set[bytes] | None:
        """The keys of all rows that it covers, which are deleted, those of other processes included. None where that
        failed: what it covers is not served again, and deleted before anything else is written."""
        self.notice()
        self._due = [*self._due, what] if len(self._due) < OWED else [Invalidation(everything=True)]
        failed: set[bytes] | None = None
        if what.everything and what.tenant is None:
            known = set(self.view.slots)
            return known if self.clear() is not None else None
        return self._attempt(self.writes, self._invalidate, failed)

    def notice(self) -> None:
        """Look what others did to the file: new rows, another file in its place. Opens it where that is due."""
        self._attempt(self.reads, self._notice, None)
        if self._due:
            self.write([])

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
            row = self.view.drop(key)
            if row is not None:
                self._owed.add(row.seq)

    # -- reading -------------------------------------------------------------------------------------------------

    def _read(self, connection: sqlite3.Connection, keys: list[bytes]) -> dict[bytes, Entry]:
        found: dict[bytes, Entry] = {}
        now = self.clock()
        for piece in schema.pieces(keys):
            for row in connection.execute(schema.SELECT[len(piece)], piece).fetchall():
                entry = schema.sound(row)
                if entry is None:
                    self.damaged_rows += 1
                    continue
                over = now >= entry.expires_at + self.view.grace or entry.stored_at > now + SKEW
                if not (over or any(what.covers(entry) for what in self._due)):
                    found[entry.key] = entry
        self._forget(key for key in keys if key not in found)  # damaged, too old, or deleted by another process
        return found

    def _scan(self, connection: sqlite3.Connection) -> None:
        newer = connection.execute(schema.SELECT_NEWER, (self._seen,)).fetchall()
        if not newer:
            return
        labels = {seq: text for seq, _, text in connection.execute(schema.SELECT_LABELS, (self._seen,))}
        for seq, key, expires_at, size, *names in newer:
            self._seen = seq
            try:
                tenant, namespace = (name.decode() for name in names)
                size += sum(map(len, schema.labels_of(labels.get(seq, b""))))
                sound = isinstance(key, bytes) and isinstance(expires_at, float)
            except (ValueError, AttributeError, TypeError):  # whatever was written had another type
                sound = False
            if not sound:
                self.damaged_rows += 1
                self._owed.add(seq)
            elif seq not in self._owed:
                self.view.add(key, seq, expires_at, size, tenant, namespace)

    # -- writing -------------------------------------------------------------------------------------------------

    def _row(self, entry: Entry) -> schema.Row | None:
        """None for what can't be kept: over the budgets by itself, expired, or no text that SQLite can hold."""
        now, room = self.clock(), self.view.room
        part = room.part(entry.namespace)
        expires_at = min(now + (self.ttl if part.ttl is None else part.ttl), entry.expires_at)
        if not room.fits(part, entry.size) or not now < expires_at:
            return None
        try:
            return schema.row_of(entry, expires_at, whole=True)
        except (ValueError, OverflowError) as error:
            log.warning("an answer of model %r can't be kept on disk: %s", entry.model, error)
            return None

    def _touches(self, ready: Ready) -> bool:
        """Whether this may change anything."""
        change, row = ready
        return isinstance(change, bytes) or row is not None or change.entry.key in self.view.slots

    def _write(self, connection: sqlite3.Connection, ready: Sequence[Ready]) -> list[bool]:
        done, _ = self._transaction(connection, ready, begun=any(isinstance(put, Put) and put.asks for put, _ in ready))
        return done

    def _invalidate(self, connection: sqlite3.Connection) -> set[bytes]:
        _, gone = self._transaction(connection, (), begun=True)
        return gone

    def _transaction(
        self, connection: sqlite3.Connection, ready: Sequence[Ready], *, begun: bool
    ) -> tuple[list[bool], set[bytes]]:
        """What is due first, so that it covers nothing that comes with it; the keys that the latest of that removed."""
        writing = Writing(connection, self.view, self._owed, self.clock())
        begun = begun or bool(self._due)
        owed = list(self._owed) if self._due else list(self._owed)[: schema.SIZES[0]]
        gone: set[bytes] = set()
        try:
            if begun:
                writing.begin()
            if self._due:
                self._scan(connection)
            for what in self._due:
                gone = writing.invalidate(what)
            done = writing.change(ready)
            writing.make_room(tell=self.telling)
            writing.execute(owed, begun=begun)
        except BaseException:
            self.view.back()
            with suppress(sqlite3.Error):
                connection.rollback()
            raise
        self._due.clear()
        self._owed.difference_update(owed)
        self._follow(writing)
        return done, gone

    def _follow(self, writing: Writing) -> None:
        now = self.clock()
        for row in writing.follow():
            over = row.ends <= now
            self.expirations += over
            self.evictions += not over
            row.part.evictions += not over
        first, last = writing.numbers
        if first and first == self._seen + 1:
            self._seen = last  # nobody wrote between: these need not be scanned
        self.dropped += writing.dropped

    def _clear(self, connection: sqlite3.Connection) -> bool:
        connection.execute(schema.CLEAR)
        self.view.clear()
        self._owed.clear()
        self._due.clear()
        with suppress(sqlite3.OperationalError):  # giving the space back can wait: another process is reading
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return True


def _replaced(change: Change) -> bytes | None:
    """The key whose row this was to replace or to delete."""
    if isinstance(change, Put):
        return None if change.only_new else change.entry.key
    return change
