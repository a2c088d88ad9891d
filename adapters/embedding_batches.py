"""What is asked for while others are being computed goes together in the next batch.

Nothing waits for company: a batch starts as soon as there is one thing to compute and room to compute it. So a single
question takes the time of one, and thirty-two that come together take much less than thirty-two times that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
from cachetools import LRUCache

from adapters.embedder import Embedded
from adapters.errors import EmbeddingError
from adapters.tasks import Tasks
from adapters.usage import Usage

Row: TypeAlias = "np.ndarray[Any, np.dtype[np.float32]]"

Item = TypeVar("Item", bound=Hashable)

DRAIN = 10.0
"""Seconds that `close` waits for what is being computed."""


class WholeBatchError(EmbeddingError):
    """The batch failed for a reason that has nothing to do with what is in it: it is no use to try it one by one."""


class Limits(NamedTuple):
    size: int = 32
    """Of a batch."""
    heaviest: int = 8192
    """Characters of a batch that is more than one text, so that a short question behind long ones need not wait long:
    about 2,000 tokens."""
    waiting: int = 1024
    """Texts that may wait; more are refused."""
    timeout: float | None = 2.0
    """Seconds that a caller waits; the computation goes on, for others and for the next time."""
    recent: int = 2048
    """Vectors that are remembered."""
    longest: int = 2000
    """Characters of a text whose vector is remembered: memory is bounded by this, too."""


class Bill(NamedTuple):
    usage: Usage | None = None
    cost: float | None = 0.0

    def __add__(self, other: object) -> Bill:
        if not isinstance(other, Bill):
            return NotImplemented
        cost = None if self.cost is None or other.cost is None else self.cost + other.cost
        if self.usage is None or other.usage is None:
            return Bill(self.usage or other.usage, cost)
        tokens = self.usage.uncached + other.usage.uncached
        return Bill(Usage(uncached=tokens, estimated=self.usage.estimated or other.usage.estimated), cost)


class _Flight:
    """One item that is waited for or computed."""

    __slots__ = ("bill", "callers", "done", "error", "row")

    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.callers = 0
        self.row: Row | None = None
        self.error = ""
        self.bill = Bill()


class Batches(Generic[Item]):
    """`compute` gets a batch and gives a row for each item, in their order. It belongs to one event loop."""

    def __init__(
        self,
        compute: Callable[[list[Item]], Awaitable[Embedded]],
        limits: Limits,
        weight: Callable[[Item], int],
        *,
        at_once: int = 1,
    ) -> None:
        """`weight`: characters of an item. `at_once`: batches that may be computed at the same time."""
        self._compute, self._limits, self._weight, self._at_once = compute, limits, weight, at_once
        self._flights: dict[Item, _Flight] = {}
        self._waiting: dict[Item, _Flight] = {}
        self._alone: deque[tuple[Item, _Flight]] = deque()
        """Items of a batch that failed, each to be tried by itself."""
        self._running = 0
        self._recent: LRUCache[Item, Row] = LRUCache(limits.recent)
        self._unpaid = Bill()
        """For what nobody waited to see: the next caller's event carries it, so that no money is lost sight of."""
        self._tasks = Tasks()
        self._closed = False

    async def ask(self, items: Sequence[Item]) -> tuple[list[Row], Bill]:
        """A row for each item, and what they cost that nobody has been told of yet. Raises `EmbeddingError`."""
        if self._closed:
            raise EmbeddingError("closed")
        found, flights = self._looked_up(items)
        try:
            if flights:
                await self._wait(flights)
        finally:
            for flight in flights.values():
                self._unpaid, flight.bill = self._unpaid + flight.bill, Bill()
        failed = next((flight.error for flight in flights.values() if flight.error), "")
        if not failed and not all(flight.done.done() for flight in flights.values()):
            failed = "timeout"
        if failed:
            raise EmbeddingError(failed)
        bill, self._unpaid = self._unpaid, Bill()
        rows = {item: flight.row for item, flight in flights.items()} | found
        return [row for item in items if (row := rows[item]) is not None], bill

    def _looked_up(self, items: Sequence[Item]) -> tuple[dict[Item, Row], dict[Item, _Flight]]:
        """What is remembered, and what has to be waited for, queued where nobody has asked for it yet."""
        found: dict[Item, Row] = {}
        flights: dict[Item, _Flight] = {}
        for item in dict.fromkeys(items):
            row = self._recent.get(item)
            if row is not None:
                found[item] = row
            else:
                flights[item] = self._flights.get(item) or _Flight()
        new = {item: flight for item, flight in flights.items() if item not in self._flights}
        if len(self._waiting) + len(new) > self._limits.waiting:
            raise EmbeddingError("busy")
        self._waiting |= new
        self._flights |= new
        return found, flights

    async def _wait(self, flights: dict[Item, _Flight]) -> None:
        for flight in flights.values():
            flight.callers += 1
        self._go_on()
        try:
            await asyncio.wait([flight.done for flight in flights.values()], timeout=self._limits.timeout)
        finally:
            for item, flight in flights.items():
                flight.callers -= 1
                if not flight.callers and self._waiting.get(item) is flight:  # nobody wants it any more
                    del self._waiting[item], self._flights[item]

    def _go_on(self) -> None:
        while self._running < self._at_once and (batch := self._next()):
            self._running += 1
            task = self._tasks.spawn(self._computed([item for item, _ in batch]))
            task.add_done_callback(partial(self._landed, batch))

    def _next(self) -> list[tuple[Item, _Flight]]:
        while self._alone:
            item, flight = self._alone.popleft()
            if flight.callers:
                return [(item, flight)]
            self._end(item, flight, error="given up")
        batch: list[tuple[Item, _Flight]] = []
        weight = 0
        for item in self._waiting:
            weight += self._weight(item)
            if batch and (weight > self._limits.heaviest or len(batch) == self._limits.size):
                break
            batch.append((item, self._waiting[item]))
        for item, _ in batch:
            del self._waiting[item]
        return batch

    async def _computed(self, items: list[Item]) -> Embedded:
        made = await self._compute(items)
        if len(made.vectors) != len(items):
            raise WholeBatchError(f"{len(made.vectors)} vectors for {len(items)} texts")
        return made

    def _landed(self, batch: list[tuple[Item, _Flight]], task: asyncio.Task[Embedded]) -> None:
        # The error of a task is looked at, not caught: whatever a model or a provider's client raises is a miss.
        self._running -= 1
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or (self._closed and error is not None):
            for item, flight in batch:
                self._end(item, flight, error="closed")
        elif error is None:
            self._keep(batch, task.result())
        elif len(batch) > 1 and not isinstance(error, WholeBatchError):
            self._alone.extend(batch)
        else:
            told = str(error) if isinstance(error, EmbeddingError) else f"{type(error).__name__}: {error}"
            for item, flight in batch:
                self._end(item, flight, error=told or type(error).__name__)
        self._go_on()

    def _keep(self, batch: list[tuple[Item, _Flight]], made: Embedded) -> None:
        weights = [self._weight(item) for item, _ in batch]
        for (item, flight), row, bill in zip(batch, made.vectors, shares(made, weights), strict=True):
            flight.row, flight.bill = np.array(row), bill  # a copy: a view would keep the whole batch
            if self._limits.recent and self._weight(item) <= self._limits.longest:
                self._recent[item] = flight.row
            self._end(item, flight)

    def _end(self, item: Item, flight: _Flight, *, error: str = "") -> None:
        flight.error = error
        self._flights.pop(item, None)
        if not flight.callers:
            self._unpaid, flight.bill = self._unpaid + flight.bill, Bill()
        if not flight.done.done():
            flight.done.set_result(None)

    async def close(self) -> bool:
        """Lets what is being computed end, and refuses all else; whether it ended in time."""
        self._closed = True
        for item, flight in (*self._waiting.items(), *self._alone):
            self._end(item, flight, error="closed")
        self._waiting.clear()
        self._alone.clear()
        ended = await self._tasks.drain(DRAIN) == 0
        await asyncio.sleep(0)  # for the callbacks of what was cancelled
        return ended


def shares(made: Embedded, weights: Sequence[int]) -> list[Bill]:
    """The bill of a batch by the weights of its items; the parts add up to the whole."""
    total, before, bills = max(1, sum(weights)), 0, []
    for weight in weights:
        after = before + weight
        usage = made.usage
        if usage is not None:
            tokens = usage.prompt * after // total - usage.prompt * before // total
            usage = Usage(uncached=tokens, estimated=usage.estimated)
        bills.append(Bill(usage, None if made.cost is None else made.cost * weight / total))
        before = after
    return bills
