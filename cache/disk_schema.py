"""What the disk store writes: its tables, its statements, and one entry as a row and back.

Rows are replaced, never updated, and `seq` only ever grows (AUTOINCREMENT: without it SQLite gives the number of a
deleted last row away again), so "what is new" is `seq > the last one seen`, also for what other processes wrote.
The body comes last in the row, so that reading the facts alone does not walk through its overflow pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from math import isfinite
from typing import Any

import msgspec

from adapters.usage import Usage
from cache.entry import OVERHEAD, Entry, Shape

APPLICATION_ID = 0x57524D47
"""`PRAGMA application_id`: tells our files from other people's databases, which are never touched."""

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE entries (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        key BLOB NOT NULL UNIQUE,
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
    )
    """,
)
"""Scripts, in order; `PRAGMA user_version` says how many of them a file has seen. Only ever append."""

PRAGMAS: tuple[tuple[str, str | int], ...] = (
    ("journal_mode", "WAL"),
    ("synchronous", "NORMAL"),  # a crash of the process loses nothing; one of the machine may lose the last commits
    ("journal_size_limit", 16 * 1024 * 1024),  # a WAL that once grew is cut back at the next checkpoint
    ("temp_store", "MEMORY"),
)

COLUMNS = (
    "key, tenant, namespace, model, shape, status, headers, with_usage, usage, cost, stored_at, expires_at, size,"
    " checksum, body"
)
WIDTH = COLUMNS.count(",") + 1
EXPIRES_AT, SIZE = 11, 12
"""Where in a row."""

SIZES = (64, 32, 16, 8, 4, 2, 1)
"""Rows per statement. Few distinct statements stay prepared, and each hands the interpreter lock over two or three
times however many rows it moves; `executemany` does so for every row (a tenth slower beside a busy event loop)."""


def _marks(count: int) -> str:
    return ",".join("?" * count)


INSERT = {
    n: f"INSERT OR REPLACE INTO entries ({COLUMNS}) VALUES " + ",".join([f"({_marks(WIDTH)})"] * n) for n in SIZES
}
SELECT = {n: f"SELECT {COLUMNS} FROM entries WHERE key IN ({_marks(n)})" for n in SIZES}
DELETE_KEYS = {n: f"DELETE FROM entries WHERE key IN ({_marks(n)})" for n in SIZES}
DELETE_SEQS = {n: f"DELETE FROM entries WHERE seq IN ({_marks(n)})" for n in SIZES}
SELECT_NEWER = f"SELECT seq, key, expires_at, length(body) + {OVERHEAD} FROM entries WHERE seq > ? ORDER BY seq"
"""The size is counted, not read: a damaged number must not empty the store. The length of a blob is in its header."""
SELECT_ALL = f"SELECT {COLUMNS}, seq FROM entries ORDER BY seq"
SELECT_TENANT = "SELECT key FROM entries WHERE tenant = ?"
CLEAR = "DELETE FROM entries"

Row = tuple[Any, ...]
_headers = msgspec.json.Decoder(tuple[tuple[str, str], ...])
_usage = msgspec.json.Decoder(Usage)


class Damaged(Exception):
    """A row that is not what was written."""


def pieces(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Cut into runs for which there are statements, the longest first."""
    start = 0
    for size in SIZES:
        while len(items) - start >= size:
            yield items[start : start + size]
            start += size


def row_of(entry: Entry, expires_at: float) -> Row:
    """The values of `COLUMNS`. Raises ValueError or OverflowError for what SQLite can't hold
    (lone surrogates, NaN)."""
    headers = msgspec.json.encode(entry.headers).decode()
    usage = None if entry.usage is None else msgspec.json.encode(entry.usage).decode()
    cost = None if entry.cost is None else float(entry.cost) + 0.0  # SQLite knows no -0.0, and NaN is NULL to it
    if not isfinite(entry.stored_at) or (cost is not None and not isfinite(cost)):
        raise ValueError("a number is not finite")
    texts = (entry.tenant, entry.namespace, entry.model, entry.shape.value)
    numbers = (float(entry.stored_at) + 0.0, float(expires_at) + 0.0, entry.size)
    rest = (headers, int(entry.with_usage), usage, cost, *numbers)
    plain = [None if usage is None else usage.encode(), cost, *numbers]
    facts = [entry.key, *[t.encode() for t in texts], entry.status, headers.encode(), int(entry.with_usage), *plain]
    return (entry.key, *texts, entry.status, *rest, checksum(facts, entry.body), entry.body)


def entry_of(row: Row) -> Entry:
    """The entry of a row whose texts were read as bytes. Raises `Damaged`."""
    *facts, claimed, body = row
    try:
        if checksum(facts, body) != claimed:
            raise Damaged("checksum does not match")
        key, tenant, namespace, model, shape, status, headers, with_usage, usage, cost, stored_at, expires_at, _ = facts
        return Entry(
            key=key,
            tenant=tenant.decode(),
            namespace=namespace.decode(),
            model=model.decode(),
            shape=Shape(shape.decode()),
            status=status,
            headers=_headers.decode(headers),
            body=body,
            with_usage=bool(with_usage),
            usage=None if usage is None else _usage.decode(usage),
            cost=cost,
            stored_at=stored_at,
            expires_at=expires_at,
        )
    except (TypeError, ValueError, AttributeError, msgspec.MsgspecError) as error:
        # A damaged record may hold any type in any column: SQLite checks them when they are written at most.
        raise Damaged(f"unreadable: {error}") from error


def checksum(facts: Sequence[Any], body: bytes) -> bytes:
    """16 bytes over the facts, whose encoding carries its own lengths, and the body."""
    digest = blake2b(msgspec.msgpack.encode(facts), digest_size=16)
    digest.update(body)
    return digest.digest()
