"""What a semantic cache did, in figures. Pure.

Definitions as in the vCache paper (arXiv:2502.03771, 2025), so that figures can be held against its own: a request that
was served is right or an error; one that was not counts as missed where the nearest entry would have been right. All
rates are shares of all requests but precision (of hits) and recall (of requests whose answer was there).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

from cache.bounds import upper

POINTS = 10
"""Of the curve over a stream."""


class Outcome(NamedTuple):
    """Of one request."""

    hit: bool
    right: bool
    """Whether what was served was right; where nothing was, whether the nearest entry would have been."""
    source: str = ""
    kind: str = ""


Figures = dict[str, Any]


def figures(outcomes: Sequence[Outcome]) -> Figures:
    """`n, hits, errors, hit_rate, error_rate, error_rate_upper95, precision, recall`; the bound is the upper end of
    Wilson's two-sided 95% interval. Precision and recall are None where there is nothing to divide by."""
    counted = counts(outcomes)
    n, hits, errors = counted["n"], counted["hits"], counted["errors"]
    return {
        "n": n,
        "hits": hits,
        "errors": errors,
        "hit_rate": share(hits, n) or 0.0,
        "error_rate": share(errors, n) or 0.0,
        "error_rate_upper95": upper(errors, n),
        "precision": counted["precision"],
        "recall": counted["recall"],
    }


def counts(outcomes: Iterable[Outcome]) -> Figures:
    """`n, hits, errors, precision, recall`: what is told of a group."""
    n = hits = errors = missed = 0
    for outcome in outcomes:
        n += 1
        hits += outcome.hit
        errors += outcome.hit and not outcome.right
        missed += outcome.right and not outcome.hit
    right = hits - errors
    return {
        "n": n,
        "hits": hits,
        "errors": errors,
        "precision": share(right, hits),
        "recall": share(right, right + missed),
    }


def share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def grouped(outcomes: Iterable[Outcome], by: Callable[[Outcome], str]) -> dict[str, Figures]:
    """`counts` of each group, by name; those without a name are in none."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(by(outcome), []).append(outcome)
    return {name: counts(groups[name]) for name in sorted(groups) if name}


def by_source(outcome: Outcome) -> str:
    return outcome.source


def by_kind(outcome: Outcome) -> str:
    return outcome.kind


def by_both(outcome: Outcome) -> str:
    return f"{outcome.source}/{outcome.kind}" if outcome.source and outcome.kind else ""


def curve(outcomes: Sequence[Outcome], points: int = POINTS) -> list[Figures]:
    """Cumulative figures after each tenth of a stream: a cache that fills has more to be wrong with."""
    ends = sorted({round(len(outcomes) * point / points) for point in range(1, points + 1)} - {0})
    return [_brief(outcomes[:end]) for end in ends]


def point(threshold: float, outcomes: Sequence[Outcome]) -> Figures:
    """One of a trade-off: what would be at another threshold."""
    return {"threshold": threshold, **_brief(outcomes), "precision": counts(outcomes)["precision"]}


def _brief(outcomes: Sequence[Outcome]) -> Figures:
    whole = figures(outcomes)
    return {name: whole[name] for name in ("n", "hits", "errors", "hit_rate", "error_rate", "error_rate_upper95")}


def oracle_hit_rate(classes: Sequence[Hashable]) -> float:
    """Of one that serves whenever an entry of the class is there: all but the first of each class."""
    return share(len(classes) - len(set(classes)), len(classes)) or 0.0
