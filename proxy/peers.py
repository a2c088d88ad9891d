"""Metrics of all workers on one page: whoever is scraped adds what the others last wrote down.

The workers share a port, so a scrape reaches any of them. Each writes its counters into a directory of their own once a
second, whole or not at all; a worker that is gone stays counted.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from adapters.vocabulary import Sleep
from proxy.metrics import Histogram, Metrics

log = logging.getLogger("warmgate")

EVERY = 1.0
"""Seconds between two writings."""

SHARED = ("l2", "semantic")
"""Levels that all workers look at together: their sizes are the same seen from anywhere, their counters are not."""

SIZES = ("entries", "bytes")

Table = dict[tuple[str, ...], float]


class Buckets(msgspec.Struct):
    counts: list[int]
    sum: float


class State(msgspec.Struct):
    """Everything that one worker counted."""

    tables: dict[str, Table]
    numbers: dict[str, float]
    histograms: dict[str, Buckets]
    stores: dict[str, dict[str, float]]


TABLES = ("requests", "tokens", "dollars", "unstored", "asked", "spent", "near")
NUMBERS = ("retries", "unpriced", "stored", "in_flight", "modified_bytes", "dropped", "unknown_events")
FIGURES = ("warming", "semantic", "cache")
"""Tables that others keep."""
HISTOGRAMS = ("added", "upstream", "first")

_decode = msgspec.msgpack.Decoder(State).decode


def state_of(metrics: Metrics) -> State:
    histograms: dict[str, Histogram] = {name: getattr(metrics, name) for name in HISTOGRAMS}
    histograms |= {f"first {role}": each for role, each in metrics.firsts.items()}
    return State(
        {name: dict(getattr(metrics, name)) for name in TABLES}
        | {name: dict(getattr(metrics, name)()) for name in FIGURES},
        {name: getattr(metrics, name) for name in NUMBERS},
        {name: Buckets(list(each.counts), each.sum) for name, each in histograms.items()},
        {level: dict(figures) for level, figures in metrics.sizes().items()},
    )


def together(states: list[State]) -> Metrics:
    """One set of metrics that is the sum of these."""
    stores: dict[str, dict[str, float]] = {}
    others: dict[str, Table] = {name: {} for name in FIGURES}
    total = Metrics(lambda: stores, lambda: others["warming"], lambda: others["semantic"], lambda: others["cache"])
    for state in states:
        for name in TABLES:
            table: Table = getattr(total, name)
            for key, value in state.tables[name].items():
                table[key] += value
        for name, table in others.items():
            for key, value in state.tables[name].items():
                table[key] = table.get(key, 0.0) + value
        for name in NUMBERS:
            setattr(total, name, getattr(total, name) + state.numbers[name])
        for name, one in state.histograms.items():
            kind, _, role = name.partition(" ")
            histogram: Histogram = total.firsts[role] if role else getattr(total, kind)
            histogram.counts = [mine + theirs for mine, theirs in zip(histogram.counts, one.counts, strict=True)]
            histogram.sum += one.sum
        for level, figures in state.stores.items():
            _add(level, figures, stores.setdefault(level, {}))
    return total


def _add(level: str, figures: Mapping[str, float], total: dict[str, float]) -> None:
    for fact, value in figures.items():
        before = total.get(fact, 0)
        total[fact] = max(before, value) if level in SHARED and fact in SIZES else before + value


class Peers:
    """This worker's page in `directory`, and the reading of all others."""

    def __init__(self, directory: Path, index: int, metrics: Metrics) -> None:
        self.directory, self.metrics = directory, metrics
        self._page = directory / f"{index}.metrics"

    async def write_for_ever(self, sleep: Sleep) -> None:
        while True:
            await sleep(EVERY)
            self.write()

    def write(self) -> None:
        draft = self._page.with_suffix(".draft")
        try:
            draft.write_bytes(msgspec.msgpack.encode(state_of(self.metrics)))
            os.replace(draft, self._page)
        except OSError as error:
            log.warning("the metrics of this worker can't be shared: %s", error.strerror)

    def all(self) -> Metrics:
        """Everybody's: this worker's as they are now, the others' as they were a second ago at most."""
        return together([state_of(self.metrics), *self._others()])

    def _others(self) -> Iterator[State]:
        for page in sorted(self.directory.glob("*.metrics")):
            if page != self._page:
                try:
                    yield _decode(page.read_bytes())
                except (OSError, msgspec.MsgspecError):
                    continue
