"""How large a share may be that was seen in a sample: Wilson's score interval. Pure.

All bounds here are the ends of the *two-sided* interval: `confidence=0.95` means z = 1.96, and the share lies above
`upper` in 2.5% of samples, below `lower` in another 2.5%. Who wants a one-sided bound of 95% asks for 0.90. What the
project calls a "95% upper bound" is the two-sided one: the stricter of the two readings.

Sources: Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927) 209-212; Newcombe,
Two-sided confidence intervals for the single proportion, Statistics in Medicine 17 (1998) 857-872, method 3, whose
table of examples is among the tests.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, isfinite, sqrt
from statistics import NormalDist


@lru_cache(maxsize=64)
def z_of(confidence: float) -> float:
    """How many standard deviations to either side hold that share of a normal distribution; raises `ValueError` where
    `confidence` is not between 0 and 1."""
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence} is not between 0 and 1")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def upper(errors: int, n: int, confidence: float = 0.95) -> float:
    """The largest share that `errors` among `n` speak for; 1.0 where nothing was seen or all were errors. Raises
    `ValueError` for counts that are none."""
    _check(errors, n)
    if errors == n:
        return 1.0
    return min(1.0, sum(_middle_and_half(errors, n, z_of(confidence))))


def lower(errors: int, n: int, confidence: float = 0.95) -> float:
    """The smallest; 0.0 where nothing was seen or none was an error."""
    _check(errors, n)
    if errors == 0:
        return 0.0
    middle, half = _middle_and_half(errors, n, z_of(confidence))
    return max(0.0, middle - half)


def needed(errors: int, bound: float, confidence: float = 0.95) -> int:
    """How many have to be judged, `errors` of them being errors, for `upper` to be at most `bound`. Raises `ValueError`
    where that never happens (`bound` 0 or less).

    Wilson's bound at p solves (p - errors/n)² = z² p (1 - p) / n, which is quadratic in the root of n.
    """
    _check(errors, errors)
    if not bound > 0:
        raise ValueError(f"no sample shows a share to be at most {bound}")
    if bound >= 1:
        return errors
    spread = z_of(confidence) * sqrt(bound * (1 - bound))
    root = (spread + sqrt(spread * spread + 4 * bound * errors)) / (2 * bound)
    n = max(errors, ceil(root * root))
    # The closed form may be off by one where rounding decides.
    while upper(errors, n, confidence) > bound:
        n += 1
    while n > errors and upper(errors, n - 1, confidence) <= bound:
        n -= 1
    return n


def _middle_and_half(errors: int, n: int, z: float) -> tuple[float, float]:
    share, square = errors / n, z * z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = z * sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    return middle, half


def _check(errors: int, n: int) -> None:
    if not (isfinite(errors) and isfinite(n) and 0 <= errors <= n):
        raise ValueError(f"{errors} of {n} is no count")
