"""What a vector costs: one question of 12 tokens alone, 32 of them one by one and 32 in flight, and the memory.

python scripts/bench_embedding.py [--rounds 10]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

from bench_table import aligned

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from adapters.embedder import Embedder, EmbedderUnavailable
from adapters.embedders import Spec, embedder_of
from adapters.embedding_batches import Limits

KINDS = {
    "onnx": Spec(),
    "onnx, quantised": Spec(quantised=True),
    "static": Spec(kind="static"),
}
NOUNS = ["book", "house", "river", "table", "garden", "window", "street", "letter", "music", "paper", "water", "island"]
TOGETHER = 32


def question(number: int) -> str:
    """Twelve tokens, and two that the model adds. No two are the same, so that none is remembered."""
    first, second, third = (NOUNS[number // 12**place % 12] for place in range(3))
    return f"what is the {first} of a {second} in {third} near {10 + number // 1728}?"


def resident() -> float:
    """MB now in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1]) if Path("/proc/self/statm").exists() else 0
    return pages * resource.getpagesize() / 2**20


async def measured(embedder: Embedder, rounds: int) -> dict[str, float]:
    """Seconds."""
    numbers = count()
    for _ in range(5):
        await embedder.embed([question(next(numbers))])
    alone: list[float] = []
    one_by_one: list[float] = []
    in_flight: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(TOGETHER):
            start = time.perf_counter()
            await embedder.embed([question(next(numbers))])
            alone.append(time.perf_counter() - start)
        one_by_one.append(time.perf_counter() - began)
        began = time.perf_counter()
        await asyncio.gather(*(embedder.embed([question(next(numbers))]) for _ in range(TOGETHER)))
        in_flight.append(time.perf_counter() - began)
    return {
        "p50": statistics.median(alone),
        "least": min(alone),
        "one_by_one": statistics.median(one_by_one),
        "in_flight": statistics.median(in_flight),
        "gain": statistics.median(slow / fast for slow, fast in zip(one_by_one, in_flight, strict=True)),
    }


async def one(kind: str, rounds: int) -> dict[str, Any]:
    before, began = resident(), time.perf_counter()
    try:
        embedder = embedder_of(KINDS[kind]._replace(limits=Limits(timeout=None)))
    except EmbedderUnavailable as error:
        return {"missing": str(error)}
    loaded = time.perf_counter() - began
    figures = await measured(embedder, rounds)
    await embedder.close()
    return {"load": loaded, "memory": resident() - before, **figures}


def embedding(rounds: int) -> None:
    """Each kind in a process of its own, so that its memory is its own."""
    lines = [
        [
            "embedder",
            "load s",
            "MB",
            "p50 ms",
            "best ms",
            f"{TOGETHER} one by one ms",
            f"{TOGETHER} in flight ms",
            "gain",
        ]
    ]
    for kind in KINDS:
        command = [sys.executable, __file__, "--kind", kind, "--rounds", str(rounds)]
        row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        if "missing" in row:
            lines.append([kind, row["missing"], *[""] * 6])
            continue
        times = [f"{row[name] * 1e3:.2f}" for name in ("p50", "least", "one_by_one", "in_flight")]
        lines.append([kind, f"{row['load']:.2f}", f"{row['memory']:.0f}", *times, f"{row['gain']:.1f}x"])
    print(aligned(lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--kind", choices=list(KINDS))
    arguments = parser.parse_args()
    if arguments.kind:
        print(json.dumps(asyncio.run(one(arguments.kind, arguments.rounds))))
    else:
        embedding(arguments.rounds)
