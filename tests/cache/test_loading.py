from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from adapters.tasks import Tasks
from cache.loading import Loading


class Maker:
    def __init__(self) -> None:
        self.calls = 0
        self.gate = asyncio.Event()
        self.error: Exception | None = None
        self.overtaken = False

    async def __call__(self) -> int:
        self.calls += 1
        number = self.calls
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return number

    def late(self) -> bool:
        return self.overtaken


async def test_one_making_for_all_who_want_it_at_the_same_time() -> None:
    tasks, maker = Tasks(), Maker()
    loading = Loading(tasks)
    waiting = [tasks.spawn(loading(b"k", maker, maker.late)) for _ in range(50)]
    other = tasks.spawn(loading(b"other", maker, maker.late))
    await asyncio.sleep(0)
    maker.gate.set()
    assert await asyncio.gather(*waiting) == [1] * 50
    assert await other == 2
    assert (maker.calls, len(loading)) == (2, 0)
    assert await loading(b"k", maker, maker.late) == 3


async def test_an_error_is_for_all_who_wait_and_the_next_tries_again() -> None:
    tasks, maker = Tasks(), Maker()
    loading = Loading(tasks)
    maker.error = OSError("no")
    waiting = [tasks.spawn(loading(b"k", maker, maker.late)) for _ in range(3)]
    await asyncio.sleep(0)
    maker.gate.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(each) for each in found] == ["no"] * 3
    maker.error = None
    assert await loading(b"k", maker, maker.late) == 2


async def test_who_gives_up_stops_nobody() -> None:
    tasks, maker = Tasks(), Maker()
    loading = Loading(tasks)
    first, second = (tasks.spawn(loading(b"k", maker, maker.late)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    maker.gate.set()
    assert await second == 1


async def test_nobody_waits_for_what_has_been_overtaken() -> None:
    tasks, maker = Tasks(), Maker()
    loading = Loading(tasks)
    first = tasks.spawn(loading(b"k", maker, maker.late))
    await asyncio.sleep(0)
    maker.overtaken = True
    second = tasks.spawn(loading(b"k", maker, lambda: False))
    await asyncio.sleep(0)
    third = tasks.spawn(loading(b"k", maker, lambda: False))
    await asyncio.sleep(0)
    maker.gate.set()
    assert [await first, await second, await third] == [1, 2, 2]


async def test_an_error_that_nobody_waits_for_is_no_noise(recwarn: pytest.WarningsRecorder) -> None:
    tasks, maker = Tasks(), Maker()
    loading = Loading(tasks)
    maker.error = OSError("no")
    first = tasks.spawn(loading(b"k", maker, maker.late))
    await asyncio.sleep(0)
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    maker.gate.set()
    await tasks.drain(1)
    assert len(loading) == 0
    assert not recwarn.list
