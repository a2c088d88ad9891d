from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.bench_cache_optimum import next_uses, optimum


def by_trying_all(keys: tuple[int, ...], size: int) -> int:
    """Every choice of what to keep, to the end."""

    @cache
    def best(place: int, held: frozenset[int]) -> int:
        if place == len(keys):
            return 0
        key = keys[place]
        candidates = held | {key}
        kept = {candidates} if len(candidates) <= size else {candidates - {gone} for gone in candidates}
        return (key in held) + max(best(place + 1, some) for some in kept)

    return best(0, frozenset())


@given(st.lists(st.integers(0, 4), max_size=11).map(tuple), st.integers(0, 4))
def test_nobody_hits_more_often_and_it_can_be_done(keys: tuple[int, ...], size: int) -> None:
    assert optimum(keys, size) == by_trying_all(keys, size)


@pytest.mark.parametrize(
    ("size", "hits"),
    [(0, 0), (1, 2), (2, 4), (3, 5), (4, 6), (5, 7), (100, 7)],
)
def test_a_known_string_of_references(size: int, hits: int) -> None:
    """1 2 3 4 1 2 5 1 2 3 4 5, on which FIFO has its anomaly: it hits 3 times with three, and 2 times with four."""
    assert optimum([1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5], size) == hits


def test_a_scan_that_least_recently_used_never_hits() -> None:
    assert optimum([0, 1, 2, 3] * 10, 3) == 27  # three stay, and the fourth passes by


def test_where_each_key_comes_next() -> None:
    assert next_uses("abac") == [2, 4, 4, 4]
    assert next_uses("") == []


def test_it_takes_a_long_trace() -> None:
    keys = [number * number % 9973 for number in range(100_000)]
    assert optimum(keys, 10_000) == len(keys) - len(set(keys))
