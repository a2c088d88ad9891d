"""A calibrated scorer as the prior of every entry: the order that holds whatever was observed, and what it costs to be
wrong about the scorer."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random  # noqa: TID251 - seeded: the same stream each time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache.verified import explore
from cache.verified_prior import Prior, logit, right_at_least

SHARE = st.floats(0, 1)
OBSERVED = st.lists(st.tuples(SHARE, st.booleans()), max_size=40).map(tuple)
PRIORS = st.builds(Prior, st.floats(0, 4), st.floats(0, 1), st.floats(0, 0.3), st.booleans())
ORDER = settings(max_examples=200, deadline=None)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@ORDER
@given(OBSERVED, SHARE, SHARE, PRIORS)
def test_the_more_probable_the_less_is_asked(observed, one, other, prior):
    low, high = sorted((one, other))
    assert right_at_least(observed, high, prior) >= right_at_least(observed, low, prior) - 1e-9


@ORDER
@given(OBSERVED, SHARE, SHARE, PRIORS)
def test_each_wrong_answer_has_more_asked_and_each_right_one_less(observed, at, value, prior):
    before = right_at_least(observed, value, prior)
    assert right_at_least((*observed, (at, True)), value, prior) >= before - 1e-9
    assert right_at_least((*observed, (at, False)), value, prior) <= before + 1e-9


@ORDER
@given(OBSERVED, SHARE, PRIORS)
def test_the_order_of_observations_counts_for_nothing(observed, value, prior):
    assert right_at_least(observed[::-1], value, prior) == pytest.approx(right_at_least(observed, value, prior))


def test_a_new_entry_serves_where_the_scorer_is_sure_enough():
    assert explore((), 1 - 1e-6, 0.005, Prior()) == 0.0
    assert explore((), 0.99999, 0.01, Prior()) == 0.0
    assert explore((), 0.5, 0.01, Prior()) > 0.97


def test_one_wrong_answer_at_such_a_score_ends_that():
    assert explore(((0.99999, False),), 0.99999, 0.01, Prior()) > 0.95
    assert explore(((0.99999, False),) * 2, 0.99999, 0.01, Prior()) > 0.98


def test_without_doubt_a_wrong_answer_is_taken_for_the_one_in_a_million():
    sure = Prior(shift=0.5, slope=0.0, doubt=0.0)
    assert explore(((1 - 1e-6, False),), 1 - 1e-6, 0.01, sure) == 0.0


def test_right_answers_make_up_for_scores_that_are_too_low():
    asked = [explore(((0.95, True),) * count, 0.95, 0.02, Prior()) for count in (0, 20, 200, 1000)]
    assert asked == sorted(asked, reverse=True)
    assert asked[0] > 0.85
    assert asked[-1] < 0.1


def test_a_scorer_that_is_never_off_is_taken_at_its_word():
    exact = Prior(0.0, 0.0, 0.0, cautious=False)
    for value in (0.2, 0.5, 0.9, 0.999):
        assert right_at_least((), value, exact) == pytest.approx(value)
        assert right_at_least(((0.9, False),) * 9, value, exact) == pytest.approx(value)


@ORDER
@given(OBSERVED, SHARE, PRIORS)
def test_the_cautious_bound_is_below_the_expectation(observed, value, prior):
    cautious, expected = (right_at_least(observed, value, prior._replace(cautious=each)) for each in (True, False))
    # Within a cell the one takes the mass as spread evenly, the other as in the middle.
    assert cautious <= expected + 0.05


def test_the_expectation_is_that_of_the_model():
    # Against a plain sum over a finer grid, with both kinds of observation.
    prior, observed, value = Prior(0.8, 0.2, 0.05, cautious=False), ((0.9, True), (0.97, False), (0.3, True)), 0.95

    def right(u: float, p: float) -> float:
        x = logit(p)
        return sigmoid(u * prior.shift + x * max(0.0, 1 + u * prior.slope * math.copysign(1, x)))

    total = met = 0.0
    for step in range(24_000):
        u = -12 + (step + 0.5) / 1000
        mass = 0.95 * math.exp(-u * u / 2) / math.sqrt(2 * math.pi) + 0.05 * (u < 0) / 12
        for p, was_right in observed:
            mass *= right(u, p) if was_right else 1 - right(u, p)
        total, met = total + mass, met + mass * right(u, value)
    assert right_at_least(observed, value, prior) == pytest.approx(met / total, abs=2e-3)


@pytest.mark.parametrize("prior", [Prior(-1.0), Prior(slope=math.nan), Prior(doubt=1.0), Prior(math.inf)])
def test_widths_that_are_none_are_refused(prior):
    with pytest.raises(ValueError, match="no prior"):
        right_at_least((), 0.9, prior)


Truth = Callable[[Random], Callable[[float], float]]


def as_believed(prior: Prior) -> Truth:
    """Entries as the prior has them."""

    def drawn(chance: Random) -> Callable[[float], float]:
        u = -chance.uniform(0, 12) if chance.random() < prior.doubt else chance.gauss(0, 1)
        return lambda x: sigmoid(u * prior.shift + x * max(0.0, 1 + u * prior.slope))

    return drawn


def overconfident(times: float) -> Truth:
    """Every logit is so many times what the scorer says: at a half, p = 0.9999 means 0.99."""
    return lambda chance: lambda x: sigmoid(times * x)


def stream(truth_of: Truth, error: float, prior: Prior, *, entries: int = 60, requests: int = 60, audited: float = 0.1):
    """Shares of the requests that were served, and that were answered wrong, in the first and the last third."""
    chance = Random(3)
    thirds = [[0, 0], [0, 0], [0, 0]]
    for _ in range(entries):
        truth, observed = truth_of(chance), ()
        for number in range(requests):
            x, third = chance.uniform(3, 11), thirds[number * 3 // requests]
            p, right = sigmoid(x), chance.random() < truth(x)
            asked = chance.random() < explore(observed, p, error, prior)
            if not asked:
                third[0] += 1
                third[1] += not right
            if asked or chance.random() < audited:
                observed += ((p, right),)
    count = entries * requests / 3
    return [(served / count, wrong / count) for served, wrong in thirds]


@pytest.mark.parametrize("cautious", [True, False])
@pytest.mark.parametrize("error", [0.005, 0.02])
def test_over_a_stream_of_entries_as_believed_the_bound_holds_from_the_first_request(error, cautious):
    prior = Prior(cautious=cautious)
    thirds = stream(as_believed(prior), error, prior)
    for served, wrong in thirds:
        assert wrong <= error + 2.5 * math.sqrt(error / 1200)
        assert served > (0.3 if cautious else 0.6)


def test_a_scorer_whose_logits_are_twice_too_large_is_within_the_bound_still():
    thirds = stream(overconfident(0.5), 0.01, Prior())
    assert sum(wrong for _, wrong in thirds) / 3 <= 0.01 + 2.5 * math.sqrt(0.01 / 3600)


def test_a_scorer_that_is_worse_is_repaired_by_what_is_observed():
    first, _, last = stream(overconfident(0.3), 0.01, Prior())
    assert first[1] > 0.015
    assert last[1] < first[1] * 2 / 3
    assert last[0] < first[0] * 2 / 3


@pytest.mark.parametrize("cautious", [True, False])
def test_an_entry_worse_than_its_scores_is_not_the_worse_the_higher_they_are(cautious):
    # A line that could fall would make of many wrong answers at a high score that the higher ones are worth less.
    observed, prior = ((0.999, False),) * 6, Prior(0.1, 1.0, 0.0, cautious)
    found = [right_at_least(observed, value, prior) for value in (0.6, 0.9, 0.99, 0.999, 0.99999)]
    assert found == sorted(found)
