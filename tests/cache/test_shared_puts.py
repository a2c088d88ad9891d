from __future__ import annotations

import asyncio
from contextlib import suppress

from adapters.tasks import Tasks
from cache.invalidation import Invalidation
from cache.shared_puts import SharedPuts
from tests.cache.contract import Clock, entry_of, key_of


async def test_who_confirms_waits_for_what_is_covered_and_for_nothing_else() -> None:
    tasks, clock = Tasks(), Clock()
    puts = SharedPuts(tasks)
    gates = [asyncio.Event(), asyncio.Event()]

    async def work(number: int) -> bool:
        await gates[number].wait()
        return True

    begun = [puts.begin(entry_of(number, clock), work(number)) for number in range(2)]
    await puts.passed(Invalidation(keys=(key_of(7),)))
    passed = tasks.spawn(puts.passed(Invalidation(keys=(key_of(0),))))
    gates[1].set()
    assert await begun[1] is True
    assert not passed.done()
    gates[0].set()
    await passed
    assert await begun[0] is True
    assert len(puts) == 0


async def test_who_gives_up_waiting_does_not_stop_it() -> None:
    tasks, gate = Tasks(), asyncio.Event()
    puts = SharedPuts(tasks)
    done = []

    async def work() -> bool:
        await gate.wait()
        done.append(True)
        return True

    async def caller() -> bool:
        return await puts.begin(entry_of(1, Clock()), work())

    impatient = tasks.spawn(caller())
    await asyncio.sleep(0)
    impatient.cancel()
    with suppress(asyncio.CancelledError):
        await impatient
    passed = tasks.spawn(puts.passed(Invalidation(everything=True)))
    await asyncio.sleep(0)
    assert not passed.done()
    gate.set()
    await passed
    assert done == [True]
