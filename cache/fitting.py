"""A logistic regression, and the threshold on its scores that an error bound allows. Pure.

The fit is maximum likelihood with a quadratic penalty on the standardised weights (Hoerl and Kennard's ridge, 1970, on
the logistic likelihood: le Cessie and van Houwelingen, Applied Statistics 41, 1992), each weight held to a sign where
one is known: more overlap never speaks against an answer, whatever the noise in the labels says. It is found by the
projected Newton method (Bertsekas, SIAM J. Control and Optimization 20, 1982). The problem is strictly convex, so
there is one solution, and equal input gives equal output.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isnan
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from cache.bounds import upper

Vector: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
"""float64, of one or two dimensions."""

STEPS, HALVINGS = 200, 60
SLACK = 1e-10
"""How far from zero the slope may be where the search ends, for each unit of sample weight."""
ENOUGH = 1e-4
"""The part of the decrease that the slope promises which a step must bring (Armijo's rule)."""


class Fit(NamedTuple):
    """P(right) = sigmoid(intercept + weights · features), features in their own units."""

    weights: Vector
    intercept: float

    def scores(self, rows: Vector) -> Vector:
        """(n,), each between 0 and 1, of (n, features)."""
        return sigmoid(np.asarray(rows, np.float64) @ self.weights + self.intercept)


def sigmoid(values: Vector) -> Vector:
    """1 / (1 + exp(-values)), without overflow."""
    made: Vector = 0.5 * (1.0 + np.tanh(0.5 * values))
    return made


def fit(
    rows: Vector,
    right: Sequence[bool] | Vector,
    *,
    samples: Vector | None = None,
    signs: Sequence[int] | None = None,
    penalty: float = 1.0,
) -> Fit:
    """`rows`: (n, features); `samples`: the weight of each row, 1 without; `signs`: for each feature +1 or -1 where its
    weight may not be negative or positive, else 0; `penalty`: above 0, on half the squares of the weights of features
    scaled to deviation 1, against a sum over the rows (scikit-learn's 1/C). The intercept is not penalised. A feature
    that never changes gets the weight 0.

    Raises `ValueError` for shapes that do not fit, numbers that are not finite, and labels that are all the same.
    """
    x, y = np.asarray(rows, np.float64), np.asarray(right, np.float64)
    n, features = x.shape if x.ndim == 2 else (0, 0)
    sample = np.ones(n) if samples is None else np.asarray(samples, np.float64)
    held = np.zeros(features) if signs is None else np.asarray(signs, np.float64)
    if n < 1 or y.shape != (n,) or sample.shape != (n,) or held.shape != (features,):
        raise ValueError(f"shapes that do not fit: {x.shape}, {y.shape}, {sample.shape}, {held.shape}")
    if not (np.isfinite(x).all() and np.isfinite(sample).all() and (sample >= 0).all() and 0 < penalty < inf):
        raise ValueError("features and weights have to be finite, weights not negative, the penalty above 0")
    seen = set(y[sample > 0].tolist())
    if seen != {0.0, 1.0}:
        raise ValueError("a fit needs examples that are right and examples that are not")
    middle = np.average(x, axis=0, weights=sample)
    spread = np.sqrt(np.average((x - middle) ** 2, axis=0, weights=sample))
    # What is left of a constant column after rounding is no feature.
    varies = spread > 1e-9 * np.maximum(1.0, np.abs(middle))
    scale = np.where(varies, spread, 1.0)
    scaled = np.where(varies, (x - middle) / scale, 0.0)
    found = _minimise(np.column_stack([np.ones(n), scaled]), y, sample, np.concatenate([[0.0], held]), penalty)
    weights = np.where(varies, found[1:], 0.0) / scale
    return Fit(weights, float(found[0] - weights @ middle))


def _minimise(x: Vector, y: Vector, sample: Vector, signs: Vector, penalty: float) -> Vector:
    """The first column of `x` is 1, its weight neither penalised nor held."""
    ridge = np.full(x.shape[1], penalty)
    ridge[0] = 0.0
    low, high = np.where(signs > 0, 0.0, -inf), np.where(signs < 0, 0.0, inf)
    sides = 1.0 - 2.0 * y

    def loss(at: Vector) -> float:
        return float(sample @ np.logaddexp(0.0, sides * (x @ at)) + 0.5 * ridge @ (at * at))

    share = float(np.average(y, weights=sample))
    point: Vector = np.zeros(x.shape[1])
    point[0] = np.log(share / (1.0 - share))
    here = loss(point)
    for _ in range(STEPS):
        chance = sigmoid(x @ point)
        slope = x.T @ (sample * (chance - y)) + ridge * point
        free = ~(((point <= low) & (slope > 0)) | ((point >= high) & (slope < 0)))
        if np.abs(slope[free]).max() <= SLACK * sample.sum():
            break
        part = x[:, free]
        curve = (part * (sample * chance * (1.0 - chance))[:, None]).T @ part + np.diag(ridge[free])
        step: Vector = np.zeros_like(point)
        # The intercept alone is not penalised: where all chances are 0 or 1 its curvature vanishes.
        step[free] = np.linalg.solve(curve + np.diag(np.full(len(curve), 1e-12)), slope[free])
        moved = _step(loss, here, point, slope, step, low, high)
        if moved is None:  # no step is downhill any more as far as float64 can tell
            break
        point, here = moved
    return point


def _step(
    loss: Any, here: float, point: Vector, slope: Vector, step: Vector, low: Vector, high: Vector
) -> tuple[Vector, float] | None:
    size = 1.0
    for _ in range(HALVINGS):
        other = np.clip(point - size * step, low, high)
        there = loss(other)
        if there < here and there <= here - ENOUGH * float(slope @ (point - other)):
            return other, there
        size /= 2
    return None


def threshold_for(scores: Sequence[float], right: Sequence[bool], n: int, max_error: float) -> float:
    """The lowest of the scores that, as a threshold, keeps wrong answers to at most `max_error` of `n` requests, by the
    upper end of their two-sided 95% interval (`cache.bounds.upper`). `inf` where none does: then nothing may be served.

    `scores` and `right` are of the requests that have something to serve, at most `n`. With fewer served there are
    never more wrong ones, so each higher threshold keeps the bound too. Equal scores are served together or not at all.
    """
    if len(scores) != len(right) or len(scores) > n or any(map(isnan, scores)):
        raise ValueError("as many labels as scores, none of them NaN, and no more than there are requests")
    best, errors = inf, 0
    order = sorted(range(len(scores)), key=lambda place: -scores[place])
    for rank, place in enumerate(order):
        errors += not right[place]
        if rank + 1 < len(order) and scores[order[rank + 1]] == scores[place]:
            continue
        if upper(errors, n) > max_error:
            break
        best = float(scores[place])
    return best
