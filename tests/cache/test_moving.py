from __future__ import annotations

import pytest

from tests.cache.contract import entry_of, key_of
from tests.cache.leveled import Leveled

ONE, TWO = key_of(1), key_of(2)


async def test_what_memory_has_no_room_for_goes_down_instead_of_vanishing() -> None:
    at = Leveled(l1=1, policy="write_through")
    at.l2.failing = {"put"}
    await at.tiers.put(entry_of(1, at.clock))
    assert at.where(ONE) == "l1"
    at.l2.failing = set()
    await at.tiers.put(entry_of(2, at.clock))
    found = await at.tiers.get(ONE)
    assert found == (entry_of(1, at.clock), "l1"), "on its way it is found as well"
    await at.settle()
    assert (at.where(ONE), at.where(TWO)) == ("l2", "l1 l2")
    assert at.tiers.stats()["l1"]["demotions"] == 1


async def test_what_lies_below_already_stays_as_it_is() -> None:
    at = Leveled(l1=1)
    await at.tiers.put(entry_of(1, at.clock))
    await at.l2.put(entry_of(1, at.clock, body=b"of another worker, and newer"))
    before = list(at.l2.asked)
    await at.tiers.put(entry_of(2, at.clock))
    await at.settle()
    assert at.l2.asked == [*before, "put"], "only the other one was written"
    found = await at.tiers.get(ONE)
    assert found is not None
    assert found[0].body == b"of another worker, and newer"


async def test_what_the_disk_has_no_room_for_goes_to_the_shared_level() -> None:
    at = Leveled(l1=1, l2=1, l3=10)
    at.l3.failing = {"put"}
    await at.tiers.put(entry_of(1, at.clock))
    at.l3.failing = set()
    await at.tiers.put(entry_of(2, at.clock))
    await at.settle()
    assert at.where(ONE) == "l3"


@pytest.mark.parametrize(("after", "levels"), [(0, "l2 l2 l2 l2"), (1, "l2 l1 l1 l1"), (3, "l2 l2 l2 l1")])
async def test_what_is_read_often_below_moves_up(after: int, levels: str) -> None:
    at = Leveled(promote_after=after)
    await at.l2.put(entry_of(1, at.clock))
    seen = [found[1] for _ in range(4) if (found := await at.tiers.get(ONE))]
    assert " ".join(seen) == levels
    assert at.tiers.stats()["l1"]["promotions"] == (after > 0)


async def test_from_the_shared_level_it_moves_into_both() -> None:
    at = Leveled(l3=10, promote_after=2)
    await at.l3.put(entry_of(1, at.clock))
    await at.tiers.get(ONE)
    await at.settle()
    assert at.where(ONE) == "l3"
    await at.tiers.get(ONE)
    await at.settle()
    assert at.where(ONE) == "l1 l2 l3"


async def test_looking_moves_nothing_and_promoting_counts_as_no_access() -> None:
    at = Leveled(promote_after=1)
    await at.l2.put(entry_of(1, at.clock))
    await at.tiers.look(ONE)
    assert at.where(ONE) == "l2"
    before = at.tiers.stats()
    assert await at.tiers.promote(ONE) is True
    assert await at.tiers.promote(ONE) is True
    assert await at.tiers.promote(TWO) is False
    after = at.tiers.stats()
    assert at.where(ONE) == "l1 l2"
    for level in ("l1", "l2"):
        assert [before[level][name] for name in ("hits", "misses")] == [
            after[level][name] for name in ("hits", "misses")
        ]
    assert await Leveled(l1=0).tiers.promote(ONE) is False


async def test_write_back_keeps_it_in_memory_until_the_flush() -> None:
    at = Leveled(l1=2, l3=10, policy="write_back")
    assert await at.tiers.put(entry_of(1, at.clock)) is True
    await at.settle()
    assert (at.where(ONE), at.tiers.dirty) == ("l1", 1)
    assert await at.tiers.flush() == 1
    assert (at.where(ONE), at.tiers.dirty) == ("l1 l2 l3", 0)


async def test_write_back_writes_what_memory_drops_and_it_is_found_all_the_time() -> None:
    at = Leveled(l1=1, policy="write_back")
    await at.l2.put(entry_of(1, at.clock, body=b"old"))
    await at.tiers.put(entry_of(1, at.clock, body=b"new"))
    at.gate2.stop("put 1")
    await at.tiers.put(entry_of(2, at.clock))
    found = at.tiers.peek(ONE)
    assert found is not None
    assert found.body == b"new"
    assert at.tiers.dirty == 2
    at.gate2.open("put 1")
    await at.settle()
    got = await at.tiers.get(ONE)
    assert got is not None
    assert (got[0].body, got[1]) == (b"new", "l2")
    assert at.where(TWO) == "l1"


async def test_write_back_writes_at_once_what_memory_refuses() -> None:
    at = Leveled(policy="write_back")
    await at.tiers.put(entry_of(1, at.clock, body=b"small"))
    large = entry_of(1, at.clock, body=b"x" * (1 << 20))
    assert await at.tiers.put(large) is True
    assert (at.where(ONE), at.tiers.dirty) == ("l2", 0)
    assert await at.tiers.get(ONE) == (large, "l2")
    without = Leveled(l2=0, policy="write_back")
    assert await without.tiers.put(entry_of(1, at.clock)) is True
    assert without.tiers.dirty == 0
    assert await without.tiers.put(large) is False


async def test_write_back_writes_everything_at_the_end() -> None:
    at = Leveled(policy="write_back")
    await at.tiers.open()
    await at.tiers.put(entry_of(1, at.clock))
    await at.tiers.close()
    assert at.where(ONE) == "l1 l2"
    assert not at.l2.opened


async def test_write_back_flushes_at_every_interval() -> None:
    at = Leveled(policy="write_back", flush_interval=7.0)
    slept: list[float] = []

    class Enough(Exception):
        pass

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise Enough
        await at.tiers.put(entry_of(len(slept), at.clock))

    with pytest.raises(Enough):
        await at.tiers.flush_for_ever(sleep)
    assert slept == [7.0, 7.0, 7.0]
    assert (at.where(ONE), at.where(TWO)) == ("l1 l2", "l1 l2")
    await Leveled().tiers.flush_for_ever(sleep)  # nothing to do, so it ends
    assert len(slept) == 3


async def test_write_around_goes_past_memory() -> None:
    at = Leveled(policy="write_around", promote_after=1)
    await at.tiers.put(entry_of(1, at.clock, body=b"old"))
    assert at.where(ONE) == "l2"
    await at.tiers.get(ONE)
    assert at.where(ONE) == "l1 l2"
    await at.tiers.put(entry_of(1, at.clock, body=b"new"))
    found = await at.tiers.get(ONE)
    assert found is not None
    assert (found[0].body, found[1]) == (b"new", "l2")
    assert await Leveled(l2=0, policy="write_around").tiers.put(entry_of(1, at.clock)) is False
