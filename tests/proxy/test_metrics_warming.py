"""The figures of the ledger, as Prometheus reads them."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from proxy.metrics import Metrics, exposition
from proxy.metrics_warming import COUNTERS
from proxy.peers import state_of, together

FIGURES = {
    ("requests", "leader"): 2.0,
    ("requests", "follower"): 6.0,
    ("calls", "warm", "ok"): 1.0,
    ("calls", "ping", "failed"): 1.0,
    ("fanouts", "cold"): 1.0,
    ("tokens", "real", "read"): 70.0,
    ("tokens", "warm", "written"): 10.0,
    ("dollars", "saved"): -0.5,
    ("dollars", "warm"): 0.25,
    ("dollars", "ping"): 0.125,
    ("dollars", "unread"): 0.0625,
    ("seconds", "waited"): 3.0,
    ("unread_tokens",): 5.0,
    ("hooks", "stale_results", "applied"): 4.0,
    ("pruned_tokens", "stale_results"): 99.0,
    ("tenant", "5e55"): -0.25,
}


def samples(metrics):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(exposition(metrics).decode())
        for sample in family.samples
    }


def test_every_figure_is_told_and_a_loss_as_a_loss():
    told = samples(Metrics(dict, lambda: FIGURES))
    assert told["warmgate_warming_requests_total", (("role", "follower"),)] == 6
    assert told["warmgate_warming_calls_total", (("kind", "ping"), ("outcome", "failed"))] == 1
    assert told["warmgate_prompt_tokens_total", (("asked", "warm"), ("class", "written"))] == 10
    assert told["warmgate_warming_unread_tokens_total", ()] == 5
    assert told["warmgate_pruned_tokens_total", (("hook", "stale_results"),)] == 99
    assert told["warmgate_pruning_hooks_total", (("hook", "stale_results"), ("what", "applied"))] == 4
    money = {labels[0][1]: value for (name, labels), value in told.items() if name == "warmgate_warming_dollars"}
    assert told["warmgate_tenant_net_dollars", (("tenant", "5e55"),)] == -0.25
    assert money == {"saved": -0.5, "warm": 0.25, "ping": 0.125, "unread": 0.0625, "net": -0.5 - 0.375}


def test_no_figure_is_forgotten():
    known = {name for name, *_ in COUNTERS} | {"dollars", "tenant"}
    assert {key[0] for key in FIGURES} == known


def test_figures_of_workers_add_up():
    both = together([state_of(Metrics(dict, lambda: FIGURES)) for _ in range(2)])
    told = samples(both)
    assert told["warmgate_warming_requests_total", (("role", "follower"),)] == 12
    assert told["warmgate_warming_dollars", (("kind", "net"),)] == 2 * (-0.5 - 0.375)
