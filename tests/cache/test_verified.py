"""Learning entry by entry without a prior: the formulas, their edges, and that the bound holds over streams."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random  # noqa: TID251 - seeded: the same stream each time
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache.verified import SEEDS, Curve, curve, explore
from cache.verified_prior import Prior

ANY = st.floats(allow_nan=True, allow_infinity=True)
SHARE = st.floats(0, 1)
OBSERVED = st.lists(st.tuples(SHARE, st.booleans()), max_size=80).map(tuple)
WILD = st.lists(st.tuples(ANY, st.booleans()), max_size=12).map(tuple)


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit > -600 else 0.0


def likelihood(points, level, slope) -> float:
    return sum(math.log(max(1e-300, sigmoid((level + slope * at) * (1 if right else -1)))) for at, right in points)


@pytest.mark.parametrize("count", range(4))
def test_under_four_observations_it_always_asks(count):
    assert explore(((0.97, True),) * count, 1.0, 0.5) == 1.0


def test_four_right_ones_are_enough_to_serve_now_and_then():
    asking = explore(((0.95, True),) * 4, 0.95, 0.05)
    assert 0.8 < asking < 0.95


def test_the_published_formulas_step_by_step():
    observed = tuple((0.8 + 0.004 * n, n % 7 > 2 or n > 40) for n in range(50))
    found = curve([*SEEDS, *observed])
    similarity, error = 0.98, 0.02
    taus = []
    for step in range(50):
        epsilon = 1e-6 + (1 - 2e-6) * step / 49
        careful = found.threshold + NormalDist().inv_cdf(1 - epsilon) * math.sqrt(found.variance)
        careful = min(max(careful, 0.0), 1.0)
        alpha = (1 - epsilon) * sigmoid(found.slope * (similarity - careful))
        taus.append(1 - error / (1 - alpha))
    assert 0.05 < min(taus) < 0.95  # neither certain nor hopeless: the formula decides
    assert explore(observed, similarity, error) == pytest.approx(min(taus), abs=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_the_curve_has_the_greatest_likelihood_and_the_variance_of_the_delta_method(seed):
    chance = Random(seed)
    drawn = [chance.uniform(0.6, 1.0) for _ in range(60)]
    points = [*SEEDS, *((at, chance.random() < sigmoid(15 * (at - 0.85))) for at in drawn)]
    found = curve(points)
    level = -found.slope * found.threshold
    best = likelihood(points, level, found.slope)
    for more, steeper in [(0.05, 0), (-0.05, 0), (0, 0.1), (0, -0.1), (0.05, -0.06), (-0.05, 0.06)]:
        assert likelihood(points, level + more, found.slope + steeper) < best
    weights = [(at, p * (1 - p)) for at, _ in points for p in [sigmoid(level + found.slope * at)]]
    w0, w1, w2 = (sum(w * at**power for at, w in weights) for power in range(3))
    determinant = w0 * w2 - w1 * w1
    g0, g1 = -1 / found.slope, level / found.slope**2
    assert found.variance == pytest.approx((g0 * g0 * w2 - 2 * g0 * g1 * w1 + g1 * g1 * w0) / determinant, rel=1e-2)


def test_where_right_and_wrong_are_apart_the_curve_lies_in_the_gap_and_is_as_steep_as_it_is_narrow():
    wide = curve([*SEEDS, (0.6, False), (0.65, False), (0.85, True), (0.9, True)])
    narrow = curve([*SEEDS, (0.745, False), (0.7, False), (0.755, True), (0.8, True)])
    assert 0.65 < wide.threshold < 0.85
    assert narrow.threshold == pytest.approx(0.75, abs=0.005)
    assert 10 < wide.slope < narrow.slope < 400
    assert narrow.variance < wide.variance


@pytest.mark.parametrize("count", [4, 10, 50, 200])
def test_answers_that_were_always_right_never_prove_more_than_their_number(count):
    found = curve([*SEEDS, *[(0.95, True)] * count])
    right = sigmoid(found.slope * (0.95 - found.threshold))
    assert right <= 1 - 1 / (2 * count + 3)
    assert right == pytest.approx(1 - 1 / (2 * count + 3), abs=0.05)


def test_a_curve_that_falls_says_nothing():
    observed = tuple((0.7 + 0.005 * n, n < 30) for n in range(60))
    assert curve([*SEEDS, *observed]).slope < 5
    for similarity in (0.7, 0.9, 1.0):
        assert explore(observed, similarity, 0.01) > 0.97


def test_more_of_the_same_shows_more():
    asked = [explore(((0.96, True),) * count, 0.96, 0.05) for count in (4, 10, 50, 200)]
    assert asked == sorted(asked, reverse=True)
    assert len(set(asked)) == 4


@pytest.mark.parametrize("prior", [None, Prior()])
def test_what_is_not_a_number_is_asked(prior):
    known = ((0.999, True),) * 8
    assert explore(known, math.nan, 0.1, prior) == 1.0
    assert explore(known, 0.99, math.nan, prior) == 1.0
    assert explore((*known, (math.nan, True)), 0.99, 0.1, prior) == 1.0
    assert explore(known, 0.999, 0.0, prior) == 1.0
    assert explore(known, 0.999, -1.0, prior) == 1.0
    assert explore(known, 0.999, 1.0, prior) == 0.0


@settings(max_examples=300, deadline=None)
@given(WILD, ANY, ANY, st.sampled_from([None, Prior(), Prior(cautious=False), Prior(0.0, 0.0, 0.0), Prior(5, 3, 0.9)]))
def test_it_is_a_probability_for_any_numbers(observed, value, error, prior):
    assert 0.0 <= explore(observed, value, error, prior) <= 1.0


@settings(max_examples=200, deadline=None)
@given(OBSERVED, SHARE, SHARE, st.floats(0.001, 0.5))
def test_the_nearer_the_question_the_less_is_asked(observed, one, other, error):
    low, high = sorted((one, other))
    assert explore(observed, high, error) <= explore(observed, low, error) + 1e-12


@settings(max_examples=200, deadline=None)
@given(OBSERVED)
def test_curves_are_finite_and_never_fall(observed):
    found = curve([*SEEDS, *observed])
    assert all(map(math.isfinite, found))
    assert found.slope > 0
    assert found.variance >= 0


def test_observations_at_one_place_that_contradict_each_other():
    assert isinstance(curve([*SEEDS, *[(0.9, True), (0.9, False)] * 5]), Curve)
    assert explore(((0.9, True), (0.9, False)) * 5, 0.9, 0.01) > 0.97


Truth = Callable[[float], float]


def steep(chance: Random) -> Truth:
    threshold, slope = chance.uniform(0.75, 1.0), chance.choice((20, 60, 200))
    return lambda at: sigmoid(slope * (at - threshold))


def flat(share: float) -> Callable[[Random], Truth]:
    return lambda chance: lambda at: share


def stream(
    truth_of: Callable[[Random], Truth], error: float, seed: int, *, entries: int = 60, requests: int = 50
) -> tuple[float, float]:
    """Share of all requests that were served, and that were answered wrong."""
    chance = Random(seed)
    served = wrong = 0
    for _ in range(entries):
        truth, observed = truth_of(chance), ()
        for _ in range(requests):
            at = round(chance.uniform(0.7, 1.0), 3)
            right = chance.random() < truth(at)
            if chance.random() < explore(observed, at, error):
                observed += ((at, right),)
            else:
                served += 1
                wrong += not right
    return served / (entries * requests), wrong / (entries * requests)


@pytest.mark.parametrize("error", [0.02, 0.07])
@pytest.mark.parametrize("truth", [steep, flat(0.5), flat(0.9), flat(0.99)], ids=["steep", "half", "most", "nearly"])
def test_over_a_stream_wrong_answers_are_as_seldom_as_was_asked_for(truth, error):
    served, wrong = stream(truth, error, seed=1)
    slack = 2.5 * math.sqrt(error / 3000)
    assert wrong < error + slack
    assert served > error / 2


def test_entries_with_a_threshold_come_to_be_served():
    early, _ = stream(steep, 0.05, seed=2, requests=15)
    late, _ = stream(steep, 0.05, seed=2, requests=60)
    assert late > 1.5 * early
    assert late > 0.2
