"""Schedules by hand: prompts of 2,000 shared tokens and a little more, at 1 dollar for a million tokens of input."""

from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.prompt import Point
from adapters.usage import Usage
from proxy.replay_arrivals import THINK
from proxy.replay_facts import Fact
from proxy.replay_outcome import HIT, Outcome, summary
from proxy.replay_simulate import DEADLINE, WARM_OUTPUT
from tests.replaying import CLAUDE, chain, fact, served, simulated, simulation


def sibling(number: int, ts: float | None = 0.0, *, shared: int = 2000, own: int = 50, **more: Any) -> Fact:
    points = chain(("rules", shared), (f"question {number}", own))
    return fact(number, f"k{number}", ts=ts, points=points, model=more.pop("model", CLAUDE), **more)


def told(outcome: Outcome) -> tuple[int, int, int]:
    """Uncached, read, written."""
    return outcome.tokens[0], outcome.tokens[1], sum(outcome.tokens[2:6])


@pytest.mark.parametrize("number", [2, 3, 8, 64])
def test_siblings_at_once(number: int) -> None:
    facts = [sibling(index) for index in range(number)]
    assert told(simulated(facts, "none")) == (2050 * number, 0, 0)
    assert told(simulated(facts, "naive")) == (0, 0, 2050 * number)
    leader = simulated(facts, "leader")
    # The first writes all of its prompt, the others write nothing: who reads the ends of branches?
    assert told(leader) == (50 * (number - 1), 2000 * (number - 1), 2050)
    assert (leader.waited, leader.requests, leader.extra) == (number - 1, number, 0)
    assert leader.dollars < simulated(facts, "none").dollars < simulated(facts, "naive").dollars


def test_who_waits_is_sent_with_the_first_content_of_the_leader() -> None:
    leader = simulated([sibling(0), sibling(1)], "leader")
    content = 0.3 + 2050 / 10_000
    assert list(leader.first) == pytest.approx([content, content + 0.3 + 50 / 10_000])


def test_a_deadline_ends_all_waiting() -> None:
    facts = [sibling(index, shared=300_000) for index in range(3)]  # 30 seconds to the first token
    outcome = simulated(facts, "leader")
    assert outcome.requests == 3
    assert outcome.tokens[1] == 0
    assert max(outcome.first) < DEADLINE + 31


def test_a_provider_that_writes_by_itself_is_told_where_to() -> None:
    facts = [sibling(index, model="gpt-5.6-sol") for index in range(8)]
    assert told(simulated(facts, "naive")) == (0, 0, 8 * 2050)
    assert told(simulated(facts, "leader")) == (50 * 7, 2000 * 7, 2050)
    call = simulated(facts[:1], "call", branches=8)
    assert told(call)[1:] == (8 * 2050, 2050)


def test_siblings_one_after_the_other_need_not_wait() -> None:
    facts = [sibling(index, ts=60.0 * index) for index in range(4)]
    leader = simulated(facts, "leader")
    assert leader.waited == 0
    assert leader.tokens[1] == 2000 * 3


def test_a_declared_fan_out_gets_one_warm_call() -> None:
    outcome = simulated([sibling(0)], "call", branches=8)
    assert (outcome.requests, outcome.extra) == (8, 1)
    assert outcome.tokens[1] == 8 * 2050
    report = summary(outcome)
    assert report["hit_rate_warm"] == 0.0
    assert report["hit_rate_real"] == pytest.approx(2050 / 2080, abs=1e-6)
    assert outcome.tokens[-1] == WARM_OUTPUT
    assert outcome.extra_dollars == pytest.approx((2050 * 1.25 + 10 + 5 * WARM_OUTPUT) / 1e6)


def test_no_warm_call_where_it_could_only_lose() -> None:
    assert simulated([sibling(0)], "call").extra == 0
    assert simulated([sibling(0, shared=100)], "call", branches=8).extra == 0
    assert simulated([sibling(0), sibling(1)], "call").extra == 0
    again = simulated([sibling(0), sibling(0, ts=30.0)], "call", branches=8)
    assert again.extra == 1


def test_a_warm_call_holds_nobody_longer_than_the_deadline() -> None:
    outcome = simulated([sibling(0, shared=300_000)], "call", branches=2)
    assert outcome.extra == 1
    assert max(outcome.first) < DEADLINE + 31
    assert outcome.tokens[1] == 0


def test_sessions_that_start_together_are_a_declared_fan_out() -> None:
    facts = [sibling(index, ts=100.0 * index) for index in range(4)]
    outcome = simulated(facts, "call", together=True)
    assert (outcome.extra, outcome.requests) == (1, 4)
    assert outcome.tokens[1] == 4 * 2000


def test_the_exact_cache_in_front() -> None:
    facts = [sibling(0), sibling(0, ts=1.0), sibling(1, ts=2.0)]
    outcome = simulated(facts, "exact+leader")
    assert (outcome.hits, outcome.requests) == (1, 3)
    assert min(outcome.first) == HIT
    assert outcome.tokens[1] == 2000
    assert simulated(facts, "exact").hits == 1


def test_recorded_usage_is_what_plain_forwarding_cost() -> None:
    recorded = Usage(50, 2000, output=7)
    facts = [sibling(0, usage=recorded, recorded=True)]
    assert told(simulated(facts, "none")) == (50, 2000, 0)
    assert told(simulated(facts, "naive")) == (0, 0, 2050)
    # Under rules of another provider, or in other requests, nobody recorded anything.
    assert told(simulated(facts, "none", model="gpt-5.6-sol"))[1] == 0
    assert told(simulated(facts, "none", branches=2))[1] == 0


def test_a_hit_does_not_warm_the_providers_cache() -> None:
    points = (Point(b"p", 2048),)

    def ask(session: int, key: str, ts: float) -> Fact:
        return fact(session, key, ts=ts, points=points, usage=Usage(2048), recorded=False)

    facts = [ask(0, "k", 0.0), ask(1, "k", 200.0), ask(2, "l", 400.0)]
    assert simulated(facts, "none").tokens[:2] == [2048, 2 * 2048]
    # The second is a hit, so that at 400 s nobody has used the prefix for 400 s.
    assert simulated(facts, "exact").tokens[:2] == [2 * 2048, 0]


def test_what_follows_an_answer_does_not_come_before_it() -> None:
    points = chain(("rules", 2000), ("question", 50))
    more = chain(("rules", 2000), ("question", 50), ("answer", 5), ("more", 5))
    first = fact(0, "a", ts=0.0, points=points, model=CLAUDE, usage=Usage(2050, output=1000))
    second = fact(0, "b", ts=1.0, points=more, model=CLAUDE, usage=Usage(2060, output=1), follows=True)
    log = served([first, second])
    assert [each.at for each in log] == [0.0, pytest.approx(0.3 + 10.0)]
    aside = second._replace(follows=False)
    assert [each.at for each in served([first, aside])] == [0.0, 1.0]
    late = second._replace(ts=50.0)
    assert [each.at for each in served([first, late])] == [0.0, 50.0]


def test_sessions_without_times() -> None:
    facts = [sibling(0, ts=None), sibling(1, ts=None), sibling(0, ts=None)]
    each = 0.3
    assert [one.at for one in served(facts)] == pytest.approx([0.0, each + THINK, 2 * (each + THINK)])
    together = served(facts, together=True)
    assert [one.at for one in together] == pytest.approx([0.0, 0.0, each + THINK])


def test_what_has_no_points_is_paid_in_full() -> None:
    facts = [fact(0, "k", model=CLAUDE, usage=Usage(5000), recorded=False) for _ in range(2)]
    for name in ("none", "naive", "leader", "call", "auto"):
        assert told(simulated(facts, name)) == (10_000, 0, 0)


def test_a_best_effort_cache_that_never_has_anything() -> None:
    facts = [sibling(number, ts=60.0 * number, model="gpt-4o") for number in range(3)]
    assert simulated(facts, "none").tokens[1] > 0
    draws = count()
    outcome = simulated(facts, "none", hit=0.0, chance=lambda: next(draws) * 0.0 + 0.5)
    assert outcome.tokens[1] == 0
    assert outcome.best_effort


shapes = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.2, 5.0, 400.0]), st.sampled_from([200, 1500, 2000])),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(shapes, st.integers(1, 3), st.booleans())
def test_no_request_is_lost_and_every_token_is_billed_once(
    shape: list[tuple[int, float, int]], branches: int, together: bool
) -> None:
    facts = [sibling(session, ts=ts, shared=shared) for session, ts, shared in sorted(shape, key=lambda one: one[1])]
    tokens = sum(one.usage.prompt for one in facts) * branches + 30 * len(facts) * branches * (branches > 1)
    for name in ("none", "naive", "leader", "call", "auto"):
        run = simulation(facts, name, branches=branches, together=together)
        outcome = run.run()
        assert outcome.requests == len(outcome.first) == len(facts) * branches
        assert outcome.prompts[0] == tokens
        assert sum(outcome.tokens[:-1]) == tokens + outcome.prompts[1]
        assert sum(outcome.misses.values()) + outcome.reads[0] == tokens
        assert not run.planner.flights
        assert sum(outcome.sessions.values()) == pytest.approx(outcome.dollars)
