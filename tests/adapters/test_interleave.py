"""Several streams read as one: order, back-pressure, errors, and that nothing stays open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import Torn
from adapters.interleave import Interleaved
from adapters.tasks import Tasks


class Source:
    """Gives its items, each one behind its gate (or at once); then ends, or raises."""

    def __init__(self, *items: str, error: BaseException | None = None, gated: bool = False) -> None:
        self.items, self.error = list(items), error
        self.gate = asyncio.Semaphore(0 if gated else len(items) + 1)
        self.given = self.closed = 0

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        await self.gate.acquire()
        if self.given < len(self.items):
            self.given += 1
            return self.items[self.given - 1]
        if self.error is not None:
            raise self.error
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed += 1


async def turn(condition: Callable[[], bool] = lambda: False, times: int = 50) -> None:
    for _ in range(times):
        if condition():
            return
        await asyncio.sleep(0)


@given(st.lists(st.lists(st.integers(), max_size=8), max_size=5), st.integers(1, 9))
def test_every_item_comes_once_and_each_stream_in_its_order(streams: list[list[int]], ahead: int) -> None:
    async def main() -> None:
        sources = [Source(*map(str, items)) for items in streams]
        async with aclosing(Interleaved(sources, Tasks(), ahead)) as merged:
            found = [item async for item in merged]
        assert [[item for place, item in found if place == each] for each in range(len(streams))] == [
            list(map(str, items)) for items in streams
        ]
        with pytest.raises(StopAsyncIteration):
            await merged.__anext__()

    asyncio.run(main())


async def test_what_comes_first_is_given_first_wherever_it_comes_from() -> None:
    sources = [Source("a", "b", gated=True), Source("x", "y", gated=True)]
    async with aclosing(Interleaved(sources, Tasks())) as merged:
        for place, expected in ((1, "x"), (0, "a"), (0, "b"), (1, "y")):
            sources[place].gate.release()
            assert await merged.__anext__() == (place, expected)
        for source in sources:
            source.gate.release()
        with pytest.raises(StopAsyncIteration):
            await merged.__anext__()


async def test_a_slow_reader_slows_all_of_them_down() -> None:
    sources = [Source(*"abcdefgh"), Source(*"stuvwxyz")]
    async with aclosing(Interleaved(sources, Tasks(), 3)) as merged:
        await merged.__anext__()
        await turn()
        # One was read, three are at hand, and each source holds one more.
        assert sum(source.given for source in sources) == 1 + 3 + 2
        await merged.__anext__()
        await turn()
        assert sum(source.given for source in sources) == 2 + 3 + 2


async def test_one_that_waits_does_not_hold_up_the_others() -> None:
    sources = [Source("never", gated=True), Source(*"stuvwxyz")]
    async with aclosing(Interleaved(sources, Tasks(), 2)) as merged:
        assert [(await merged.__anext__())[1] for _ in range(8)] == list("stuvwxyz")
    assert [source.closed > 0 for source in sources] == [True, True]


async def test_an_error_comes_behind_what_came_before_it() -> None:
    sources = [Source("a", "b", error=Torn("cut")), Source("x", gated=True)]
    tasks = Tasks()
    async with aclosing(Interleaved(sources, tasks)) as merged:
        assert await merged.__anext__() == (0, "a")
        await turn()
        assert merged.ready() == [(0, "b")]
        with pytest.raises(Torn, match="cut"):
            await merged.__anext__()
    assert len(tasks) == 0
    assert sources[1].closed


async def test_what_is_at_hand_can_be_taken_together() -> None:
    async with aclosing(Interleaved([Source(*"abc")], Tasks())) as merged:
        assert merged.ready() == []
        assert await merged.__anext__() == (0, "a")
        await turn()
        assert merged.ready() == [(0, "b"), (0, "c")]
        assert merged.ready() == []
        with pytest.raises(StopAsyncIteration):
            await merged.__anext__()


async def test_none_begins_before_the_first_is_asked_for_and_closing_closes_them_all_the_same() -> None:
    sources, tasks = [Source("a"), Source("b")], Tasks()
    merged = Interleaved(sources, tasks)
    await turn()
    assert [source.given for source in sources] == [0, 0]
    await merged.aclose()
    assert [source.closed for source in sources] == [1, 1]
    with pytest.raises(StopAsyncIteration):
        await merged.__anext__()
    assert len(tasks) == 0


async def test_closing_in_the_middle_ends_the_tasks() -> None:
    sources, tasks = [Source("a", "b", gated=True), Source("x", gated=True)], Tasks()
    merged = Interleaved(sources, tasks)
    sources[0].gate.release()
    await merged.__anext__()
    assert len(tasks) == 2
    await merged.aclose()
    assert len(tasks) == 0
    assert all(source.closed for source in sources)


async def test_the_end_of_all_work_is_told_to_the_reader() -> None:
    tasks = Tasks()
    async with aclosing(Interleaved([Source("a", gated=True)], tasks)) as merged:
        waiting = tasks.spawn(merged.__anext__())
        await turn(lambda: len(tasks) == 2)
        await turn()
        pump = next(task for task in merged._pumps)
        pump.cancel()
        with pytest.raises(Torn, match="ending"):
            await waiting
