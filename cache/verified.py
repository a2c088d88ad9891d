"""When the model has to be asked again although an answer lies near: learning entry by entry, within an error bound.

Serving is right with some probability, of which only a lower bound is known. Asking again with probability

    explore = 1 - max_error / (1 - bound)

makes wrong answers as seldom as max_error, over all requests: (1 - explore) (1 - bound) = max_error. Source: Schroeder
et al., vCache: Verified Semantic Prompt Caching, arXiv:2502.03771 (ICLR 2026), from whose formulas all of this is
written.

Without a prior an entry learns from nothing but its own observations of (similarity, right or wrong), as published: a
logistic curve with a slope around a threshold, both by maximum likelihood, and the variance of the threshold by the
delta method. With probability 1 - e the threshold lies below t(e) = threshold + z(1-e) deviation, so that

    bound(e) = (1 - e) sigmoid(slope (similarity - t(e)))

for any e; the best of fifty counts. Seeds (0, wrong) and (1, right) go before, and under six observations it always
asks.

Where all that was wrong lies below all that was right the likelihood has no maximum: any threshold in the gap and any
slope will do. The paper has a table of variances for these. Here such data get half an observation of the other kind at
either edge of the gap, after which curve and variance follow by the same formulas as ever (fractions of observations
that keep a logistic curve finite: Clogg et al., Multiple imputation of industry and occupation codes in census
public-use samples using Bayesian logistic regression, JASA 86 (1991) 68-78). It is the more careful of the two: the
curve is as steep as the gap is narrow and no steeper, and n right answers at one similarity, with nothing seen below,
make the next one right there with 1 - 1/(2n + 3) at most.

With a prior `cache.verified_prior` has the bound.
"""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from cache.near import Observed
from cache.verified_prior import LARGEST, Prior, Vector, right_at_least

FEWEST = 6
"""Observations, the two seeds among them, under which there is nothing to learn from."""

SEEDS: Observed = ((0.0, False), (1.0, True))

FLATTEST = 1e-6
"""The least slope: a curve that falls is taken for one that says nothing."""

STEPS = 50
_SURE: Vector = 1 - np.linspace(1e-6, 1 - 1e-6, STEPS)
_QUANTILES: Vector = np.array([NormalDist().inv_cdf(each) for each in _SURE])
"""For each e: 1 - e, and its quantile of the normal distribution."""

ROUNDS, ENOUGH, FULL = 60, 1e-3, 0.1
"""Newton's method: how many steps at most, the decrement (squared) whose step is the last, and the one from which on
steps are taken in full."""

GAP = 1e-3
"""Between similarities: nothing smaller says where to begin."""


class Curve(NamedTuple):
    threshold: float
    """The similarity at which half of the answers are right; anywhere."""
    slope: float
    variance: float
    """Of the threshold."""


def explore(observed: Observed, value: float, max_error: float, prior: Prior | None = None) -> float:
    """The probability with which the model has to be asked instead of serving, 0 to 1.

    `value`: the similarity of the question, or, with a prior, the probability that the calibrated scorer gives the
    answer; `observed` holds the same quantity of the questions before. `max_error`: the share of all requests that may
    be answered wrong. Where one of these is no number it is 1: nobody knows anything.

    Time grows linearly with the observations: with 64 of them about 0.15 ms on one core, with a prior 0.18 ms, and
    0.02 ms where there are none.
    """
    if value != value or max_error != max_error or any(each != each for each, _ in observed):
        return 1.0
    if prior is not None:
        return _asking(right_at_least(observed, value, prior), max_error)
    points = [(min(max(each, 0.0), 1.0), right) for each, right in (*SEEDS, *observed)]
    if len(points) < FEWEST:
        return 1.0
    return _asking(_right_at_least(curve(points), min(max(value, 0.0), 1.0)), max_error)


def _asking(right: float, max_error: float) -> float:
    """What the bound on the probability of being right asks for."""
    wrong = 1 - right
    if max_error <= 0:
        return 1.0
    return 0.0 if wrong <= max_error else 1 - max_error / wrong


def _right_at_least(found: Curve, similarity: float) -> float:
    """The best bound over all e."""
    threshold = min(max(found.threshold, 0.0), 1.0)
    careful = np.clip(threshold + _QUANTILES * sqrt(found.variance), 0.0, 1.0)
    logits = np.clip(found.slope * (similarity - careful), -LARGEST, LARGEST)
    return float((_SURE / (1 + np.exp(-logits))).max())


def curve(points: list[tuple[float, bool]]) -> Curve:
    """The logistic curve through points (similarity, right): at least one of either kind, not all at one place."""
    highest = max(at for at, right in points if not right)
    lowest = min(at for at, right in points if right)
    middle, gap = (highest + lowest) / 2, max(abs(highest - lowest), GAP)
    weights = [1.0] * len(points)
    if highest <= lowest:
        points = [*points, (highest, True), (lowest, False)]
        weights += [0.5, 0.5]
    at: Vector = np.array([each for each, _ in points]) - middle
    right: Vector = np.array([1.0 if each else 0.0 for _, each in points])
    level, slope, information = _most_likely(at, right, np.array(weights), 4 / gap)
    slope = max(slope, FLATTEST)
    w0, w1, w2 = information
    determinant = w0 * w2 - w1 * w1
    # The threshold is middle - level/slope; its gradient in (level, slope) is -(1, -level/slope) / slope.
    tilt = level / slope
    variance = (w2 + 2 * tilt * w1 + tilt * tilt * w0) / (slope * slope * determinant) if determinant > 0 else 1.0
    return Curve(middle - tilt, slope, variance)


def _most_likely(
    at: Vector, right: Vector, weights: Vector, slope: float
) -> tuple[float, float, tuple[float, float, float]]:
    """Level and slope of greatest likelihood, by damped Newton steps, and the information matrix there (its three
    entries). The likelihood is concave, so any start will do; a flat one is the safer."""
    powers = np.stack([weights, weights * at, weights * at * at])
    gradients = powers[:2]
    level, w0, w1, w2 = 0.0, 1.0, 0.0, 1.0
    for _ in range(ROUNDS):
        chance = 1 / (1 + np.exp(-np.clip(level + slope * at, -LARGEST, LARGEST)))
        w0, w1, w2 = (powers @ (chance * (1 - chance))).tolist()
        up, along = (gradients @ (right - chance)).tolist()
        determinant = w0 * w2 - w1 * w1
        if not determinant > 0:
            break  # steeper than numbers can tell
        rise, turn = (w2 * up - w1 * along) / determinant, (w0 * along - w1 * up) / determinant
        decrement = up * rise + along * turn
        if decrement < ENOUGH:
            return level + rise, slope + turn, (w0, w1, w2)
        step = 1 / (1 + sqrt(decrement)) if decrement > FULL else 1.0
        level, slope = level + step * rise, slope + step * turn
    return level, slope, (w0, w1, w2)
