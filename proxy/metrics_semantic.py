"""What the semantic cache did, as metrics: lookups by what came of them, what audits found, and what it all cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

AUDITED = ("judged", "wrong", "audits", "failed")


def near(figures: Mapping[tuple[str, ...], float], outcomes: Mapping[tuple[str, ...], float]) -> Iterable[Metric]:
    """`figures`: of audits (`Equivalents.figures`); empty where there is no semantic cache. `outcomes`: of requests,
    counted from events."""
    lookups = CounterMetricFamily(
        "warmgate_semantic_requests", "Requests by what came of looking for an equivalent one.", labels=("outcome",)
    )
    for key, value in outcomes.items():
        lookups.add_metric(key, value)
    yield lookups
    audits = CounterMetricFamily(
        "warmgate_semantic_audits", "Hits and would-be hits that were looked into, by what of.", labels=("what",)
    )
    dollars = CounterMetricFamily(
        "warmgate_semantic_dollars", "US dollars beside the requests themselves, by what for.", labels=("kind",)
    )
    routes = GaugeMetricFamily(
        "warmgate_semantic_open", "1 where too many answers were wrong: exact answers only.", labels=("on",)
    )
    for (kind, name), value in figures.items():
        if kind == "audit" and name in AUDITED:
            audits.add_metric((name,), value)
        elif kind == "dollars":
            dollars.add_metric((name,), value)
        elif kind == "open":
            routes.add_metric((name[:128],), min(1.0, value))
    yield from (audits, dollars, routes)
