"""What the store of the semantic cache writes: its tables, its statements, and a question as a row and back.

A question and its answer are two rows of one number: all vectors are read at the start, and no answer then. Rows are
replaced, never updated, but for what is learned and counted of them; numbers only ever grow (AUTOINCREMENT), so "what
is new" is `id > the last one seen`, also for what other processes wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from math import isfinite
from typing import Any, NamedTuple

import msgspec
import numpy as np

from adapters.embedder import Matrix
from cache.disk_schema import FEW, SIZES, Damaged
from cache.disk_schema import WHOLE as ANSWER
from cache.near import Judgement, Kept, Observed

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE semantic_embedders (number INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE);
    CREATE TABLE semantic_questions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        scope BLOB NOT NULL,
        key BLOB NOT NULL,
        tenant TEXT NOT NULL,
        route TEXT NOT NULL,
        embedder INTEGER NOT NULL,
        stored_at REAL NOT NULL,
        expires_at REAL NOT NULL,
        size INTEGER NOT NULL,
        vector BLOB NOT NULL,
        text TEXT NOT NULL,
        checksum BLOB NOT NULL,
        used REAL NOT NULL,
        quarantined INTEGER NOT NULL,
        observed BLOB NOT NULL,
        UNIQUE (scope, key)
    );
    CREATE INDEX semantic_questions_end ON semantic_questions (expires_at);
    CREATE TABLE semantic_answers (
        id INTEGER PRIMARY KEY,
        key BLOB NOT NULL,
        tenant TEXT NOT NULL,
        namespace TEXT NOT NULL,
        model TEXT NOT NULL,
        shape TEXT NOT NULL,
        status INTEGER NOT NULL,
        headers TEXT NOT NULL,
        with_usage INTEGER NOT NULL,
        usage TEXT,
        cost REAL,
        stored_at REAL NOT NULL,
        expires_at REAL NOT NULL,
        size INTEGER NOT NULL,
        checksum BLOB NOT NULL,
        body BLOB NOT NULL
    );
    CREATE TRIGGER semantic_questions_gone AFTER DELETE ON semantic_questions
    BEGIN DELETE FROM semantic_answers WHERE id = OLD.id; END;
    CREATE TABLE semantic_judgements (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        route TEXT NOT NULL,
        mode TEXT NOT NULL,
        entry INTEGER NOT NULL,
        similarity REAL NOT NULL,
        score REAL,
        correct INTEGER,
        how TEXT NOT NULL
    );
    CREATE TABLE semantic_tallies (route TEXT PRIMARY KEY, lookups INTEGER NOT NULL, hits INTEGER NOT NULL)
    """,
    """
    ALTER TABLE semantic_answers ADD COLUMN labels TEXT NOT NULL DEFAULT '';
    ALTER TABLE semantic_answers ADD COLUMN took REAL NOT NULL DEFAULT 0.0;
    CREATE INDEX semantic_answers_labelled ON semantic_answers (id, tenant, labels) WHERE labels <> '';
    CREATE INDEX semantic_answers_namespace ON semantic_answers (namespace, tenant);
    CREATE INDEX semantic_questions_key ON semantic_questions (key, tenant)
    """,
)
"""Scripts, in order, as `cache.disk_schema.MIGRATIONS`. Only ever append."""

PRAGMAS: tuple[tuple[str, str | int], ...] = (
    ("page_size", 8192),  # five vectors of 384 numbers with their texts; a page of 4,096 bytes holds two
    ("journal_mode", "WAL"),
    ("synchronous", "NORMAL"),  # a crash of the process loses nothing; one of the machine may lose the last commits
    ("journal_size_limit", 16 * 1024 * 1024),
    ("temp_store", "MEMORY"),
)

OBSERVED = 64
"""Observations of one entry that are kept, the latest."""

JUDGEMENTS = 50_000
"""Judgements that are kept, the latest: about 8 MB."""

QUESTION = (
    "scope, key, tenant, route, embedder, stored_at, expires_at, size, vector, text, checksum, used, quarantined,"
    " observed"
)
SIZE = 7
"""Where in a row."""


def _marks(count: int) -> str:
    return ",".join("?" * count)


INSERT_QUESTION = f"INSERT INTO semantic_questions ({QUESTION}) VALUES ({_marks(QUESTION.count(',') + 1)})"
INSERT_ANSWER = f"INSERT INTO semantic_answers (id, {ANSWER}) VALUES ({_marks(2 + ANSWER.count(','))})"
SELECT_QUESTIONS = {n: f"SELECT id, {QUESTION} FROM semantic_questions WHERE id IN ({_marks(n)})" for n in SIZES}
SELECT_NEWER = f"SELECT id, {QUESTION} FROM semantic_questions WHERE id > ? ORDER BY id"
SELECT_ANSWER = f"SELECT {ANSWER} FROM semantic_answers WHERE id = ?"
_OF = "(?1 IS NULL OR tenant = ?1)"
"""These are asked with the tenant first, None for all."""
SELECT_KEYS = {n: f"SELECT id FROM semantic_questions WHERE {_OF} AND key IN ({_marks(n)})" for n in SIZES}
SELECT_NAMESPACE = f"SELECT id FROM semantic_answers WHERE {_OF} AND namespace = ?"
SELECT_LABELLED = {
    n: f"SELECT id FROM semantic_answers INDEXED BY semantic_answers_labelled WHERE labels <> '' AND {_OF} AND ("
    + " OR ".join(["instr(labels, ?)"] * n)
    + ")"
    for n in FEW
}
"""Of labels as `cache.disk_schema.line_of` writes them. For more it is quicker to look at all that there are."""
SELECT_LABELS = (
    f"SELECT id, labels FROM semantic_answers INDEXED BY semantic_answers_labelled WHERE labels <> '' AND {_OF}"
)
SELECT_SAME = "SELECT id FROM semantic_questions WHERE scope = ? AND key = ?"
SELECT_EXPIRED = "SELECT id FROM semantic_questions WHERE expires_at <= ? ORDER BY expires_at LIMIT ?"
DELETE_ANSWERS = {n: f"DELETE FROM semantic_answers WHERE id IN ({_marks(n)})" for n in SIZES}
DELETE = {n: f"DELETE FROM semantic_questions WHERE id IN ({_marks(n)})" for n in SIZES}

INSERT_JUDGEMENT = (
    f"INSERT INTO semantic_judgements (at, route, mode, entry, similarity, score, correct, how) VALUES ({_marks(8)})"
)
FORGET_JUDGEMENTS = "DELETE FROM semantic_judgements WHERE id <= ?"
SELECT_JUDGEMENTS = (
    "SELECT at, route, mode, entry, similarity, score, correct, how FROM semantic_judgements WHERE at >= ? ORDER BY id"
)
ADD_TALLY = (
    "INSERT INTO semantic_tallies (route, lookups, hits) VALUES (?, ?, ?) ON CONFLICT (route)"
    " DO UPDATE SET lookups = lookups + excluded.lookups, hits = hits + excluded.hits"
)
SELECT_TALLIES = "SELECT route, lookups, hits FROM semantic_tallies"

_observed = msgspec.json.Decoder(Observed)
_encode = msgspec.json.Encoder().encode

NOTHING_OBSERVED = b"[]"


class Question(NamedTuple):
    """A row, as it was written. The vector is in bytes: `vectors_of`."""

    id: int
    scope: bytes
    key: bytes
    tenant: str
    route: str
    embedder: int
    """Its number in `semantic_embedders`."""
    stored_at: float
    expires_at: float
    size: int
    vector: bytes
    text: str
    used: float
    quarantined: bool
    observed: bytes


def question_row(kept: Kept, vector: Matrix, embedder: int, expires_at: float, now: float) -> tuple[Any, ...]:
    """The values of `QUESTION`. Raises ValueError for what SQLite can't hold (lone surrogates, NaN)."""
    entry = kept.entry
    if not isfinite(entry.stored_at):
        raise ValueError("a number is not finite")
    blob, texts = vector_bytes(vector), [kept.entry.tenant, kept.route]
    size = entry.size + len(blob) + len(kept.text.encode())
    times = [float(entry.stored_at) + 0.0, float(expires_at) + 0.0]
    facts = [kept.scope, entry.key, *[t.encode() for t in texts], embedder, *times, size, blob, kept.text.encode()]
    row = (kept.scope, entry.key, *texts, embedder, *times, size, blob, kept.text)
    return (*row, checksum(facts), now, 0, NOTHING_OBSERVED)


def question_of(row: Sequence[Any]) -> Question:
    """The question of a row whose texts were read as bytes. Raises `Damaged`."""
    id, *facts, claimed, used, quarantined, observed = row
    if checksum(facts) != claimed:
        raise Damaged("checksum does not match")
    scope, key, tenant, route, embedder, stored_at, expires_at, size, vector, text = facts
    try:
        words = (tenant.decode(), route.decode())
        return Question(
            int(id),
            scope,
            key,
            *words,
            embedder,
            stored_at,
            expires_at,
            size,
            vector,
            text.decode(),
            used if isinstance(used, float) else 0.0,
            quarantined != 0,
            observed if isinstance(observed, bytes) else NOTHING_OBSERVED,
        )
    except (AttributeError, TypeError, ValueError) as error:  # whatever was written had another type
        raise Damaged(f"unreadable: {error}") from error


def checksum(facts: Sequence[Any]) -> bytes:
    """16 bytes over the facts, whose encoding carries its own lengths."""
    return blake2b(msgspec.msgpack.encode(facts), digest_size=16).digest()


def vector_bytes(vector: Matrix) -> bytes:
    return vector.astype("<f4").tobytes()


def vectors_of(blobs: Sequence[bytes], dimension: int) -> Matrix:
    """(blobs, dimension), of blobs that all have the right length."""
    return np.frombuffer(b"".join(blobs), dtype="<f4").astype(np.float32, copy=False).reshape(len(blobs), dimension)


def observed_of(blob: bytes) -> Observed:
    """What is no longer what was written was never learned."""
    try:
        return _observed.decode(blob)
    except msgspec.DecodeError:
        return ()


def observed_and(blob: bytes, similarity: float, correct: bool) -> bytes:
    return _encode((*observed_of(blob), (similarity, correct))[-OBSERVED:])


def judgement_row(judgement: Judgement) -> tuple[Any, ...]:
    """Raises ValueError or OverflowError for what SQLite can't hold."""
    numbers = (judgement.at, judgement.similarity, *(() if judgement.score is None else (judgement.score,)))
    if not all(map(isfinite, numbers)) or not -(2**63) <= judgement.entry < 2**63:
        raise ValueError("a number that can't be kept")
    for text in (judgement.route, judgement.mode, judgement.how):
        text.encode()
    return tuple(judgement)


def judgement_of(row: Sequence[Any]) -> Judgement | None:
    """None for a row that is not what was written."""
    at, route, mode, entry, similarity, score, correct, how = row
    try:
        words = (route.decode(), mode.decode(), how.decode())
        told = None if correct is None else bool(correct)
        numbers = (float(at), float(similarity), None if score is None else float(score))
        return Judgement(numbers[0], words[0], words[1], int(entry), numbers[1], numbers[2], told, words[2])
    except (AttributeError, TypeError, ValueError):
        return None
