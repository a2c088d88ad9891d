"""What a get, a put and a miss of each level cost, beside the bare things that do the unavoidable part of it.

The contestants of a level take turns within one run, in every other round backwards, on the same entries. Every
operation is timed by itself, the call of the timer included. A ratio is that of two medians of one round, and the
median over the rounds of those.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import count
from time import perf_counter, perf_counter_ns, process_time
from typing import Any, NamedTuple

import numpy as np
import uvloop
from bench_cache_contestants import CLOCK, HELD, LIFE, Absent, Contestant, disks, memories, redises
from bench_table import aligned

from cache.entry import Entry, Shape

SIZES = (1_000, 30_000)
TOGETHER = 64
LEVELS = {"l1": memories, "l2": disks, "l3": redises}
TARGETS = {"l1": 10e-6, "l2": 200e-6, "l3": 600e-6}
WORK = {
    "l1": ("get", "miss", "put"),
    "l2": ("get", "miss", "put", "get 64", "put 64"),
    "l3": ("get", "miss", "put", "get 64", "put 64"),
}
NOTE = (
    "microseconds. get: of one that is there; put: of a new one (in memory: for which another goes), one after the\n"
    f"other; `64`: {TOGETHER} at the same time, the time of all divided by their number. ratio: to the one with 1.00.\n"
    "The target is for the median of ours, one call at a time."
)


IDLE = 0.9
CROWDED = "WARNING: others took part of the machine: this process had a core for {:.0%} of the time. Read the ratios."


class Pace(NamedTuple):
    rounds: int
    many: int
    """Operations of one kind in a round, in memory; of the other levels `few`."""
    few: int
    held: int
    """Entries that the other levels are filled with first."""


FULL, QUICK = Pace(9, 3000, 256, HELD), Pace(3, 1000, TOGETHER, 200)
Taken = dict[tuple[str, str], list[list[float]]]
"""Seconds by contestant and operation, one list for each round."""


class Entries:
    """New entries with a body of so many bytes, as compressible as text is."""

    def __init__(self, size: int) -> None:
        chance = np.random.default_rng(size)
        words = ["".join(chance.choice(list("etaoinshrdlu"), chance.integers(2, 9))) for _ in range(1000)]
        self._body = " ".join(words[rank % 1000] for rank in chance.zipf(1.3, size)).encode()[:size]
        self._numbers = count()
        self.held = self.some(HELD)

    def some(self, number: int) -> list[Entry]:
        now = CLOCK()
        return [
            Entry(
                b"%032d" % next(self._numbers), "t", "llm.response", "m", Shape.MESSAGE, 200, (), self._body,
                True, None, 0.001, now, now + LIFE,
            )
            for _ in range(number)
        ]  # fmt: skip


def latency(*, quick: bool) -> dict[str, Any]:
    """`rows`: one for each level, size, operation and contestant; times in seconds. `busy`: which part of the time this
    process had a core while it was measured in memory, where nothing is ever waited for."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_latency(QUICK if quick else FULL))


async def _latency(pace: Pace) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    busy = 1.0
    for level, contestants in LEVELS.items():
        for size in SIZES:
            async with AsyncExitStack() as stack:
                there = await contestants(stack)
                present = [each for each in there if isinstance(each, Contestant)]
                absent = [each for each in there if isinstance(each, Absent)]
                entries, began, had = Entries(size), perf_counter(), process_time()
                taken = await _measured(level, present, entries, pace)
                if level == "l1":
                    busy = min(busy, (process_time() - had) / (perf_counter() - began))
            rows += _summary(level, size, present, taken)
            rows += [{"level": level, "size": size, "contestant": each.name, "missing": each.why} for each in absent]
    return {"rows": rows, "busy": busy}


async def _measured(level: str, contestants: Sequence[Contestant], entries: Entries, pace: Pace) -> Taken:
    taken: Taken = {}
    chance = np.random.default_rng(0)
    number, held = (pace.many, entries.held) if level == "l1" else (pace.few, entries.held[: pace.held])
    for turn in range(pace.rounds):
        there = [held[at].key for at in chance.integers(0, len(held), number)]
        absent = [entry.key for entry in entries.some(number)]
        fresh, others = entries.some(number), entries.some(number)
        for each in contestants if turn % 2 == 0 else contestants[::-1]:
            if turn == 0 or level == "l1":  # of the other levels nothing has gone
                await _together(each, each.put, held)
            for what in WORK[level]:
                operation = each.put if what.startswith("put") else each.get
                objects: Sequence[Any] = {
                    "get": there,
                    "get 64": there,
                    "miss": absent,
                    "put": fresh,
                    "put 64": others,
                }[what]
                if what.endswith("64"):
                    times = await _together(each, operation, objects)
                else:
                    times, found = await _each(each, operation, objects)
                    if not each.name.startswith("(") and what != "put" and found != (what == "get") * len(objects):
                        raise SystemExit(f"{level}, {each.name}: {what} found {found} of {len(objects)}")
                taken.setdefault((each.name, what), []).append(times)
    return taken


async def _each(contestant: Contestant, operation: Any, objects: Sequence[Any]) -> tuple[list[float], int]:
    """Seconds of each, and how many results were something."""
    taken, found, clock = [], 0, perf_counter_ns
    for one in objects:
        if contestant.waits:
            began = clock()
            result = await operation(one)
            ended = clock()
        else:
            began = clock()
            result = operation(one)
            ended = clock()
        taken.append((ended - began) / 1e9)
        found += result is not None
    return taken, found


async def _together(contestant: Contestant, operation: Any, objects: Sequence[Any]) -> list[float]:
    """Seconds for each object, one figure for each batch."""
    taken = []
    for start in range(0, len(objects), TOGETHER):
        batch = objects[start : start + TOGETHER]
        began = perf_counter_ns()
        if contestant.waits:
            await asyncio.gather(*map(operation, batch))
        else:
            for one in batch:
                operation(one)
        taken.append((perf_counter_ns() - began) / 1e9 / len(batch))
    return taken


def _summary(level: str, size: int, contestants: Sequence[Contestant], taken: Taken) -> list[dict[str, Any]]:
    rows = []
    for what in WORK[level]:
        bare = next((taken[each.name, what] for each in contestants if each.yardstick), None)
        for each in contestants:
            rounds = taken[each.name, what]
            times = sorted(time for some in rounds for time in some)
            row = {"level": level, "size": size, "operation": what, "contestant": each.name}
            row |= {"p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100]}
            if bare is not None:
                pairs = zip(rounds, bare, strict=True)
                row["ratio"] = statistics.median(
                    statistics.median(mine) / statistics.median(its) for mine, its in pairs
                )
            if each.ours and not what.endswith("64"):
                row["target"] = TARGETS[level]
            rows.append(row)
    return rows


def latency_text(figures: dict[str, Any]) -> str:
    lines: list[tuple[str, ...]] = [("level", "body", "operation", "contestant", "p50", "p99", "ratio", "target", "")]
    for row in figures["rows"]:
        size = f"{row['size'] // 1000} kB"
        if "missing" in row:
            lines.append((row["level"], size, "", row["contestant"], row["missing"], *[""] * 4))
            continue
        target = row.get("target")
        lines.append(
            (
                row["level"],
                size,
                row["operation"],
                row["contestant"],
                f"{row['p50'] * 1e6:.2f}",
                f"{row['p99'] * 1e6:.2f}",
                f"{row['ratio']:.2f}" if "ratio" in row else "",
                f"{target * 1e6:.0f}" if target else "",
                "" if not target else "met" if row["p50"] <= target else "MISSED",
            )
        )
    crowded = [CROWDED.format(figures["busy"])] if figures["busy"] < IDLE else []
    return "\n".join([aligned(lines), NOTE, *crowded])
