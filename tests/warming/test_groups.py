"""Declared fan-outs, in virtual time."""

from __future__ import annotations

import asyncio

from adapters.tasks import Tasks
from adapters.vocabulary import Call
from tests.fakes import Time
from tests.warming.prompts import branches, prompt, terms
from warming.groups import Groups
from warming.plan import Shared
from warming.request import Request

DOC = ("system:sys:4000", "block:doc:8000")


def request(given):
    return Request(Call("POST", "/messages", {}, b""), b"", "anthropic-messages", given, terms(), "m", 0.0)


class Fan:
    """A group's members, and what became of them."""

    def __init__(self, gather=0.5, warming=1.0, fails=False):
        self.time, self.tasks, self.released = Time(), Tasks(), []
        self.warming, self.fails = warming, fails
        self.groups = Groups(
            self.release, self.tasks, gather=gather, clock=self.time, sleep=self.time.sleep,
            remembered=4)  # fmt: skip

    async def release(self, members):
        self.released.append((self.time.now, len(members)))
        await self.time.sleep(self.warming)
        if self.fails:
            raise asyncio.CancelledError
        return Shared(1, 12_000, "warmed")

    async def member(self, given, *, at=0.0, n=3, name="g", patience=10.0):
        await self.time.sleep(at)
        shared = await self.groups.join(name, n, request(given), patience)
        return shared.why, self.time.now


async def test_all_are_released_at_the_moment_the_last_has_come_and_the_prefix_is_warm():
    fan = Fan()
    a, b, c = branches(3, *DOC)
    got = await fan.time.run(fan.member(a), fan.member(b, at=0.1), fan.member(c, at=0.2))
    assert got == [("warmed", 1.2)] * 3
    assert fan.released == [(0.2, 3)]
    assert len(fan.groups) == 0


async def test_a_group_that_is_never_complete_goes_when_nobody_has_come_for_a_while():
    fan = Fan()
    a, b = branches(2, *DOC)
    got = await fan.time.run(fan.member(a, n=9), fan.member(b, at=0.3, n=9))
    assert got == [("warmed", 1.8)] * 2
    assert fan.released == [(0.8, 2)]


async def test_nobody_waits_beyond_his_patience():
    fan = Fan(warming=60.0)
    a, b = branches(2, *DOC)
    got = await fan.time.run(fan.member(a, n=2, patience=5.0), fan.member(b, at=0.1, n=2, patience=5.0))
    assert got == [("deadline", 5.0), ("deadline", 5.1)]


async def test_latecomers_are_not_held_and_read_what_is_warm_if_it_is_theirs():
    fan = Fan()
    a, b, late = branches(3, *DOC)
    other = prompt("system:other:4000", "message:q:10")
    got = await fan.time.run(
        fan.member(a, n=2), fan.member(b, n=2), fan.member(late, at=4.0, n=2), fan.member(other, at=4.0, n=2)
    )
    assert got == [("warmed", 1.0), ("warmed", 1.0), ("warmed", 4.0), ("came late", 4.0)]
    assert len(fan.released) == 1


async def test_a_member_who_hangs_up_is_not_waited_for_and_the_others_go():
    fan = Fan()
    a, b, c = branches(3, *DOC)
    gone = asyncio.ensure_future(fan.member(a))

    async def hang_up():
        await fan.time.sleep(0.1)
        gone.cancel()

    got = await fan.time.run(fan.member(b), fan.member(c, at=0.2), hang_up())
    assert got[:2] == [("warmed", 1.2)] * 2


async def test_groups_of_different_names_do_not_meet_and_a_release_that_fails_lets_all_go():
    fan = Fan(fails=True)
    a, b = branches(2, *DOC)
    got = await fan.time.run(fan.member(a, n=1), fan.member(b, n=1, name="h"))
    assert got == [("failed", 1.0)] * 2
    assert [n for _, n in fan.released] == [1, 1]


async def test_names_of_groups_do_not_fill_the_memory():
    fan = Fan(warming=0.0)
    given = prompt(*DOC)
    await fan.time.run(*(fan.member(given, n=1, name=str(number)) for number in range(10)))
    assert len(fan.groups._gone) == 4


async def test_a_name_that_is_used_again_begins_a_new_fan_out():
    fan = Fan()
    a, b, c, d = branches(4, *DOC)
    got = await fan.time.run(
        fan.member(a, n=2), fan.member(b, n=2), fan.member(c, at=60.0, n=2), fan.member(d, at=60.2, n=2)
    )
    assert got == [("warmed", 1.0)] * 2 + [("warmed", 61.2)] * 2
    assert fan.released == [(0.0, 2), (60.2, 2)]
