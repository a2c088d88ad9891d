"""A disk store verified against itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Set

from cache import disk_schema as schema
from cache.disk_view import Row, View


def verify(connection: sqlite3.Connection, view: View, owed: Set[int], *, shared: bool) -> list[str]:
    """What is wrong, one line each: pages and indexes of the file, checksums and sizes of rows, the view against them.

    `owed` are rows that are forgotten and wait to be deleted. In a `shared` file rows may vanish behind our back: the
    view is corrected then, and nothing is wrong. Reads the whole file. Raises `sqlite3.Error`.
    """
    told = [text.decode(errors="replace") for (text,) in connection.execute("PRAGMA integrity_check")]
    wrong = [text for text in told if text != "ok"]
    missing = dict(view.slots)
    for *row, seq in connection.execute(schema.SELECT_ALL):
        slot = missing.pop(row[0], None) if isinstance(row[0], bytes) else None
        if seq not in owed:
            wrong += [f"row {seq}: {fault}" for fault in _faults(tuple(row), seq, slot)]
    for key in missing:
        if shared:
            view.drop(key)
        else:
            wrong.append(f"{key.hex()}: in the index, but no row")
    if view.room.bytes != sum(slot.size for slot in view.slots.values()):
        wrong.append("the index has lost count of its bytes")
    return wrong


def _faults(row: schema.Row, seq: int, slot: Row | None) -> list[str]:
    try:
        entry = schema.entry_of(row)
    except schema.Damaged as damaged:
        return [str(damaged)]
    wrong = []
    if row[schema.SIZE] != entry.size:
        wrong.append(f"says {row[schema.SIZE]} bytes and has {entry.size}")
    told = None if slot is None else (slot.seq, slot.expires_at, slot.size, slot.tenant, slot.part.name)
    if told != (seq, entry.expires_at, entry.size, entry.tenant, entry.namespace):
        wrong.append(f"the index says {told}")
    return wrong
