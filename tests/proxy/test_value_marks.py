"""When the making of a value began, and who changes which."""

from __future__ import annotations

import asyncio

from proxy.value_marks import Marks, Turns
from tests.fakes import until


def test_a_word_stands_for_its_mark() -> None:
    words = iter("abc")
    marks = Marks(lambda: next(words), most=2)
    assert [marks.word(mark) for mark in (7, 7, 9)] == ["a", "b", "c"]
    assert (marks.mark("b"), marks.mark("c")) == (7, 9)
    assert (marks.mark("a"), marks.mark("x")) == (None, None)


async def test_those_who_change_one_value_take_turns() -> None:
    turns, order = Turns(), list[str]()
    gate = asyncio.Event()

    async def change(name: str, key: bytes) -> None:
        async with turns.of(key):
            order.append(f"{name} begins")
            await gate.wait()
            order.append(f"{name} ends")

    async with asyncio.TaskGroup() as group:
        for name, key in (("one", b"k"), ("two", b"k"), ("other", b"o")):
            group.create_task(change(name, key))
        await until(lambda: len(order) == 2)
        assert (order, len(turns)) == (["one begins", "other begins"], 2)
        gate.set()
    assert order[2:] == ["one ends", "other ends", "two begins", "two ends"]
    assert len(turns) == 0


async def test_a_turn_that_fails_lets_the_next_one_come() -> None:
    turns = Turns()
    for _ in range(2):
        try:
            async with turns.of(b"k"):
                raise OSError
        except OSError:
            pass
    assert len(turns) == 0
