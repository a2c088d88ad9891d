from __future__ import annotations

from typing import Any

import pytest

from adapters.usage import Usage, count


@pytest.mark.parametrize(
    ("value", "counted"),
    [
        (7, 7),
        (0, 0),
        (None, 0),
        (-3, 0),
        ("7", 0),
        (7.0, 0),
        (True, 0),
        ([7], 0),
        (10**15, 10**15),
        (2**60, 0),
        (10**400, 0),
    ],
)
def test_only_a_positive_integer_is_a_count(value: Any, counted: int) -> None:
    assert count({"tokens": value}, "tokens") == counted


def test_an_absent_count_is_zero() -> None:
    assert count({}, "tokens") == 0


def test_the_prompt_is_what_was_sent_however_it_was_billed() -> None:
    usage = Usage(uncached=1, read=20, write_5m=300, write_1h=4000, output=50_000, reasoning=600)
    assert usage.prompt == 4321
    assert not usage.estimated
