from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.bill import FREE, Line, bill_of
from adapters.prices import Prices
from adapters.usage import Usage

PRICES = Prices({"m": {"input": 1, "output": 10, "cache_read": 0.1, "cache_write": 2, "output_reasoning": 20}})
USED = Usage(uncached=1_000_000, read=2_000_000, output=300_000, reasoning=100_000)


def test_an_answer_that_was_paid_for() -> None:
    bill = bill_of(USED, PRICES.split("m", USED))
    assert (bill.cost, bill.saved, bill.without) == (pytest.approx(5.2), 0.0, pytest.approx(5.2))
    assert bill.lines == (
        Line("uncached", 1_000_000, pytest.approx(1.0)),
        Line("read", 2_000_000, pytest.approx(0.2)),
        Line("output", 200_000, pytest.approx(2.0)),
        Line("reasoning", 100_000, pytest.approx(2.0)),
    )


def test_an_answer_from_memory_costs_nothing_and_says_apart_what_it_saved() -> None:
    assert bill_of(None, FREE, 0.25) == (0.0, 0.25, 0.25, ())


def test_what_made_it_dearer_is_shown() -> None:
    bill = bill_of(USED, PRICES.split("m", USED), -0.2)
    assert (bill.saved, bill.without) == (-0.2, pytest.approx(5.0))


def test_an_unknown_price_is_never_zero() -> None:
    bill = bill_of(USED, None)
    assert (bill.cost, bill.saved, bill.without) == (None, 0.0, None)
    assert {line.dollars for line in bill.lines} == {None}
    assert bill_of(None, FREE, None) == (0.0, None, None, ())


def test_what_is_taken_for_each_request_is_a_line() -> None:
    usage = Usage(output=1)
    costs = PRICES.split("m", usage)
    assert costs is not None
    assert bill_of(usage, costs._replace(request=0.012)).lines[-1] == Line("request", 0, 0.012)


@given(st.builds(Usage, *[st.integers(0, 10**6)] * 6, write_30m=st.integers(0, 9), write_12h=st.integers(0, 9)))
def test_the_lines_add_up(usage: Usage) -> None:
    bill = bill_of(usage, PRICES.split("m", usage), 0.5)
    assert sum(line.tokens for line in bill.lines) == usage.prompt + usage.output
    assert sum(line.dollars or 0.0 for line in bill.lines) == pytest.approx(bill.cost)
    assert bill.without == pytest.approx((bill.cost or 0.0) + 0.5)
