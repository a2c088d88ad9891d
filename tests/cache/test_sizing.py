from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.sizing import Sizing, Window


def window(hit_rate: float, use: float, evictions: int = 0, accesses: int = 1000) -> Window:
    hits = round(hit_rate * accesses)
    return Window(hits, accesses - hits, evictions, use)


@pytest.mark.parametrize(
    ("seen", "new", "reason"),
    [
        (window(0.29, 0.69), 750, "hit rate 29% below 30%, memory use 69% below 70%"),
        (window(0.30, 0.69), 500, "as it should be"),
        (window(0.29, 0.70), 500, "as it should be"),
        (window(0.5, 0.8, evictions=51), 750, "evictions 5% of accesses, above 5%"),
        (window(0.7, 0.8, evictions=51), 625, "evictions 5% of accesses, above 5%"),
        (window(0.5, 0.8, evictions=50), 500, "as it should be"),
        (window(0.81, 0.91), 400, "hit rate 81% above 80%, memory use 91% above 90%"),
        (window(0.81, 0.91, evictions=500), 400, "hit rate 81% above 80%, memory use 91% above 90%"),
        (window(0.80, 0.91), 500, "as it should be"),
        (window(0.81, 0.90), 500, "as it should be"),
        (window(0, 0, accesses=0), 500, "nobody asked for anything"),
        (window(0, 0, evictions=9, accesses=0), 500, "nobody asked for anything"),
    ],
)
def test_it_grows_and_shrinks_as_promised_and_says_why(seen: Window, new: int, reason: str) -> None:
    adjustment = Sizing().decided(500, seen)
    assert (adjustment.old_size, adjustment.new_size) == (500, new)
    assert reason in adjustment.reason


def test_it_stays_within_its_bounds() -> None:
    sizing = Sizing(min_size=100, max_size=600)
    assert sizing.decided(500, window(0.1, 0.1)).new_size == 600
    at_the_top = sizing.decided(600, window(0.1, 0.1))
    assert (at_the_top.new_size, at_the_top.reason.endswith("but that is the largest size")) == (600, True)
    assert sizing.decided(110, window(0.9, 0.95)).new_size == 100
    assert "smallest" in sizing.decided(100, window(0.9, 0.95)).reason
    assert Sizing(1, 2).decided(1, window(0.1, 0.1)).new_size == 2, "also where a quarter is less than one"


@given(
    size=st.integers(1, 5000),
    hits=st.integers(0, 1000),
    misses=st.integers(0, 1000),
    evictions=st.integers(0, 3000),
    use=st.floats(0, 1.5),
)
def test_never_beyond_its_bounds(size: int, hits: int, misses: int, evictions: int, use: float) -> None:
    sizing = Sizing(100, 2000)
    size = min(max(size, 100), 2000)
    adjustment = sizing.decided(size, Window(hits, misses, evictions, use))
    assert adjustment.old_size == size
    assert 100 <= adjustment.new_size <= 2000
    assert adjustment.reason


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_size": 0},
        {"min_size": -5},
        {"min_size": 50, "max_size": 49},
        {"adjustment_interval": 0},
        {"adjustment_interval": float("nan")},
        {"target_hit_rate": 0},
        {"target_hit_rate": 1.1},
    ],
)
def test_what_makes_no_sense_is_told(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"sizes|adjustment_interval|target_hit_rate"):
        Sizing(**wrong)  # type: ignore[arg-type]
