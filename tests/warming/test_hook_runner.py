"""Hooks that are slow, raise or talk nonsense: skipped, counted, told, and in the end not asked any more."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from adapters.transcript import Edit, Transcript, transcript_of
from warming.hook_runner import SLOW_MOST, Counts, Guard, Threads
from warming.hooks import Context

T = TypeVar("T")


def transcript() -> Transcript:
    made = transcript_of({"messages": [{"role": "tool", "tool_call_id": "c", "content": "x"}]}, "openai-chat")
    assert made is not None
    return made


async def at_once(function: Callable[[], T], seconds: float, /) -> T:
    return function()


def fine(_: Transcript, __: Context) -> list[Edit]:
    return [Edit(0, "[x]")]


def raises(_: Transcript, __: Context) -> list[Edit]:
    raise ValueError("what the user wrote")


def nonsense(_: Transcript, __: Context) -> Any:
    return 3


class Slow:
    """A runner that has no time for some hooks."""

    def __init__(self, *slow: int) -> None:
        self.slow, self.calls, self.seconds = set(slow), 0, 0.0

    async def __call__(self, function: Callable[[], T], seconds: float, /) -> T:
        self.calls += 1
        self.seconds = seconds
        if self.calls in self.slow:
            raise TimeoutError
        return function()


async def test_a_faulty_hook_does_not_keep_the_others_from_their_work(caplog: pytest.LogCaptureFixture) -> None:
    counts = Counts()
    guard = Guard([("r", raises), ("n", nonsense), ("f", fine)], at_once, 0.25, counts)
    for _ in range(4):
        assert await guard(transcript(), Context()) == [("r", ()), ("n", ()), ("f", (Edit(0, "[x]"),))]
    assert [(each.runs, each.raised, each.nonsense, each.slow) for each in counts.hooks.values()] == [
        (4, 4, 0, 0),
        (4, 0, 4, 0),
        (4, 0, 0, 0),
    ]
    assert [each.proposed for each in counts.hooks.values()] == [0, 0, 4]
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 6  # the first, second and fourth time of each
    assert told[0] == "pruning hook r: skipped, ValueError (1 times so far)"
    assert "what the user wrote" not in caplog.text


async def test_a_slow_hook_is_skipped_and_off_after_some_times_in_a_row(caplog: pytest.LogCaptureFixture) -> None:
    counts, runner = Counts(), Slow(1, 2, *range(4, 4 + SLOW_MOST))
    guard = Guard([("s", fine)], runner, 0.125, counts)
    edits = [await guard(transcript(), Context()) for _ in range(3 + SLOW_MOST)]
    assert [bool(found[0][1]) for found in edits] == [False, False, True] + [False] * SLOW_MOST
    assert runner.seconds == 0.125
    assert counts.hooks["s"].off
    assert counts.hooks["s"].slow == 2 + SLOW_MOST
    assert await guard(transcript(), Context()) == []
    assert runner.calls == 3 + SLOW_MOST
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        f"pruning hook s: too slow {SLOW_MOST} times in a row, off until the next start"
    ]


async def test_threads_run_hooks_elsewhere_and_hand_back_what_they_return_or_raise() -> None:
    threads = Threads()
    assert await threads(threading.get_ident, 60) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await threads(lambda: 1 / 0, 60)
    assert await threads(lambda: 3, 60) == 3
    threads.close()


async def test_a_thread_that_hangs_is_left_to_itself() -> None:
    threads, gate, ended = Threads(at_once=1), threading.Event(), threading.Event()

    def hangs() -> None:
        gate.wait(60)
        ended.set()

    for _ in range(3):
        with pytest.raises(TimeoutError):
            await threads(hangs, 0)
    assert await threads(lambda: "next", 60) == "next"  # its turn was given back
    assert not ended.is_set()
    gate.set()
    assert await asyncio.get_running_loop().run_in_executor(None, ended.wait, 60)
    threads.close()


async def test_no_more_than_so_many_at_once_and_waiting_does_not_count() -> None:
    threads, gate, begun = Threads(at_once=2), threading.Event(), threading.Semaphore(0)
    running: list[int] = []
    most: list[int] = []

    def works() -> None:
        running.append(1)
        most.append(len(running))
        begun.release()
        gate.wait(60)
        running.pop()

    asked: list[Awaitable[None]] = [asyncio.ensure_future(threads(works, 60)) for _ in range(8)]
    for _ in range(2):
        assert await asyncio.get_running_loop().run_in_executor(None, lambda: begun.acquire(timeout=60))
    assert len(most) == 2
    gate.set()
    await asyncio.gather(*asked)
    assert len(most) == 8
    assert max(most) <= 2
    threads.close()


async def test_a_caller_that_goes_away_leaves_no_thread_behind() -> None:
    threads, gate, ended = Threads(at_once=1), threading.Event(), threading.Event()

    def works() -> None:
        gate.wait(60)
        ended.set()

    task = asyncio.ensure_future(threads(works, 60))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()
    assert await threads(lambda: 1, 60) == 1
    threads.close()
