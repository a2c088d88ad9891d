import pytest

from adapters.usage import Usage
from proxy.replay_outcome import CAUSES, HIT, Outcome, Sent, course, net, percentiles, sent, summary
from tests.replaying import CLAUDE, PRICES


def test_latency_is_the_model_that_is_stated() -> None:
    reply = sent(Usage(10_000, 90_000, 5_000, 5_000, 100))
    assert (reply.first, reply.whole) == (pytest.approx(0.3 + 2.0), pytest.approx(0.3 + 2.0 + 1.0))


def test_waiting_counts_in_latency() -> None:
    outcome = Outcome()
    outcome.answered(2.0, Sent(Usage(output=100), 0.5))
    outcome.answered(0.0, Sent(Usage(output=100), 0.5))
    outcome.hit()
    assert list(outcome.first) == [2.5, 0.5, HIT]
    assert list(outcome.whole) == [3.5, 1.5, HIT]
    assert (outcome.requests, outcome.hits, outcome.waited) == (3, 1, 1)


def test_bills_by_class_session_and_kind() -> None:
    outcome = Outcome()
    usage = Usage(uncached=10, read=100, write_5m=40, output=3, reasoning=2)
    outcome.bill(CLAUDE, usage, PRICES, session=7, at=1.0, minimum=100)
    outcome.bill(CLAUDE, Usage(uncached=10, output=1), PRICES, session=7, at=2.0, minimum=100, warm=True)
    outcome.bill("nobody's", Usage(uncached=10), PRICES, session=7, at=3.0)
    first, warm = 10 + 10 + 50 + 15, 10 + 5
    told = summary(outcome)
    assert told["dollars"] == pytest.approx((first + warm) / 1e6)
    assert told["dollars_by_class"] == pytest.approx(
        {
            "uncached": 20e-6,
            "read": 10e-6,
            "write_5m": 50e-6,
            "write_1h": 0,
            "write_30m": 0,
            "write_12h": 0,
            "output": 20e-6,
        }
    )
    assert told["extra_requests"] == 1
    assert told["extra_dollars"] == pytest.approx(warm / 1e6)
    assert told["unpriced_requests"] == 1
    assert told["above_minimum"] == {"requests": 1, "dollars": first / 1e6, "prompt_dollars": 70 / 1e6}
    assert told["hit_rate_real"] == pytest.approx(100 / 160, abs=1e-6)
    assert told["hit_rate_warm"] == 0.0
    assert outcome.sessions == {7: pytest.approx((first + warm) / 1e6)}


def test_what_is_not_known_is_null() -> None:
    assert summary(Outcome())["dollars"] == 0.0
    assert summary(Outcome())["hit_rate_warm"] is None
    outcome = Outcome()
    outcome.bill("nobody's", Usage(uncached=10), PRICES, session=0, at=0.0)
    assert summary(outcome)["dollars"] is None
    assert set(summary(outcome)["misses"]) == set(CAUSES)


def test_percentiles_are_values_that_occurred() -> None:
    assert percentiles([0.4, 0.1, 0.2, 0.3]) == {"p50": 200.0, "p95": 400.0}
    assert percentiles([]) == {"p50": 0.0, "p95": 0.0}


def test_net_is_negative_where_it_costs_more() -> None:
    strategies = {"none": {"dollars": 2.0}, "naive": {"dollars": 3.0}, "leader": {"dollars": None}}
    net(strategies)
    assert [each["net"] for each in strategies.values()] == [0.0, -1.0, None]
    alone = {"naive": {"dollars": 3.0}}
    net(alone)
    assert alone["naive"]["net"] is None


def test_the_course_of_the_cost_adds_up() -> None:
    outcome = Outcome()
    for at in (0.0, 5.0, 5.0, 9.9, 10.0):
        outcome.bill(CLAUDE, Usage(uncached=1_000_000), PRICES, session=0, at=at)
    assert course(outcome, 0.0, 10.0, steps=4) == [1.0, 1.0, 3.0, 5.0]
    assert course(outcome, 0.0, 0.0, steps=2)[-1] == 5.0
