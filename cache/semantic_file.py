"""The file of a semantic store with its view: built from the rows when it is opened, and kept in step with them."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adapters.vocabulary import Clock
from cache import disk_files as files
from cache import disk_schema
from cache import semantic_schema as schema
from cache.disk_file import SKEW, Followed
from cache.disk_schema import Damaged
from cache.semantic_schema import Question
from cache.semantic_view import View
from cache.vectors import all_sound, one_thread

log = logging.getLogger("warmgate.semantic")

AT_ONCE = 2048
"""Rows that are read at once when the view is built."""


class SemanticFile(Followed):
    """For one thread only, except for reading `view.holds`, the circuits and the counters."""

    def __init__(
        self,
        path: Path | None,
        embedder: str,
        dimension: int,
        max_size: int,
        max_bytes: int,
        clock: Clock,
        *,
        retry_after: float,
        busy: float,
        many: int,
        pragmas: files.Pragmas = schema.PRAGMAS,
    ) -> None:
        super().__init__(
            path,
            "semantic cache",
            "semantic_questions",
            clock,
            retry_after=retry_after,
            busy=busy,
            pragmas=pragmas,
            migrations=schema.MIGRATIONS,
            log=log,
        )
        self.dimension, self.max_size, self.max_bytes = dimension, max_size, max_bytes
        self.view = View(dimension, many)
        self.evictions = self.expirations = self.damaged_rows = 0
        self.identity = embedder
        self._number: int | None = None
        self._owed: dict[int, None] = {}  # rows that are gone for us, and still have to be deleted
        self._uses: dict[int, float] = {}  # when rows were used, not written yet

    def begin(self) -> None:
        """In the thread that will do everything else."""
        one_thread()
        self.notice()

    def notice(self) -> None:
        """Look what others did to the file: new rows, another file in its place. Opens it where that is due."""
        self._attempt(self.reads, self._notice, None)

    def work(self) -> bool:
        try:
            return self.view.work()
        except MemoryError:
            self.faults += 1
            self.view.idle()
            return False

    def _began(self, connection: sqlite3.Connection, *, same: bool) -> None:
        if not same:
            self._owed.clear()
            self._uses.clear()
        self._catch_up(connection)

    def _ended(self) -> None:
        super()._ended()
        self.view.clear()
        self._number = None

    def _scan(self, connection: sqlite3.Connection) -> None:
        """Note new rows."""
        ours = connection.execute("SELECT number, identity FROM semantic_embedders").fetchall()
        self._number = next((number for number, name in ours if name == self.identity.encode()), None)
        first, uses = not self.view, []
        cursor = connection.execute(schema.SELECT_NEWER, (self._seen,))
        while rows := cursor.fetchmany(AT_ONCE):
            self._seen = rows[-1][0]
            fresh = [row for row in rows if row[0] not in self.view.slots and row[0] not in self._owed]
            questions = [question for row in fresh if (question := self._sound(row)) is not None]
            uses += [(question.used, question.id) for question in questions] if first else []
            self._note(questions)
        self.view.order(id for _, id in sorted(uses))

    def _note(self, questions: list[Question]) -> None:
        searched: list[Question] = []
        for question in questions:
            ours = self._ours(question)
            if ours and not question.quarantined:
                searched.append(question)
            else:
                self.view.note(question.id, question.size, foreign=not (ours or question.quarantined))
        if not searched:
            return
        rows = schema.vectors_of([question.vector for question in searched], self.dimension)
        for place in np.flatnonzero(~all_sound(rows)).tolist():
            self.damaged_rows += 1
            self._owed[searched[place].id] = None
        scopes: dict[bytes, list[int]] = {}
        for place, question in enumerate(searched):
            if question.id not in self._owed:
                scopes.setdefault(question.scope, []).append(place)
        for scope, places in scopes.items():
            sizes = [(searched[place].id, searched[place].size) for place in places]
            self.view.add(scope, sizes, rows[places])

    def _questions(self, connection: sqlite3.Connection, ids: Iterable[int]) -> dict[int, Question]:
        """Those that are there and may be used. The others leave the view."""
        wanted = list(ids)
        found: dict[int, Question] = {}
        hidden = set()
        for piece in disk_schema.pieces(wanted):
            for row in connection.execute(schema.SELECT_QUESTIONS[len(piece)], piece).fetchall():
                question = self._sound(row)
                if question is not None and question.quarantined:
                    hidden.add(question.id)
                elif question is not None:
                    found[question.id] = question
        for id in wanted:
            if id in hidden:
                self.view.hide(id)  # by another process
            elif id not in found:
                self.view.drop(id)
        return found

    def _sound(self, row: Sequence[Any]) -> Question | None:
        """A row that can't be used is deleted with the next that is written."""
        try:
            question = schema.question_of(row)
        except Damaged:
            self.damaged_rows += 1
            self._owed[row[0]] = None
            return None
        if self._current(question):
            return question
        self.expirations += question.id in self.view.slots
        self._owed[question.id] = None
        return None

    def _ours(self, question: Question) -> bool:
        return question.embedder == self._number and len(question.vector) == self.dimension * 4

    def _current(self, question: Question) -> bool:
        now = self.clock()
        return question.expires_at > now and question.stored_at <= now + SKEW

    def _forget(self, id: int) -> None:
        """It is not found again, and deleted with the next that is written."""
        if self.view.drop(id) is not None:
            self._owed[id] = None
