"""Predictive warming: what is brought to the front, whether it came, and that tenants never meet."""

from __future__ import annotations

import asyncio
import math

import pytest

from adapters.tasks import Tasks
from cache.budget import Budget
from cache.memory import Memory
from cache.tiers import Tiers
from tests.cache.contract import entry_of, key_of
from tests.cache.scripted_level import ScriptedLevel
from tests.fakes import Clock
from tests.warming.shelves import Shelves, named
from warming.predictive import LONGEST, TENANTS, UNDER_WAY, Prediction, PredictiveCacheWarmer
from warming.refresher import Refresher


def predictive(cache=None, **more):
    return PredictiveCacheWarmer(Shelves() if cache is None else cache, clock=Clock(9 * 3600.0), **more)


def recorded(some, *queries, **more):
    for query in queries:
        some.record_query(query, **more)


def figures(some):
    told = some.get_statistics()
    return {name: told["predictions"][name] for name in ("total", "came", "in_time", "lapsed", "forgotten")}


async def test_what_comes_next_is_foreseen_and_brought_to_the_front():
    shelves = Shelves()
    some = predictive(shelves)
    recorded(some, *"abcabcabcab")
    shelves.below[named("c")] = "v"
    found = some.predict_next_queries("b")
    assert [each.query for each in found] == ["c"]
    assert found == some.predict_next("b", top_k=5, min_confidence=0.2)
    assert await some.prewarm_predictions(found) == 1
    assert shelves.held(named("c"))
    recorded(some, "c")
    assert figures(some) == {"total": 1, "came": 1, "in_time": 1, "lapsed": 0, "forgotten": 0}
    told = some.get_statistics()
    assert told["predictions"]["accuracy"] == told["predictions.accuracy"] == 1
    assert told["predictions.total"] == 1
    assert told["patterns.total"] == told["patterns"]["total"] > 0
    assert told["prewarmed"]["promoted"] == 1


async def test_what_was_not_at_the_front_by_then_came_but_not_in_time():
    some = predictive()
    recorded(some, *"ababa")
    found = some.predict_next("a")
    assert await some.prewarm_predictions(found) == 0  # no level has it, and nobody makes it
    recorded(some, "b")
    assert (figures(some)["came"], figures(some)["in_time"]) == (1, 0)


async def test_what_lies_there_already_is_in_time():
    shelves = Shelves()
    some = predictive(shelves)
    recorded(some, *"ababa")
    shelves.first[named("b")] = "v"
    assert await some.prewarm_predictions(some.predict_next("a")) == 0
    recorded(some, "b")
    assert figures(some)["in_time"] == 1
    assert some.get_statistics()["prewarmed"]["held"] == 1


def test_a_prediction_lapses_after_so_many_questions():
    some = predictive(within=2)
    recorded(some, *"ababa")
    some.predict_next("a")
    recorded(some, "x", "y", "b")
    assert figures(some) == {"total": 1, "came": 0, "in_time": 0, "lapsed": 1, "forgotten": 0}
    assert some.get_statistics()["predictions.accuracy"] == 0
    some.predict_next("a", top_k=1)
    recorded(some, "z", "b")
    assert (figures(some)["came"], figures(some)["lapsed"]) == (1, 1)
    assert some.get_statistics()["predictions.accuracy"] == 0.5


def test_to_foresee_the_same_twice_counts_once_and_begins_anew():
    some = predictive(within=2)
    recorded(some, *"ababa")
    some.predict_next("a")
    recorded(some, "x")
    some.predict_next("a")
    recorded(some, "y", "b")
    assert (figures(some)["total"], figures(some)["came"]) == (1, 1)


def test_nothing_is_known_of_accuracy_at_first():
    assert predictive().get_statistics()["predictions.accuracy"] is None


def test_tenants_never_meet():
    some = predictive()
    recorded(some, *"ababab", user_id="one")
    recorded(some, *"axax", user_id="other")
    assert [each.query for each in some.predict_next("a", user_id="one")] == ["b"]
    assert [each.query for each in some.predict_next("a", user_id="other")] == ["x"]
    assert some.predict_next("a") == some.predict_next("a", user_id="third") == []
    assert some.get_statistics()["patterns"]["tenants"] == 2
    recorded(some, "b", user_id="other")
    assert figures(some)["came"] == 0


async def test_a_tenant_s_prediction_warms_his_own():
    shelves = Shelves(apart=True)
    some = predictive(shelves)
    recorded(some, *"ababa", user_id="one")
    shelves.below[named("b", "other")] = "of the other"
    assert await some.prewarm_predictions(some.predict_next("a", user_id="one")) == 0
    assert shelves.first == {}
    shelves.below[named("b", "one")] = "own"
    assert await some.prewarm_predictions(some.predict_next("a", user_id="one")) == 1
    assert shelves.first == {named("b", "one"): "own"}


def test_there_are_never_more_tenants():
    some = predictive()
    for number in range(TENANTS + 5):
        recorded(some, *"aba", user_id=f"t{number}")
        some.predict_next("a", user_id=f"t{number}")
    assert some.get_statistics()["patterns"]["tenants"] == TENANTS
    assert figures(some)["forgotten"] == 5
    assert some.predict_next("a", user_id="t0") == []
    assert some.predict_next("a", user_id="t9")


def test_to_look_makes_no_tenant():
    some = predictive()
    for number in range(50):
        some.predict_next("a", user_id=f"t{number}")
    assert some.get_statistics()["patterns"]["tenants"] == 0


def test_patterns_can_be_cleared():
    some = predictive()
    recorded(some, *"aba", user_id="one")
    recorded(some, *"aba")
    some.predict_next("a")
    some.clear_patterns("one")
    some.clear_patterns("unknown")
    assert some.get_statistics()["patterns"]["tenants"] == 1
    some.clear_patterns()
    assert some.get_statistics()["patterns.total"] == 0
    assert figures(some) == {"total": 1, "came": 0, "in_time": 0, "lapsed": 0, "forgotten": 1}


def test_what_has_no_results_is_never_foreseen():
    some = predictive()
    for _ in range(4):
        some.record_query("a", ["found"])
        some.record_query("b", [])
    assert "b" not in {each.query for each in some.predict_next("a", min_confidence=0.0)}
    assert some.get_statistics()["queries"] == 8


# Making values


@pytest.mark.parametrize("waits", [False, True])
async def test_a_selection_makes_what_no_level_has(waits):
    shelves = Shelves()
    some = predictive(shelves, namespace="tools")
    recorded(some, *"ababa")

    async def later(query):
        return query.upper()

    select = later if waits else str.upper
    assert await some.prewarm_predictions(some.predict_next("a"), selection_fn=select) == 1
    assert shelves.first == {named("b", namespace="tools"): "B"}
    assert some.get_statistics()["prewarmed"]["loaded"] == 1


async def test_a_selection_that_raises_or_finds_nothing_raises_nothing():
    shelves = Shelves()
    some = predictive(shelves)
    recorded(some, *"ababa")

    def broken(query):
        raise KeyError(query)

    for select in (broken, lambda query: None):
        assert await some.prewarm_predictions(some.predict_next("a"), select) == 0
    assert shelves.first == {}


async def test_a_loader_is_asked_within_its_budget():
    shelves, asked = Shelves(), []

    async def loader(key, namespace):
        asked.append(key)
        return "v"

    clock = Clock(9 * 3600.0)
    tasks = Tasks()
    refresher = Refresher(shelves, loader, Budget(0.01, clock), tasks, asyncio.sleep)
    some = PredictiveCacheWarmer(shelves, clock=clock, refresher=refresher, tasks=tasks)
    predictions = [Prediction("b", 0.9), Prediction("c", 0.5)]
    assert await some.prewarm_predictions(predictions) == 1
    assert asked == ["b"]
    shelves.first.clear()
    assert await some.prewarm_predictions(predictions) == 1  # from below
    assert asked == ["b"]


async def test_what_is_below_and_can_not_move_up_is_not_made():
    shelves = Shelves()
    some = predictive(shelves)
    shelves.below[named("b")] = "v"
    shelves.unmovable.add("b")
    assert await some.prewarm_predictions([Prediction("b", 1.0)], lambda query: pytest.fail("made")) == 0


# Following along


async def test_to_follow_is_to_record_and_to_warm_what_comes():
    time, tasks = Clock(9 * 3600.0), Tasks()
    tiers = Tiers(Memory(10, 1 << 20, 1e6, time), ScriptedLevel("l2", 1e6, time), clock=time)
    some = PredictiveCacheWarmer(tiers, clock=time, tasks=tasks)
    for turn in range(12):
        await tiers.put(entry_of(turn % 3, time))
    tiers.l1.clear()
    for turn in range(12):
        some.follow(key_of(turn % 3), user_id="t", session="s")
        await tasks.drain(5)
    assert tiers.holds(key_of(0))
    told = some.get_statistics()
    assert told["predictions"]["in_time"] == told["predictions"]["came"] > 0
    assert told["prewarmed"]["promoted"] == 3


async def test_only_so_much_is_under_way_and_a_cache_that_breaks_its_word_is_told(caplog):
    gate, tasks = asyncio.Event(), Tasks()

    class Broken(Shelves):
        async def promote(self, ident):
            await gate.wait()
            raise RuntimeError("broken")

    some = predictive(Broken(), tasks=tasks)
    recorded(some, *"ababa")
    for _ in range(UNDER_WAY + 3):
        some.follow("b")
        some.follow("a")
    assert some.get_statistics()["prewarmed"]["skipped"] > 0
    assert len(tasks) == UNDER_WAY
    gate.set()
    await tasks.drain(5)
    for _ in range(3):
        await asyncio.sleep(0)
    assert some.get_statistics()["prewarmed"]["failed"] == UNDER_WAY
    assert "broken" in caplog.text
    some.follow("a")
    assert len(tasks) == 1
    await tasks.drain(5)


# Bad input


@pytest.mark.parametrize("query", [None, 7, 1.5, True, ["a"], {"a": 1}, "", b"", "a" * (LONGEST + 1)])
def test_questions_of_any_type_are_taken(query):
    some = predictive()
    some.record_query(query)
    some.record_query("a", user_id=query if query else 7)
    some.record_query("a", session=query if query else 7)
    assert some.predict_next(query) == []
    assert some.get_statistics()["refused"] == 3
    assert some.get_statistics()["patterns"]["tenants"] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_patterns": 0},
        {"max_patterns": "500"},
        {"ngram_size": 1},
        {"ngram_size": 2.5},
        {"ngram_size": True},
        {"within": 0},
        {"top_k": -1},
        {"min_confidence": 1.1},
        {"min_confidence": -0.1},
        {"min_confidence": math.nan},
        {"min_confidence": "0.2"},
        {"min_confidence": True},
    ],
)
def test_numbers_that_make_no_sense_are_refused_by_name(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        predictive(**wrong)


def test_and_so_are_those_of_one_question():
    with pytest.raises(ValueError, match="top_k"):
        predictive().predict_next("a", top_k=-1)
    with pytest.raises(ValueError, match="min_confidence"):
        predictive().predict_next("a", min_confidence=7)
