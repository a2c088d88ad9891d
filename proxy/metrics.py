"""Counters of this process, fed by events and read by Prometheus.

A sink on the hot path adds to plain dictionaries; the exposition format is made by prometheus-client when somebody
scrapes. (Its own counters take a lock and a label look-up each, three times the cost of everything here.)
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from adapters.prices import Costs
from adapters.usage import Usage
from proxy.events import Event
from proxy.metrics_cache import background
from proxy.metrics_semantic import near
from proxy.metrics_warming import warmed

ADDED = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
"""Upper bounds in seconds for time spent in the proxy itself."""

UPSTREAM = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds in seconds for time spent waiting for a provider."""

STATUSES = frozenset({*HTTPStatus, 499, 529})
"""Statuses that are told apart: the registered ones, a client that hung up, and a provider's own word for overload."""

ROLES = ("leader", "follower", "warmed", "alone")
"""What a request can have been to the warming of prompt caches."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Histogram:
    """Counts per bucket and the sum, in seconds."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds

    def buckets(self) -> list[tuple[str, float]]:
        total, rows = 0, []
        for bound, count in zip([*map(str, self.bounds), "+Inf"], self.counts, strict=True):
            total += count
            rows.append((bound, float(total)))
        return rows


class Metrics(Collector):
    """`sizes` gives the store's statistics when scraped: level -> name -> number. `warming`: the
    figures of the ledger, when scraped, `semantic` those of audits, `cache` those of what it does by itself."""

    def __init__(
        self,
        sizes: Callable[[], Mapping[str, Mapping[str, float]]],
        warming: Callable[[], Mapping[tuple[str, ...], float]] = dict,
        semantic: Callable[[], Mapping[tuple[str, ...], float]] = dict,
        cache: Callable[[], Mapping[tuple[str, ...], float]] = dict,
    ) -> None:
        self.requests: dict[tuple[str, ...], float] = defaultdict(float)
        self.tokens: dict[tuple[str, ...], float] = defaultdict(float)
        self.dollars: dict[tuple[str, ...], float] = defaultdict(float)
        self.unstored: dict[tuple[str, ...], float] = defaultdict(float)
        self.added, self.upstream, self.first = Histogram(ADDED), Histogram(UPSTREAM), Histogram(UPSTREAM)
        self.spent: dict[tuple[str, ...], float] = defaultdict(float)
        self.asked: dict[tuple[str, ...], float] = defaultdict(float)
        self.near: dict[tuple[str, ...], float] = defaultdict(float)
        self.retries = self.unpriced = self.stored = self.in_flight = self.modified_bytes = self.dropped = 0
        self.unknown_events = 0
        self.sizes = sizes
        self.warming, self.semantic, self.cache = warming, semantic, cache
        self.firsts: dict[str, Histogram] = {role: Histogram(UPSTREAM) for role in ROLES}

    def observe(self, event: Event) -> None:
        trace = event.trace
        self.requests[event.route, event.source, str(event.status) if event.status in STATUSES else "other"] += 1
        waited = trace.upstream_seconds or 0.0
        read = event.call is not None and event.call.dialect is not None
        if read and event.source != "collapsed":  # those waited for an upstream that others asked
            self.added.observe(max(0.0, event.seconds - waited))
        if trace.nearness is not None and trace.nearness.outcome:
            self.near[(trace.nearness.outcome,)] += 1
            self.dollars["spent", "embeddings"] += trace.nearness.spent
        if trace.saved:
            self.dollars["saved", event.source] += trace.saved
        if event.source != "upstream":
            return
        if trace.attempts > 1:
            self.retries += trace.attempts - 1
        self.upstream.observe(waited)
        self.asked[trace.upstream, "fallback" if trace.refused_to_store.startswith("fallback") else "first"] += 1
        self.dropped += len(trace.warnings)
        self.unknown_events += trace.unknown_events
        if trace.first_frame_seconds is not None and event.call is not None and event.call.stream:
            self.first.observe(trace.first_frame_seconds)
            if trace.warming is not None and trace.warming.role in self.firsts:
                # As its client waited for it: the wait for a sibling or a warm call is part of it.
                self.firsts[trace.warming.role].observe(trace.first_frame_seconds + trace.warming.waited)
        self.modified_bytes += trace.modified_bytes
        self.stored += trace.stored
        if trace.refused_to_store:
            self.unstored[(_kind(trace.refused_to_store),)] += 1
        if trace.usage is not None:
            self._spend(trace.usage, trace.costs)

    def _spend(self, usage: Usage, costs: Costs | None) -> None:
        counted = "estimated" if usage.estimated else "reported"
        for kind, count in usage.classes():
            self.tokens[kind, counted] += count
        if costs is None:
            self.unpriced += 1
            return
        self.dollars["spent", "upstream"] += costs.total
        for name, dollars in zip(Costs._fields, costs, strict=True):
            if dollars:
                self.spent[(name,)] += dollars

    def collect(self) -> Iterable[Metric]:
        told = "Requests by route, who answered, and status."
        yield _counter("requests", told, ("route", "source", "status"), self.requests)
        yield _counter("upstream_tokens", "Tokens bought from providers, by class.", ("class", "counted"), self.tokens)
        yield _counter("upstream_requests", "Requests by upstream.", ("upstream", "way"), self.asked)
        told = "US dollars spent upstream, and saved by answers from memory."
        yield _counter("dollars", told, ("kind", "source"), self.dollars)
        yield _counter("upstream_dollars", "US dollars spent upstream, by class of tokens.", ("class",), self.spent)
        yield _counter("not_stored", "Answers that were not kept, by reason.", ("reason",), self.unstored)
        for name, told, value in (
            ("stored", "Answers that were kept.", self.stored),
            ("upstream_retries", "Attempts beyond the first.", self.retries),
            ("unpriced_requests", "Upstream answers whose model has no known price.", self.unpriced),
            ("modified_bytes", "Bytes of request bodies that the proxy changed.", self.modified_bytes),
            ("unknown_events", "Events of streams that passed and that nobody here knows.", self.unknown_events),
            ("dropped_parameters", "Parameters that an upstream never saw, or saw changed.", self.dropped),
        ):
            yield CounterMetricFamily(f"warmgate_{name}", told, value=value)
        yield _histogram("added_seconds", "Time a request whose body is read spent in the proxy itself.", self.added)
        yield _histogram("upstream_seconds", "Time waited for an upstream's answer.", self.upstream)
        yield _histogram("first_frame_seconds", "Time to the first event of an upstream's stream.", self.first)
        told = "Time to the first event of a stream, waiting for siblings included, by what the request was to warming."
        family = HistogramMetricFamily("warmgate_warming_first_frame_seconds", told, labels=("role",))
        for role, histogram in self.firsts.items():
            family.add_metric((role,), histogram.buckets(), histogram.sum)
        yield family
        yield from warmed(self.warming())
        yield from near(self.semantic(), self.near)
        yield from background(self.cache())
        yield GaugeMetricFamily("warmgate_in_flight", "Requests being answered now.", value=self.in_flight)
        yield from self._levels()

    def _levels(self) -> Iterable[Metric]:
        facts = GaugeMetricFamily("warmgate_store", "Statistics of the cache levels.", labels=("level", "fact"))
        for level, figures in self.sizes().items():
            for fact, value in figures.items():
                facts.add_metric((level, fact), float(value))
        yield facts


def _kind(reason: str) -> str:
    """A reason without its numbers and foreign words: the label set stays bounded."""
    known = ("finish_reason length", "finish_reason content_filter", "no choices", "empty answer", "error event")
    for kind in (*known, "tool arguments", "status", "larger than", "ttl 0", "fallback"):
        if reason.startswith(kind):
            return kind
    return "other"


def _counter(
    name: str, told: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]
) -> CounterMetricFamily:
    family = CounterMetricFamily(f"warmgate_{name}", told, labels=labels)
    for key, value in list(values.items()):
        family.add_metric(key, value)
    return family


def _histogram(name: str, told: str, histogram: Histogram) -> HistogramMetricFamily:
    family = HistogramMetricFamily(f"warmgate_{name}", told)
    family.add_metric((), histogram.buckets(), histogram.sum)
    return family


def exposition(collector: Collector) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)
