import asyncio
from math import exp

import pytest

from adapters.errors import Torn, UpstreamError
from adapters.tasks import Tasks
from cache.budget import Budget
from cache.entry import Entry, Shape
from cache.leases import Free
from cache.refresh import Refresh, When
from tests.cache.scripted import call_of
from tests.fakes import Clock


def entry(clock, *, key=b"k" * 32, left=100.0, took=2.0, cost=0.01):
    now = clock()
    return Entry(
        key, "t", "llm.response", "m", Shape.MESSAGE, 200, (), b"{}", True, None, cost, now, now + left, (), took
    )


class Scene:
    """`chance`: what the dice say. `spent`: what the next renewals cost, or raise."""

    def __init__(self, dollars=1.0, leases=None, **when):
        self.clock, self.tasks, self.asked, self.spent, self.chance = Clock(), Tasks(), [], [], 1.0
        self.gate: asyncio.Event | None = None
        self.budget = Budget(dollars, self.clock)
        self.refresh = Refresh(
            self.renew, self.budget, leases or Free(), self.tasks, self.clock, lambda: self.chance, When(**when)
        )

    async def renew(self, call):
        self.asked.append(call)
        if self.gate is not None:
            await self.gate.wait()
        spent = self.spent.pop(0) if self.spent else 0.01
        if isinstance(spent, Exception):
            raise spent
        return spent

    async def hit(self, kept, times=1):
        for _ in range(times):
            self.refresh.hit(call_of(), kept)
        if self.gate is None:
            await self.tasks.drain(1.0)
        return len(self.asked)


async def test_a_cold_answer_is_left_to_expire():
    at = Scene(min_hits=3)
    at.chance = 1e-300
    assert await at.hit(entry(at.clock), 2) == 0


async def test_a_hot_one_is_asked_for_before_it_expires():
    at = Scene(min_hits=3)
    at.chance = 1e-300
    kept = entry(at.clock, left=100.0)
    call = call_of()
    for _ in range(3):
        at.refresh.hit(call, kept)
    await at.tasks.drain(1.0)
    (asked,) = at.asked
    assert asked.trace is not call.trace, "what it costs is not this caller's"
    assert at.refresh.figures["early"] == 1
    assert at.refresh.dollars == pytest.approx(0.01)


@pytest.mark.parametrize(("left", "due"), [(7.9, True), (8.1, False)])
async def test_how_early_is_a_matter_of_chance_and_of_how_long_it_takes(left, due):
    at = Scene(min_hits=1, beta=2.0)
    at.chance = exp(-2.0)  # 2 seconds to make, beta 2, -ln(u) = 2: within 8 seconds of its end
    assert await at.hit(entry(at.clock, left=left, took=2.0)) == due


async def test_with_beta_0_nothing_is_early():
    at = Scene(min_hits=1, beta=0.0)
    at.chance = 0.0
    assert await at.hit(entry(at.clock, left=0.001), 9) == 0


async def test_hits_are_those_of_this_answer_not_of_the_one_before():
    at = Scene(min_hits=3)
    kept = entry(at.clock)
    at.chance = 1.0
    await at.hit(kept, 5)
    at.clock.tick(50)
    at.chance = 1e-300
    fresh = entry(at.clock)
    assert await at.hit(fresh, 2) == 0
    assert await at.hit(fresh, 1) == 1


async def test_a_crowd_asks_once():
    at = Scene(min_hits=1)
    at.chance, at.gate = 1e-300, asyncio.Event()
    kept = entry(at.clock)
    await at.hit(kept, 100)
    await asyncio.sleep(0)
    at.gate.set()
    await at.tasks.drain(1.0)
    assert len(at.asked) == 1


async def test_what_is_stale_is_asked_for_once_and_again_later():
    at = Scene()
    at.gate = asyncio.Event()
    kept = entry(at.clock)
    assert at.refresh.begin(call_of(), kept, "stale")
    assert at.refresh.begin(call_of(), kept, "stale"), "somebody is asking already"
    at.gate.set()
    await at.tasks.drain(1.0)
    assert len(at.asked) == 1
    assert at.refresh.begin(call_of(), kept, "stale")
    await at.tasks.drain(1.0)
    assert len(at.asked) == 2


async def test_without_money_nothing_is_asked():
    at = Scene(dollars=0.0)
    assert not at.refresh.begin(call_of(), entry(at.clock), "stale")
    assert at.refresh.figures["no budget"] == 1


async def test_the_budget_bounds_what_is_spent():
    at = Scene(dollars=0.025)
    began = [at.refresh.begin(call_of(), entry(at.clock, key=bytes([n]) * 32), "stale") for n in range(5)]
    await at.tasks.drain(1.0)
    assert began == [True, True, False, False, False]
    assert at.budget.spent == pytest.approx(0.02)


@pytest.mark.parametrize("error", [UpstreamError("down"), Torn("broke off")])
async def test_a_provider_that_fails_is_counted_and_may_be_asked_again(error):
    at = Scene()
    at.spent = [error]
    assert at.refresh.begin(call_of(), entry(at.clock), "stale")
    await at.tasks.drain(1.0)
    assert at.refresh.figures["failed"] == 1
    assert at.refresh.begin(call_of(), entry(at.clock), "stale")
    await at.tasks.drain(1.0)
    assert len(at.asked) == 2


async def test_where_another_replica_asks_this_one_does_not():
    class Taken(Free):
        async def acquire(self, name, seconds):
            return None

    at = Scene(leases=Taken())
    assert at.refresh.begin(call_of(), entry(at.clock), "stale")
    await at.tasks.drain(1.0)
    assert at.asked == []
    assert at.refresh.figures["elsewhere"] == 1
    assert at.budget.spent == 0.0
