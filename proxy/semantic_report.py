"""What a semantic cache did on real traffic, by route: hits, how many of them were judged wrong, and what that bounds.

A judged share of the hits is a sample of the requests, too: those without a hit can't have been answered wrong. So with
`judged` of `hits` judged, the wrong ones are errors among `lookups * judged / hits` requests, and Wilson's upper bound
over these is the bound over all requests. That holds as long as what is judged is drawn by chance. What people report
as wrong is not, and is counted apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, inf, isnan
from typing import Any, NamedTuple

from cache.bounds import lower, needed, upper
from cache.fitting import threshold_for
from cache.near import Judgement, Tally

TOLD = "feedback"
"""The mode of judgements that are no sample."""


class Scores(NamedTuple):
    """Judged hits, by what was held against the threshold."""

    on: str
    """`score`, or `similarity` where no verifier was asked."""
    values: list[float]
    right: list[bool]


def report(judgements: Sequence[Judgement], tallies: Mapping[str, Tally], max_error: float) -> dict[str, Any]:
    """`max_error`: share of all requests that may be answered wrong. The routes in order of their names, each with

    `lookups, hits, hit_rate, judged, wrong, false_hit_rate, false_hit_rate_upper95` (of the hits that were judged),
    `error_rate_upper95` (of all lookups), `holds` (whether that is at most `max_error`), `broken` (whether the
    lower end of the interval is above it), `needed` (how many more have to be judged, none of them wrong, until it
    holds; None where nothing was hit), `threshold` (proposed; None: not enough
    judged), `threshold_on` (`score` or `similarity`), `hits_at_threshold` (share of the judged hits that it would
    still serve), `reported` (how many people told to be wrong), `modes` (judged, by mode).

    Raises `ValueError` for a `max_error` of 0 or less, which no sample shows.
    """
    if not max_error > 0:
        raise ValueError(f"no sample shows that at most {max_error} is wrong")
    names = sorted({*tallies, *(each.route for each in judgements)})
    routes = {
        name: _route([each for each in judgements if each.route == name], tallies.get(name, Tally()), max_error)
        for name in names
    }
    return {"max_error": max_error, "routes": routes}


def _route(judgements: Sequence[Judgement], tally: Tally, max_error: float) -> dict[str, Any]:
    judged = [each for each in judgements if each.correct is not None and each.mode != TOLD]
    wrong = sum(not each.correct for each in judged)
    # The counts and the judgements are written apart: after a crash there may be more of these than of those.
    hits = max(tally.hits, len(judged))
    lookups = max(tally.lookups, hits)
    sampled = lookups * len(judged) // hits if hits else 0
    bound = upper(wrong, sampled)
    scores = _scores(judged)
    threshold = threshold_for(
        scores.values, scores.right, sampled * len(scores.values) // max(1, len(judged)), max_error
    )
    served = sum(value >= threshold for value in scores.values)
    return {
        "lookups": lookups,
        "hits": hits,
        "hit_rate": hits / lookups if lookups else 0.0,
        "judged": len(judged),
        "wrong": wrong,
        "false_hit_rate": wrong / len(judged) if judged else None,
        "false_hit_rate_upper95": upper(wrong, len(judged)),
        "error_rate_upper95": bound,
        "holds": bound <= max_error,
        "broken": lower(wrong, sampled) > max_error,
        "needed": _more(wrong, sampled, hits / lookups, max_error) if hits else None,
        "threshold": threshold if threshold < inf else None,
        "threshold_on": scores.on,
        "hits_at_threshold": served / len(scores.values) if served else None,
        "reported": sum(each.mode == TOLD and each.correct is False for each in judgements),
        "modes": {mode: sum(each.mode == mode for each in judged) for mode in sorted({each.mode for each in judged})},
    }


def _scores(judged: Sequence[Judgement]) -> Scores:
    """By similarity only where a verifier was never asked: the two are not held against one threshold."""
    scored = [(each.score, each.correct is True) for each in judged if each.score is not None]
    on = "score" if scored or not judged else "similarity"
    if on == "similarity":
        scored = [(each.similarity, each.correct is True) for each in judged]
    scored = [(value, right) for value, right in scored if not isnan(value)]
    return Scores(on, [value for value, _ in scored], [right for _, right in scored])


def _more(wrong: int, sampled: int, hit_rate: float, max_error: float) -> int:
    """Judged hits until the bound holds, if none of them is wrong."""
    return ceil(max(0, needed(wrong, max_error) - sampled) * hit_rate)
