"""A restart in the middle of a trace: how many of the misses that it brings each strategy of startup warming spares.

The first half fills L1, L2 and the patterns of accesses, which are saved. Then the process ends: L1 is empty, L2 and
the file of patterns are there. Each contestant starts from a copy of them, warms, and gets the same accesses after it.
"""

from __future__ import annotations

import math
import shutil
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from bench_cache_simulated import NAMESPACE, ROOM, TENANT, Asked, Clock, Sizes, entry_of, key_of
from bench_cache_traces import Trace
from bench_table import aligned

from cache.disk import Disk
from cache.entry import Entry
from cache.memory import Memory
from cache.tiers import Tiers
from warming.answers import CacheWarmer
from warming.answers_config import WarmingConfig
from warming.pattern_store import PatternStore
from warming.scores import WarmingStrategy

FIRST = 500
"""Accesses after the restart that count as its cold time."""

PRELOADED = (100, 1_000)
"""Items that are warmed: the default, and as many as L1 takes by default."""

LOSS = 0.05
"""Where a restart costs less than this share of accesses, nothing is said of how much of it was made good."""

PROMISED = "50-70%"

NOTE = (
    f"Of the first {FIRST} accesses after the restart: l1 from memory, hits at any level; calls to the upstream for\n"
    "each, those for warming included. cut: of the misses of L1 without warming, those that warming spares. of the\n"
    "loss: of the misses that come of the restart alone (as against never restarted). asks: there is no L2, so what\n"
    "is warmed is asked of the upstream."
)


class Start(NamedTuple):
    """By which strategy it warms so many items. Without L2 it asks the upstream for them."""

    name: str
    strategy: WarmingStrategy | None = None
    count: int = 0
    l2: bool = True


STARTS = (
    Start("none"),
    *[Start(f"{strategy.value} {count:,}", strategy, count) for count in PRELOADED for strategy in WarmingStrategy],
    Start("no L2: none", l2=False),
    *[Start(f"no L2: hybrid {count:,} asks", WarmingStrategy.HYBRID, count, l2=False) for count in PRELOADED],
)
Accesses = Sequence[tuple[int, float]]


class Process:
    """L1, L2 and a warmer over the files of a folder."""

    def __init__(self, folder: Path, sizes: Sizes, clock: Clock, start: Start) -> None:
        self.clock, self.start = clock, start
        l1 = Memory(sizes.l1, ROOM, sizes.l1_ttl, clock)
        disk = Disk(folder / "l2.sqlite", sizes.l2, ROOM, sizes.l2_ttl, clock, patience=60.0) if start.l2 else None
        self.tiers = Tiers(l1, disk, clock=clock)
        self.asked = Asked(self.tiers, clock, sizes.l2_ttl)
        strategy = start.strategy or WarmingStrategy.HYBRID
        config = WarmingConfig(strategy, dollars=0.0 if start.l2 else math.inf, max_keys=100_000)
        history = PatternStore(folder / "patterns.sqlite", clock, config.half_life)
        loader = None if start.l2 else self._load
        self.warmer = CacheWarmer(self.tiers, config, loader, clock=clock, history=history)

    async def _load(self, key: bytes, _: str) -> Entry:
        self.asked.loads += 1
        return entry_of(int(key), self.clock(), self.asked.life)

    @classmethod
    async def begun(cls, stack: AsyncExitStack, folder: Path, sizes: Sizes, clock: Clock, start: Start) -> Process:
        process = cls(folder, sizes, clock, start)
        await process.tiers.open()
        stack.push_async_callback(process.tiers.close)
        stack.push_async_callback(process.warmer.close)
        return process

    async def after(self, accesses: Accesses) -> dict[str, Any]:
        """What becomes of these: shares of them, and calls for each."""
        before, loads = Counter(self.asked.found), 0 if self.start.strategy is not None else self.asked.loads
        await self.run(accesses)
        found, count = self.asked.found - before, len(accesses)
        row = {"start": self.start.name, "first": count, "l1": found["l1"] / count}
        row |= {"warmed": self.start.count, "l2": self.start.l2}
        return row | {"hits": 1 - found["upstream"] / count, "calls": (self.asked.loads - loads) / count}

    async def run(self, accesses: Accesses) -> None:
        for key, time in accesses:
            self.clock.to(time)
            where = await self.asked.ask(key)
            self.warmer.record_access(key_of(key), NAMESPACE, where != "upstream", TENANT)
        await self.asked.settle()


async def cold(trace: Trace, sizes: Sizes, pause: float = 0.0) -> list[dict[str, Any]]:
    """One row for each way to start, with and without L2, the last of a kind for a process that was not restarted.

    `pause`: seconds after the middle of the trace in which nobody asks for anything.
    """
    middle = len(trace.keys) // 2
    accesses = list(zip(trace.keys, trace.times, strict=True))
    resumed = bisect_left(trace.times, trace.times[middle - 1] + pause, lo=middle)
    accesses = accesses[:middle] + accesses[resumed : resumed + FIRST]
    name = trace.name if not pause else f"{trace.name}, {pause / 3600:g} h off"
    rows: list[dict[str, Any]] = []
    for l2 in (True, False):
        with TemporaryDirectory(prefix="warmgate-bench-") as folder:
            clock, kept, copied = Clock(), Path(folder) / "kept", Path(folder) / "copied"
            kept.mkdir()
            async with AsyncExitStack() as stack:
                first = await Process.begun(stack, kept, sizes, clock, Start("never restarted", l2=l2))
                await first.run(accesses[:middle])
                await first.warmer.save_patterns_to_history()
                shutil.copytree(kept, copied)  # nobody writes now
                unhurt = await first.after(accesses[middle:])
            starts = [start for start in STARTS if start.l2 == l2]
            some = [await _restarted(copied, start, sizes, accesses[middle:]) for start in starts]
        rows += [_told(row, some[0], unhurt) | {"trace": name, "sizes": sizes.name} for row in [*some, unhurt]]
    return rows


async def _restarted(copied: Path, start: Start, sizes: Sizes, accesses: Accesses) -> dict[str, Any]:
    with TemporaryDirectory(prefix="warmgate-bench-") as name:
        folder = Path(name) / "own"
        shutil.copytree(copied, folder)
        clock = Clock()
        clock.to(accesses[0][1])
        async with AsyncExitStack() as stack:
            process = await Process.begun(stack, folder, sizes, clock, start)
            await process.warmer.load_patterns_from_history()
            if start.strategy is not None:
                await process.warmer.warm_top_items(start.count)
            return await process.after(accesses)


def _told(row: dict[str, Any], none: dict[str, Any], unhurt: dict[str, Any]) -> dict[str, Any]:
    brought, spared = unhurt["l1"] - none["l1"], row["l1"] - none["l1"]
    return row | {"cut": spared / (1 - none["l1"]), "of_loss": spared / brought if brought >= LOSS else None}


def cold_table(rows: Sequence[dict[str, Any]]) -> str:
    lines: list[tuple[str, ...]] = [("trace", "sizes", "start", "l1", "hits", "calls", "cut", "of the loss")]
    for row in rows:
        rates = [f"{row[name]:.1%}" for name in ("l1", "hits")]
        more = [f"{row['calls']:.2f}", f"{row['cut']:.0%}", "" if row["of_loss"] is None else f"{row['of_loss']:.0%}"]
        lines.append((row["trace"], row["sizes"], row["start"], *rates, *more))
    return f"{aligned(lines)}\n{NOTE}\n{_verdict(rows)}"


def _verdict(rows: Sequence[dict[str, Any]]) -> str:
    told = []
    for count in PRELOADED:
        some = [row for row in rows if row["warmed"] == count and row["l2"]]
        cut, loss = ([row[name] for row in some if row[name] is not None] for name in ("cut", "of_loss"))
        of_loss = f", {min(loss):.0%} to {max(loss):.0%} of the loss" if loss else ""
        told.append(f"{count:,} items cut {min(cut):.0%} to {max(cut):.0%}{of_loss}")
    return f"Promised of startup warming: cold starts cut by {PROMISED}. Measured, with L2: {'; '.join(told)}."
