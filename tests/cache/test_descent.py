from __future__ import annotations

import asyncio

from adapters.tasks import Tasks
from cache.descent import TOGETHER, Descent, Parcel
from cache.invalidation import Invalidation
from tests.cache.contract import Clock, entry_of, key_of

CLOCK = Clock()


def parcel(number: int, body: bytes = b"{}", *, dirty: bool = False) -> Parcel:
    return Parcel(entry_of(number, CLOCK, body=body), 0, dirty)


class Below:
    """Writes when it is let."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun: list[Parcel] = []
        self.written: dict[bytes, bytes] = {}
        self.most = self._under_way = 0
        self.failing = False
        self.failed: list[Parcel] = []

    async def __call__(self, parcel: Parcel) -> bool:
        self.begun.append(parcel)
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        await self.gate.wait()
        await asyncio.sleep(0)
        self._under_way -= 1
        if not self.failing:
            self.written[parcel.entry.key] = parcel.entry.body
        return not self.failing


async def test_it_is_found_until_it_has_arrived() -> None:
    below, tasks = Below(), Tasks()
    descent = Descent(below, tasks)
    below.gate.clear()
    descent.send(parcel(1))
    assert descent.get(key_of(1)) == parcel(1).entry
    await asyncio.sleep(0)
    assert descent.get(key_of(1)) == parcel(1).entry
    below.gate.set()
    await tasks.drain(1)
    assert descent.get(key_of(1)) is None
    assert (below.written, descent.moved, descent.lost) == ({key_of(1): b"{}"}, 1, 0)


async def test_an_older_value_never_overtakes_a_newer_one() -> None:
    below, tasks = Below(), Tasks()
    descent = Descent(below, tasks)
    below.gate.clear()
    descent.send(parcel(1, b"first"))
    await asyncio.sleep(0)
    descent.send(parcel(1, b"second"))
    pushed = tasks.spawn(descent.push(parcel(1, b"third")))
    await asyncio.sleep(0)
    descent.send(parcel(1, b"fourth"))
    found = descent.get(key_of(1))
    assert found is not None
    assert found.body == b"fourth"
    below.gate.set()
    assert await pushed is True
    await tasks.drain(1)
    assert [each.entry.body for each in below.begun] == [b"first", b"third", b"fourth"], "the second was not needed"
    assert below.written == {key_of(1): b"fourth"}
    assert not descent.waiting


async def test_so_many_at_a_time_and_no_more() -> None:
    below, tasks = Below(), Tasks()
    descent = Descent(below, tasks)
    for number in range(2 * TOGETHER + 1):
        descent.add(parcel(number))
    assert await descent.drain() == 2 * TOGETHER + 1
    assert below.most == TOGETHER


async def test_of_too_many_the_newcomers_are_lost_and_counted() -> None:
    below, tasks = Below(), Tasks()
    lost: list[Parcel] = []
    size = parcel(1).entry.size
    for descent in (
        Descent(below, tasks, lost.append, most=2),
        Descent(below, tasks, lost.append, most_bytes=2 * size),
    ):
        lost.clear()
        for number in range(3):
            descent.send(parcel(number))
        assert lost == [parcel(2)]
        assert (list(descent.waiting), descent.lost) == ([key_of(0), key_of(1)], 1)
        descent.send(parcel(1, b"longer than it was" * 2))
        assert descent.get(key_of(1)) is None, "an older value is not kept for a newer one"
        await tasks.drain(1)
        descent.send(parcel(4))
        assert descent.get(key_of(4)) is not None
        await tasks.drain(1)


async def test_what_could_not_be_written_is_told() -> None:
    below, tasks = Below(), Tasks()
    descent = Descent(below, tasks, below.failed.append)
    below.failing = True
    descent.send(parcel(1))
    await tasks.drain(1)
    assert (below.failed, descent.lost, list(descent.waiting)) == ([parcel(1)], 1, [])
    assert await descent.push(parcel(2)) is False


async def test_what_is_discarded_or_invalidated_does_not_go_down() -> None:
    below, tasks = Below(), Tasks()
    descent = Descent(below, tasks, below.failed.append)
    for number in range(4):
        descent.send(parcel(number))
    assert descent.discard(key_of(0)) is True
    assert descent.discard(key_of(9)) is False
    assert descent.invalidate(Invalidation(keys=(key_of(1), key_of(2), key_of(9)))) == {key_of(1), key_of(2)}
    await tasks.drain(1)
    assert set(below.written) == {key_of(3)}
    assert below.failed == []


async def test_one_that_was_stopped_goes_on_with_the_next() -> None:
    below, tasks = Below(), Tasks()
    descent = Descent(below, tasks)
    below.gate.clear()
    descent.send(parcel(1))
    assert await tasks.drain(0) == 1, "cancelled"
    below.gate.set()
    descent.send(parcel(2))
    await tasks.drain(1)
    assert set(below.written) == {key_of(1), key_of(2)}
