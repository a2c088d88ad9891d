"""What the thread that owns a semantic store does. Synchronous, and never raises what a disk can do.

Theory of operation. The rows are the truth, the `View` with its FAISS indexes follows them: it is built from them when
the file is opened, and changed after each commit and nowhere else. A row that turns out to be damaged, too old, or
deleted by another process leaves the view when it is met, and the search is made again without it.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from adapters.embedder import Matrix
from cache import disk_schema
from cache import semantic_schema as schema
from cache.disk_schema import Damaged
from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.near import Judgement, Kept, Near, Tally
from cache.semantic_check import verify
from cache.semantic_file import SemanticFile, log
from cache.semantic_schema import Question
from cache.semantic_writing import Put, Writing
from cache.vectors import Found, sound

OWED_PER_WRITE = 64
USES_PER_WRITE = 64

DUE = 100
"""Invalidations that are remembered while they can't be done; of more, everything is invalid."""


class Ask(NamedTuple):
    scope: bytes
    vector: Matrix
    k: int


class Deed(NamedTuple):
    """Something to write."""

    do: Callable[[Writing], Any]
    otherwise: Any = None
    """The result where it can't be done."""
    hide: int = 0
    """A row that is not found again even then."""


class Rows(SemanticFile):
    """For one thread only, except for reading `view.holds`, the circuits and the counters, and for adding to
    `counting`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.counting: deque[tuple[str, Tally]] = deque()
        """Routes and what to add to their sums; added by the event loop, taken out here."""
        self._counted: dict[str, Tally] = {}
        self._due: list[Invalidation] = []
        """What has to be deleted before anything else is written, and is not served until then."""
        self.late = 0
        """Answers that were invalidated before they were written."""

    def find(self, asks: Sequence[Ask]) -> list[list[Near]]:
        """For each the most similar that may be served."""
        nothing: list[list[Near]] = [[] for _ in asks]
        return self._attempt(self.reads, lambda connection: self._find(connection, asks), nothing)

    def answer(self, id: int) -> Entry | None:
        return self._attempt(self.reads, lambda connection: self._answer(connection, id), None)

    def write(self, deeds: Sequence[Deed]) -> list[Any]:
        """All of them in one transaction; the result of each."""
        done = self._attempt(self.writes, lambda connection: self._write(connection, deeds), None)
        if done is None:
            for deed in deeds:
                if deed.hide:
                    self._forget(deed.hide)
            return [deed.otherwise for deed in deeds]
        return done

    def invalidate(self, what: Invalidation) -> int | None:
        """How many rows it covered, which are deleted. None where that failed: they are not served, and deleted before
        anything else is written."""
        self._due = [*self._due, what] if len(self._due) < DUE else [Invalidation(everything=True)]
        count: int | None = self.write([Deed(lambda writing: writing.covered)])[0]
        return count

    def ready(self, kept: Kept) -> Put | None:
        """None for what can't be kept: over the budgets by itself, expired, of another dimension, no vector of length
        1, or no text that SQLite can hold."""
        vector, entry = sound(kept.vector, self.dimension), kept.entry
        if vector is None or self.max_size < 1 or not self.clock() < entry.expires_at:
            return None
        try:
            put = Put(kept, vector, disk_schema.row_of(entry, entry.expires_at, whole=True), entry.expires_at)
            row = schema.question_row(kept, vector, 0, entry.expires_at, self.clock())
        except (ValueError, OverflowError) as error:
            log.warning("an answer of model %r can't be kept: %s", entry.model, error)
            return None
        return put if row[schema.SIZE] <= self.max_bytes else None

    def stale(self, limit: int) -> list[tuple[int, str]]:
        """Rows with the vector of another embedder: id and text."""
        nothing: dict[int, Question] = {}
        ids = list(self.view.foreign)[:limit]
        found = self._attempt(self.reads, lambda connection: self._questions(connection, ids), nothing)
        return [(id, question.text) for id, question in found.items() if not question.quarantined]

    def judgements(self, since: float) -> list[Judgement]:
        nothing: list[tuple[Any, ...]] = []
        rows = self._attempt(self.reads, lambda c: c.execute(schema.SELECT_JUDGEMENTS, (since,)).fetchall(), nothing)
        told = [schema.judgement_of(row) for row in rows]
        self.damaged_rows += told.count(None)
        return [judgement for judgement in told if judgement is not None]

    def tallies(self) -> dict[str, Tally]:
        """What is written, and what is counted here and not written yet."""
        self.settle()
        nothing: list[tuple[Any, ...]] = []
        rows = self._attempt(self.reads, lambda c: c.execute(schema.SELECT_TALLIES).fetchall(), nothing)
        told = {
            route.decode(errors="replace"): Tally(lookups, hits)
            for route, lookups, hits in rows
            if isinstance(route, bytes) and isinstance(lookups, int) and isinstance(hits, int)
        }
        for route, tally in self._counted.items():
            _add(told, route, tally)
        return told

    def work(self) -> bool:
        self._gather()
        return super().work()

    def settle(self) -> None:
        """Write what can wait: uses, counts, and deletions that are owed."""
        left = self._left()
        while left:
            self.write([])
            before, left = left, self._left()
            if left >= before:
                return

    def _left(self) -> int:
        self._gather()
        return len(self._owed) + len(self._uses) + len(self._counted) + len(self._due)

    def _gather(self) -> None:
        """What the event loop has counted meanwhile, a sum for each route."""
        while self.counting:
            _add(self._counted, *self.counting.popleft())

    def check(self, *, mend: bool) -> list[str]:
        failed = [f"{self._what} cannot be read"]
        return self._attempt(self.reads, lambda connection: self._check(connection, mend), failed)

    def _find(self, connection: sqlite3.Connection, asks: Sequence[Ask]) -> list[list[Near]]:
        results: list[list[Near]] = [[] for _ in asks]
        waiting = list(range(len(asks)))
        wider = 1
        while waiting:
            found = self._search(asks, waiting, wider)
            ids = dict.fromkeys(id for each in found.values() for _, id in each)
            questions = self._questions(connection, ids)
            again = []
            for at in waiting:
                fine = [(similarity, questions[id]) for similarity, id in found[at] if id in questions]
                results[at] = [_near(question, similarity) for similarity, question in fine[: asks[at].k]]
                if len(fine) < asks[at].k and len(found[at]) >= asks[at].k * wider:
                    again.append(at)  # some could not be used, and there may be more
            waiting, wider = again, wider * 4
        return results

    def _search(self, asks: Sequence[Ask], waiting: Iterable[int], wider: int) -> dict[int, Found]:
        """All of one scope at once."""
        scopes: dict[bytes, list[int]] = {}
        for at in waiting:
            scopes.setdefault(asks[at].scope, []).append(at)
        found: dict[int, Found] = {}
        for scope, places in scopes.items():
            queries = np.stack([asks[at].vector for at in places])
            most = max(asks[at].k for at in places)
            found |= zip(places, self.view.search(scope, queries, most * wider), strict=True)
        return found

    def _answer(self, connection: sqlite3.Connection, id: int) -> Entry | None:
        question = self._questions(connection, [id]).get(id)
        if question is None:
            return None
        rows = connection.execute(schema.SELECT_ANSWER, (id,)).fetchall()
        try:
            entry = disk_schema.entry_of(rows[0]) if rows else None
        except Damaged:
            entry = None
        if entry is None or (entry.key, entry.tenant) != (question.key, question.tenant):
            self.damaged_rows += 1
            self._forget(id)
            return None
        if any(what.covers(entry) for what in self._due):
            return None
        self.view.use(id)
        self._uses[id] = self.clock()
        return entry

    def _write(self, connection: sqlite3.Connection, deeds: Sequence[Deed]) -> list[Any]:
        writing = Writing(connection, self.view, self.identity, self.clock())
        self._gather()
        owed, uses = list(self._owed)[:OWED_PER_WRITE], list(self._uses.items())[:USES_PER_WRITE]
        due = self._due
        connection.execute("BEGIN IMMEDIATE")
        try:
            for what in due:
                writing.covered = writing.invalidate(what)
            writing.delete(owed)
            writing.expire()
            results = [deed.do(writing) for deed in deeds]
            writing.used(dict(uses))
            writing.tally(self._counted)
            writing.evict(self.max_size, self.max_bytes)
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.rollback()
            raise
        self._counted.clear()
        self._due = []
        for id in owed:
            self._owed.pop(id, None)
        for id, at in uses:
            if self._uses.get(id) == at:
                del self._uses[id]
        self._follow(writing)
        return results

    def _follow(self, writing: Writing) -> None:
        self._number = writing.embedder or self._number
        self.expirations += len(writing.expired)
        self.evictions += len(writing.evicted)
        self.late += writing.late
        writing.follow()
        if writing.first == self._seen + 1:
            self._seen = writing.last  # nobody wrote between: these need not be scanned

    def _check(self, connection: sqlite3.Connection, mend: bool) -> list[str]:
        self._notice(connection)
        connection = self._connection or connection
        connection.execute("BEGIN")  # one state of the file for all that follows, whatever others write meanwhile
        try:
            self._scan(connection)
            if self._shared:
                self._forget_vanished(connection)
            findings = verify(connection, self.view, self._current, self._ours, self._owed.keys())
        finally:
            connection.rollback()
        if mend and findings.pages:
            self.close()
            with self._alone():
                self._aside("damaged", f"is damaged ({findings.pages[0]})")
            self._connected()
        elif mend and findings.all:
            self._mend(connection, findings.bad)
        return findings.all

    def _mend(self, connection: sqlite3.Connection, bad: list[int]) -> None:
        """Delete what is damaged, and build the view from the rows that are left."""
        connection.execute("BEGIN IMMEDIATE")
        for piece in disk_schema.pieces(bad):
            connection.execute(schema.DELETE[len(piece)], piece)
            connection.execute(schema.DELETE_ANSWERS[len(piece)], piece)
        connection.execute("COMMIT")
        self.view.clear()
        self._seen = 0
        self._scan(connection)

    def _forget_vanished(self, connection: sqlite3.Connection) -> None:
        """In a shared file rows go, or are quarantined, behind our back: nothing is wrong then."""
        there = dict(connection.execute("SELECT id, quarantined FROM semantic_questions").fetchall())
        for id in [id for id in self.view.slots if id not in there]:
            self.view.drop(id)
        for id in [id for id, quarantined in there.items() if quarantined]:
            self.view.hide(id)


def _add(sums: dict[str, Tally], route: str, tally: Tally) -> None:
    known = sums.get(route, Tally())
    sums[route] = Tally(known.lookups + tally.lookups, known.hits + tally.hits)


def _near(question: Question, similarity: float) -> Near:
    observed = schema.observed_of(question.observed)
    return Near(question.id, min(similarity, 1.0), question.text, question.stored_at, question.expires_at, observed)
