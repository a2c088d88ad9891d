"""Traces of keys for the benchmark of the cache: generated, from a seed, or recorded. Pure but for reading files.

A key is a number; its meaning ends there. What is printed of a trace beside its name is how it was made, and the share
of its accesses that are repeats: no cache without a loader of its own hits more often than that.
"""

from __future__ import annotations

import gzip
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

DAY = 86_400.0
DATA = Path(os.environ.get("WARMGATE_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")

Numbers = npt.NDArray[np.int64]
Seconds = npt.NDArray[np.float64]


class Trace(NamedTuple):
    name: str
    keys: list[int]
    times: list[float]
    """Seconds from the beginning, never falling."""
    about: str
    """Its parameters."""

    @property
    def repeats(self) -> float:
        """Share of accesses to a key that was there before: the hits of an endless cache that loads only misses."""
        return 1 - len(set(self.keys)) / len(self.keys) if self.keys else 0.0

    def cut(self, count: int) -> Trace:
        """The beginning of it."""
        if len(self.keys) <= count:
            return self
        return self._replace(keys=self.keys[:count], times=self.times[:count])

    def told(self) -> str:
        hours = (self.times[-1] - self.times[0]) / 3600 if self.times else 0.0
        size = f"{len(self.keys):,} accesses to {len(set(self.keys)):,} keys in {hours:.1f} h"
        return f"{self.name}: {size}, {self.repeats:.1%} repeats; {self.about}"


def zipf(count: int, keys: int, exponent: float, rate: float, seed: int = 1) -> Trace:
    """Independent draws; the key of rank r has a share of r ** -exponent. `rate`: accesses a second (Poisson)."""
    chance = np.random.default_rng(seed)
    drawn = _ranks(chance, count, keys, exponent)
    times = np.cumsum(chance.exponential(1 / rate, count))
    about = f"Zipf {exponent:g} over {keys:,} keys, independent draws, {rate:g}/s, seed {seed}"
    return Trace(f"zipf {exponent:g}", drawn.tolist(), times.tolist(), about)


def diurnal(days: int, per_day: int, keys: int, exponent: float, drift: float, seed: int = 2) -> Trace:
    """Days with a busy afternoon and a quiet night (1.8 to 0.2 of the mean rate).

    Half of the accesses go to keys that are asked for all day, half to those of the time of day: there are six
    catalogues for it, of four hours each. Within a catalogue of `keys / 7` keys draws are Zipf; each night a share of
    `drift` of all keys is replaced by new ones.
    """
    chance = np.random.default_rng(seed)
    each = keys // 7
    count = days * per_day
    times = np.sort(_thinned(chance, days, count))
    block = np.where(chance.random(count) < 0.5, 0, 1 + (times % DAY // 14_400).astype(np.int64))
    slots = block * each + _ranks(chance, count, each, exponent)
    replaced = chance.random((days, 7 * each)) < drift
    replaced[0] = False
    generation = np.cumsum(replaced, axis=0)[(times // DAY).astype(np.int64), slots]
    names = slots * (days + 1) + generation
    about = (
        f"{days} days of {per_day:,}, half of it by the time of day (6 catalogues), Zipf {exponent:g} in 7 x {each:,}"
        f" keys, {drift:.0%} replaced each night, seed {seed}"
    )
    return Trace("diurnal", names.tolist(), times.tolist(), about)


def flows(count: int, kinds: int, length: int, exponent: float, astray: float, pause: float, seed: int = 3) -> Trace:
    """One after the other goes through a fixed sequence of `length` questions, as scripted agents do.

    Which of the `kinds` is drawn by Zipf; after each question the sequence is left with a chance of `astray`, and
    another begins. `pause`: seconds between questions on average (exponential).
    """
    chance = np.random.default_rng(seed)
    chosen = _ranks(chance, count, kinds, exponent).tolist()
    leaves = (chance.random(count) < astray).tolist()
    keys = []
    flow = step = 0
    for turn in range(count):
        if turn == 0 or step == length or leaves[turn]:
            flow, step = chosen[turn], 0
        keys.append(flow * length + step)
        step += 1
    times = np.cumsum(chance.exponential(pause, count))
    about = (
        f"{kinds:,} sequences of {length} questions, chosen by Zipf {exponent:g}, {astray:.0%} left at each question,"
        f" one each {pause:g} s, one user, seed {seed}"
    )
    return Trace("flows", keys, times.tolist(), about)


def _ranks(chance: np.random.Generator, count: int, keys: int, exponent: float) -> Numbers:
    """Ranks from 0, the most frequent first."""
    weights = np.arange(1, keys + 1, dtype=np.float64) ** -exponent
    upto = np.cumsum(weights)
    return np.minimum(np.searchsorted(upto, chance.random(count) * upto[-1], side="right"), keys - 1)


def _thinned(chance: np.random.Generator, days: int, count: int) -> Seconds:
    """Times within days whose rate is 1 - 0.8 * cos(2 pi (h - 3) / 24) of the mean: least at 3, most at 15."""
    taken: list[Seconds] = []
    missing = count
    while missing > 0:
        times = chance.random(2 * missing) * days * DAY
        rate = 1 - 0.8 * np.cos(2 * math.pi * (times / 3600 - 3) / 24)
        kept = times[chance.random(len(times)) * 1.8 < rate][:missing]
        taken.append(kept)
        missing -= len(kept)
    return np.concatenate(taken)


# Recorded


def questions(most: int, folder: Path = DATA) -> Trace | None:
    """The last question of each request of `mtragun`, in order, one a second (its own times say nothing of users)."""
    lines = _lines(folder / "sessions" / "mtragun.jsonl.gz")
    if lines is None:
        return None
    texts = [str(line["request"]["messages"][-1]["content"]) for line in lines][:most]
    numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    times = [float(second) for second in range(len(texts))]
    return Trace("mtragun", [numbers[text] for text in texts], times, "last questions in order, one a second")


STRIDE = 32
"""Of the blocks of 64 tokens of a coding prompt every so manyth is a key: a prefix of 2,048 tokens more."""

SESSIONS = 20
"""Of the coding sessions so many are read."""


def coding(most: int, folder: Path = DATA) -> Trace | None:
    """Prefix blocks of coding sessions; all of them start together, and each request reads its prefix in order."""
    lines = _lines(folder / "sessions" / "claudecode_trace_rle.jsonl.gz")
    if lines is None:
        return None
    asked: list[tuple[float, int, list[int]]] = []
    for number, line in enumerate(lines[:SESSIONS]):
        for at, runs in _requests(line["requests"], 0.0):
            blocks = [first + place for first, length in runs for place in range(length)][::STRIDE]
            asked.append((at, number, blocks))
    asked.sort(key=lambda each: each[:2])
    names: dict[tuple[int, int], int] = {}
    keys = [names.setdefault((number, block), len(names)) for _, number, blocks in asked for block in blocks]
    times = [at for at, _, blocks in asked for _ in blocks]
    about = f"prefix blocks of {STRIDE * 64:,} tokens of {min(SESSIONS, len(lines))} coding sessions begun together"
    return Trace("coding", keys, times, about).cut(most)


def _requests(requests: list[dict[str, Any]], start: float) -> Iterator[tuple[float, list[list[int]]]]:
    """Times and blocks, those of sub-agents included; their times count from the call."""
    for request in requests:
        at = start + float(request["t"])
        if "requests" in request:
            yield from _requests(request["requests"], at)
        else:
            yield at, request["hash_rle"]


def mooncake(most: int, folder: Path = DATA) -> Trace | None:
    """Prefix blocks of half an hour of a provider's conversations, at their own times."""
    lines = _lines(folder / "sessions" / "mooncake_conversation_0-30min.jsonl.gz")
    if lines is None:
        return None
    keys, times = [], []
    for line in lines:
        keys += line["hash_ids"]
        times += [line["timestamp"] / 1000] * len(line["hash_ids"])
    return Trace("mooncake", keys, times, "prefix blocks of 512 tokens of conversations, own times").cut(most)


def _lines(path: Path) -> list[dict[str, Any]] | None:
    if not path.is_file():
        return None
    with gzip.open(path) as file:
        return [json.loads(line) for line in file]
