from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.bounds import upper
from cache.fitting import Fit, Vector, fit, sigmoid, threshold_for

SIGNS = (1, -1, 0)


def sample(seed: int, n: int = 400, truth: tuple[float, ...] = (3.0, -0.02, 0.0), intercept: float = -1.0):
    """Rows of features of very different size, labels drawn from a logistic model of these weights."""
    chance = np.random.default_rng(seed)
    rows = chance.normal([0.5, 40.0, 7.0], [0.3, 30.0, 0.01], (n, 3))
    return rows, chance.random(n) < sigmoid(rows @ np.array(truth) + intercept)


def loss(rows: Vector, right: Vector, found: Fit, penalty: float, weight: Vector | None = None) -> float:
    """What `fit` minimises, written down anew: in the features' own units."""
    weight = np.ones(len(rows)) if weight is None else weight
    middle = (weight[:, None] * rows).sum(0) / weight.sum()
    spread = np.sqrt((weight[:, None] * (rows - middle) ** 2).sum(0) / weight.sum())
    z = rows @ found.weights + found.intercept
    ridge = penalty / 2 * ((found.weights * spread) ** 2).sum()
    return float((weight * np.logaddexp(0, np.where(right, -z, z))).sum() + ridge)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("signs", [None, SIGNS, (-1, 1, 0)])
def test_nothing_near_to_a_fit_is_better(seed: int, signs: tuple[int, ...] | None) -> None:
    rows, right = sample(seed)
    found = fit(rows, right, signs=signs, penalty=2.0)
    best = loss(rows, right, found, 2.0)
    chance = np.random.default_rng(seed + 100)
    for _ in range(200):
        nudge = chance.normal(0, [1e-3, 1e-5, 1e-2]) * chance.random()
        weights = found.weights + nudge
        for at, sign in enumerate(signs or ()):
            weights[at] = max(0.0, weights[at]) if sign > 0 else min(0.0, weights[at]) if sign < 0 else weights[at]
        other = Fit(weights, found.intercept + chance.normal(0, 1e-3))
        assert loss(rows, right, other, 2.0) >= best - 1e-9


def test_weights_come_in_the_units_of_the_features() -> None:
    rows, right = sample(0, n=40_000)
    found = fit(rows, right)
    assert found.weights[:2] == pytest.approx([3.0, -0.02], rel=0.1)
    assert found.intercept + found.weights[2] * 7.0 == pytest.approx(-1.0, abs=0.15)
    scaled = fit(rows * [1000.0, 0.001, 1.0] + [5.0, 0.0, 0.0], right)
    assert scaled.scores(rows * [1000.0, 0.001, 1.0] + [5.0, 0.0, 0.0]) == pytest.approx(found.scores(rows), abs=1e-6)


def test_a_weight_is_held_to_its_sign() -> None:
    rows, right = sample(1)
    free, held = fit(rows, right), fit(rows, right, signs=(-1, 1, 0))
    assert free.weights[0] > 0 > free.weights[1]
    assert held.weights[0] == held.weights[1] == 0.0
    rest = fit(rows[:, 2:], right)
    assert held.scores(rows) == pytest.approx(rest.scores(rows[:, 2:]), abs=1e-8)
    assert fit(rows, right, signs=(1, -1, 0)).weights == pytest.approx(free.weights, rel=1e-6)


def test_a_row_of_weight_two_is_the_row_twice() -> None:
    rows, right = sample(2, n=100)
    weights = np.where(np.arange(100) % 3 == 0, 2.0, np.where(np.arange(100) % 3 == 1, 1.0, 0.0))
    twice = np.repeat(np.arange(100), weights.astype(int))
    weighed, repeated = fit(rows, right, samples=weights), fit(rows[twice], right[twice])
    assert weighed.weights == pytest.approx(repeated.weights, rel=1e-6)
    assert weighed.intercept == pytest.approx(repeated.intercept, rel=1e-6)


def test_classes_that_are_apart_have_finite_weights() -> None:
    rows = np.array([[0.0], [0.1], [0.9], [1.0]])
    found = fit(rows, [False, False, True, True], penalty=0.01)
    assert np.isfinite(found.weights).all()
    assert (found.scores(rows) > 0.5).tolist() == [False, False, True, True]


def test_a_constant_feature_weighs_nothing() -> None:
    rows, right = sample(3)
    rows[:, 1] = 0.1
    found = fit(rows, right)
    assert found.weights[1] == 0.0
    without = fit(rows[:, [0, 2]], right)
    assert found.scores(rows) == pytest.approx(without.scores(rows[:, [0, 2]]), abs=1e-9)


def test_equal_input_gives_equal_output() -> None:
    rows, right = sample(4)
    one, other = fit(rows, right, signs=SIGNS), fit(rows.copy(), right.copy(), signs=SIGNS)
    assert one.weights.tobytes() == other.weights.tobytes()
    assert one.intercept == other.intercept


ONE = np.array([[0.0], [1.0]])


@pytest.mark.parametrize(
    ("rows", "right", "more"),
    [
        (ONE, [True], {}),
        (ONE, [True, True], {}),
        (ONE, [True, False], {"samples": np.array([1.0, 0.0])}),
        (ONE, [True, False], {"samples": np.array([1.0, -1.0])}),
        (ONE, [True, False], {"signs": (1, 1)}),
        (ONE, [True, False], {"penalty": 0.0}),
        (np.array([[nan], [1.0]]), [True, False], {}),
        (np.zeros((0, 1)), [], {}),
        (np.zeros(2), [True, False], {}),
    ],
)
def test_what_can_not_be_fitted_is_said(rows: Vector, right: list[bool], more: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"shapes|finite|examples"):
        fit(rows, right, **more)  # type: ignore[arg-type]


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(2, 60), st.floats(1e-3, 1e3))
def test_any_labels_have_a_fit_that_keeps_the_signs(seed: int, features: int, n: int, penalty: float) -> None:
    chance = np.random.default_rng(seed)
    rows, right = chance.normal(size=(n, features)), chance.random(n) < 0.5
    right[:2] = [True, False]
    signs = chance.integers(-1, 2, features)
    found = fit(rows, right, signs=signs.tolist(), penalty=penalty)
    assert (found.weights * signs >= 0).all()
    assert np.isfinite(found.scores(rows)).all()
    # The penalty does not touch the intercept: on average the fit says what was seen.
    assert found.scores(rows).mean() == pytest.approx(right.mean(), abs=1e-6)


def test_the_threshold_is_the_lowest_that_keeps_the_bound() -> None:
    scores = [0.9, 0.8, 0.7, 0.6, 0.5]
    right = [True, True, False, True, False]
    assert threshold_for(scores, right, 1000, upper(0, 1000)) == 0.8
    assert threshold_for(scores, right, 1000, upper(1, 1000)) == 0.6
    assert threshold_for(scores, right, 1000, upper(2, 1000)) == 0.5
    assert threshold_for(scores, right, 1000, upper(0, 1000) - 1e-9) == inf
    assert threshold_for([], [], 1000, 0.5) == inf
    assert threshold_for([0.9], [False], 1000, upper(0, 1000)) == inf


def test_equal_scores_are_served_together() -> None:
    assert threshold_for([0.9, 0.8, 0.8], [True, True, False], 100, upper(0, 100)) == 0.9


@pytest.mark.parametrize(("scores", "right", "n"), [([0.5], [], 9), ([0.5, 0.4], [True, True], 1), ([nan], [True], 9)])
def test_counts_that_make_no_sense_are_refused(scores: list[float], right: list[bool], n: int) -> None:
    with pytest.raises(ValueError, match="as many"):
        threshold_for(scores, right, n, 0.5)


@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.9]), st.booleans()), max_size=60),
    st.integers(0, 400),
    st.floats(0.001, 1),
)
def test_every_threshold_from_there_on_keeps_the_bound_and_none_below(
    seen: list[tuple[float, bool]], more: int, bound: float
) -> None:
    scores, right = [score for score, _ in seen], [each for _, each in seen]
    n = len(seen) + more
    found = threshold_for(scores, right, n, bound)
    for threshold in scores:
        errors = sum(not each for score, each in seen if score >= threshold)
        assert (upper(errors, n) <= bound) == (threshold >= found)
