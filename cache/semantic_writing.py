"""What is written in one transaction, and what the view has to follow when it is committed."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from adapters.embedder import Matrix
from cache import disk_schema
from cache import semantic_schema as schema
from cache.invalidation import Invalidation
from cache.level import Valid, always
from cache.near import Kept, Tally
from cache.semantic_view import View

EXPIRED_PER_WRITE = 16
"""Expired rows that one transaction deletes at most; of rows above the budgets as many more as it adds."""


class Put(NamedTuple):
    """A question and its answer, ready to be written."""

    kept: Kept
    vector: Matrix
    answer: disk_schema.Row
    expires_at: float


class Writing:
    """Raises `sqlite3.Error`. Nothing is changed in the view until `follow`."""

    def __init__(self, connection: sqlite3.Connection, view: View, identity: str, now: float) -> None:
        self._connection, self._view, self._identity, self._now = connection, view, identity, now
        self.embedder: int | None = None
        """The number of our embedder, where it was asked for."""
        self.added: OrderedDict[int, tuple[bytes, int, Matrix]] = OrderedDict()
        """Scope, bytes and vector by id."""
        self.first = self.last = 0
        """Numbers of the rows that were added, also of those that went again."""
        self.covered = 0
        """Rows that the latest invalidation covered."""
        self.late = 0
        """Answers that were invalidated before they were written."""
        self.gone: dict[int, None] = {}
        self.hidden: dict[int, None] = {}
        self.expired: dict[int, None] = {}
        self.evicted: dict[int, None] = {}

    # What is asked for

    def put(self, put: Put, valid: Valid = always) -> int:
        """0 where it is not valid: asked here, in the transaction, so that who invalidates later finds the row."""
        if not valid():
            self.late += 1
            return 0
        for (id,) in self._rows(schema.SELECT_SAME, (put.kept.scope, put.kept.entry.key)):
            self.delete([id])
        return self._insert(put)

    def delete(self, ids: Iterable[int]) -> None:
        wanted = list(ids)
        for piece in disk_schema.pieces(wanted):
            self._connection.execute(schema.DELETE[len(piece)], piece)
        self.gone.update(dict.fromkeys(wanted))
        for id in wanted:
            self.added.pop(id, None)

    def delete_one(self, id: int, tenant: str | None) -> bool:
        there = self._rows("SELECT tenant FROM semantic_questions WHERE id = ?", (id,))
        if not there or (tenant is not None and there[0][0] != tenant.encode()):
            return False
        self.delete([id])
        return True

    def purge(self, scope: bytes | None, tenant: str | None) -> int:
        found = self._rows(
            "SELECT id FROM semantic_questions WHERE (?1 IS NULL OR scope = ?1) AND (?2 IS NULL OR tenant = ?2)"
            if scope is None
            else "SELECT id FROM semantic_questions WHERE scope = ?1 AND (?2 IS NULL OR tenant = ?2)",
            (scope, tenant),
        )
        self.delete(id for (id,) in found)
        return len(found)

    def invalidate(self, what: Invalidation) -> int:
        """Delete all that it covers; how many."""
        if what.everything:
            return self.purge(None, what.tenant)
        found: dict[int, None] = {}
        for piece in disk_schema.pieces(what.keys):
            found.update(self._ids(schema.SELECT_KEYS[len(piece)], what.tenant, piece))
        for namespace in what.namespaces:
            found.update(self._ids(schema.SELECT_NAMESPACE, what.tenant, (namespace,)))
        found.update(self._labelled(what))
        self.delete(found)
        return len(found)

    def quarantine(self, id: int) -> bool:
        done = self._connection.execute("UPDATE semantic_questions SET quarantined = 1 WHERE id = ?", (id,)).rowcount
        if done:
            self.hidden[id] = None
        return done > 0

    def observe(self, id: int, similarity: float, correct: bool) -> None:
        for (known,) in self._rows("SELECT observed FROM semantic_questions WHERE id = ?", (id,)):
            blob = schema.observed_and(known if isinstance(known, bytes) else b"", similarity, correct)
            self._connection.execute("UPDATE semantic_questions SET observed = ? WHERE id = ?", (blob, id))

    def judge(self, row: tuple[Any, ...]) -> None:
        done = self._connection.execute(schema.INSERT_JUDGEMENT, row)
        self._connection.execute(schema.FORGET_JUDGEMENTS, ((done.lastrowid or 0) - schema.JUDGEMENTS,))

    def tally(self, counted: Mapping[str, Tally]) -> None:
        for route, tally in counted.items():
            self._connection.execute(schema.ADD_TALLY, (route, *tally))

    def used(self, uses: Mapping[int, float]) -> None:
        for id, at in uses.items():
            self._connection.execute("UPDATE semantic_questions SET used = ? WHERE id = ?", (at, id))

    def reembed(self, vectors: Mapping[int, Matrix]) -> int:
        """Under new numbers, so that other processes notice. What was observed with other vectors is forgotten."""
        count = 0
        for id, vector in vectors.items():
            rows = self._rows(schema.SELECT_QUESTIONS[1], (id,))
            answers = self._rows(schema.SELECT_ANSWER, (id,))
            if rows and answers:
                count += self._again(rows[0], answers[0], vector)
        return count

    # What has to go

    def expire(self) -> None:
        """Before anything else, so that on a full disk expired rows make room for new ones."""
        found = self._rows(schema.SELECT_EXPIRED, (self._now, EXPIRED_PER_WRITE))
        self.expired = {id: None for (id,) in found if id not in self.gone}
        self.delete(self.expired)

    def evict(self, most_entries: int, most_bytes: int) -> None:
        """The longest unused, so many that the budgets hold, in bounded work."""
        view = self._view
        leaving = [view.slots[id].size for id in self.gone if id in view.slots]
        entries = len(view) - len(leaving) + len(self.added)
        size = view.bytes - sum(leaving) + sum(size for _, size, _ in self.added.values())
        victims: list[int] = []
        most = EXPIRED_PER_WRITE + len(self.added)
        for id, each in self._oldest():
            if (entries <= most_entries and size <= most_bytes) or len(victims) >= most:
                break
            if id not in self.gone:
                victims.append(id)
                entries, size = entries - 1, size - each
        self.delete(victims)
        self.evicted = dict.fromkeys(victims)

    def follow(self) -> None:
        """It is committed: change the view."""
        for id in self.gone:
            self._view.drop(id)
        for id in self.hidden:
            self._view.hide(id)
        for id, (scope, size, vector) in self.added.items():
            self._view.add(scope, [(id, size)], vector[None])

    def _labelled(self, what: Invalidation) -> dict[int, None]:
        lines = [line for label in what.labels if (line := disk_schema.line_of(label)) is not None]
        if len(lines) <= disk_schema.FEW[0]:
            found: dict[int, None] = {}
            for piece in disk_schema.pieces(lines, disk_schema.FEW):
                found.update(self._ids(schema.SELECT_LABELLED[len(piece)], what.tenant, piece))
            return found
        wanted = {line.strip("\n").encode() for line in lines}
        rows = self._rows(schema.SELECT_LABELS, (what.tenant,))
        # What is no text any more is damage, which is found when the row is used.
        return {id: None for id, held in rows if isinstance(held, bytes) and not wanted.isdisjoint(held.split(b"\n"))}

    def _ids(self, statement: str, tenant: str | None, values: Sequence[Any]) -> dict[int, None]:
        return {id: None for (id,) in self._rows(statement, (tenant, *values))}

    def _oldest(self) -> Iterable[tuple[int, int]]:
        for id, slot in self._view.slots.items():
            yield id, slot.size
        for id, (_, size, _) in list(self.added.items()):
            yield id, size

    def _insert(self, put: Put) -> int:
        row = schema.question_row(put.kept, put.vector, self._number(), put.expires_at, self._now)
        id = self._connection.execute(schema.INSERT_QUESTION, row).lastrowid or 0
        self._connection.execute(schema.INSERT_ANSWER, (id, *put.answer))
        self.first, self.last = self.first or id, id
        self.added[id] = (put.kept.scope, row[schema.SIZE], put.vector)
        return id

    def _again(self, row: tuple[Any, ...], answer: tuple[Any, ...], vector: Matrix) -> bool:
        with suppress(disk_schema.Damaged):
            question, entry = schema.question_of(row), disk_schema.entry_of(answer)
            self.delete([question.id])
            if question.quarantined or question.expires_at <= self._now:
                return False
            kept = Kept(question.scope, question.route, question.text, vector, entry)
            put = Put(kept, vector, disk_schema.row_of(entry, question.expires_at, whole=True), question.expires_at)
            self.used({self._insert(put): question.used})
            return True
        self.delete([row[0]])
        return False

    def _number(self) -> int:
        if self.embedder is None:
            self._connection.execute(
                "INSERT OR IGNORE INTO semantic_embedders (identity) VALUES (?)", (self._identity,)
            )
            ((self.embedder,),) = self._rows(
                "SELECT number FROM semantic_embedders WHERE identity = ?", (self._identity,)
            )
        return int(self.embedder or 0)

    def _rows(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values).fetchall()
