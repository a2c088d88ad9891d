"""The word of a guard, as people read it."""

from __future__ import annotations

import pytest

from cache.veto import Veto


@pytest.mark.parametrize(
    ("here", "there", "told"),
    [
        (("12",), ("15",), "numbers: 12 / 15"),
        (("12",), (), "numbers: 12 / -"),
        ((), (), "numbers: - / -"),
        (("1", "2", "3", "4"), ("5",), "numbers: 1 2 3 4 / 5"),
        (("1", "2", "3", "4", "5"), (), "numbers: 1 2 3 4 … / -"),
        (("x" * 24,), ("y" * 25,), f"numbers: {'x' * 24} / {'y' * 23}…"),
    ],
)
def test_what_differs_is_told_in_a_line(here: tuple[str, ...], there: tuple[str, ...], told: str) -> None:
    assert str(Veto("numbers", here, there)) == told
