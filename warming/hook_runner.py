"""Hooks in threads of their own, each with a time limit: a hook that raises, talks nonsense or is slow is skipped.

A thread can't be killed. One whose hook was too slow is left to itself and ends when the hook does; a hook that is slow
again and again is not asked any more.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from adapters.transcript import Edit, Transcript
from warming.hooks import Context, Hook, Outcome, safely

T = TypeVar("T")

log = logging.getLogger("warmgate.warming")

SLOW_MOST = 3
"""Times in a row that a hook may be too slow. Behind them it is off until the proxy is started again."""

AT_ONCE = 2
"""Hooks that run at the same time. They are Python and share one interpreter: more would only slow each other down,
until all are too slow."""


class Runner(Protocol):
    def __call__(self, function: Callable[[], T], seconds: float, /) -> Awaitable[T]:
        """The function's result, or `TimeoutError`. Time runs from when it starts, not while it waits for others."""


@dataclass(slots=True)
class HookCounts:
    """What became of one hook, since the start. Tokens are estimates."""

    runs: int = 0
    proposed: int = 0
    """Edits."""
    applied: int = 0
    """Edits that were made for the first time."""
    removed: int = 0
    """Tokens that these took out, once each."""
    raised: int = 0
    nonsense: int = 0
    slow: int = 0
    off: bool = False


@dataclass(slots=True)
class Counts:
    """What metrics read. The names of hooks are those of the configuration: their number is bounded."""

    hooks: dict[str, HookCounts] = field(default_factory=dict)
    requests: int = 0
    """Requests that were looked at."""
    changed: int = 0
    inconsistent: int = 0
    """Requests that went on untouched because an edit did not come out as it should."""


class Guard:
    """Runs hooks one after the other."""

    def __init__(self, hooks: Sequence[tuple[str, Hook]], runner: Runner, seconds: float, counts: Counts) -> None:
        self._hooks, self._runner, self._seconds = hooks, runner, seconds
        self._in_a_row = dict.fromkeys((name for name, _ in hooks), 0)
        self.counts = counts
        counts.hooks |= {name: HookCounts() for name, _ in hooks}

    async def __call__(self, transcript: Transcript, context: Context) -> list[tuple[str, tuple[Edit, ...]]]:
        """What each of them proposes; nothing for those at fault."""
        return [
            (name, await self._edits(name, hook, transcript, context))
            for name, hook in self._hooks
            if not self.counts.hooks[name].off
        ]

    async def _edits(self, name: str, hook: Hook, transcript: Transcript, context: Context) -> tuple[Edit, ...]:
        counts = self.counts.hooks[name]
        counts.runs += 1
        try:
            outcome = await self._runner(lambda: safely(hook, transcript, context), self._seconds)
        except TimeoutError:
            outcome = Outcome(fault="slow", told=f"took more than {self._seconds:g} s")
        self._in_a_row[name] = self._in_a_row[name] + 1 if outcome.fault == "slow" else 0
        if outcome.fault:
            times = getattr(counts, outcome.fault) + 1
            setattr(counts, outcome.fault, times)
            if times & (times - 1) == 0:  # the 1st, 2nd, 4th, 8th ...: a broken hook must not fill the log
                log.warning("pruning hook %s: skipped, %s (%d times so far)", name, outcome.told, times)
        if self._in_a_row[name] >= SLOW_MOST and not counts.off:
            counts.off = True
            log.error("pruning hook %s: too slow %d times in a row, off until the next start", name, SLOW_MOST)
        counts.proposed += len(outcome.edits)
        return outcome.edits


class Threads:
    """A `Runner`. Its threads end with the process: nobody waits for a hook that hangs."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._idle: list[_Worker] = []

    async def __call__(self, function: Callable[[], T], seconds: float, /) -> T:
        async with self._turns:
            worker = self._idle.pop() if self._idle else _Worker()
            try:
                result = await asyncio.wait_for(worker.submit(function), seconds)
            except BaseException:
                worker.stop()
                raise
            self._idle.append(worker)
            return result

    def close(self) -> None:
        while self._idle:
            self._idle.pop().stop()


class _Worker:
    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = SimpleQueue()
        threading.Thread(target=self._run, name="warmgate-hook", daemon=True).start()

    def submit(self, function: Callable[[], T]) -> asyncio.Future[T]:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put((function, future))
        return future

    def stop(self) -> None:
        self._queue.put(None)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            function, future = job
            result, error = None, None
            try:
                result = function()
            except BaseException as raised:  # noqa: BLE001 - it belongs to whoever waits
                error = raised
            try:
                future.get_loop().call_soon_threadsafe(_settle, future, result, error)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
