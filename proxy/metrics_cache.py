"""What the cache does by itself, as metrics: asking anew, warming, predicting, invalidating, and what that cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric

COUNTERS = (
    ("cache_refreshes", "Answers asked for anew in the background, by why, or by why not.", "why"),
    ("cache_warming", "What the warming of answers did.", "what"),
    ("cache_predictions", "What became of predicted requests.", "what"),
    ("cache_invalidations", "Invalidations and what they took out.", "what"),
    ("cache_sizing", "Adjustments of the size of L1.", "what"),
    ("cache_background_dollars", "US dollars spent on requests that nobody made, by what for.", "kind"),
)
"""Name, what it counts, and its label."""

Figures = Mapping[tuple[str, ...], float]
"""By the name of a counter and the value of its label."""


def background(figures: Figures) -> Iterable[Metric]:
    families = {name: CounterMetricFamily(f"warmgate_{name}", told, labels=(label,)) for name, told, label in COUNTERS}
    for (name, value), count in figures.items():
        families[name].add_metric((value,), count)
    yield from families.values()
