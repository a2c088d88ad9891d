"""Values made anew: budget, one at a time for a key, a few at once, and loaders that fail in every way there is."""

from __future__ import annotations

import asyncio
import logging
import math

import pytest

from adapters.tasks import Tasks
from cache.budget import Budget
from tests.fakes import Time, until
from tests.warming.shelves import Shelves, named
from warming.access_rows import Ident
from warming.refresher import OUTCOMES, Refresher
from warming.warmable import Loaded


class Loader:
    """Answers when it is told to."""

    def __init__(self, value: object = "made") -> None:
        self.value = value
        self.asked: list[tuple[object, str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.running = self.most = 0

    async def __call__(self, key: object, namespace: str) -> object:
        self.asked.append((key, namespace))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value


def refresher(shelves, loader, time=None, *, dollars=math.inf, tasks=None, **more):
    time = time or Time()
    return Refresher(shelves, loader, Budget(dollars, time), tasks or Tasks(), time.sleep, **more)


def outcomes(some):
    return {name: count for name, count in some.stats().items() if count}


async def test_a_value_is_made_and_kept():
    shelves, loader = Shelves(), Loader()
    some = refresher(shelves, loader)
    assert await some.refresh(named("k", namespace="n"))
    assert loader.asked == [("k", "n")]
    assert shelves.first == {named("k", namespace="n"): "made"}
    assert outcomes(some) == {"refreshed": 1}


@pytest.mark.parametrize(
    ("value", "outcome", "spent"),
    [
        (None, "nothing", 0.01),
        (Loaded(None, 0.25), "nothing", 0.25),
        (Loaded("v", 0.25, ttl=7.0), "refreshed", 0.25),
        (Loaded("v", None), "refreshed", 0.01),
        (Loaded("v", math.nan), "refreshed", 0.01),
        (Loaded("v", -1.0), "refreshed", 0.01),
        (Loaded("v", "much"), "refreshed", 0.01),
        (Loaded(None, 0.5, kept=True), "refreshed", 0.5),
        ("v", "refreshed", 0.01),
        (Ellipsis, "failed", 0.01),
        (ValueError("no"), "failed", 0.01),
        (KeyError(), "failed", 0.01),
        (asyncio.CancelledError(), "failed", 0.01),
    ],
)
async def test_what_a_loader_says_is_counted_and_paid(value, outcome, spent):
    some = refresher(Shelves(), Loader(value), dollars=1.0)
    assert await some.refresh(named("k")) == (outcome == "refreshed")
    assert outcomes(some) == {outcome: 1}
    assert some.budget.spent == pytest.approx(spent)
    assert some.budget.left == pytest.approx(1 - spent)
    assert set(OUTCOMES) < set(some.stats())


async def test_the_time_to_live_is_the_loaders():
    shelves = Shelves()
    await refresher(shelves, Loader(Loaded("v", ttl=7.0))).refresh(named("k"))
    assert shelves.ttls == {named("k"): 7.0}


@pytest.mark.parametrize("loader", [lambda key, namespace: 7, lambda: None, 7])
async def test_what_is_no_loader_fails_like_one(loader):
    some = refresher(Shelves(), loader)
    assert not await some.refresh(named("k"))
    assert outcomes(some) == {"failed": 1}


async def test_without_a_loader_nothing_happens():
    some = refresher(Shelves(), None)
    assert not some.able
    assert not await some.refresh(named("k"))
    assert outcomes(some) == {}


async def test_nothing_is_made_without_a_budget_or_beyond_it():
    loader = Loader(Loaded("v", 0.4))
    off = refresher(Shelves(), loader, dollars=0.0)
    assert not off.able
    assert not await off.refresh(named("k"))
    assert outcomes(off) == {"unpaid": 1}
    assert loader.asked == []
    some = refresher(Shelves(), loader, dollars=1.0, estimate=lambda ident: 0.4)
    done = await asyncio.gather(*[some.refresh(named(f"k{number}")) for number in range(4)])
    assert done == [True, True, False, False]
    assert some.budget.spent == pytest.approx(0.8)


async def test_what_is_on_its_way_is_not_made_twice():
    for apart, made in ((False, 1), (True, 2)):
        loader = Loader()
        loader.gate.clear()
        some = refresher(Shelves(apart=apart), loader)
        asked = [asyncio.ensure_future(some.refresh(named("k", user))) for user in ("u", "u", "v")]
        await until(lambda: len(loader.asked) == made)  # noqa: B023
        loader.gate.set()
        assert sum(await asyncio.gather(*asked)) == made
        assert outcomes(some) == {"refreshed": made, "busy": 3 - made}
        assert await some.refresh(named("k", "u"))  # and again when it is over


async def test_only_so_many_are_made_at_once():
    loader = Loader()
    loader.gate.clear()
    some = refresher(Shelves(), loader, at_once=3)
    asked = [asyncio.ensure_future(some.refresh(named(f"k{number}"))) for number in range(10)]
    await until(lambda: loader.running == 3)
    loader.gate.set()
    assert all(await asyncio.gather(*asked))
    assert loader.most == 3


async def test_what_was_invalidated_meanwhile_is_not_kept():
    shelves, loader = Shelves(), Loader()
    loader.gate.clear()
    some = refresher(shelves, loader)
    asked = asyncio.ensure_future(some.refresh(named("k")))
    await until(lambda: loader.asked)
    shelves.invalidate(named("k"))
    loader.gate.set()
    assert not await asked
    assert outcomes(some) == {"not_kept": 1}
    assert shelves.first == {}


async def test_one_that_hangs_is_waited_for_so_long():
    time, loader, tasks = Time(), Loader(), Tasks()
    loader.gate.clear()
    some = refresher(Shelves(), loader, time, timeout=30.0, tasks=tasks)
    assert await time.run(some.refresh(named("k"))) == [False]
    assert time() == 30
    assert outcomes(some) == {"slow": 1}
    assert loader.running == 0  # it was cancelled
    assert await tasks.drain(1) == 0
    loader.gate.set()
    assert await time.run(some.refresh(named("k"))) == [True]


async def test_one_that_can_not_be_stopped_keeps_its_turn_and_its_key():
    time, gate, asked = Time(), asyncio.Event(), []

    async def stubborn(key, namespace):
        asked.append(key)
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue
        return "late"

    shelves = Shelves()
    some = refresher(shelves, stubborn, time, timeout=30.0, at_once=1)
    assert await time.run(some.refresh(named("k"))) == [False]
    assert await some.refresh(named("k")) is False
    assert outcomes(some) == {"slow": 1, "busy": 1, "under_way": 1}
    other = asyncio.ensure_future(some.refresh(named("other")))
    for _ in range(5):
        await asyncio.sleep(0)
    assert asked == ["k"]
    gate.set()
    assert await other
    assert asked == ["k", "other"]
    assert shelves.first[named("k")] == "late"  # nothing was invalidated: it is as good as any


async def test_whoever_is_cancelled_takes_his_loader_along_and_pays():
    loader, tasks = Loader(), Tasks()
    loader.gate.clear()
    some = refresher(Shelves(), loader, dollars=1.0, tasks=tasks)
    asked = asyncio.ensure_future(some.refresh(named("k")))
    await until(lambda: loader.running)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert await tasks.drain(1) == 0
    assert loader.running == 0
    assert some.budget.spent == pytest.approx(0.01)
    await until(lambda: not some.stats()["under_way"])


async def test_another_loader_may_be_named():
    usual, other = Loader("usual"), Loader("other")
    shelves = Shelves()
    assert await refresher(shelves, usual).refresh(named("k"), other)
    assert shelves.first == {named("k"): "other"}


async def test_a_broken_loader_does_not_fill_the_log(caplog):
    some = refresher(Shelves(), Loader(ValueError("broken")))
    with caplog.at_level(logging.WARNING):
        for number in range(20):
            await some.refresh(Ident("", "n", b"k%d" % number))
        await some.refresh(named("x" * 1000))
    assert [record.args[-1] for record in caplog.records] == [1, 2, 4, 8, 16]
    assert "ValueError: broken" in caplog.text
    assert len(caplog.text) < 2000
