import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.usage import Usage
from proxy.replay_bound import Bound, bound_of
from proxy.replay_facts import Fact
from proxy.replay_outcome import Outcome
from proxy.replay_provider import Provider
from tests.replaying import CLAUDE, PRICES, chain, fact, served, simulated


def ask(*pieces: tuple[str, int], at: float = 0.0, session: int = 0, output: int = 0) -> Fact:
    points = chain(*pieces)
    return fact(session, "", ts=at, points=points, model=CLAUDE, usage=Usage(points[-1].tokens, output=output))


def bound(*facts: Fact) -> Bound:
    return bound_of(served(facts), Provider(PRICES, Outcome()), PRICES)


def micros(*facts: Fact) -> float:
    return bound(*facts).dollars * 1e6


RULES = ("rules", 2000)


def test_what_nobody_uses_again_is_not_written() -> None:
    assert micros(ask(RULES, ("a", 100))) == pytest.approx(2100)


def test_a_shared_piece_is_written_once_and_read_otherwise() -> None:
    facts = [ask(RULES, (f"own {number}", 100), session=number) for number in range(8)]
    assert micros(*facts) == pytest.approx(1.25 * 2000 + 7 * 0.1 * 2000 + 8 * 100)


def test_once_for_each_life() -> None:
    facts = [ask(RULES, at=at, session=int(at)) for at in (0.0, 299.0, 598.0, 898.0, 1300.0)]
    assert micros(*facts) == pytest.approx(1.25 * 2000 + 2 * 0.1 * 2000 + 2000 + 2000)


def test_a_conversation() -> None:
    one, two, three = ("q", 100), ("r", 200), ("s", 300)
    facts = [ask(RULES, one), ask(RULES, one, two, at=9.0), ask(RULES, one, two, three, at=20.0)]
    assert micros(*facts) == pytest.approx(1.25 * 2300 + 0.1 * (2100 + 2300) + 300)


def test_below_the_minimum_nothing_is_shared() -> None:
    short = [ask(("rules", 1000), (f"own {number}", 10), session=number) for number in range(3)]
    assert micros(*short) == pytest.approx(3 * 1010)
    assert bound(*short).large.requests == 0
    longer = [ask(("rules", 1000), ("more", 100), (f"{number}", 10), session=number) for number in range(3)]
    assert micros(*longer) == pytest.approx(1.25 * 1100 + 2 * 0.1 * 1100 + 3 * 10)
    assert bound(*longer).large.requests == 3


def test_answers_count_and_are_told_apart() -> None:
    found = bound(ask(RULES, output=10)).told()
    assert found["dollars"] == pytest.approx((2000 + 50) / 1e6)
    assert found["prompt_dollars"] == pytest.approx(2000 / 1e6)


def test_models_without_a_price() -> None:
    found = bound(ask(RULES)._replace(model="nobody's")).told()
    assert (found["dollars"], found["unpriced_requests"]) == (None, 1)


pieces = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([300, 1100])), min_size=1, max_size=4)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(pieces, st.sampled_from([0.0, 1.0, 200.0, 350.0, 900.0])), min_size=1, max_size=10))
def test_no_strategy_is_cheaper(shape: list[tuple[list[tuple[str, int]], float]]) -> None:
    facts = [
        ask(*prompt, at=at, session=number) for number, (prompt, at) in enumerate(sorted(shape, key=lambda one: one[1]))
    ]
    least = bound(*facts).dollars
    for name in ("none", "naive", "leader", "call", "auto"):
        assert simulated(facts, name).dollars >= least * (1 - 1e-9)
