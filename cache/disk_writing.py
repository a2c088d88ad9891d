"""What is written in one transaction, and what the view has to follow when it is committed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence, Set
from typing import Any, NamedTuple

from cache import disk_schema as schema
from cache.disk_view import Row, View
from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.level import Valid, always

EXPIRED_PER_WRITE = 16
"""Expired rows that one write deletes at most; of rows above the budgets as many more as it adds."""


class Put(NamedTuple):
    """An entry to keep, if `valid` says in the transaction that it may be; `only_new`: unless a fresh one is there."""

    entry: Entry
    valid: Valid = always
    only_new: bool = False

    @property
    def asks(self) -> bool:
        return self.only_new or self.valid is not always


Change = Put | bytes
"""What is to be written: an entry, or the key of one that is to go."""

Ready = tuple[Change, schema.Row | None]
"""With its row: None for a key, and for an entry that can't be kept."""


class Writing:
    """Raises `sqlite3.Error`. Nothing is changed in the view until `follow`; where it fails, the view takes its victims
    `back`. `owed` are rows that are forgotten and wait to be deleted."""

    def __init__(self, connection: sqlite3.Connection, view: View, owed: Set[int], now: float) -> None:
        self._connection, self._view, self._owed, self._now = connection, view, owed, now
        self._rows: dict[bytes, schema.Row] = {}
        self._gone: dict[bytes, None] = {}
        self._victims: list[Row] = []
        self._numbers: list[tuple[int, schema.Row]] = []
        self.dropped: list[Entry] = []
        """What was fresh among the victims, where anybody wants to know."""

    # What is asked for

    def begin(self) -> None:
        """From here on nobody else writes."""
        self._connection.execute("BEGIN IMMEDIATE")

    def invalidate(self, what: Invalidation) -> set[bytes]:
        """The keys of the rows that it covers, which are to go. The view has to know all rows."""
        known = self._view.covered(what, self._labelled(what.labels))
        self._gone.update(dict.fromkeys(known))
        return {key for _, key, _ in self._there(known)}

    def change(self, ready: Iterable[Ready]) -> list[bool]:
        """One after the other: whether an entry is kept, or was there."""
        ready = list(ready)
        news = [change.entry.key for change, _ in ready if isinstance(change, Put) and change.only_new]
        fresh = {key for seq, key, end in self._there(news) if seq not in self._owed and end > self._now}
        return [
            self._delete(change) if isinstance(change, bytes) else self._put(change, row, fresh)
            for change, row in ready
        ]

    def _delete(self, key: bytes) -> bool:
        known = key in self._rows or (key in self._view.slots and key not in self._gone)
        self._rows.pop(key, None)
        self._gone[key] = None
        return known

    def _put(self, put: Put, row: schema.Row | None, fresh: Set[bytes]) -> bool:
        key = put.entry.key
        if not put.valid():
            return False
        if put.only_new and (key in self._rows or (key in fresh and key not in self._gone)):
            return True
        if row is None:
            if not put.only_new and (key in self._rows or key in self._view.slots):
                self._delete(key)  # neither it nor what it replaces
            return False
        self._rows[key] = row
        self._gone.pop(key, None)
        return True

    def make_room(self, *, tell: bool) -> None:
        """Who has to go for what comes; `tell`: what is fresh among them is read first."""
        view = self._view
        leaving = {row for key in (*self._rows, *self._gone) if (row := view.slots.get(key)) is not None}
        coming = [(view.room.part(row[schema.NAMESPACE]), row[schema.SIZE]) for row in self._rows.values()]
        most = EXPIRED_PER_WRITE + len(coming)
        self._victims = view.victims(self._now, leaving, coming, expired=EXPIRED_PER_WRITE, most=most)
        if tell:
            seqs = [row.seq for row in self._victims if row.expires_at > self._now]
            self.dropped = list(self._entries(seqs))

    # Doing it

    def execute(self, owed: Sequence[int], *, begun: bool) -> None:
        """Deletes first, so that on a full disk expired rows make room for new ones."""
        seqs = [*[row.seq for row in self._victims], *owed]
        deletes: list[tuple[dict[int, str], Sequence[Any]]] = [
            (schema.DELETE_SEQS, seqs),
            (schema.DELETE_KEYS, list(self._gone)),
        ]
        plan = [(table[len(piece)], piece) for table, values in deletes for piece in schema.pieces(values)]
        inserts = list(schema.pieces(list(self._rows.values())))
        alone = not begun and len(plan) + len(inserts) == 1  # is a transaction by itself: two hand-overs less
        if not (begun or alone):
            self.begin()
        for statement, values in plan:
            self._connection.execute(statement, values)
        for piece in inserts:
            cursor = self._connection.execute(schema.INSERT[len(piece)], [value for row in piece for value in row])
            first = (cursor.lastrowid or 0) - len(piece) + 1  # one statement numbers its rows without a gap
            self._numbers += enumerate(piece, first)
        if not alone:
            self._connection.execute("COMMIT")

    def follow(self) -> list[Row]:
        """It is committed: change the view. The victims, as far as they were known."""
        view = self._view
        victims = view.gone(self._victims)
        for key in self._gone:
            view.drop(key)
        for seq, row in self._numbers:
            view.add(
                row[schema.KEY],
                seq,
                row[schema.EXPIRES_AT],
                row[schema.SIZE],
                row[schema.TENANT],
                row[schema.NAMESPACE],
            )
        return victims

    @property
    def numbers(self) -> tuple[int, int]:
        """Of the first row that was added, and of the last; 0 where there is none."""
        return (self._numbers[0][0], self._numbers[-1][0]) if self._numbers else (0, 0)

    # Looking

    def _there(self, keys: Sequence[bytes]) -> list[tuple[int, bytes, float]]:
        """Number, key and end of the rows that there are."""
        select = schema.SELECT_THERE
        rows = [row for piece in schema.pieces(keys) for row in self._connection.execute(select[len(piece)], piece)]
        return [row for row in rows if isinstance(row[2], float)]

    def _entries(self, seqs: Sequence[int]) -> Iterable[Entry]:
        for piece in schema.pieces(seqs):
            for row in self._connection.execute(schema.SELECT_SEQS[len(piece)], piece).fetchall():
                entry = schema.sound(row)
                if entry is not None:
                    yield entry

    def _labelled(self, labels: Sequence[str]) -> list[bytes]:
        """The keys of rows with any of these."""
        wanted = [text for label in labels if (text := schema.line_of(label)) is not None]
        if len(wanted) <= schema.FEW[0]:
            found = [
                key
                for piece in schema.pieces(wanted, schema.FEW)
                for (key,) in self._connection.execute(schema.SELECT_LABELLED[len(piece)], piece)
            ]
        else:
            lines = {line.strip("\n").encode() for line in wanted}
            rows = self._connection.execute(schema.SELECT_LABELS, (0,))
            found = [
                key for _, key, text in rows if isinstance(text, bytes) and not lines.isdisjoint(text.split(b"\n"))
            ]
        return found
