"""What the warming of answers is worth, in virtual time, on a day of traffic and on routines: hits, calls, accuracy.

python scripts/bench_cache_warming.py [--quick]

`figures(quick)` gives the same as data. Levels are two real `cache.memory.Memory`, of which the second stands for a
disk that outlives the process; the upstream answers at once and everything.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from bench_table import aligned

from cache.entry import Entry, Shape
from cache.memory import Memory
from warming.access_rows import Ident, Key
from warming.answers import CacheWarmer
from warming.answers_config import WarmingConfig
from warming.predictive import PredictiveCacheWarmer
from warming.scores import WarmingStrategy
from warming.warmable import Loaded

DAY = 86_400.0
BEGINS = 20_000 * DAY
TENANT, NAMESPACE = "t", "llm.response"
COLD = 500
"""Accesses after a restart that count as its cold time."""

L1, L1_TTL, L2, L2_TTL = 1_000, 300.0, 10_000, 3_600.0
PERIOD = 300.0


NOTE = (
    "Zipf 1.0 in 5 x 20,000 keys, half of all accesses to those of the quarter of the day;\n"
    f"L1 {L1:,} entries for {L1_TTL:g} s, L2 {L2:,} for {L2_TTL:g} s, a round each {PERIOD:g} s. In the middle L1 is\n"
    f"lost: `when cold` is of the first {COLD} accesses after it, and cut how many of their L1 misses warming spares.\n"
    "calls: to the upstream for each access, those of the loader included. of a core: CPU of the rounds."
)
MORE = (
    "20 users, each in routines of 3 to 8 questions that Zipf chooses; 500 patterns of each kind. found: share of\n"
    "accesses that had been foreseen; in time: and lay in L1 by then. us: CPU for each access, that of levels included."
)


class Access(NamedTuple):
    at: float
    key: bytes
    session: str = ""


class Clock:
    def __init__(self) -> None:
        self.now = BEGINS

    def __call__(self) -> float:
        return self.now


class Levels:
    """L1 and L2 of the default sizes and times, and an upstream; `Warmable`."""

    apart = True

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.l1, self.l2 = Memory(L1, 1 << 40, L1_TTL, clock), Memory(L2, 1 << 40, L2_TTL, clock)
        self.found: Counter[str] = Counter()
        self.calls = 0

    def ask(self, key: bytes) -> str:
        entry = self.l1.get(key)
        where = "l1" if entry is not None else "l2"
        entry = entry or self.l2.get(key)
        if entry is None:
            where, entry = "upstream", self.made(key)
            self.l2.put(entry)
        if where != "l1":
            self.l1.put(entry)
        self.found[where] += 1
        return where

    def made(self, key: bytes) -> Entry:
        self.calls += 1
        now = self._clock()
        return Entry(key, TENANT, NAMESPACE, "m", Shape.MESSAGE, 200, (), b"{}", True, None, 0.001, now, now + L2_TTL)

    def mark(self) -> int:
        return 0

    def key(self, ident: Ident) -> Key:
        return ident.key

    def held(self, ident: Ident) -> bool:
        return self.l1.holds(_bytes(ident))

    async def promote(self, ident: Ident) -> bool:
        entry = self.l2.look(_bytes(ident))
        return entry is not None and self.l1.put(entry)

    async def fresh(self, ident: Ident) -> bool:
        return self.l2.holds(_bytes(ident))

    async def keep(self, ident: Ident, loaded: Loaded, since: int) -> bool:
        return self.l2.put(loaded.value) and self.l1.put(loaded.value)


def _bytes(ident: Ident) -> bytes:
    assert isinstance(ident.key, bytes)
    return ident.key


def day(count: int, rate: float, keys: int = 20_000, exponent: float = 1.0, seed: int = 1) -> list[Access]:
    """Zipf draws, from nine o'clock on, at a rate of 0.2 (at 3 h) to 1.8 (at 15 h) of the mean; half of them of the
    present quarter of the day, which has keys of its own. `rate`: per second."""
    chance = np.random.default_rng(seed)
    upto = np.cumsum(np.arange(1, keys + 1) ** -exponent)
    ranks = np.searchsorted(upto, chance.random(count) * upto[-1])
    found, at = [], 9 * 3600.0
    for rank, share, pause in zip(
        ranks.tolist(), chance.random(count), chance.exponential(1 / rate, count), strict=True
    ):
        hour = at / 3600 % 24
        at += pause / (1 - 0.8 * math.cos(math.tau * (hour - 3) / 24))
        part = 0 if share < 0.5 else 1 + int(hour // 6)
        found.append(Access(BEGINS + at, b"%016d%016d" % (part, rank)))
    return found


def routines(count: int, kinds: int, astray: float, users: int, seed: int = 1) -> list[Access]:
    """Each user goes through one of the routines, 3 to 8 questions long and chosen by Zipf, after the other; a share
    of questions is any other. Users take turns by chance, one question each five seconds."""
    chance = np.random.default_rng(seed)
    asked = [chance.integers(0, 5 * kinds, chance.integers(3, 9)).tolist() for _ in range(kinds)]
    upto = np.cumsum(1 / np.arange(1, kinds + 1))
    left: dict[int, list[int]] = {}
    found = []
    for turn in range(count):
        user = int(chance.integers(users))
        rest = left.get(user) or list(asked[int(np.searchsorted(upto, chance.random() * upto[-1]))])
        key = int(chance.integers(5 * kinds)) if chance.random() < astray else rest.pop(0)
        left[user] = rest
        found.append(Access(BEGINS + 5.0 * turn, b"%032d" % key, f"user {user}"))
    return found


async def warmed(accesses: list[Access], config: WarmingConfig | None) -> dict[str, Any]:
    """In the middle L1 is lost; what the warmer knows is not. Rates are of all accesses, `cold` of the first after
    the middle."""
    clock = Clock()
    levels, asked = Levels(clock), iter(accesses)

    async def load(key: bytes, namespace: str) -> Entry:
        return levels.made(key)

    warmer = CacheWarmer(levels, config, load, clock=clock)
    middle, due, cold, cpu, rounds = len(accesses) // 2, accesses[0].at, 0, 0.0, 0
    for turn, access in enumerate(asked):
        if turn == middle:
            levels.l1.clear()
        if config is not None and (access.at >= due or turn == middle):
            clock.now = access.at
            began = time.process_time()
            await warmer.warm_top_items()
            cpu += time.process_time() - began
            rounds, due = rounds + 1, access.at + PERIOD
        clock.now = access.at
        where = levels.ask(access.key)
        cold += where == "l1" and middle <= turn < middle + COLD
        warmer.record_access(access.key, NAMESPACE, where != "upstream", TENANT)
    count = len(accesses)
    return {
        "l1": levels.found["l1"] / count,
        "hits": 1 - levels.found["upstream"] / count,
        "cold": cold / COLD,
        "calls": levels.calls / count,
        "core": cpu / max(1, rounds) / PERIOD,
        "keys": len(warmer.patterns),
    }


async def foreseen(accesses: list[Access], *, sessions: bool, least: float) -> dict[str, Any]:
    """After each access what is foreseen is promoted; `found`: share of accesses that had been foreseen."""
    clock = Clock()
    levels = Levels(clock)
    some = PredictiveCacheWarmer(levels, clock=clock, namespace=NAMESPACE, min_confidence=least)
    began = time.process_time()
    for clock.now, key, session in accesses:
        levels.ask(key)
        named = {"user_id": TENANT, "session": session if sessions else ""}
        some.record_query(key, **named)
        await some.prewarm_predictions(some.predict_next(key, **named))
    spent = time.process_time() - began
    told, count = some.get_statistics()["predictions"], len(accesses)
    return {
        "predicted": told["total"],
        "accuracy": told["accuracy"] or 0.0,
        "found": told["came"] / count,
        "in time": told["in_time"] / count,
        "l1": levels.found["l1"] / count,
        "us": spent / count * 1e6,
    }


def contestants(quick: bool) -> Iterator[tuple[str, WarmingConfig | None]]:
    yield "none", None
    for count in (100,) if quick else (100, 1000):
        for strategy in WarmingStrategy:
            yield f"{strategy.value} {count:,}", WarmingConfig(strategy, preload_count=count)
    yield "hybrid 100, makes anew", WarmingConfig(dollars=math.inf)


def figures(quick: bool = False) -> dict[str, Any]:
    """`warming` and `prediction`: rows of what is printed."""
    warming = []
    for rate, count in ((0.3, 10_000 if quick else 40_000), (5.0, 15_000 if quick else 60_000)):
        trace = day(count, rate)
        rows = [
            {"rate": rate, "warming": name, **asyncio.run(warmed(trace, config))} for name, config in contestants(quick)
        ]
        for row in rows:
            row["cut"] = (row["cold"] - rows[0]["cold"]) / (1 - rows[0]["cold"])
        warming += rows
    prediction = []
    for name, more in {"routines": (200, 0.2), "half astray": (200, 0.5), "few routines": (40, 0.2)}.items():
        routine = routines(4_000 if quick else 10_000, *more, 20)
        for sessions, least in ((True, 0.2), (True, 0.4), (False, 0.2)):
            row = asyncio.run(foreseen(routine, sessions=sessions, least=least))
            prediction.append({"trace": name, "sessions": sessions, "confidence": least, **row})
    return {"warming": warming, "prediction": prediction}


def told(found: dict[str, Any]) -> str:
    lines = [("warming", "per s", "l1", "hits", "calls", "l1 when cold", "cut", "of a core")]
    for row in found["warming"]:
        rates = [f"{row[name]:.1%}" for name in ("l1", "hits")]
        cold = [f"{row['cold']:.1%}", f"{row['cut']:.0%}", f"{row['core']:.4%}"]
        lines.append((row["warming"], f"{row['rate']:g}", *rates, f"{row['calls']:.2f}", *cold))
    more = [("prediction", "sessions", "confidence", "predicted", "accuracy", "found", "in time", "l1", "us")]
    for row in found["prediction"]:
        rates = [f"{row[name]:.1%}" for name in ("accuracy", "found", "in time", "l1")]
        kept = "apart" if row["sessions"] else "mixed"
        more.append((row["trace"], kept, f"{row['confidence']:g}", f"{row['predicted']:,}", *rates, f"{row['us']:.0f}"))
    return "\n\n".join((aligned(lines), NOTE, aligned(more), MORE))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    print(told(figures(parser.parse_args().quick)))
