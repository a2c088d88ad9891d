from __future__ import annotations

import asyncio

import pytest

from cache.redis_members import BACK, LEFT, Members
from tests.cache.contract import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(100.0)


@pytest.fixture
def members(clock: Clock) -> Members:
    return Members("me", clock)


def test_who_may_serve_and_has_not_heard(members: Members, clock: Clock) -> None:
    members.told([[b"me", 5000, b"0-0"], [b"a", 5000, b"7-1"], [b"b", 9000, b"0-0"], [b"c", 1000, b"0-0"]], "9-0")
    others = members.others()
    assert others == {"a": 105.0, "b": 109.0, "c": 101.0}
    assert members.behind("7-1", others) == {"b", "c"}
    assert members.behind("7-2", others) == {"a", "b", "c"}
    members.confirmed("a", "7-2")
    members.confirmed("a", "7-1")
    assert members.behind("7-2", others) == {"b", "c"}
    clock.tick(1)
    assert members.behind("7-2", others) == {"b"}
    members.left("b")
    assert members.behind("7-2", others) == set()
    members.told([[b"a", 5000, b"7-2"]])
    assert members.behind("7-2", others) == set(), "who left has left"


def test_renewing_changes_nothing_for_what_was_said_before(members: Members, clock: Clock) -> None:
    members.told([[b"a", 1000, b"0-0"]], "9-0")
    others = members.others()
    clock.tick(0.5)
    members.told([[b"a", 60_000, b"0-0"]])
    clock.tick(0.5)
    assert members.behind("9-0", others) == set()
    assert members.behind("9-0", members.others()) == {"a"}


def test_one_whom_an_emptied_redis_does_not_know_counts_until_its_end(members: Members, clock: Clock) -> None:
    members.told([[b"a", 5000, b"0-0"]])
    clock.tick(1)
    members.told([])
    assert members.others() == {"a": 105.0}
    clock.tick(4)
    assert members.others() == {}


def test_ids_that_come_again_were_heard_by_nobody(members: Members) -> None:
    members.told([[b"a", 5000, b"900000-3"]], "900000-3")
    members.told([[b"a", 5000, b"0-0"]], f"{900_000 - BACK}-0")
    assert members.behind("900000-3", members.others()) == set(), "two answers in another order"
    members.told([[b"a", 5000, b"0-0"]], "800000-0")
    assert members.behind("800000-0", members.others()) == {"a"}
    members.confirmed("a", "800000-0")
    members.told([[b"a", 5000, b"0-0"]], "800001-0")
    assert members.behind("800000-0", members.others()) == set()
    members.begin_anew()
    assert members.behind("800000-0", members.others()) == {"a"}


def test_little_is_remembered(members: Members, clock: Clock) -> None:
    for number in range(LEFT + 10):
        members.told([[b"%d" % number, 10, b"1-1"]])
        members.left(str(number))
        members.confirmed(f"x{number}", "1-1")
    members.told([])
    assert (len(members._gone), len(members._heard), len(members._until)) == (LEFT, 0, 0)


def test_one_that_says_so_takes_part(members: Members, clock: Clock) -> None:
    members.joined("a", 2000)
    members.joined("a", 1000)
    assert members.others() == {"a": 102.0}


async def test_waiting_for_a_change(members: Members) -> None:
    assert not await members.changed(0)
    waiting = [asyncio.ensure_future(members.changed(60)) for _ in range(3)]
    await asyncio.sleep(0)
    members.confirmed("a", "1-1")
    assert await asyncio.gather(*waiting) == [True] * 3
