"""What finding the nearest costs in the semantic cache, by how many entries there are, and what they weigh. What a
whole lookup costs is measured by `bench_lookup`.

Run as `scripts/bench --semantic [--million]`. A process fills a store on disk; another opens it, builds the view from
the rows and is measured, so that memory and times are those of a proxy that was started anew. Vectors are of 384
numbers, in groups of about twenty as paraphrases are, groups of groups as topics are; questions are stored vectors with
noise.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from adapters.embedder import Matrix
from cache.entry import Entry, Shape
from cache.near import Kept
from cache.semantic_store import SemanticStore

DIMENSION = 384
K = 4
SCOPE = b"s" * 32
BODY = b"x" * 1000
TARGETS = {10_000: "1 ms", 1_000_000: "3 ms"}

NOISE = 0.02
"""Of a question against the stored one: a cosine of about 0.93."""


def vectors(count: int, seed: int) -> Matrix:
    """(count, 384), each of length 1."""
    chance = np.random.default_rng(seed)
    groups = max(10, count // 20)
    topics = _unit(chance.standard_normal((max(4, groups // 30), DIMENSION), np.float32))
    centres = _unit(topics[chance.integers(0, len(topics), groups)] + 0.05 * _noise(chance, groups))
    rows = np.empty((count, DIMENSION), np.float32)
    for start in range(0, count, 50_000):
        some = min(50_000, count - start)
        chosen = (groups * chance.random(some) ** 1.7).astype(int)  # some questions are asked far more often
        rows[start : start + some] = _unit(centres[chosen] + 0.04 * _noise(chance, some))
    return rows


def questions(rows: Matrix, count: int) -> Matrix:
    chance = np.random.default_rng(1)
    return _unit(rows[chance.integers(0, len(rows), count)] + NOISE * _noise(chance, count))


def _noise(chance: np.random.Generator, count: int) -> Matrix:
    return chance.standard_normal((count, DIMENSION), np.float32)


def _unit(rows: Matrix) -> Matrix:
    scaled: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return scaled


def store_at(path: Path) -> SemanticStore:
    return SemanticStore(
        path,
        "bench",
        DIMENSION,
        max_size=10**9,
        max_bytes=10**15,
        clock=time.time,  # noqa: TID251 - a process of its own
        patience=600.0,
    )


async def fill(path: Path, count: int, scopes: int) -> dict[str, float]:
    store, rows = store_at(path), vectors(count, 0)
    await store.open()
    now = time.time()  # noqa: TID251
    began = time.perf_counter()
    for start in range(0, count, 2000):
        batch = [_kept(number, rows[number], scopes, now) for number in range(start, min(start + 2000, count))]
        await asyncio.gather(*[store.put(kept) for kept in batch])
    seconds = time.perf_counter() - began
    await store.close()
    return {"put": seconds / count}


def scope_of(number: int, scopes: int) -> bytes:
    return SCOPE if scopes == 1 else b"%032d" % (number % scopes)


def _kept(number: int, row: Matrix, scopes: int, now: float) -> Kept:
    text = f"What is the answer to question number {number}?"
    return Kept(scope_of(number, scopes), "chat", text, row, entry(number, now))


def entry(number: int, now: float) -> Entry:
    key = number.to_bytes(32, "big")
    return Entry(key, "t", "", "m", Shape.MESSAGE, 200, (), BODY, True, None, 0.001, now, now + 86_400)


async def measure(path: Path, count: int, scopes: int) -> dict[str, Any]:
    gc.collect()
    store, before, began = store_at(path), resident(), time.perf_counter()
    await store.open()
    result: dict[str, Any] = {"rebuild": time.perf_counter() - began, "rows_rss": resident() - before}
    asked = questions(vectors(count, 0), 256)
    began = time.perf_counter()
    if store.stats()["making"]:
        exact = await _timed(store, asked, 50, scopes)
        result["while_making"] = exact[len(exact) // 2]
        while store.stats()["making"]:  # noqa: ASYNC110 - nobody is told when it is done
            await asyncio.sleep(0.01)
        result["making"] = time.perf_counter() - began
    gc.collect()
    times = await _timed(store, asked, 1000, scopes)
    result |= {"p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100]}
    result |= {"rate32": await _rate(store, asked, scopes), "approximate": store.stats()["approximate"]}
    if scopes == 1:
        result["recall"] = await _recall(store, asked, vectors(count, 0))
    await store.close()
    return result


async def _timed(store: SemanticStore, asked: Matrix, times: int, scopes: int) -> list[float]:
    told = []
    for turn in range(times):
        began = time.perf_counter()
        await store.near(scope_of(turn, scopes), asked[turn % len(asked)], K)
        told.append(time.perf_counter() - began)
    return sorted(told)


async def _rate(store: SemanticStore, asked: Matrix, scopes: int) -> float:
    """Lookups in a second with 32 in flight."""
    began = time.perf_counter()
    for turn in range(20):
        scope = scope_of(turn, scopes)
        await asyncio.gather(*[store.near(scope, asked[(turn * 32 + n) % len(asked)], K) for n in range(32)])
    return 20 * 32 / (time.perf_counter() - began)


async def _recall(store: SemanticStore, asked: Matrix, rows: Matrix) -> list[float]:
    """The share of the four nearest that is found, and of the nearest; ids are numbers of rows from 1 on."""
    found = [{near.id - 1 for near in await store.near(SCOPE, question, K)} for question in asked]
    scores = np.concatenate([asked @ rows[start : start + 50_000].T for start in range(0, len(rows), 50_000)], axis=1)
    best = np.argpartition(-scores, K, axis=1)[:, :K]
    first = scores.argmax(axis=1)
    four = sum(len(there & set(row)) for there, row in zip(found, best.tolist(), strict=True)) / (K * len(asked))
    return [four, sum(one in there for there, one in zip(found, first.tolist(), strict=True)) / len(asked)]


def resident() -> float:
    """MB of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def semantic(*, million: bool, quick: bool) -> None:
    counts = [(10_000, 1), (100_000, 1), (100_000, 100_000)] + ([(1_000_000, 1)] if million else [])
    for count, scopes in counts[: 1 if quick else None]:
        with TemporaryDirectory() as directory:
            told: dict[str, Any] = {}
            for what in ("fill", "measure"):
                command = [sys.executable, __file__, what, f"{directory}/semantic.db", str(count), str(scopes)]
                told |= json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            told["bytes"] = Path(f"{directory}/semantic.db").stat().st_size
            print(line(count, scopes, told), flush=True)


def line(count: int, scopes: int, told: dict[str, Any]) -> str:
    target = f" (target {TARGETS[count]})" if count in TARGETS else ""
    parts = [
        f"{count:,} entries in {scopes:,} scope{'s' if scopes > 1 else ''}:",
        f"near p50 {told['p50'] * 1e3:.2f} ms{target}, p99 {told['p99'] * 1e3:.2f} ms, {told['rate32']:,.0f}/s with 32"
        " in flight;",
        f"{told['rows_rss']:.0f} MB resident, {told['bytes'] / 1e6:.0f} MB on disk; put {told['put'] * 1e6:.0f} us;",
        f"rebuilt in {told['rebuild']:.2f} s",
    ]
    if "making" in told:
        parts.append(
            f"and clustered in {told['making']:.1f} s more (meanwhile p50 {told['while_making'] * 1e3:.1f} ms)"
        )
    if "recall" in told:
        parts.append("; recall of four {:.3f}, of the first {:.3f}".format(*told["recall"]))
    return " ".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["fill", "measure"])
    parser.add_argument("path", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("scopes", type=int)
    given = parser.parse_args()
    run = fill if given.what == "fill" else measure
    print(json.dumps(asyncio.run(run(given.path, given.count, given.scopes))))


if __name__ == "__main__":
    main()
