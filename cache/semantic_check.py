"""A semantic store verified against itself: file, rows, slots, and the vectors in the indexes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence, Set
from typing import Any, NamedTuple

import numpy as np

from cache import disk_schema
from cache import semantic_schema as schema
from cache.disk_schema import Damaged
from cache.semantic_schema import Question
from cache.semantic_view import View
from cache.vectors import sound

ORPHANS = "SELECT id FROM semantic_answers WHERE id NOT IN (SELECT id FROM semantic_questions)"


class Findings(NamedTuple):
    pages: list[str]
    """What is wrong with the file itself."""
    rows: list[str]
    memory: list[str]
    """What the view says otherwise than the rows."""
    bad: list[int]
    """Rows that have to go."""

    @property
    def all(self) -> list[str]:
        return [*self.pages, *self.rows, *self.memory]


def verify(
    connection: sqlite3.Connection,
    view: View,
    current: Callable[[Question], bool],
    ours: Callable[[Question], bool],
    owed: Set[int],
) -> Findings:
    """Reads the whole file. `current`: whether a row may still be served; `ours`: whether it is of our embedder, so
    that it has to be found; `owed` are rows that are forgotten and wait to be deleted. Raises `sqlite3.Error`."""
    told = [text.decode(errors="replace") for (text,) in connection.execute("PRAGMA integrity_check")]
    findings = Findings([text for text in told if text != "ok"], [], [], [])
    missing = dict(view.slots)
    for row in connection.execute(schema.SELECT_NEWER, (0,)):
        missing.pop(row[0], None)
        if row[0] in owed:
            continue
        try:
            question = schema.question_of(row)
            faults = _faults(connection, question)
        except Damaged as damaged:
            faults = [str(damaged)]
        findings.rows.extend(f"row {row[0]}: {fault}" for fault in faults)
        if faults:
            findings.bad.append(row[0])
        elif current(question):
            findings.memory.extend(f"row {row[0]}: {fault}" for fault in _unlike(view, question, ours(question)))
    findings.memory.extend(f"{id}: in memory, but no row" for id in missing)
    for vectors in view.scopes.values():
        findings.memory.extend(vectors.wrong())
    if view.bytes != sum(slot.size for slot in view.slots.values()):
        findings.memory.append("the count of bytes is lost")
    for (id,) in connection.execute(ORPHANS).fetchall():
        findings.rows.append(f"answer {id}: to no question")
        findings.bad.append(id)
    return findings


def _faults(connection: sqlite3.Connection, question: Question) -> list[str]:
    """Of what is on the disk."""
    rows: list[Sequence[Any]] = connection.execute(schema.SELECT_ANSWER, (question.id,)).fetchall()
    if not rows:
        return ["no answer"]
    entry = disk_schema.entry_of(tuple(rows[0]))
    wrong = []
    if (entry.key, entry.tenant, entry.expires_at) != (question.key, question.tenant, question.expires_at):
        wrong.append("the answer is to another question")
    size = entry.size + len(question.vector) + len(question.text.encode())
    if question.size != size:
        wrong.append(f"says {question.size} bytes and has {size}")
    vector = np.frombuffer(question.vector, "<f4") if len(question.vector) % 4 == 0 else np.empty(0)
    if sound(vector, len(vector)) is None:
        wrong.append("no vector of length 1")
    return wrong


def _unlike(view: View, question: Question, ours: bool) -> list[str]:
    """How the view differs from a row."""
    slot = view.slots.get(question.id)
    if slot is None:
        return ["not in memory"]
    wrong = []
    if slot.size != question.size:
        wrong.append(f"{slot.size} bytes in memory, not {question.size}")
    searched = ours and not question.quarantined
    if (slot.place >= 0) != searched:
        wrong.append("not in the index" if searched else "in the index")
    elif searched and slot.scope != question.scope:
        wrong.append("in the index of another scope")
    elif searched:
        kept = schema.vectors_of([question.vector], len(question.vector) // 4)[0]
        if not np.array_equal(view.scopes[slot.scope].rows([slot])[0], kept):
            wrong.append("another vector in the index")
    if (question.id in view.foreign) != (not ours and not question.quarantined):
        wrong.append("of another embedder, and not noted")
    return wrong
