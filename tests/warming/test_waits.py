"""Waiting for something to be over, in virtual time."""

from __future__ import annotations

import asyncio

from adapters.tasks import Tasks
from tests.fakes import Time
from warming.waits import Waits


async def test_all_wake_in_the_order_they_came():
    time = Time()
    waits, woken = Waits(Tasks(), time.sleep), []

    async def wait(name):
        woken.append((name, await waits.until("flight", 10.0)))

    async def end():
        await time.sleep(3.0)
        assert len(waits) == 5
        waits.over("flight")

    await time.run(*(wait(n) for n in range(5)), end())
    assert woken == [(n, True) for n in range(5)]
    assert (len(waits), time.now) == (0, 3.0)


async def test_patience_ends_for_each_at_its_own_moment():
    time = Time()
    waits, woken = Waits(Tasks(), time.sleep), []

    async def wait(patience):
        woken.append((await waits.until("flight", patience), time.now))

    await time.run(wait(2.0), wait(1.0), wait(-1.0))
    assert woken == [(False, 0.0), (False, 1.0), (False, 2.0)]
    assert len(waits) == 0


async def test_one_that_is_cancelled_leaves_nothing_behind_and_disturbs_nobody():
    time = Time()
    tasks = Tasks()
    waits = Waits(tasks, time.sleep)
    gone, stays = (asyncio.ensure_future(waits.until("flight", 10.0)) for _ in range(2))

    async def act():
        await time.sleep(1.0)
        gone.cancel()
        await time.sleep(1.0)
        assert len(waits) == 1
        waits.over("flight")
        assert await stays

    assert await time.run(act()) == [None]
    assert gone.cancelled()
    assert len(waits) == 0


async def test_nobody_waits_for_another_event():
    time = Time()
    waits = Waits(Tasks(), time.sleep)
    waits.over("nobody waits for this")

    async def act():
        waits.over("other")

    assert await time.run(waits.until("flight", 1.0), act()) == [False, None]
