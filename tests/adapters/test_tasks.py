"""The owner of the background tasks: nothing is lost, nothing runs on after the end."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from adapters.tasks import Tasks

LONG = 60.0
"""A deadline that no test reaches."""


async def wait_for(gate: asyncio.Event, done: list[str], name: str = "done") -> str:
    await gate.wait()
    done.append(name)
    return name


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_task_runs_and_is_forgotten_when_it_ended() -> None:
    tasks, gate, done = Tasks(), asyncio.Event(), list[str]()
    task = tasks.spawn(wait_for(gate, done))
    assert len(tasks) == 1
    gate.set()
    assert await task == "done"
    await turn()
    assert len(tasks) == 0


async def test_a_task_that_nobody_else_refers_to_is_not_collected() -> None:
    tasks, done, freed = Tasks(), list[str](), list[str]()

    class Watched(asyncio.Event):
        def __del__(self) -> None:
            freed.append("collected")

    # The task and the event it waits for refer to each other and nobody refers to them: only `tasks` holds the task.
    tasks.spawn(wait_for(Watched(), done))
    await turn()
    gc.collect()
    assert freed == []
    assert len(tasks) == 1
    assert await tasks.drain(0) == 1


async def test_drain_waits_for_all() -> None:
    tasks, gates, done = Tasks(), [asyncio.Event() for _ in range(3)], list[str]()
    for place, gate in enumerate(gates):
        tasks.spawn(wait_for(gate, done, str(place)))
    draining = asyncio.ensure_future(tasks.drain(LONG))
    for gate in reversed(gates):
        await turn()
        assert not draining.done()
        gate.set()
    assert await draining == 0
    assert done == ["2", "1", "0"]
    assert len(tasks) == 0


async def test_drain_without_tasks_returns_at_once() -> None:
    assert await Tasks().drain(LONG) == 0


async def test_drain_cancels_who_is_late_and_waits_for_their_clean_up() -> None:
    tasks, done = Tasks(), list[str]()

    async def closing() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await turn()
            done.append("closed")

    tasks.spawn(closing())
    tasks.spawn(closing())
    ready = tasks.spawn(wait_for(gate := asyncio.Event(), done))
    gate.set()
    assert await tasks.drain(0.01) == 2
    assert done == ["done", "closed", "closed"]
    assert ready.result() == "done"
    assert len(tasks) == 0


async def test_drain_waits_for_what_the_tasks_spawned_meanwhile() -> None:
    tasks, gate, done = Tasks(), asyncio.Event(), list[str]()
    second = asyncio.Event()

    async def first() -> None:
        await gate.wait()
        tasks.spawn(wait_for(second, done, "second"))

    tasks.spawn(first())
    draining = asyncio.ensure_future(tasks.drain(LONG))
    await turn()
    gate.set()
    await turn()
    assert not draining.done(), "the second task is still running"
    second.set()
    assert await draining == 0
    assert done == ["second"]
    assert len(tasks) == 0


async def test_drain_cancels_what_the_late_ones_spawned_at_the_end() -> None:
    tasks, done = Tasks(), list[str]()

    async def first() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            tasks.spawn(wait_for(asyncio.Event(), done))

    tasks.spawn(first())
    await turn()
    assert await tasks.drain(0.01) == 2
    assert done == []
    assert len(tasks) == 0


@pytest.mark.parametrize("error", [ValueError("x"), asyncio.CancelledError()])
async def test_a_task_that_fails_does_not_disturb_the_others(error: BaseException) -> None:
    tasks, gate, done = Tasks(), asyncio.Event(), list[str]()

    async def fail() -> None:
        raise error

    failed = tasks.spawn(fail())
    tasks.spawn(wait_for(gate, done))
    await turn()
    assert len(tasks) == 1
    gate.set()
    assert await tasks.drain(LONG) == 0
    assert done == ["done"]
    assert failed.cancelled() or failed.exception() is error


async def test_an_error_that_nobody_looked_at_is_reported_by_the_loop() -> None:
    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))

    async def fail() -> None:
        raise ValueError("x")

    tasks = Tasks()
    tasks.spawn(fail())
    await tasks.drain(LONG)
    gc.collect()
    assert [str(report["exception"]) for report in reports] == ["x"]


def test_a_task_needs_a_running_loop() -> None:
    done: list[str] = []
    work = wait_for(asyncio.Event(), done)
    with pytest.raises(RuntimeError, match="no running event loop"):
        Tasks().spawn(work)
    work.close()


async def test_endless_work_is_not_waited_for() -> None:
    tasks = Tasks()
    endless = tasks.spawn(asyncio.Event().wait(), endless=True)
    assert len(tasks) == 0, "it is no flight"
    await asyncio.sleep(0)
    assert await tasks.drain(60) == 0
    assert endless.cancelled()
