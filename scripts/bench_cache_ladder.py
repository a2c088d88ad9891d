"""Hit rates of the whole cache on the same traces, one part added after the other, in virtual time.

    basic         L1 alone
    + adaptive    whose size follows its hit rate
    + predictive  and what is likely to come next is asked for before it comes
    + levels      and L2 behind it
    levels        L1 and L2, of fixed size, nothing predicted

The ladder of figures that was promised elsewhere goes by these names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from bench_cache_parts import Grown, Predicted
from bench_cache_simulated import ROOM, Asked, Clock, Sizes
from bench_cache_traces import Trace
from bench_table import aligned

from cache.disk import Disk
from cache.memory import Memory
from cache.tiers import Tiers


class Step(NamedTuple):
    name: str
    promised: tuple[float, float] | None
    adaptive: bool = False
    predictive: bool = False
    levels: bool = False


STEPS = (
    Step("basic", (0.40, 0.60)),
    Step("+ adaptive", (0.50, 0.65), adaptive=True),
    Step("+ predictive", (0.60, 0.70), adaptive=True, predictive=True),
    Step("+ levels", (0.75, 0.85), adaptive=True, predictive=True, levels=True),
    Step("levels", None, levels=True),
)

NOTE = (
    "hits: accesses that needed no call of their own, at any level; l1: those from memory. calls: to the upstream for\n"
    "each access, those for predictions included; without predictions it is what did not hit. repeats: an endless\n"
    "cache that predicts nothing. What is predicted with a confidence of 0.2 or more is asked for, whatever that costs."
)


async def climb(trace: Trace, sizes: Sizes, step: Step) -> dict[str, Any]:
    """One trace through one form of the cache: shares of accesses."""
    clock = Clock()
    async with AsyncExitStack() as stack:
        l1, l2 = Memory(sizes.l1, ROOM, sizes.l1_ttl, clock), None
        if step.levels:
            folder = stack.enter_context(TemporaryDirectory(prefix="warmgate-bench-"))
            l2 = Disk(Path(folder) / "l2.sqlite", sizes.l2, ROOM, sizes.l2_ttl, clock, patience=60.0)
        tiers = Tiers(l1, l2, clock=clock)
        await tiers.open()
        stack.push_async_callback(tiers.close)
        asked = Asked(tiers, clock, sizes.l2_ttl)
        grown = Grown(l1, clock) if step.adaptive else None
        predicted = Predicted(asked) if step.predictive else None
        for key, time in zip(trace.keys, trace.times, strict=True):
            clock.to(time)
            if grown is not None:
                grown.until_now()
            await asked.ask(key)
            if predicted is not None:
                await predicted.after(key)
        await asked.settle()
    count = len(trace.keys)
    row = {"trace": trace.name, "sizes": sizes.name, "step": step.name, "repeats": trace.repeats}
    row |= {"hits": 1 - asked.found["upstream"] / count, "l1": asked.found["l1"] / count, "calls": asked.loads / count}
    row["entries"] = l1.max_size
    return row | ({"accuracy": predicted.accuracy} if predicted is not None else {})


def ladder(traces: Sequence[Trace], sizes: Sizes) -> list[dict[str, Any]]:
    """One row for each trace and step."""

    async def each() -> list[dict[str, Any]]:
        return [await climb(trace, sizes, step) for trace in traces for step in STEPS]

    return asyncio.run(each())


def ladder_table(rows: Sequence[dict[str, Any]]) -> str:
    """One line for each trace and sizes, one column for each step; then what was promised of each."""
    cells = {(row["sizes"], row["trace"], row["step"]): row for row in rows}
    lines: list[tuple[str, ...]] = [("sizes", "trace", "repeats", *[step.name for step in STEPS], "accuracy", "calls")]
    for sizes, trace in dict.fromkeys((row["sizes"], row["trace"]) for row in rows):
        some = [cells[sizes, trace, step.name] for step in STEPS]
        rates = [f"{row['hits']:.1%} ({row['l1']:.0%})" for row in some]
        accuracy = some[2]["accuracy"]
        told = "" if accuracy is None else f"{accuracy:.0%}"
        calls = " ".join(f"{row['calls']:.2f}" for row in some)
        lines.append((sizes, trace, f"{some[0]['repeats']:.1%}", *rates, told, calls))
    promised = [f"{step.promised[0]:.0%}-{step.promised[1]:.0%}" if step.promised else "" for step in STEPS]
    lines.append(("promised", "", "", *promised, "", ""))
    return "\n".join([aligned(lines), NOTE, *(_verdict(step, rows) for step in STEPS if step.promised)])


def _verdict(step: Step, rows: Sequence[dict[str, Any]]) -> str:
    assert step.promised is not None
    least, most = step.promised
    some = [row for row in rows if row["step"] == step.name]
    reached = [f"{row['trace']} ({row['sizes']})" for row in some if row["hits"] >= least]
    possible = sum(row["repeats"] >= least for row in some)
    return (
        f"{step.name}, promised {least:.0%}-{most:.0%}: {least:.0%} reached on {len(reached)} of {len(some)}:"
        f" {', '.join(reached) or 'none'}; an endless cache reaches it on {possible}"
    )
