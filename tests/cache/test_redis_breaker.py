from __future__ import annotations

import pytest

from cache.redis_breaker import Breaker
from tests.cache.contract import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("Redis at here", clock, 5.0)


def test_one_failure_opens_it_and_one_probe_at_a_time_is_due(breaker: Breaker, clock: Clock) -> None:
    assert breaker.closed
    assert not breaker.due()
    breaker.failed("it hangs")
    assert (breaker.state, breaker.why, breaker.due()) == ("open", "it hangs", False)
    clock.tick(4.9)
    assert not breaker.due()
    clock.tick(0.1)
    assert [breaker.due() for _ in range(3)] == [True, False, False]
    assert breaker.state == "half-open"
    breaker.failed("still")
    clock.tick(4.9)
    assert not breaker.due()
    clock.tick(0.1)
    assert breaker.due()
    breaker.worked()
    assert (breaker.state, breaker.why, breaker.openings) == ("closed", "", 1)


def test_what_was_sent_before_neither_closes_it_nor_keeps_it_open(breaker: Breaker, clock: Clock) -> None:
    breaker.failed("first")
    clock.tick(4)
    breaker.failed("second, sent before")
    breaker.worked()
    assert (breaker.state, breaker.why) == ("open", "first")
    clock.tick(1)
    assert breaker.due()


def test_a_clock_that_goes_backwards_does_not_keep_it_open(breaker: Breaker, clock: Clock) -> None:
    breaker.failed("x")
    clock.tick(-1000)
    assert breaker.due()


def test_it_says_so_once_per_opening(breaker: Breaker, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        breaker.failed("it hangs")
        breaker.failed("it hangs")
        clock.tick(5)
        assert breaker.due()
        breaker.failed("it hangs")
        clock.tick(5)
        assert breaker.due()
        breaker.worked()
    told = [record.getMessage() for record in caplog.records]
    assert told == ["Redis at here: it hangs; doing without, trying every 5 s", "Redis at here: works again"] * 2
