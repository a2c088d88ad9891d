"""The figures of the ledger as metrics: what warming was worth, all of it, also where it lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

COUNTERS: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("requests", "warming_requests", ("role",), "Requests by what they were to the warming of prompt caches."),
    ("calls", "warming_calls", ("kind", "outcome"), "Calls to providers that no client asked for: warms and pings."),
    ("fanouts", "fanouts", ("outcome",), "Declared fan-outs by what became of them."),
    ("tokens", "prompt_tokens", ("asked", "class"), "Tokens of prompts: of real requests, warm calls and pings."),
    ("seconds", "warming_seconds", ("kind",), "Seconds that requests waited, and that warm calls took to create."),
    ("unread_tokens", "warming_unread_tokens", (), "Tokens written to a prompt cache that nobody read in time."),
    ("pruned_tokens", "pruned_tokens", ("hook",), "Estimated tokens that hooks took out of prompts."),
    ("hooks", "pruning_hooks", ("hook", "what"), "Hooks: runs, edits proposed and applied, and why one was skipped."),
)
"""Figure, metric, labels, help."""

SPENT = ("warm", "ping")


def warmed(figures: Mapping[tuple[str, ...], float]) -> Iterable[Metric]:
    """Money is a gauge: what was saved may be negative, and net goes up and down."""
    held = dict(figures)
    for name, metric, labels, told in COUNTERS:
        family = CounterMetricFamily(f"warmgate_{metric}", told, labels=labels)
        found = [(key[1:], value) for key, value in held.items() if key[0] == name]
        for key, value in found or ([((), 0.0)] if not labels else []):
            family.add_metric(key, value)
        yield family
    money = GaugeMetricFamily(
        "warmgate_warming_dollars",
        "US dollars: saved by warming (may be negative), spent on warms and pings, lost on writes that nobody read "
        "(part of saved), and net.",
        labels=("kind",),
    )
    dollars = {key[1]: value for key, value in held.items() if key[0] == "dollars"}
    net = dollars.get("saved", 0.0) - sum(dollars.get(kind, 0.0) for kind in SPENT)
    for kind in ("saved", *SPENT, "unread"):
        money.add_metric((kind,), dollars.get(kind, 0.0))
    money.add_metric(("net",), net)
    yield money
    tenants = GaugeMetricFamily(
        "warmgate_tenant_net_dollars",
        "US dollars that warming was worth, net, of the tenants with most at stake; the rest as `other`.",
        labels=("tenant",),
    )
    for key, value in held.items():
        if key[0] == "tenant":
            tenants.add_metric(key[1:], value)
    yield tenants
