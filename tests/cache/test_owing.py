from __future__ import annotations

from adapters.tasks import Tasks
from cache.invalidation import Invalidation
from cache.owing import Owing
from tests.cache.contract import Clock, entry_of, key_of
from tests.cache.scripted_level import ScriptedLevel

ONE, TWO = Invalidation(keys=(key_of(1),)), Invalidation(keys=(key_of(2), key_of(1)))


async def test_what_could_not_be_removed_is_not_taken_and_goes_when_the_level_answers() -> None:
    clock, tasks, paid = Clock(), Tasks(), list[Invalidation]()
    level = ScriptedLevel("l3", 100, clock)
    owing = Owing(level, tasks, paid.append)
    entries = [entry_of(number, clock) for number in range(4)]
    for entry in entries:
        await level.put(entry)
    assert await owing.remove(ONE) == {key_of(1)}
    assert not owing.covers(entries[1]), "nothing is owed"
    await level.put(entries[1])
    level.failing = {"invalidate"}
    assert await owing.remove(ONE) is None
    assert await owing.remove(TWO) is None
    assert [owing.covers(entry) for entry in entries] == [False, True, True, False]
    await tasks.drain(1)
    assert (len(owing), paid, level.might_have(key_of(1))) == (2, [], True)
    level.failing = set()
    assert owing.covers(entries[1])
    await tasks.drain(1)
    assert (len(owing), paid, level.might_have(key_of(1)), level.might_have(key_of(3))) == (0, [ONE, TWO], False, True)
    assert not owing.covers(entries[1])


async def test_what_was_put_there_since_is_taken() -> None:
    clock = Clock()
    level = ScriptedLevel("l3", 100, clock)
    owing = Owing(level, Tasks(), lambda _: None)
    level.failing = {"invalidate"}
    await owing.remove(ONE)
    newer = entry_of(1, clock, body=b"newer")
    owing.put(newer)
    assert not owing.covers(newer)
    assert owing.covers(entry_of(1, clock))


async def test_of_too_many_everything_is_owed() -> None:
    clock, tasks = Clock(), Tasks()
    level = ScriptedLevel("l3", 100, clock)
    owing = Owing(level, tasks, lambda _: None, most=3)
    level.failing = {"invalidate"}
    for number in range(4):
        await owing.remove(Invalidation(keys=(key_of(number),)))
    assert len(owing) == 1
    assert owing.covers(entry_of(9, clock))
    await tasks.drain(1)
