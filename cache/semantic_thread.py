"""The turns of the thread that owns a semantic store: all that waits is done together.

Everything that is written in a turn is one transaction, everything looked for in one scope is one search, and the
texts of all that was found come in one query. Searches and changes of an index are never interleaved: there is no other
thread that touches one.
"""

from __future__ import annotations

from cache.disk_thread import Done, Op
from cache.semantic_rows import Deed, Rows


def turn(rows: Rows, ops: list[Op]) -> Done:
    """Do them, each with its result. Verbs: `near` (an `Ask`), `entry` (an id), `put` (a `Kept`, and
    whether it is still valid), `write` (a `Deed`),
    `call` (a function of the rows), which sees everything before it done, and nothing after it."""
    done: Done = []
    group: list[Op] = []
    for op in ops:
        if op.verb == "call":
            done += _group(rows, group)
            done.append((op, op.what(rows)))
            group = []
        else:
            group.append(op)
    return done + _group(rows, group)


def _group(rows: Rows, ops: list[Op]) -> Done:
    """Writes first, in their order; what was asked for meanwhile may see them."""
    done: Done = []
    writes: list[Op] = []
    deeds: list[Deed] = []
    for op in ops:
        deed = op.what if op.verb == "write" else _put(rows, op) if op.verb == "put" else None
        if deed is not None:
            writes.append(op)
            deeds.append(deed)
        elif op.verb == "put":
            done.append((op, op.otherwise))
    if deeds:
        done += zip(writes, rows.write(deeds), strict=True)
    searches = [op for op in ops if op.verb == "near"]
    if searches:
        done += zip(searches, rows.find([op.what for op in searches]), strict=True)
    return done + [(op, rows.answer(op.what)) for op in ops if op.verb == "entry"]


def _put(rows: Rows, op: Op) -> Deed | None:
    kept, valid = op.what
    put = rows.ready(kept)
    return None if put is None else Deed(lambda writing: writing.put(put, valid), op.otherwise)
