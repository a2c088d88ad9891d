from proxy.replay_arrivals import Arrivals, arrivals_of
from tests.replaying import chain, fact, survey_of

TASK = chain(("rules", 100), ("hello", 10))
OTHER = chain(("other rules", 100), ("hello", 10))


def test_as_recorded() -> None:
    facts = [fact(0, "a", ts=1.0), fact(1, "b", ts=2.0), fact(0, "c", ts=3.0), fact(2, "d", ts=None)]
    assert arrivals_of(survey_of(facts), False) == Arrivals([(1.0, 0), (2.0, 1), (3.0, 2)], [[[3]]], {})


def test_sessions_without_times_run_one_after_the_other() -> None:
    facts = [fact(0, "a", ts=None), fact(1, "b", ts=None), fact(0, "c", ts=None)]
    assert arrivals_of(survey_of(facts), False).waves == [[[0, 2]], [[1]]]


def test_trials_of_a_task_by_their_names() -> None:
    facts = [fact(number, "", ts=None, points=TASK) for number in range(5)]
    names = ["air-t00-r0", "air-t00-r1", "air-t01-r0", "air-t01-r1", "alone"]
    arrivals = arrivals_of(survey_of(facts, *names), True)
    assert arrivals.waves == [[[0], [1]], [[2], [3]], [[4]]]
    assert arrivals.starts == {0: 0, 1: 0, 2: 1, 3: 1}


def test_trials_of_a_task_by_their_first_requests() -> None:
    again = chain(("rules", 100), ("good morning", 12))
    facts = [fact(0, "", ts=None, points=TASK), fact(1, "", ts=None, points=OTHER), fact(2, "", ts=None, points=again)]
    assert arrivals_of(survey_of(facts), True).waves == [[[0], [2]], [[1]]]


def test_nothing_in_common_is_no_task() -> None:
    single = chain(("hello", 10), system=0)
    facts = [fact(0, "", ts=None, points=single), fact(1, "", ts=None, points=single), fact(2, "", ts=None)]
    assert len(arrivals_of(survey_of(facts), True).waves) == 3


def test_together_shifts_whole_sessions_to_the_first_of_them() -> None:
    facts = [
        fact(0, "", ts=10.0, points=TASK),
        fact(1, "", ts=500.0, points=TASK),
        fact(0, "", ts=15.0, points=TASK),
        fact(1, "", ts=520.0, points=TASK),
    ]
    assert arrivals_of(survey_of(facts), True).timed == [(10.0, 0), (10.0, 1), (15.0, 2), (30.0, 3)]
