"""Hits of each order of eviction on the same traces, against the most that were possible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench_cache_optimum import optimum
from bench_cache_simulated import NEVER, ROOM, Clock, entry_of, key_of
from bench_cache_traces import Trace
from bench_table import aligned

from cache.level import Eviction
from cache.memory import Memory

ORDERS: tuple[Eviction, ...] = ("lru", "lfu", "fifo", "ttl")
SHARES = (0.01, 0.05, 0.2)
"""Sizes of the cache, as shares of the keys of the trace."""

NOTE = (
    "Hit rates of L1 alone (cache.memory.Memory) with so many entries and endless time to live; every miss is kept.\n"
    "repeats: an endless cache. optimum: who is needed again last goes (Belady), and what has just come may go too.\n"
    "of it: the best of the four as a share of the optimum. ttl, with one time for all, goes by the time of keeping."
)


def orders(traces: Sequence[Trace], shares: Sequence[float] = SHARES) -> list[dict[str, Any]]:
    """One row for each trace and size; hit rates from 0 to 1."""
    rows = []
    for trace in traces:
        count, keys = len(trace.keys), len(set(trace.keys))
        for share in shares:
            size = max(10, int(keys * share))
            row: dict[str, Any] = {"trace": trace.name, "size": size, "share": share, "repeats": trace.repeats}
            row["optimum"] = optimum(trace.keys, size) / count
            rows.append(row | {order: hits(trace, size, order) / count for order in ORDERS})
    return rows


def hits(trace: Trace, size: int, order: Eviction) -> int:
    clock = Clock()
    memory = Memory(size, ROOM, NEVER, clock, eviction=order)
    for key, time in zip(trace.keys, trace.times, strict=True):
        clock.to(time)
        if memory.get(key_of(key)) is None:
            memory.put(entry_of(key, clock(), NEVER))
    return memory.hits


def orders_table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [("trace", "entries", "of keys", "repeats", "optimum", *ORDERS, "of it")]
    for row in rows:
        rates = [f"{row[name]:.1%}" for name in ("repeats", "optimum", *ORDERS)]
        best = max(row[order] for order in ORDERS) / row["optimum"] if row["optimum"] else 1.0
        lines.append((row["trace"], f"{row['size']:,}", f"{row['share']:.0%}", *rates, f"{best:.0%}"))
    return f"{aligned(lines)}\n{NOTE}"
