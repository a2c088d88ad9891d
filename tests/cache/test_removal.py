"""What is invalidated is served no more, one way of getting around it after the other. All of them at random:
`test_tiers_served`."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from cache.entry import Entry, Shape
from cache.invalidation import Alone, Invalidation
from cache.labels import entry_label
from tests.cache.contract import Clock, entry_of, key_of
from tests.cache.leveled import Leveled
from tests.cache.scripted_level import Shelf
from tests.cache.scripted_replicas import Bus

ONE, TWO, THREE = key_of(1), key_of(2), key_of(3)
WHAT = Invalidation(keys=(ONE,))


def value(number: int, clock: Clock, body: bytes = b"{}", *on: bytes, **other: Any) -> Entry:
    facts = {"shape": Shape.VALUE, "labels": tuple(map(entry_label, on))} | other
    return entry_of(number, clock, body=body, **facts)


# What may be named


@pytest.mark.parametrize(
    ("what", "gone"),
    [
        (Invalidation(keys=(key_of(0), key_of(7))), {0}),
        (Invalidation("a", keys=(key_of(0), key_of(1))), {0}),
        (Invalidation(labels=("odd",)), {1, 3}),
        (Invalidation("b", namespaces=("n0", "n1")), {1}),
        (Invalidation("a", everything=True), {0, 2}),
        (Invalidation(everything=True), {0, 1, 2, 3}),
        (Invalidation("a"), set()),
    ],
)
async def test_it_goes_from_all_levels_and_nothing_else_does(what: Invalidation, gone: set[int]) -> None:
    at = Leveled(l3=10, policy="write_through")
    for number in range(4):
        labels = ("odd",) if number % 2 else ()
        facts = {"tenant": "ab"[number % 2], "namespace": f"n{number}", "labels": labels}
        await at.tiers.put(entry_of(number, at.clock, **facts))
    at.memory.delete(key_of(0))
    await at.l2.delete(key_of(1))
    assert await at.tiers.invalidate(what) == {key_of(number) for number in gone}
    left = [number for number in range(4) if at.where(key_of(number))]
    assert left == [number for number in range(4) if number not in gone]


async def test_what_waits_to_be_written_goes_as_well() -> None:
    at = Leveled(l1=1, policy="write_back")
    await at.tiers.put(entry_of(1, at.clock))
    assert await at.tiers.invalidate(WHAT) == {ONE}
    at.gate2.stop("put 1")
    await at.tiers.put(entry_of(1, at.clock))
    await at.tiers.put(entry_of(2, at.clock))  # drops the first, which is on its way now
    assert at.tiers.peek(ONE) is not None
    assert await at.tiers.invalidate(WHAT) == {ONE}
    assert at.tiers.peek(ONE) is None
    at.gate2.open("put 1")
    await at.settle()
    assert at.where(ONE) == ""


async def test_delete_is_an_invalidation_and_so_is_what_takes_out_a_tenant() -> None:
    at = Leveled()
    await at.tiers.put(entry_of(1, at.clock, tenant="a"))
    mark = at.tiers.mark()
    assert await at.tiers.delete(ONE) is True
    assert await at.tiers.delete(ONE) is False
    assert await at.tiers.put(entry_of(1, at.clock, tenant="a"), mark) is False
    assert await at.tiers.invalidate(Invalidation("b", everything=True)) == set()
    assert await at.tiers.put(entry_of(2, at.clock, tenant="a"), mark) is True
    assert await at.tiers.invalidate(Invalidation("a", everything=True)) == {TWO}
    at.l2.failing = {"invalidate"}
    assert await at.tiers.invalidate(Invalidation("a", everything=True)) is None


# What comes late


async def test_an_answer_whose_making_began_before_is_not_kept() -> None:
    at = Leveled()
    mark = at.tiers.mark()
    await at.tiers.invalidate(WHAT)
    assert await at.tiers.put(entry_of(1, at.clock), mark) is False
    assert await at.tiers.put_many([entry_of(1, at.clock), entry_of(2, at.clock)], mark) == [False, True]
    assert at.where(ONE) == ""
    assert at.tiers.stats()["l1"]["late"] == 2
    assert await at.tiers.put(entry_of(1, at.clock), at.tiers.mark()) is True
    assert await at.tiers.put(entry_of(1, at.clock)) is True


@pytest.mark.parametrize("half", ["get 1", "get 2"])
async def test_a_slow_read_does_not_bring_it_back(half: str) -> None:
    at = Leveled(promote_after=1)
    await at.l2.put(entry_of(1, at.clock))
    at.gate2.stop(half, "invalidate 1")
    read = at.tasks.spawn(at.tiers.get(ONE))
    await at.gate2.reached[half].wait()
    removal = at.tasks.spawn(at.tiers.invalidate(WHAT))
    await at.gate2.reached["invalidate 1"].wait()
    at.gate2.open("invalidate 1")
    at.gate2.open(half)
    assert await read is None
    assert await removal == {ONE}
    assert at.where(ONE) == ""


@pytest.mark.parametrize("way", ["invalidate 1", "invalidate 2"])
@pytest.mark.parametrize("level", ["l2", "l3"])
async def test_while_it_is_being_removed_it_does_not_move_up(level: str, way: str) -> None:
    at = Leveled(l3=10, promote_after=1)
    await (at.l2 if level == "l2" else at.l3).put(entry_of(1, at.clock))
    gate = at.gate2 if level == "l2" else at.gate3
    gate.stop(way)
    removal = at.tasks.spawn(at.tiers.invalidate(WHAT))
    await gate.reached[way].wait()
    assert await at.tiers.get(ONE) is None
    gate.open(way)
    assert await removal == {ONE}
    await at.settle()
    assert at.where(ONE) == ""


async def test_what_was_found_in_memory_is_not_served_when_the_others_come_later() -> None:
    at = Leveled()
    await at.tiers.put(entry_of(1, at.clock))
    at.gate2.stop("get 2")
    read = at.tasks.spawn(at.tiers.get_many([ONE, TWO]))
    await at.gate2.reached["get 2"].wait()
    await at.tiers.invalidate(WHAT)
    at.gate2.open("get 2")
    assert await read == {}


async def test_nor_what_was_found_stale_on_the_disk_when_the_shared_level_comes_later() -> None:
    at = Leveled(l3=10, grace=50)
    await at.l2.put(entry_of(1, at.clock, ttl=5))
    at.clock.tick(6)
    at.gate3.stop("get 2")
    read = at.tasks.spawn(at.tiers.get(ONE, stale=True))
    await at.gate3.reached["get 2"].wait()
    await at.tiers.invalidate(WHAT)
    at.gate3.open("get 2")
    assert await read is None


async def test_a_slow_write_does_not_bring_it_back() -> None:
    at = Leveled(l3=10)
    for gate in (at.gate2, at.gate3):
        gate.stop("put 1")
    put = at.tasks.spawn(at.tiers.put(entry_of(1, at.clock)))
    await at.gate2.reached["put 1"].wait()
    removal = at.tasks.spawn(at.tiers.invalidate(WHAT))
    await at.gate3.reached["put 1"].wait()
    for gate in (at.gate2, at.gate3):
        gate.open("put 1")
    await removal
    await put
    assert at.l2.asked.count("put") == 1, "not tried again"
    assert at.where(ONE) == ""


async def test_what_is_on_its_way_into_the_shared_level_is_waited_for() -> None:
    at = Leveled(l3=10)
    at.gate3.stop("put sent")
    put = at.tasks.spawn(at.tiers.put(entry_of(1, at.clock)))
    await at.gate3.reached["put sent"].wait()
    removal = at.tasks.spawn(at.tiers.invalidate(WHAT))
    hearing = at.tasks.spawn(at.tiers.hear(WHAT))
    await at.tiers.invalidate(Invalidation(keys=(TWO,)))  # does not wait
    assert not removal.done()
    assert not hearing.done()
    at.gate3.open("put sent")
    await put
    await hearing
    assert ONE in (await removal or ())
    assert at.where(ONE) == ""


# Other workers of this machine


def two_workers(**more: Any) -> tuple[Leveled, Leveled]:
    clock, log, shelf = Clock(), Alone(), Shelf()
    one, two = (Leveled(clock=clock, log=log, shelf=shelf, **more) for _ in range(2))
    return one, two


@pytest.mark.parametrize("how", ["peek", "holds", "get", "look", "many", "promote"])
async def test_another_worker_does_not_serve_it_from_its_memory(how: str) -> None:
    here, there = two_workers()
    await there.tiers.put(entry_of(1, there.clock))
    assert there.memory.holds(ONE)
    await here.tiers.invalidate(WHAT)
    served = {
        "peek": lambda: there.tiers.peek(ONE),
        "holds": lambda: there.tiers.holds(ONE) or None,
        "get": lambda: there.tiers.get(ONE),
        "look": lambda: there.tiers.look(ONE),
        "many": lambda: there.tiers.get_many([ONE]),
        "promote": lambda: there.tiers.promote(ONE),
    }[how]()
    assert not (await served if hasattr(served, "__await__") else served)


async def test_another_worker_does_not_write_it_down_again() -> None:
    here, there = two_workers(policy="write_back", l1=1)
    await there.tiers.put(entry_of(1, there.clock))
    mark = there.tiers.mark()
    await here.tiers.invalidate(WHAT)
    assert await there.tiers.flush() == 0
    assert await there.tiers.put(entry_of(1, there.clock), mark) is False
    await there.settle()
    assert here.where(ONE) == there.where(ONE) == ""


async def test_what_another_worker_reads_meanwhile_goes_with_the_second_line_of_the_log() -> None:
    here, there = two_workers(promote_after=1)
    await here.tiers.put(entry_of(1, here.clock))
    here.gate2.stop("invalidate 1")
    removal = here.tasks.spawn(here.tiers.invalidate(WHAT))
    await here.gate2.reached["invalidate 1"].wait()
    assert await there.tiers.get(ONE) is not None
    here.gate2.open("invalidate 1")
    await removal
    assert there.tiers.peek(ONE) is None


# Replicas


async def nothing() -> None:
    return


def two_replicas(settle: float = 30.0, **more: Any) -> tuple[Leveled, Leveled]:
    clock, shared, bus = Clock(), Shelf(), Bus(_never, 60)
    one, two = (
        Leveled(l3=10, clock=clock, shared=shared, replicas=bus.join(nothing), settle=settle, **more) for _ in range(2)
    )
    for member, each in zip(bus.members, (one, two), strict=True):
        member.hear = each.tiers.hear
    return one, two


async def _never(_: float) -> None:
    return


async def test_a_replica_that_hears_of_it_has_it_nowhere_of_its_own() -> None:
    here, there = two_replicas()
    await there.tiers.put(entry_of(1, there.clock))
    await there.tiers.hear(WHAT)
    assert there.where(ONE) == "l3", "which is emptied by the one who tells"
    assert await there.tiers.get(ONE) is None, "and is not trusted so long"
    there.clock.tick(30)
    assert await there.tiers.get(ONE) is not None, "longer than the other takes to empty it"
    assert await here.tiers.get(ONE) is not None


async def test_what_was_put_there_until_all_had_heard_goes_with_the_sweep() -> None:
    here, there = two_replicas(promote_after=1)
    await here.tiers.invalidate(WHAT)
    await there.tiers.put(entry_of(1, there.clock))  # has not heard yet
    assert await here.tiers.get(ONE) is None
    await there.tiers.hear(WHAT)
    assert await there.tiers.get(ONE) is None
    assert there.where(ONE) == "l3"
    assert await here.tiers.sweep(WHAT) is True
    here.clock.tick(31)
    assert (here.where(ONE), there.where(ONE)) == ("", "")


async def test_who_puts_it_anew_finds_it_and_the_others_later() -> None:
    here, there = two_replicas(l1=0, l2=0)
    await here.tiers.invalidate(WHAT)
    await there.tiers.hear(WHAT)
    await here.tiers.sweep(WHAT)
    await here.tiers.put(entry_of(1, here.clock))
    assert await here.tiers.get(ONE) is not None
    assert await there.tiers.get(ONE) is None
    there.clock.tick(30)
    assert await there.tiers.get(ONE) is not None


async def test_a_sweep_that_comes_too_late_says_so() -> None:
    here, _ = two_replicas(settle=30.0)
    await here.tiers.invalidate(WHAT)
    here.clock.tick(31)
    assert await here.tiers.sweep(WHAT) is False
    await here.tiers.invalidate(WHAT)
    here.l3.failing = {"invalidate"}
    assert await here.tiers.sweep(WHAT) is False
    assert await Leveled().tiers.sweep(WHAT) is True


async def test_who_may_have_missed_something_serves_nothing_and_writes_nothing_for_others() -> None:
    here, _ = two_replicas()
    member = here.tiers.validity._replicas
    await here.tiers.put(entry_of(1, here.clock))
    member.trusted = False  # type: ignore[misc]
    assert (here.tiers.peek(ONE), here.tiers.holds(ONE), await here.tiers.get(ONE, stale=True)) == (None, False, None)
    assert (await here.tiers.get_many([ONE]), await here.tiers.look(ONE)) == ({}, None)
    assert await here.tiers.put(entry_of(2, here.clock)) is True
    assert here.where(TWO) == "l1"
    member.trusted = True  # type: ignore[misc]
    assert await here.tiers.get(ONE) is not None


# Levels that fail


@pytest.mark.parametrize("which", ["l2", "l3"])
async def test_where_a_level_fails_it_says_so_and_what_it_has_is_not_served(which: str) -> None:
    at = Leveled(l3=10, promote_after=1)
    await at.tiers.put(entry_of(1, at.clock))
    level = {"l2": at.l2, "l3": at.l3}[which]
    level.failing = {"invalidate"}
    assert await at.tiers.invalidate(WHAT) is None
    assert at.where(ONE) == which
    assert await at.tiers.get(ONE, stale=True) is None
    assert await at.tiers.look(ONE) is None
    level.failing = set()
    assert await at.tiers.get(ONE) is None
    await at.settle()
    assert at.where(ONE) == "", "as soon as it answers"


class Full(Alone):
    def append(self, what: Invalidation) -> None:
        raise OSError("no space left on device")


async def test_where_the_other_workers_cannot_be_told_it_says_so() -> None:
    at = Leveled(log=Full())
    await at.tiers.put(entry_of(1, at.clock))
    assert await at.tiers.invalidate(WHAT) is None
    assert at.where(ONE) == ""


# What depends on it


@pytest.mark.parametrize("what", [WHAT, Invalidation(labels=("tag",)), Invalidation(namespaces=("n",))])
async def test_what_depends_on_it_goes_as_well(what: Invalidation) -> None:
    at = Leveled(l3=10)
    await at.tiers.put(value(1, at.clock, labels=("tag",), namespace="n"))
    await at.tiers.put(value(2, at.clock, b"{}", ONE))
    await at.tiers.put(value(3, at.clock, b"{}", TWO, ONE))
    await at.tiers.put(value(4, at.clock))
    assert await at.tiers.invalidate(what) == {ONE, TWO, THREE}
    assert [at.where(key_of(number)) for number in range(1, 5)] == ["", "", "", "l1 l2 l3"]


async def test_also_where_it_is_not_there_any_more_and_where_it_is_being_made() -> None:
    at = Leveled(l2=0)
    await at.tiers.put(value(2, at.clock, b"{}", ONE))
    mark = at.tiers.mark()
    assert await at.tiers.delete(ONE) is False
    assert at.where(TWO) == ""
    assert await at.tiers.put(value(3, at.clock, b"{}", ONE), mark) is False


async def test_what_is_only_being_made_of_it_is_too_old_though_nobody_knows_of_it_yet() -> None:
    at = Leveled()
    await at.tiers.put(value(1, at.clock))
    mark = at.tiers.mark()
    await at.tiers.delete(ONE)
    assert await at.tiers.put(value(2, at.clock, b"{}", ONE), mark) is False
    mark = at.tiers.mark()
    await at.tiers.put(value(3, at.clock))
    assert await at.tiers.put(value(2, at.clock, b"{}", THREE), mark) is False
    assert await at.tiers.put(value(2, at.clock, b"{}", THREE), at.tiers.mark()) is True


async def test_many_values_at_the_same_time_are_all_kept_below() -> None:
    here, there = two_workers(l1=1000, l2=1000)
    for each in (here, there):

        async def turn(_: str) -> None:
            for _turn in range(3):
                await asyncio.sleep(0)

        each.l2.turn = turn
    puts = [(here, there)[number % 2].tiers.put(value(number, here.clock)) for number in range(300)]
    assert all(await asyncio.gather(*puts))
    assert len(here.l2.held()) == 300


async def test_replacing_a_value_removes_what_depends_on_it_and_not_the_value() -> None:
    at = Leveled()
    await at.tiers.put(value(1, at.clock, b"old"))
    await at.tiers.put(value(2, at.clock, b"from old", ONE))
    mark = at.tiers.mark()
    await at.tiers.put(value(1, at.clock, b"new"))
    assert (at.where(ONE), at.where(TWO)) == ("l1 l2", "")
    assert await at.tiers.put(value(2, at.clock, b"from old", ONE), mark) is False


async def test_who_tells_replicas_of_a_replaced_value_puts_himself_there() -> None:
    at = Leveled()
    told: list[Invalidation] = []

    async def tell(what: Invalidation) -> None:
        told.append(what)

    at.tiers.cascade = tell
    await at.tiers.put(value(1, at.clock))
    assert told == [], "nobody depends on it"
    await at.tiers.put(value(2, at.clock, b"{}", ONE))
    await at.tiers.put(replace(value(1, at.clock), shape=Shape.MESSAGE))
    assert told == [], "an answer of a model is replaced by its like"
    await at.tiers.put(value(1, at.clock))
    assert told == [Invalidation("team-ü", labels=(entry_label(ONE),))]


async def test_nothing_is_searched_for_what_nobody_depends_on() -> None:
    at = Leveled()
    for _ in range(3):
        await at.tiers.put(entry_of(1, at.clock))
        await at.tiers.put(value(2, at.clock, labels=("tag",)))
    assert "invalidate" not in at.l2.asked
    await at.tiers.delete(ONE)
    assert at.l2.asked.count("invalidate") == 1


async def test_after_a_restart_it_is_not_known_what_others_depend_on() -> None:
    shelf, clock = Shelf(), Clock()
    first = Leveled(shelf=shelf, clock=clock)
    await first.tiers.put(value(2, clock, b"{}", ONE))
    second = Leveled(shelf=shelf, clock=clock)
    await second.tiers.open()
    await second.tiers.put(value(1, clock))
    assert second.where(TWO) == ""
