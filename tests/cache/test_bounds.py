"""Wilson's bounds, against published values and against what they claim."""

from __future__ import annotations

import math
from random import Random  # noqa: TID251 - seeded: the same stream each time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.bounds import lower, needed, upper, z_of

COUNTS = st.integers(0, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))

NEWCOMBE = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
"""Newcombe 1998, table I, method 3: errors, n, and the two ends."""


@pytest.mark.parametrize(("errors", "n", "low", "high"), NEWCOMBE)
def test_published_examples(errors, n, low, high):
    assert lower(errors, n) == pytest.approx(low, abs=5e-5)
    assert upper(errors, n) == pytest.approx(high, abs=5e-5)


def test_the_edges_are_exact():
    assert (lower(0, 0), upper(0, 0)) == (0.0, 1.0)
    assert lower(0, 50) == 0.0
    assert upper(50, 50) == 1.0
    assert upper(0, 50) == pytest.approx(1.959964**2 / (50 + 1.959964**2))


def test_confidence_is_that_of_both_sides():
    assert z_of(0.95) == pytest.approx(1.959964, abs=1e-6)
    assert z_of(0.90) == pytest.approx(1.644854, abs=1e-6)  # 95% on one side
    assert upper(3, 100, 0.99) > upper(3, 100) > upper(3, 100, 0.5)


@given(COUNTS)
def test_the_share_seen_lies_between_the_bounds_and_they_mirror_each_other(counts):
    errors, n = counts
    low, high = lower(errors, n), upper(errors, n)
    assert 0.0 <= low <= (errors / n if n else 0.5) <= high <= 1.0
    assert upper(n - errors, n) == pytest.approx(1 - low)


@given(COUNTS)
def test_one_more_error_raises_both_bounds(counts):
    errors, n = counts
    assert upper(errors + 1, n + 1) >= upper(errors, n)
    assert lower(errors + 1, n + 1) >= lower(errors, n)


@pytest.mark.parametrize("share", [0.005, 0.05, 0.3])
def test_the_interval_holds_the_truth_as_often_as_it_says(share):
    # Exact: summed over the binomial distribution. Wilson's coverage is 95% on average, seldom under 93%.
    n = 1000
    chances = [math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(300 if share < 0.3 else n + 1)]
    covered = sum(chance for k, chance in enumerate(chances) if lower(k, n) <= share <= upper(k, n))
    assert 0.93 < covered < 0.985


def test_how_many_have_to_be_judged():
    assert needed(0, 0.005) == 765  # z² (1 - p) / p = 764.5
    assert needed(0, 1.0) == 0
    assert needed(3, 1.0) == 3
    assert [needed(errors, 0.01) for errors in (0, 1, 2)] == sorted(needed(errors, 0.01) for errors in (0, 1, 2))


@given(st.integers(0, 500), st.floats(0.001, 0.999))
def test_needed_is_the_first_number_at_which_the_bound_holds(errors, bound):
    n = needed(errors, bound)
    assert upper(errors, n) <= bound
    assert n == errors or upper(errors, n - 1) > bound


@pytest.mark.parametrize("counts", [(-1, 5), (6, 5), (math.nan, 5), (1, math.inf)])
def test_what_is_no_count_is_refused(counts):
    with pytest.raises(ValueError, match="no count"):
        upper(*counts)
    with pytest.raises(ValueError, match="no count"):
        lower(*counts)


@pytest.mark.parametrize("bound", [0.0, -1.0, math.nan])
def test_no_sample_proves_a_share_of_nothing(bound):
    with pytest.raises(ValueError, match="no sample"):
        needed(0, bound)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -1.0, math.nan])
def test_a_confidence_is_a_share(confidence):
    with pytest.raises(ValueError, match="confidence"):
        z_of(confidence)


def test_bounds_shrink_towards_what_is_seen():
    chance = Random(1)
    wrong = 0
    for n in range(1, 20_001):
        wrong += chance.random() < 0.01
        if n in (100, 1000, 10_000, 20_000):
            assert lower(wrong, n) < 0.0125
            assert upper(wrong, n) > 0.0075
    assert upper(wrong, 20_000) - lower(wrong, 20_000) < 0.003
