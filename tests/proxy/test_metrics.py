"""What Prometheus reads: true figures, valid text, and a number of series that no client and no provider can raise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from adapters.openai_chat import OPENAI_CHAT
from adapters.usage import Usage
from adapters.vocabulary import Call, Trace
from proxy.events import Event
from proxy.metrics import ADDED, CONTENT_TYPE, UPSTREAM, Histogram, Metrics, exposition
from tests.fakes import dollars

SIZES: dict[str, dict[str, float]] = {"l1": {"entries": 3, "bytes": 4096}, "l2": {"entries": 7.0}}


def event(
    *, route: str = "chat", status: int = 200, seconds: float = 1.0, source: str = "upstream", **facts: Any
) -> Event:
    model = facts.pop("model", "gpt-4o")
    tenant = facts.pop("tenant", "t")
    dialect = OPENAI_CHAT if route == "chat" else None
    call = Call("POST", "/chat/completions", {}, b"", dialect, parsed={"model": model}, tenant=tenant)
    cost = facts.get("cost")
    trace = Trace(source=source, costs=None if cost is None else dollars(cost), **facts)
    return Event(0.0, "POST", route, status, seconds, source, call, trace, None, 10)


Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(metrics: Metrics) -> Samples:
    samples: Samples = {}
    for family in text_string_to_metric_families(exposition(metrics).decode()):
        for sample in family.samples:
            place = (sample.name, tuple(sorted(sample.labels.items())))
            assert place not in samples, "no series stands twice"
            samples[place] = sample.value
    return samples


def observed(*events: Event) -> Metrics:
    metrics = Metrics(lambda: SIZES)
    for each in events:
        metrics.observe(each)
    return metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    names = {"class_": "class"}
    place = tuple(sorted((names.get(label, label), text) for label, text in labels.items()))
    return scrape(metrics).get((f"warmgate_{name}", place))


# Form


def test_the_text_is_what_prometheus_reads() -> None:
    metrics = observed(event(usage=Usage(uncached=1, output=2), cost=0.5, first_frame_seconds=0.2, stored=True))
    families = {family.name: family for family in text_string_to_metric_families(exposition(metrics).decode())}
    assert {name: family.type for name, family in families.items()} == {
        "warmgate_requests": "counter",
        "warmgate_upstream_tokens": "counter",
        "warmgate_dollars": "counter",
        "warmgate_upstream_dollars": "counter",
        "warmgate_upstream_requests": "counter",
        "warmgate_dropped_parameters": "counter",
        "warmgate_unknown_events": "counter",
        "warmgate_not_stored": "counter",
        "warmgate_stored": "counter",
        "warmgate_upstream_retries": "counter",
        "warmgate_unpriced_requests": "counter",
        "warmgate_modified_bytes": "counter",
        "warmgate_added_seconds": "histogram",
        "warmgate_upstream_seconds": "histogram",
        "warmgate_first_frame_seconds": "histogram",
        "warmgate_in_flight": "gauge",
        "warmgate_store": "gauge",
        "warmgate_warming_requests": "counter",
        "warmgate_warming_calls": "counter",
        "warmgate_cache_refreshes": "counter",
        "warmgate_cache_warming": "counter",
        "warmgate_cache_predictions": "counter",
        "warmgate_cache_invalidations": "counter",
        "warmgate_cache_sizing": "counter",
        "warmgate_cache_background_dollars": "counter",
        "warmgate_fanouts": "counter",
        "warmgate_prompt_tokens": "counter",
        "warmgate_warming_seconds": "counter",
        "warmgate_warming_unread_tokens": "counter",
        "warmgate_pruned_tokens": "counter",
        "warmgate_pruning_hooks": "counter",
        "warmgate_warming_dollars": "gauge",
        "warmgate_tenant_net_dollars": "gauge",
        "warmgate_semantic_requests": "counter",
        "warmgate_semantic_audits": "counter",
        "warmgate_semantic_dollars": "counter",
        "warmgate_semantic_open": "gauge",
        "warmgate_warming_first_frame_seconds": "histogram",
    }
    assert all(family.documentation for family in families.values())
    assert CONTENT_TYPE.startswith("text/plain; version=0.0.4")


def test_before_the_first_request_everything_is_zero() -> None:
    samples = scrape(observed())
    assert {place: number for place, number in samples.items() if place[0] != "warmgate_store"}
    assert not any(number for place, number in samples.items() if place[0] != "warmgate_store")


def test_counts_only_grow() -> None:
    metrics = observed()
    before = scrape(metrics)
    for each in (event(), event(source="l1", saved=0.1), event(status=500, refused_to_store="status 500")):
        metrics.observe(each)
        after = scrape(metrics)
        assert all(after[place] >= number for place, number in before.items())
        before = after


# Figures


def test_requests_are_counted_by_route_source_and_status() -> None:
    metrics = observed(event(), event(), event(source="l1"), event(status=404, source="proxy", route="none"))
    assert value(metrics, "requests_total", route="chat", source="upstream", status="200") == 2
    assert value(metrics, "requests_total", route="chat", source="l1", status="200") == 1
    assert value(metrics, "requests_total", route="none", source="proxy", status="404") == 1


def test_tokens_are_counted_by_class_and_never_mixed_with_estimates() -> None:
    usage = Usage(uncached=1, read=2, write_5m=3, write_1h=4, output=12, reasoning=7, write_30m=5, write_12h=6)
    metrics = observed(event(usage=usage), event(usage=usage), event(usage=usage._replace(estimated=True)))
    classes = {"uncached": 1, "read": 2, "write_5m": 3, "write_1h": 4, "write_30m": 5, "write_12h": 6}
    for class_, count in (classes | {"output": 5, "reasoning": 7}).items():
        assert value(metrics, "upstream_tokens_total", class_=class_, counted="reported") == 2 * count
        assert value(metrics, "upstream_tokens_total", class_=class_, counted="estimated") == count


def test_money_spent_and_money_saved_are_apart() -> None:
    metrics = observed(
        event(usage=Usage(output=1), cost=0.5),
        event(usage=Usage(output=1), cost=0.25),
        event(source="l1", cost=0.0, saved=0.5, usage=Usage(output=1)),
        event(source="collapsed", cost=0.0, saved=0.25, usage=Usage(output=1)),
    )
    assert value(metrics, "dollars_total", kind="spent", source="upstream") == 0.75
    assert value(metrics, "dollars_total", kind="saved", source="l1") == 0.5
    assert value(metrics, "dollars_total", kind="saved", source="collapsed") == 0.25
    assert value(metrics, "dollars_total", kind="spent", source="l1") is None
    assert value(metrics, "upstream_tokens_total", class_="output", counted="reported") == 2, "bought, not served"


def test_money_is_told_by_class_too() -> None:
    metrics = observed(event(usage=Usage(uncached=1), cost=0.5), event(usage=Usage(uncached=1), cost=0.25))
    assert value(metrics, "upstream_dollars_total", class_="uncached") == 0.75
    assert value(metrics, "upstream_dollars_total", class_="output") is None


def test_who_was_asked_and_what_was_lost_on_the_way() -> None:
    lost = ("seed: dropped", "n: dropped")
    metrics = observed(
        event(upstream="anthropic", warnings=lost),
        event(upstream="spare", refused_to_store="fallback to spare"),
        event(source="l1", upstream="anthropic", warnings=lost),
    )
    assert value(metrics, "upstream_requests_total", upstream="anthropic", way="first") == 1
    assert value(metrics, "upstream_requests_total", upstream="spare", way="fallback") == 1
    assert value(metrics, "dropped_parameters_total") == 2


def test_events_that_nobody_knows_are_counted() -> None:
    assert value(observed(event(unknown_events=2), event(), event(unknown_events=1)), "unknown_events_total") == 3


def test_an_unknown_price_is_not_zero_but_counted() -> None:
    metrics = observed(event(usage=Usage(output=1), cost=None), event(usage=None, cost=None))
    assert value(metrics, "unpriced_requests_total") == 1
    assert value(metrics, "dollars_total", kind="spent", source="upstream") is None


@pytest.mark.parametrize("source", ["l1", "l2", "collapsed", "proxy"])
def test_what_an_upstream_did_is_told_by_upstream_requests_alone(source: str) -> None:
    facts: dict[str, Any] = {"attempts": 3, "stored": True, "modified_bytes": 9, "first_frame_seconds": 1.0}
    metrics = observed(event(source=source, refused_to_store="status 500", usage=Usage(output=1), **facts))
    for name in ("stored_total", "upstream_retries_total", "modified_bytes_total", "unpriced_requests_total"):
        assert value(metrics, name) == 0
    assert value(metrics, "upstream_seconds_count") == value(metrics, "first_frame_seconds_count") == 0
    assert metrics.unstored == metrics.tokens == {}


def test_attempts_beyond_the_first_are_retries() -> None:
    metrics = observed(*[event(attempts=attempts) for attempts in (0, 1, 2, 3)])
    assert value(metrics, "upstream_retries_total") == 3


def test_kept_answers_and_changed_bytes_are_counted() -> None:
    metrics = observed(event(stored=True, modified_bytes=40), event(modified_bytes=2), event(stored=True))
    assert value(metrics, "stored_total") == 2
    assert value(metrics, "modified_bytes_total") == 42


def test_requests_in_flight_and_the_levels_are_read_when_asked() -> None:
    sizes: dict[str, Mapping[str, float]] = {}
    metrics = Metrics(lambda: sizes)
    assert value(metrics, "store", level="l1", fact="entries") is None
    sizes.update(SIZES)
    metrics.in_flight = 4
    assert value(metrics, "store", level="l1", fact="entries") == 3
    assert value(metrics, "store", level="l2", fact="entries") == 7
    assert value(metrics, "in_flight") == 4


# Time


def test_the_proxys_own_time_is_what_the_upstream_did_not_take() -> None:
    metrics = observed(event(seconds=1.5, upstream_seconds=1.0), event(seconds=0.25, source="l1"))
    assert value(metrics, "added_seconds_sum") == pytest.approx(0.75)
    assert value(metrics, "added_seconds_count") == 2
    assert value(metrics, "upstream_seconds_sum") == 1.0
    assert value(metrics, "upstream_seconds_count") == 1


def test_time_waited_for_another_callers_answer_is_not_the_proxys_own() -> None:
    metrics = observed(event(seconds=30.0, source="collapsed"))
    assert value(metrics, "added_seconds_count") == 0


def test_a_clock_that_is_coarse_adds_no_negative_time() -> None:
    metrics = observed(event(seconds=1.0, upstream_seconds=1.1))
    assert value(metrics, "added_seconds_sum") == 0
    assert value(metrics, "added_seconds_bucket", le="0.0001") == 1


@pytest.mark.parametrize("route", ["v1", "ops", "none"])
def test_only_what_is_read_is_measured(route: str) -> None:
    assert value(observed(event(route=route, source="proxy")), "added_seconds_count") == 0


@pytest.mark.parametrize("bounds", [ADDED, UPSTREAM])
def test_bounds_rise(bounds: tuple[float, ...]) -> None:
    assert list(bounds) == sorted(set(bounds))


@given(st.lists(st.sampled_from([*ADDED, 0.0]) | st.floats(0, 1e6)))
def test_buckets_count_everything_up_to_their_bound(seconds: list[float]) -> None:
    histogram = Histogram(ADDED)
    for each in seconds:
        histogram.observe(each)
    buckets = {float(bound): count for bound, count in histogram.buckets()}
    assert buckets == {bound: sum(each <= bound for each in seconds) for bound in (*ADDED, math.inf)}
    assert histogram.sum == pytest.approx(sum(seconds))


# Bounds


REASONS: dict[str, str] = {
    "finish_reason length": "finish_reason length",
    "finish_reason content_filter": "finish_reason content_filter",
    "finish_reason made_up_by_a_provider": "other",
    "no choices": "no choices",
    "empty answer": "empty answer",
    "error event": "error event",
    "tool arguments do not parse": "tool arguments",
    "status 500": "status",
    "larger than 8388608 bytes": "larger than",
    "ttl 0": "ttl 0",
    'evil" } 1\nwarmgate_requests_total 9': "other",
    "\x00\ud800": "other",
}


@pytest.mark.parametrize("reason", REASONS, ids=ascii)
def test_a_reason_is_counted_under_a_known_name(reason: str) -> None:
    metrics = observed(event(refused_to_store=reason))
    found = {place: number for place, number in scrape(metrics).items() if place[0] == "warmgate_not_stored_total"}
    assert found == {("warmgate_not_stored_total", (("reason", REASONS[reason]),)): 1}


def test_ten_thousand_of_everything_do_not_raise_the_number_of_series() -> None:
    """Whatever comes from outside: statuses, models, tenants, reasons, finish reasons, errors."""
    metrics = observed()
    for number in range(10_000):
        foreign = f"x{number}"
        metrics.observe(
            event(
                status=number,
                model=foreign,
                tenant=foreign,
                finish=foreign,
                error=foreign,
                detail=foreign,
                refused_to_store=("finish_reason " if number % 2 else "") + foreign,
                usage=Usage(output=number),
                cost=None if number % 3 else 0.1,
            )
        )
    assert len(scrape(metrics)) < 200
    total = sum(number for (name, _), number in scrape(metrics).items() if name == "warmgate_requests_total")
    assert total == 10_000


@pytest.mark.parametrize(
    ("status", "label"),
    [
        (200, "200"),
        (404, "404"),
        (429, "429"),
        (499, "499"),
        (529, "529"),
        (599, "other"),
        (0, "other"),
        (777, "other"),
    ],
)
def test_a_status_that_nobody_registered_is_another(status: int, label: str) -> None:
    assert value(observed(event(status=status)), "requests_total", route="chat", source="upstream", status=label) == 1
