"""What keeping track takes: bytes for each entry, beside the entry itself, and the time of a core for warming."""

from __future__ import annotations

import asyncio
import gc
import statistics
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

from bench_cache_orders import ORDERS
from bench_cache_simulated import MIDNIGHT, NAMESPACE, NEVER, ROOM, TENANT, Clock, entry_of, key_of
from bench_cache_traces import flows, zipf
from bench_table import aligned
from cachetools import TLRUCache

from cache.disk import Disk
from cache.entry import Entry
from cache.level import Eviction
from cache.memory import Memory
from cache.promotion import Reads
from cache.tiers import Tiers
from warming.answers import CacheWarmer
from warming.answers_config import WarmingConfig
from warming.pattern_store import PatternStore
from warming.predictive import PredictiveCacheWarmer

BODY = 1_000
"""Bytes of an answer."""

TRACKED = 10_000
"""Entries, and keys; as many as L2 takes by default."""

RATE = 10.0
"""Accesses a second while warming is measured."""

TOGETHER = 256
MEMORY, CORE = 0.10, 0.01
"""Targets."""

NOTE = (
    f"bytes each, by tracemalloc; an entry is its object, its key and {BODY:,} bytes of an answer. Of levels it\n"
    "is all that there is beside the entries: tables, orders, deadlines; L2's entries themselves lie on disk. The\n"
    "target is for what is tracked for promotion and warming. Predictions are bounded by tenant, not by entry:\n"
    "500 patterns of each kind."
)
Make = Callable[[], Awaitable[Any]]


def overhead(*, quick: bool) -> dict[str, Any]:
    """`memory`: one row for each thing that is kept beside entries, in bytes for one entry, its own and of the entry.
    `warming`: seconds of CPU of a round of background warming and of noting an access."""
    return {
        "memory": asyncio.run(_memory(TRACKED, ORDERS[:1] if quick else ORDERS)),
        "warming": asyncio.run(_warming(3 if quick else 10)),
    }


async def _memory(count: int, orders: Sequence[Eviction]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory(prefix="warmgate-bench-") as folder:
        entries, each = await _held(partial(_entries, count))
        filled = await _on_disk(entries, "lru", Path(folder))
        for start in range(0, count, TOGETHER):
            await asyncio.gather(*map(filled.put, entries[start : start + TOGETHER]))
        await filled.close()
        for what, make in _kept(entries, Path(folder), orders):
            made, held = await _held(make)
            tracks = what.startswith("tracking")
            rows.append(
                {"what": what, "entries": count, "bytes": held / count, "entry": each / count, "tracks": tracks}
            )
            if isinstance(made, Disk):
                await made.close()
    every = sum(row["bytes"] for row in rows if row["tracks"])
    return [*rows, {**rows[-1], "what": "tracking in all", "bytes": every}]


def _kept(entries: list[Entry], folder: Path, orders: Sequence[Eviction]) -> Iterator[tuple[str, Make]]:
    yield "a bare dict", partial(_table, entries)
    yield "cachetools.TLRUCache", partial(_timed, entries)
    for order in orders:
        yield f"L1, {order}", partial(_in_memory, entries, order)
    for order in orders:
        yield f"L2, {order}", partial(_on_disk, entries, order, folder)
    yield "tracking: reads, for promotion", partial(_reads, entries)
    yield "tracking: accesses, for warming", partial(_accesses, entries)
    yield "tracking: sequences, for predictions", partial(_sequences, entries)


async def _entries(count: int) -> list[Entry]:
    """Each with a body of its own."""
    return [replace(entry_of(number, MIDNIGHT, NEVER), body=bytes(BODY)) for number in range(count)]


async def _table(entries: list[Entry]) -> dict[bytes, Entry]:
    return {entry.key: entry for entry in entries}


async def _timed(entries: list[Entry]) -> TLRUCache[bytes, Entry]:
    kept: TLRUCache[bytes, Entry] = TLRUCache(len(entries), lambda _, entry, __: entry.expires_at, Clock())
    for entry in entries:
        kept[entry.key] = entry
    return kept


async def _in_memory(entries: list[Entry], order: Eviction) -> Memory:
    kept = Memory(len(entries), ROOM, NEVER, Clock(), eviction=order)
    for entry in entries:
        kept.put(entry)
    for entry in entries[::2]:
        kept.get(entry.key)
    return kept


async def _on_disk(entries: list[Entry], order: Eviction, folder: Path) -> Disk:
    """What is measured is only what it reads when it opens a full file."""
    disk = Disk(folder / "l2.sqlite", len(entries), ROOM, NEVER, Clock(), patience=60.0, eviction=order)
    await disk.open()
    return disk


async def _reads(entries: list[Entry]) -> Reads:
    reads = Reads(3, len(entries))
    for entry in entries:
        reads.enough(entry.key)
    return reads


async def _accesses(entries: list[Entry]) -> CacheWarmer:
    warmer = CacheWarmer(_nowhere(), WarmingConfig(max_keys=len(entries)), clock=Clock())
    for entry in entries:
        warmer.record_access(entry.key, NAMESPACE, True, TENANT)
    return warmer


async def _sequences(entries: list[Entry]) -> PredictiveCacheWarmer:
    predictive = PredictiveCacheWarmer(_nowhere(), clock=Clock())
    for number in flows(len(entries), len(entries) // 10, 10, 1.0, 0.05, 1.0).keys:
        predictive.record_query(entries[number].key, user_id=TENANT)
        predictive.predict_next(entries[number].key, user_id=TENANT)
    return predictive


def _nowhere() -> Tiers:
    return Tiers(None, None, clock=Clock())


async def _held(make: Make) -> tuple[Any, int]:
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


async def _warming(rounds: int) -> dict[str, Any]:
    """Each round promotes all it may: L1's time is up since the last. CPU of all threads; serving is not in it."""
    config, clock = WarmingConfig(), Clock()
    with TemporaryDirectory(prefix="warmgate-bench-") as folder:
        disk = Disk(Path(folder) / "l2.sqlite", 2 * TRACKED, ROOM, NEVER, clock, patience=60.0)
        tiers = Tiers(Memory(1_000, ROOM, config.warm_interval, clock), disk, clock=clock)
        history = PatternStore(Path(folder) / "patterns.sqlite", clock, config.half_life)
        warmer = CacheWarmer(tiers, config, clock=clock, history=history)
        await tiers.open()
        for start in range(0, TRACKED, TOGETHER):
            some = range(start, min(start + TOGETHER, TRACKED))
            await asyncio.gather(*[disk.put(entry_of(number, clock(), NEVER)) for number in some])
        every = [key_of(number) for number in range(TRACKED)]
        _note(warmer, every)
        between = int(config.warm_interval * RATE)
        accesses = iter(zipf(rounds * between, TRACKED, 1.0, RATE).keys)
        noting, working = [], []
        for _ in range(rounds):
            clock.now += config.warm_interval
            keys = [key_of(number) for number in islice(accesses, between)]
            noting.append(_note(warmer, keys) / between)
            began = process_time()
            await warmer.warm_top_items()
            await warmer.save_patterns_to_history()
            working.append(process_time() - began)
        stats = warmer.get_stats()
        await warmer.close()
        await tiers.close()
    round_, note = statistics.median(working), statistics.median(noting)
    share = (round_ + note * between) / config.warm_interval
    facts = {"interval": config.warm_interval, "keys": stats["unique_keys"], "promoted": stats["warmed"]["promoted"]}
    return {"round": round_, "note": note, "share": share, "rate": RATE, "rounds": rounds, **facts}


def _note(warmer: CacheWarmer, keys: list[bytes]) -> float:
    """Seconds."""
    began = process_time()
    for key in keys:
        warmer.record_access(key, NAMESPACE, True, TENANT)
    return process_time() - began


def overhead_text(figures: dict[str, Any]) -> str:
    lines = [("kept beside entries", "entries", "kB", "bytes each", "bytes of the entry", "share", "target", "")]
    for row in figures["memory"]:
        share = row["bytes"] / row["entry"]
        target = (f"{MEMORY:.0%}", "met" if share < MEMORY else "MISSED") if row["tracks"] else ("", "")
        whole = f"{row['bytes'] * row['entries'] / 1000:,.0f}"
        told = (f"{row['entries']:,}", whole, f"{row['bytes']:.0f}", f"{row['entry']:.0f}", f"{share:.1%}")
        lines.append((row["what"], *told, *target))
    return f"{aligned(lines)}\n{NOTE}\n\n{_told(figures['warming'])}"


def _told(warming: dict[str, Any]) -> str:
    promoted, share = warming["promoted"] / warming["rounds"], warming["share"]
    return (
        f"background warming, {warming['keys']:,} keys tracked: {warming['round'] * 1e3:.1f} ms of CPU a round"
        f" ({promoted:.0f} promoted,\npatterns saved), one each {warming['interval']:g} s;"
        f" {warming['note'] * 1e6:.1f} us for an access noted; with {warming['rate']:g} accesses\na second that is"
        f" {share:.3%} of a core (target {CORE:.0%}: {'met' if share < CORE else 'MISSED'})"
    )
