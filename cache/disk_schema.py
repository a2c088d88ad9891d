"""What the disk store writes: its tables, its statements, and one entry as a row and back.

Rows are replaced, never updated, and `seq` only ever grows (AUTOINCREMENT: without it SQLite gives the number of a
deleted last row away again), so "what is new" is `seq > the last one seen`, also for what other processes wrote.
The body comes behind the facts, so that reading these alone does not walk through its overflow pages. Labels came to
the table later and stand behind it; what is asked of them is answered by an index that holds them too, and of rows
without labels nothing.
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
    """
    ALTER TABLE entries ADD COLUMN labels TEXT NOT NULL DEFAULT '';
    ALTER TABLE entries ADD COLUMN took REAL NOT NULL DEFAULT 0.0;
    CREATE INDEX entries_labelled ON entries (seq, key, labels) WHERE labels <> ''
    """,
)
"""Scripts, in order; `PRAGMA user_version` says how many of them a file has seen. Only ever append."""

PRAGMAS: tuple[tuple[str, str | int], ...] = (
    ("journal_mode", "WAL"),
    ("synchronous", "NORMAL"),  # a crash of the process loses nothing; one of the machine may lose the last commits
    ("journal_size_limit", 16 * 1024 * 1024),  # a WAL that once grew is cut back at the next checkpoint
    ("temp_store", "MEMORY"),
)

FACTS = "key, tenant, namespace, model, shape, status, headers, with_usage, usage, cost, stored_at, expires_at, size"
COLUMNS = f"{FACTS}, checksum, body"
"""An answer, as other stores keep it too."""
WHOLE = f"{FACTS}, labels, took, checksum, body"
"""An entry with all there is to it."""
WIDTH = COLUMNS.count(",") + 1
KEY, TENANT, NAMESPACE, EXPIRES_AT, SIZE = 0, 1, 2, 11, 12
"""Where in a row of either kind."""

SIZES = (64, 32, 16, 8, 4, 2, 1)
"""Rows per statement. Few distinct statements stay prepared, and each hands the interpreter lock over two or three
times however many rows it moves; `executemany` does so for every row (a tenth slower beside a busy event loop)."""


def _marks(count: int) -> str:
    return ",".join("?" * count)


_WIDTH = WHOLE.count(",") + 1
INSERT = {n: f"INSERT OR REPLACE INTO entries ({WHOLE}) VALUES " + ",".join([f"({_marks(_WIDTH)})"] * n) for n in SIZES}
SELECT = {n: f"SELECT {WHOLE} FROM entries WHERE key IN ({_marks(n)})" for n in SIZES}
SELECT_SEQS = {n: f"SELECT {WHOLE} FROM entries WHERE seq IN ({_marks(n)})" for n in SIZES}
SELECT_THERE = {n: f"SELECT seq, key, expires_at FROM entries WHERE key IN ({_marks(n)})" for n in SIZES}
DELETE_KEYS = {n: f"DELETE FROM entries WHERE key IN ({_marks(n)})" for n in SIZES}
DELETE_SEQS = {n: f"DELETE FROM entries WHERE seq IN ({_marks(n)})" for n in SIZES}
SELECT_NEWER = (
    f"SELECT seq, key, expires_at, length(body) + {OVERHEAD}, tenant, namespace FROM entries WHERE seq > ? ORDER BY seq"
)
"""The size is counted, not read: a damaged number must not empty the store. The length of a blob is in its header; that
of the labels is to be added."""
SELECT_LABELS = "SELECT seq, key, labels FROM entries INDEXED BY entries_labelled WHERE labels <> '' AND seq > ?"
FEW = (8, 4, 2, 1)
"""Labels for which one statement looks at once. For more of them it is quicker to look at all rows here."""
SELECT_LABELLED = {
    n: "SELECT key FROM entries INDEXED BY entries_labelled WHERE labels <> '' AND ("
    + " OR ".join(["instr(labels, ?)"] * n)
    + ")"
    for n in FEW
}
SELECT_ALL = f"SELECT {WHOLE}, seq FROM entries ORDER BY seq"
CLEAR = "DELETE FROM entries"

Row = tuple[Any, ...]
_headers = msgspec.json.Decoder(tuple[tuple[str, str], ...])
_usage = msgspec.json.Decoder(Usage)
_PLAIN = FACTS.count(",") + 1


class Damaged(Exception):
    """A row that is not what was written."""


def pieces(items: Sequence[Any], sizes: Sequence[int] = SIZES) -> Iterator[Sequence[Any]]:
    """Cut into runs for which there are statements, the longest first."""
    start = 0
    for size in sizes:
        while len(items) - start >= size:
            yield items[start : start + size]
            start += size


def labels_text(labels: Sequence[str]) -> str:
    """One text in which each stands between two line ends, so that it can be looked for. Raises ValueError for labels
    that can't be told apart there."""
    if any(not label or "\n" in label or "\0" in label for label in labels):
        raise ValueError("a label is empty, or has a line end or a zero in it")
    return "\n".join(("", *labels, "")) if labels else ""


def line_of(label: str) -> str | None:
    """What `labels_text` holds where it holds this label; None for one that no row can have."""
    try:
        text = labels_text((label,))
        text.encode()
    except ValueError:
        return None
    return text


def labels_of(text: bytes) -> tuple[str, ...]:
    """Raises ValueError for what is no text."""
    return tuple(text.decode()[1:-1].split("\n")) if text else ()


def row_of(entry: Entry, expires_at: float, *, whole: bool = False) -> Row:
    """The values of `COLUMNS`, or of the `WHOLE`. Raises ValueError or OverflowError for what SQLite can't hold (lone
    surrogates, NaN)."""
    headers = msgspec.json.encode(entry.headers).decode()
    usage = None if entry.usage is None else msgspec.json.encode(entry.usage).decode()
    cost = None if entry.cost is None else float(entry.cost) + 0.0  # SQLite knows no -0.0, and NaN is NULL to it
    labels, took = labels_text(entry.labels), float(entry.took) + 0.0
    if not all(map(isfinite, (entry.stored_at, took, cost or 0.0))):
        raise ValueError("a number is not finite")
    texts = (entry.tenant, entry.namespace, entry.model, entry.shape.value)
    numbers = (float(entry.stored_at) + 0.0, float(expires_at) + 0.0, entry.size)
    rest = (headers, int(entry.with_usage), usage, cost, *numbers)
    plain = [None if usage is None else usage.encode(), cost, *numbers]
    facts = [entry.key, *[t.encode() for t in texts], entry.status, headers.encode(), int(entry.with_usage), *plain]
    more = (labels, took) if whole else ()
    digest = checksum(_covered([*facts, labels.encode(), took] if whole else facts), entry.body)
    return (entry.key, *texts, entry.status, *rest, *more, digest, entry.body)


def entry_of(row: Row) -> Entry:
    """The entry of a row of either kind whose texts were read as bytes. Raises `Damaged`."""
    *facts, claimed, body = row
    try:
        if checksum(_covered(facts), body) != claimed:
            raise Damaged("checksum does not match")
        key, *texts, status, headers, with_usage, usage, cost, stored_at, expires_at, _ = facts[:_PLAIN]
        tenant, namespace, model, shape = (text.decode() for text in texts)
        labels, took = facts[_PLAIN:] or (b"", 0.0)
        return Entry(
            key=key,
            tenant=tenant,
            namespace=namespace,
            model=model,
            shape=Shape(shape),
            status=status,
            headers=_headers.decode(headers),
            body=body,
            with_usage=bool(with_usage),
            usage=None if usage is None else _usage.decode(usage),
            cost=cost,
            stored_at=stored_at,
            expires_at=expires_at,
            labels=labels_of(labels),
            took=took,
        )
    except (TypeError, ValueError, AttributeError, msgspec.MsgspecError) as error:
        # A damaged record may hold any type in any column: SQLite checks them when they are written at most.
        raise Damaged(f"unreadable: {error}") from error


def sound(row: Row) -> Entry | None:
    """As `entry_of`; None for what is damaged."""
    try:
        return entry_of(row)
    except Damaged:
        return None


def _covered(facts: list[Any]) -> list[Any]:
    """What the checksum is over. A row without labels and `took` has that of the version that knew of neither."""
    return facts[:_PLAIN] if facts[_PLAIN:] == [b"", 0.0] else facts


def checksum(facts: Sequence[Any], body: bytes) -> bytes:
    """16 bytes over the facts, whose encoding carries its own lengths, and the body."""
    digest = blake2b(msgspec.msgpack.encode(facts), digest_size=16)
    digest.update(body)
    return digest.digest()
