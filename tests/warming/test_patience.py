"""How long a flight is waited for."""

from __future__ import annotations

import pytest

from warming.patience import ENOUGH, REMEMBERED, SAMPLES, SHORTEST, Patience


def after(*seconds: float, deadline: float = 10.0) -> float:
    patience = Patience(deadline)
    for each in seconds:
        patience.came("m", each)
    return patience.of("m")


def test_before_enough_is_known_the_deadline_counts():
    assert Patience(10.0).of("m") == 10.0
    assert after(*[0.5] * (ENOUGH - 1)) == 10.0


@pytest.mark.parametrize(
    ("seconds", "patience"),
    [
        ([1.5] * ENOUGH, 3.0),
        ([0.2] * 20, SHORTEST),
        ([8.0] * 20, 10.0),
        ([1.0] * 19 + [9.0], 2.0),  # the slowest twentieth does not count
        ([1.0] * 18 + [4.0] * 2, 8.0),
        ([9.0] * SAMPLES + [1.0] * SAMPLES, 2.0),  # only the latest do
    ],
)
def test_twice_what_nearly_all_take(seconds, patience):
    assert after(*seconds) == patience


def test_models_are_told_apart_and_forgotten():
    patience = Patience(10.0)
    for number in range(REMEMBERED + 1):
        for _ in range(ENOUGH):
            patience.came(str(number), 1.0)
    assert patience.of("0") == 10.0
    assert patience.of("1") == 2.0
