"""What an entry is likely to be worth before anything was observed of it, and how observations change that. Pure.

Learning entry by entry starves where entries are seldom asked for twice. A scorer that was calibrated over many entries
says of each question how probable it is that the answer is right, p; an entry differs from that by an unknown amount u:

    logit P(right | p) = logit p + u (shift + slope |logit p|),    u ~ N(0, 1), but for a share `doubt` of entries

Where u is negative the entry is worse than its scores say, the more so the surer these are. That is the line
a + b logit p with a = u shift and b = 1 + u slope (1 - u slope where p is under one half), never falling: b is at least
0. Of `doubt` of the entries the scorer knows nothing; their u is spread evenly over all that is bad. Without these a
single wrong answer at p = 0.9999 would be taken for the one in ten thousand.

There is one unknown, not two, because then the posterior has three properties that a Gaussian prior on (a, b) with a
Laplace approximation has not, and that a reader of this policy may rely on: the bound rises with p, rises with each
right answer and falls with each wrong one, whatever was observed. (With two, a right answer at a low p says that the
line is flatter, and thereby lowers it at a high p; and the approximation itself breaks the order where the prior is
wide.) All curves are ordered by u, so each observation multiplies the density of u by something that is monotone in u,
which moves every quantile the same way. That holds on a grid, too, where the posterior is exact.

The bound itself is vCache's (`cache.verified`): for any e the curve lies above that of the e-quantile of u with
probability 1 - e, so bound(e) = (1 - e) P(right | p, u(e)), and the best counts.

What that does, with the widths below, logits of p spread evenly over 3 to 11, a tenth of the hits audited, wrong
answers over all requests where 1% is allowed: 0.0% where entries are as believed (55% served); 0.4% where all logits
are 1.4 times too large (53%), 1.0% where twice (46%). Where they are 3.3 times too large (p = 0.9999 is 0.94) it is
2.8% over the first 15 requests of an entry and 1.3% from the thirtieth on (20%). The expected probability in place of
the bound serves 86%, with 0.4% wrong, 0.9%, 2.8%, and 8.8% falling to 6.3%: it is for scorers that were checked.
"""

from __future__ import annotations

from functools import lru_cache
from math import inf, log
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from cache.near import Observed

Vector: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"

REACH, CELLS = 12.0, 128
"""u is looked at from -REACH to REACH, in so many cells."""

SUREST = 1e-12
"""Probabilities are taken to be so far from 0 and 1 at least."""

LARGEST = 40.0
"""Logits beyond this differ in nothing that double precision can add to 1."""

TOGETHER = 16
"""Factors multiplied before the logarithm is taken: e^(LARGEST x TOGETHER) still is a number."""

_EDGES: Vector = np.linspace(-REACH, REACH, CELLS + 1)
_U: Vector = (_EDGES[1:] + _EDGES[:-1]) / 2
_EPSILONS: Vector = np.geomspace(1e-6, 0.5, 60)
"""Any set is allowed: a finer one finds a better bound, never a wrong one. Beyond one half none is of use."""


class Prior(NamedTuple):
    shift: float = 0.5
    """How far entries lie from what the scorer says at p = 1/2, in logits (one standard deviation)."""
    slope: float = 0.1
    """How much farther for each logit of p."""
    doubt: float = 0.002
    """Share of the entries about which the scorer is plainly mistaken."""
    cautious: bool = True
    """True: the best confidence bound, as without a prior. False: the expected probability, which these only bound:
    right on average where scorer and widths are, with nothing to spare where they are not. At p = 0.99 the odds of the
    bound are about ten times worse."""


class _Grid(NamedTuple):
    shift: Vector
    rising: Vector
    """What a positive logit is multiplied by, for each u."""
    falling: Vector
    """What a negative one is."""
    density: Vector
    """Logarithm of the prior mass in each cell."""
    quantiles: Vector
    """Of the prior, for each e: most entries were never observed."""


def right_at_least(observed: Observed, value: float, prior: Prior) -> float:
    """A lower bound of the probability that an answer with this p is right, after these observations of (p, right).
    None of them is NaN."""
    grid, x = _grid(prior.shift, prior.slope, prior.doubt), logit(value)
    if not prior.cautious:
        return float(_mass(_posterior(observed, grid)) @ _chance(_curves(np.array([x]), grid)[0]))
    low = _quantiles(_posterior(observed, grid)) if observed else grid.quantiles
    steeper = prior.slope if x >= 0 else -prior.slope
    curves = low * prior.shift + x * np.maximum(0.0, 1 + low * steeper)
    return float(((1 - _EPSILONS) * _chance(np.clip(curves, -LARGEST, LARGEST))).max())


def logit(probability: float) -> float:
    """Of a probability, taken to lie between `SUREST` and 1 - `SUREST`."""
    inside = min(max(probability, SUREST), 1 - SUREST)
    return log(inside / (1 - inside))


def _posterior(observed: Observed, grid: _Grid) -> Vector:
    """The logarithm of the mass in each cell, but for a constant."""
    density = grid.density
    if observed:
        signs = np.array([[-1.0 if right else 1.0] for _, right in observed])
        against = _curves(np.array([logit(each) for each, _ in observed]), grid)
        against *= signs
        np.exp(against, out=against)
        against += 1
        for start in range(0, len(observed), TOGETHER):
            density = density - np.log(against[start : start + TOGETHER].prod(axis=0))
    return density


def _mass(density: Vector) -> Vector:
    mass: Vector = np.exp(density - density.max())
    mass /= mass.sum()
    return mass


def _quantiles(density: Vector) -> Vector:
    """Of u, for each e. Within a cell the mass is spread evenly."""
    return np.interp(_EPSILONS, np.concatenate(([0.0], np.cumsum(_mass(density)))), _EDGES)


def _curves(x: Vector, grid: _Grid) -> Vector:
    """The logit of P(right) for each of these logits of p, and each u."""
    made: Vector = np.outer(np.maximum(x, 0.0), grid.rising)
    made += grid.shift
    if x.min() < 0:
        made += np.outer(np.minimum(x, 0.0), grid.falling)
    np.clip(made, -LARGEST, LARGEST, out=made)
    return made


def _chance(logits: Vector) -> Vector:
    chance: Vector = 1 / (1 + np.exp(-logits))
    return chance


@lru_cache(maxsize=16)
def _grid(shift: float, slope: float, doubt: float) -> _Grid:
    """Raises `ValueError` for widths that are none."""
    if not (0 <= shift < inf and 0 <= slope < inf and 0 <= doubt < 1):
        raise ValueError(f"widths of {shift} and {slope} with a doubt of {doubt} are no prior")
    usual = np.exp(-_U * _U / 2)
    doubtful = (_U < 0).astype(np.float64)
    density = np.log((1 - doubt) * usual / usual.sum() + doubt * doubtful / doubtful.sum())
    rising, falling = np.maximum(0.0, 1 + slope * _U), np.maximum(0.0, 1 - slope * _U)
    return _Grid(shift * _U, rising, falling, density, _quantiles(density))
