from __future__ import annotations

from collections.abc import Sequence

import pytest

from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.memory import Memory
from cache.tiers import Tiers
from cache.validity import AT_HAND
from tests.cache.contract import Clock, entry_of, key_of
from tests.cache.leveled import Leveled
from tests.cache.scripted_level import ScriptedLevel

ONE, TWO = key_of(1), key_of(2)


async def test_levels_are_asked_from_the_top_down() -> None:
    at = Leveled(l3=10, promote_after=0)
    await at.l2.put(entry_of(1, at.clock, body=b"2"))
    await at.l3.put(entry_of(1, at.clock, body=b"3"))
    await at.l3.put(entry_of(2, at.clock, body=b"3"))
    first, second = await at.tiers.get(ONE), await at.tiers.get(TWO)
    assert first is not None
    assert second is not None
    assert [(entry.body, level) for entry, level in (first, second)] == [(b"2", "l2"), (b"3", "l3")]
    assert at.l3.asked.count("get") == 1
    assert await at.tiers.get_many([ONE, TWO, key_of(3)]) == {ONE: first, TWO: second}


async def test_a_level_that_fails_is_a_miss_and_the_next_is_asked() -> None:
    at = Leveled(l3=10, promote_after=0)
    await at.tiers.put(entry_of(1, at.clock))
    at.clock.tick(11)
    at.l2.failing = {"get", "look", "put"}
    found = await at.tiers.get(ONE)
    assert found is not None
    assert found[1] == "l3"
    assert await at.tiers.put(entry_of(2, at.clock)) is True
    at.l3.failing = {"get", "look", "put"}
    assert await at.tiers.get(ONE) is None
    assert await at.tiers.look(ONE) is None
    assert await at.tiers.put(entry_of(3, at.clock)) is True, "memory has it"


async def test_what_is_stale_is_given_to_who_wants_it_and_only_where_nothing_is_fresh() -> None:
    at = Leveled(l3=10, grace=50, promote_after=1)
    await at.l2.put(entry_of(1, at.clock, ttl=5, body=b"2"))
    at.clock.tick(6)
    assert await at.tiers.get(ONE) is None
    assert await at.tiers.get_many([ONE]) == {}
    stale = await at.tiers.get(ONE, stale=True)
    assert stale is not None
    assert (stale[0].body, stale[1]) == (b"2", "l2")
    assert at.where(ONE) == "l2", "it does not move up"
    await at.l3.put(entry_of(1, at.clock, body=b"3"))
    fresh = await at.tiers.get(ONE, stale=True)
    assert fresh is not None
    assert (fresh[0].body, fresh[1]) == (b"3", "l3")


async def test_memory_may_be_stale_too() -> None:
    at = Leveled(l2=0, grace=50)
    await at.tiers.put(entry_of(1, at.clock, ttl=5))
    at.clock.tick(6)
    assert (at.tiers.peek(ONE), at.tiers.holds(ONE), await at.tiers.get(ONE)) == (None, False, None)
    stale = await at.tiers.get(ONE, stale=True)
    assert stale is not None
    assert stale[1] == "l1"
    at.clock.tick(50)
    assert await at.tiers.get(ONE, stale=True) is None


class Pipeline(ScriptedLevel):
    async def get_many(self, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        self.asked.append(f"many {len(keys)}")
        return {key: entry for key in keys if (entry := await self.look(key)) is not None}


async def test_a_level_that_takes_many_keys_is_asked_once() -> None:
    clock = Clock()
    shared = Pipeline("l3", 100, clock)
    tiers = Tiers(Memory(10, 1 << 20, 10, clock), None, shared, clock=clock)
    for number in range(3):
        await shared.put(entry_of(number, clock))
    await tiers.put(entry_of(0, clock))
    found = await tiers.get_many([key_of(number) for number in range(5)])
    assert {key: level for key, (_, level) in found.items()} == {key_of(0): "l1", ONE: "l3", TWO: "l3"}
    assert [deed for deed in shared.asked if deed.startswith("many")] == ["many 4"]


async def test_a_write_goes_on_where_something_else_is_invalidated_meanwhile() -> None:
    at = Leveled()
    at.gate2.stop("put 1")
    put = at.tasks.spawn(at.tiers.put(entry_of(1, at.clock)))
    await at.gate2.reached["put 1"].wait()
    await at.tiers.invalidate(Invalidation(keys=(TWO,)))
    at.gate2.open("put 1")
    assert await put is True
    assert (at.l2.asked.count("put"), at.where(ONE)) == (1, "l1 l2")


@pytest.mark.parametrize(("often", "kept"), [(1, True), (3, True), (4, False)])
async def test_it_is_begun_anew_where_nobody_knows_and_given_up_where_that_never_ends(often: int, kept: bool) -> None:
    at = Leveled(l1=0)
    left = often

    async def turn(way: str) -> None:
        nonlocal left
        if way == "put 1" and left:
            left -= 1
            for _ in range(AT_HAND + 1):
                at.tiers.validity.announce(Invalidation(keys=(TWO,)))

    at.l2.turn = turn
    assert await at.tiers.put(entry_of(1, at.clock)) is kept
    assert at.l2.asked.count("put") == min(often + 1, 4)
    assert at.where(ONE) == ("l2" if kept else "")
