"""What the semantic cache did, as metrics."""

from __future__ import annotations

from proxy.metrics_semantic import near


def samples(figures: dict[tuple[str, ...], float], outcomes: dict[tuple[str, ...], float]) -> dict[object, float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in near(figures, outcomes)
        for sample in family.samples
    }


def test_lookups_audits_money_and_open_routes() -> None:
    figures = {
        ("audit", "judged"): 3.0,
        ("audit", "wrong"): 1.0,
        ("dollars", "audits"): 0.25,
        ("open", "chat gpt-4o"): 1.0,
        ("open", "x" * 200): 2.0,  # two workers
        ("audit", "something else"): 9.0,
    }
    assert samples(figures, {("hit",): 5.0, ("refused",): 2.0}) == {
        ("warmgate_semantic_requests_total", "hit"): 5.0,
        ("warmgate_semantic_requests_total", "refused"): 2.0,
        ("warmgate_semantic_audits_total", "judged"): 3.0,
        ("warmgate_semantic_audits_total", "wrong"): 1.0,
        ("warmgate_semantic_dollars_total", "audits"): 0.25,
        ("warmgate_semantic_open", "chat gpt-4o"): 1.0,
        ("warmgate_semantic_open", "x" * 128): 1.0,
    }


def test_without_a_semantic_cache_there_are_names_and_no_figures() -> None:
    assert samples({}, {}) == {}
    assert {family.name for family in near({}, {})} == {
        "warmgate_semantic_requests",
        "warmgate_semantic_audits",
        "warmgate_semantic_dollars",
        "warmgate_semantic_open",
    }
