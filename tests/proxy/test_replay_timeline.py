from typing import Any

from proxy.replay_arrivals import THINK, Arrivals
from proxy.replay_facts import Fact
from proxy.replay_timeline import Timeline
from tests.replaying import fact


class Served:
    """Every request takes two seconds."""

    def __init__(self, facts: list[Fact], arrivals: Arrivals) -> None:
        self.came: list[tuple[float, int]] = []
        self.time = Timeline(facts, arrivals, self.arrive)
        self.time.run()

    def arrive(self, index: int) -> None:
        self.came.append((self.time.now, index))
        self.time.at(self.time.now + 2.0, self.time.over, index)


def test_what_has_a_time_comes_then() -> None:
    facts = [fact(0, "a", ts=1.0), fact(0, "b", ts=1.5), fact(1, "c", ts=9.0)]
    assert Served(facts, Arrivals([(1.0, 0), (1.5, 1), (9.0, 2)], [], {})).came == [(1.0, 0), (1.5, 1), (9.0, 2)]


def test_what_follows_an_answer_waits_for_it_and_so_does_what_follows_that() -> None:
    facts = [fact(0, "", ts=float(at), follows=at > 0) for at in range(3)]
    timed = [(float(at), at) for at in range(3)]
    assert Served(facts, Arrivals(timed, [], {})).came == [(0.0, 0), (2.0, 1), (4.0, 2)]


def test_sessions_without_times_follow_in_groups() -> None:
    facts = [fact(0, "", ts=3.0), *(fact(session, "", ts=None) for session in (1, 1, 2, 3))]
    came = Served(facts, Arrivals([(3.0, 0)], [[[1, 2], [3]], [[4]]], {})).came
    begin = 3.0 + THINK
    turn = 2.0 + THINK
    assert came == [(3.0, 0), (begin, 1), (begin, 3), (begin + turn, 2), (begin + 2 * turn, 4)]


def test_of_one_moment_the_first_asked_for_comes_first() -> None:
    told: list[Any] = []
    time = Timeline([], Arrivals([], [], {}), lambda index: None)
    for what in "abc":
        time.at(1.0, told.append, what)
    time.at(0.5, told.append, "first")
    time.run()
    assert told == ["first", "a", "b", "c"]


def test_nothing_at_all() -> None:
    assert Served([], Arrivals([], [], {})).came == []
