"""What keeping track of entries takes: bytes for each, beside the entry itself; and a core's time for warming."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench_cache_orders import ORDERS
from bench_cache_simulated import MIDNIGHT, NEVER, ROOM, Clock, entry_of
from bench_table import aligned
from cachetools import TLRUCache

from cache.disk import Disk
from cache.entry import Entry
from cache.memory import Memory

BODY = 1_000
"""Bytes of an answer."""

TOGETHER = 256
TARGET = 0.10
NOTE = (
    f"bytes each, by tracemalloc; an entry is its object, its key and {BODY:,} bytes of an answer. Of levels\n"
    "it is all that there is beside the entries: tables, orders, deadlines; L2's entries themselves lie on disk."
)


def overhead(*, quick: bool) -> list[dict[str, Any]]:
    """One row for each thing that is kept beside entries: bytes for one entry, its own and of the entry."""
    return asyncio.run(_memory(2_000 if quick else 10_000))


async def _memory(count: int) -> list[dict[str, Any]]:
    clock = Clock()
    entries, each = await _held(lambda: _entries(count))
    rows = []

    async def row(what: str, make: Callable[[], Awaitable[Any]]) -> None:
        _, held = await _held(make)
        rows.append({"what": what, "entries": count, "tracking": held / count, "entry": each / count})

    async def table() -> dict[bytes, Entry]:
        return {entry.key: entry for entry in entries}

    await row("a bare dict", table)

    async def timed() -> TLRUCache[bytes, Entry]:
        kept: TLRUCache[bytes, Entry] = TLRUCache(
            count, lambda _, entry, now: min(now + NEVER, entry.expires_at), clock
        )
        for entry in entries:
            kept[entry.key] = entry
        return kept

    await row("cachetools.TLRUCache", timed)
    for order in ORDERS:

        async def memory(order: Any = order) -> Memory:
            kept = Memory(count, ROOM, NEVER, clock, eviction=order)
            for entry in entries:
                kept.put(entry)
            for entry in entries[::2]:
                kept.get(entry.key)
            return kept

        await row(f"L1, {order}", memory)
    for order in ORDERS:
        with TemporaryDirectory(prefix="warmgate-bench-") as folder:

            def disk(order: Any = order, path: Path = Path(folder) / "l2.sqlite") -> Disk:
                return Disk(path, count, ROOM, NEVER, clock, patience=60.0, eviction=order)

            await _fill(disk(), entries)
            again = disk()
            await row(f"L2, {order}", again.open)
            await again.close()
    return rows


async def _entries(count: int) -> list[Entry]:
    """Each with a body of its own."""
    whole = [entry_of(number, MIDNIGHT, NEVER) for number in range(count)]
    return [replace(entry, body=bytes(BODY)) for entry in whole]


async def _fill(disk: Disk, entries: list[Entry]) -> None:
    await disk.open()
    for start in range(0, len(entries), TOGETHER):
        await asyncio.gather(*map(disk.put, entries[start : start + TOGETHER]))
    await disk.close()


async def _held(make: Callable[[], Awaitable[Any]]) -> tuple[Any, int]:
    """What was made, and the bytes that it holds on to."""
    gc.collect()
    tracemalloc.start()
    try:
        made = await make()
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return made, held


def overhead_table(rows: list[dict[str, Any]]) -> str:
    lines = [("kept beside entries", "entries", "bytes each", "bytes of the entry", "share", "target", "")]
    for row in rows:
        share = row["tracking"] / row["entry"]
        told = "met" if share < TARGET else "MISSED"
        figures = (f"{row['entries']:,}", f"{row['tracking']:.0f}", f"{row['entry']:.0f}", f"{share:.1%}")
        lines.append((row["what"], *figures, f"{TARGET:.0%}", told))
    return f"{aligned(lines)}\n{NOTE}"
