"""The breaker: what opens a route, how fast, and what closes it again."""

from __future__ import annotations

from random import Random  # noqa: TID251 - seeded: the same stream each time

import pytest

from cache.bounds import lower, upper
from cache.breaker import Breaker, State

DAY = 86_400.0


def looked(breaker: Breaker, count: int, hits: int, now: float = 0.0, route: str = "chat") -> None:
    for number in range(count):
        breaker.looked(route, now, number < hits)


def judged(breaker: Breaker, right: int, wrong: int = 0, now: float = 0.0, route: str = "chat") -> None:
    """The right ones first."""
    for number in range(right + wrong):
        breaker.judged(route, now, number < right)


def audited(breaker: Breaker, wrong_share: float, chance: Random) -> int:
    """How many hits of a route that answers 30% were judged until it opened; 0 where a thousand did not do it."""
    looked(breaker, 10_000, 3_000)
    for count in range(1, 1001):
        correct = chance.random() >= wrong_share
        breaker.judged("chat", 0.0, correct)
        if not correct and not breaker.state("chat", 0.0).serves:
            return count
    return 0


def test_a_route_of_which_nothing_is_known_is_unproven_and_serves():
    state = Breaker(0.005).state("chat", 0.0)
    assert (state.word, state.serves, state.lower, state.upper) == ("unproven", True, 0.0, 1.0)


def test_it_is_closed_once_enough_were_right():
    breaker = Breaker(0.005)
    looked(breaker, 100_000, 30_000)
    judged(breaker, 100)
    state = breaker.state("chat", 0.0)
    assert state.word == "unproven"
    judged(breaker, state.more - 1)
    assert breaker.state("chat", 0.0).word == "unproven"
    judged(breaker, 1)
    state = breaker.state("chat", 0.0)
    assert (state.word, state.more) == ("closed", 0)
    assert 220 < state.judged < 240  # 0.5% of requests are 1.7% of hits; z² / 0.0167


def test_the_bounds_are_of_all_requests():
    breaker = Breaker(0.005)
    looked(breaker, 50_000, 10_000)
    judged(breaker, 990, 10)
    state = breaker.state("chat", 0.0)
    assert state.share == 0.01
    assert state.hit_rate == 0.2
    assert state.lower == pytest.approx(lower(10, 1000, 0.99) * lower(10_000, 50_000, 0.99))
    assert state.upper == pytest.approx(upper(10, 1000) * upper(10_000, 50_000))


@pytest.mark.parametrize("right", [0, 1, 10, 50])
@pytest.mark.parametrize("wrong", [1, 2])
def test_one_or_two_wrong_answers_open_nothing(wrong, right):
    breaker = Breaker(0.005)
    looked(breaker, 10_000, 5_000)
    judged(breaker, 0, wrong)
    judged(breaker, right)
    assert breaker.state("chat", 0.0).word == "unproven"


def test_a_burst_opens_at_its_third():
    breaker = Breaker(0.005)
    looked(breaker, 10_000, 3_000)
    judged(breaker, 5, 2)
    assert breaker.state("chat", 0.0).serves
    judged(breaker, 0, 1)
    state = breaker.state("chat", 0.0)
    assert (state.word, state.why) == ("open", "3 of 8 judged hits were wrong")
    assert not state.serves


def test_three_among_very_many_do_not():
    breaker = Breaker(0.005)
    looked(breaker, 10_000, 3_000)
    judged(breaker, 600)
    judged(breaker, 0, 3)
    assert breaker.state("chat", 0.0).word == "closed"


def test_where_hits_are_rarer_than_wrong_answers_may_be_nothing_opens():
    breaker = Breaker(0.01)
    looked(breaker, 100_000, 300)
    judged(breaker, 0, 50)
    assert breaker.state("chat", 0.0).word == "closed"


def test_a_hit_rate_seen_a_few_times_says_little():
    breaker = Breaker(0.05)
    looked(breaker, 3, 1)
    judged(breaker, 0, 3)
    assert breaker.state("chat", 0.0).word == "unproven"


@pytest.mark.parametrize(("times", "most"), [(2.0, 330), (5.0, 60), (10.0, 30)])
def test_the_worse_the_answers_the_sooner_it_opens(times, most):
    counts = sorted(audited(Breaker(0.005), times * 0.005 / 0.3, Random(seed)) or 1000 for seed in range(60))
    assert counts[30] < most


@pytest.mark.parametrize(("share", "most"), [(0.0, 0), (0.25, 1), (0.5, 3)])
def test_a_route_within_its_bound_seldom_opens(share, most):
    opened = sum(bool(audited(Breaker(0.005), share * 0.005 / 0.3, Random(seed))) for seed in range(30))
    assert opened <= most


def opened() -> Breaker:
    breaker = Breaker(0.005)
    looked(breaker, 10_000, 3_000)
    judged(breaker, 0, 3)
    assert breaker.state("chat", 0.0).word == "open"
    return breaker


def test_an_open_route_counts_anew_and_closes_once_its_bound_holds():
    breaker = opened()
    state = breaker.state("chat", 0.0)
    assert (state.judged, state.wrong, state.hit_rate) == (0, 0, 0.0)
    looked(breaker, 100_000, 30_000)
    more = breaker.state("chat", 0.0).more
    judged(breaker, more - 1)
    assert breaker.state("chat", 0.0).word == "open"
    judged(breaker, 1)
    state = breaker.state("chat", 0.0)
    assert (state.word, state.why, state.judged) == ("closed", "", more)


def test_an_open_route_that_goes_on_as_before_stays_open():
    breaker = opened()
    for _ in range(20):
        looked(breaker, 1000, 300)
        judged(breaker, 18, 2)
        assert breaker.state("chat", 0.0).word == "open"


def test_an_open_route_is_not_closed_by_time():
    breaker = opened()
    assert breaker.state("chat", 400 * DAY).word == "open"


def test_an_operator_closes_it_and_forgets():
    breaker = opened()
    breaker.reset("chat")
    breaker.reset("never heard of")
    state = breaker.state("chat", 0.0)
    assert (state.word, state.judged) == ("unproven", 0)


def test_routes_are_apart():
    breaker = opened()
    assert breaker.state("other", 0.0).serves
    assert breaker.routes() == ["chat", "other"]


def test_what_is_older_than_the_window_does_not_count():
    breaker = Breaker(0.005, window=DAY)
    looked(breaker, 1000, 900, now=0.0)
    judged(breaker, 10, 2, now=0.0)
    looked(breaker, 1000, 100, now=DAY / 2)
    judged(breaker, 5, now=DAY / 2)
    state = breaker.state("chat", DAY)
    assert (state.judged, state.wrong, state.hit_rate) == (5, 0, 0.1)


def test_and_of_the_judged_only_the_latest():
    breaker = Breaker(0.005, most=100, least=1000)
    looked(breaker, 1000, 500)
    judged(breaker, 0, 50)
    judged(breaker, 80)
    state = breaker.state("chat", 0.0)
    assert (state.judged, state.wrong) == (100, 20)


def test_the_hit_rate_is_of_the_time_that_the_latest_are_from():
    breaker = Breaker(0.005, most=10, window=7 * DAY)
    looked(breaker, 1000, 1000, now=0.0)
    judged(breaker, 10, now=0.0)
    looked(breaker, 1000, 200, now=DAY)
    judged(breaker, 10, now=DAY)
    assert breaker.state("chat", DAY).hit_rate == 0.2


def test_memory_does_not_grow_with_traffic():
    breaker = Breaker(0.005, window=DAY, most=50)
    for minute in range(3 * 1440):
        breaker.looked("chat", minute * 60.0, hit=True)
        breaker.judged("chat", minute * 60.0, correct=True)
    known = breaker._routes["chat"]
    assert len(known.judged) == 50
    assert len(known.slots) <= 170


def test_reports_open_at_their_number_each_entry_once():
    breaker = Breaker(0.005, feedback=3)
    for entry in (1, 1, 1, 2):
        breaker.told("chat", 0.0, entry)
    assert (breaker.state("chat", 0.0).word, breaker.state("chat", 0.0).told) == ("unproven", 2)
    breaker.told("chat", 0.0, 3)
    state = breaker.state("chat", 0.0)
    assert (state.word, state.why) == ("open", "3 answers were reported to be wrong")


def test_reports_are_no_sample():
    breaker = Breaker(0.005, feedback=100)
    looked(breaker, 10_000, 3_000)
    for entry in range(50):
        breaker.told("chat", 0.0, entry)
    assert breaker.state("chat", 0.0).judged == 0
    judged(breaker, 400)
    assert breaker.state("chat", 0.0).word == "closed"


def test_reports_grow_old_too_and_may_be_switched_off():
    breaker = Breaker(0.005, feedback=3, window=DAY)
    for number in range(6):
        breaker.told("chat", number * DAY / 2, number)
    assert breaker.state("chat", 2.5 * DAY).serves
    deaf = Breaker(0.005, feedback=0)
    for entry in range(100):
        deaf.told("chat", 0.0, entry)
    assert deaf.state("chat", 0.0).serves


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan")])
def test_a_bound_that_nothing_could_keep_is_refused(share):
    with pytest.raises(ValueError, match="can't be kept"):
        Breaker(share)


def test_one_line_says_it():
    unproven = State("unproven", 60, 1, 1 / 60, 0.0001, 0.027, 0.3, 0, 0.005, "", 284)
    assert str(unproven) == (
        "unproven: 1 of 60 judged hits wrong, 0.01% to 2.70% of requests (allowed 0.50%), hit rate 30%; "
        "284 more are needed"
    )
    assert str(opened().state("chat", 0.0)).startswith(
        "open (3 of 3 judged hits were wrong; exact answers only): 0 of 0 judged hits wrong since, "
    )
    told = State("closed", 400, 0, 0.0, 0.0, 0.003, 0.3, 2, 0.005)
    assert str(told).endswith("hit rate 30%, 2 reported")
