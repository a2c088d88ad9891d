"""The file that a calibration is kept in: TOML of a few hundred bytes, which the verifier reads at start.

version = 1
embedder = "..."        # identity of the embedder it was made with; of no use with another
date = "2026-11-21"
max_error = 0.005       # share of all requests that may be answered wrong
threshold = 0.97        # serve from this score on
intercept = -1.5        # score = sigmoid(intercept + sum of weight * feature)
n = 10682               # requests of the streams that the threshold was set on
examples = 50000
[weights]               # by feature, in their order
[figures]               # at the threshold, out of fold
[figures.left_out]      # the same, each source scored by a model without it
[figures.held_out.NAME] # of sources that nothing was learned from
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from proxy.semantic_calibrate import HOPELESS, WHOLE, Calibration, lowest
from proxy.semantic_figures import Figures
from proxy.semantic_folds import Folds

VERSION = 1
DIGITS = 6
"""Of the numbers behind the point. What the machine adds beyond them is not the same on every machine."""

BOUNDS = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05)
FURTHEST = HOPELESS / 2
"""Times the bound that was asked for. The upper end of the interval lies above the rate at which trying ends."""

TOLD = ("n", "hits", "errors", "hit_rate", "error_rate", "error_rate_upper95", "precision")

_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Made(NamedTuple):
    """How a calibration was made, as far as it does not know itself."""

    embedder: str
    date: str
    max_error: float
    folds: Folds


def toml(found: Calibration, made: Made) -> str:
    """The file; equal arguments, equal bytes. Raises `ValueError` for a calibration without a threshold."""
    if found.threshold is None:
        raise ValueError("a calibration without a threshold is none")
    figures = {folds: _at(points, found.threshold) for folds, points in found.tradeoffs.items()}
    if found.held_out:
        figures["held_out"] = {source: {name: each[name] for name in TOLD} for source, each in found.held_out.items()}
    whole: dict[str, Any] = {
        "version": VERSION,
        "embedder": made.embedder,
        "date": made.date,
        "max_error": made.max_error,
        "threshold": found.threshold,
        "folds": made.folds,
        "intercept": found.fit.intercept,
        "n": found.tradeoffs[made.folds][0]["n"],
        "examples": found.examples,
        "weights": weights(found),
        "tradeoff": tradeoff(found, made),
        "figures": figures,
    }
    return "".join(_table("", whole)).lstrip("\n")


def tradeoff(found: Calibration, made: Made) -> list[dict[str, float]]:
    """Bounds and what keeps them. Those far above the one that was asked for are left out: nothing was tried there."""
    bounds = sorted({made.max_error, *(bound for bound in BOUNDS if bound <= FURTHEST * made.max_error)})
    tried = [found.tradeoffs[made.folds], found.tradeoffs[WHOLE]]
    kept = [(bound, lowest(tried, bound)) for bound in bounds]
    return [{"bound": bound, "threshold": threshold} for bound, threshold in kept if threshold is not None]


def everything(found: Calibration, made: Made) -> Figures:
    """The same and all that was tried, for `--json`."""
    return {
        "embedder": made.embedder,
        "date": made.date,
        "max_error": made.max_error,
        "threshold": found.threshold,
        "folds": made.folds,
        "intercept": found.fit.intercept,
        "weights": weights(found),
        "examples": found.examples,
        "tradeoff": tradeoff(found, made),
        "tradeoffs": found.tradeoffs,
        "by_source": found.by_source,
        "held_out": found.held_out,
    }


def weights(found: Calibration) -> dict[str, float]:
    return dict(zip(found.names, found.fit.weights.tolist(), strict=True))


def _at(points: list[Figures], threshold: float) -> Figures:
    point = next(each for each in points if each["threshold"] == threshold)
    return {name: point[name] for name in TOLD}


def _table(name: str, table: Mapping[str, Any], marks: str = "[]") -> list[str]:
    """Its own members, then the tables in it. TOML has no null: what is unknown is left out."""
    plain = {key: value for key, value in table.items() if not isinstance(value, dict | list) and value is not None}
    lines = [f"\n{marks[0] * (len(marks) // 2)}{name}{marks[-1] * (len(marks) // 2)}\n"] if name and plain else []
    lines += [f"{_key(key)} = {_value(value)}\n" for key, value in plain.items()]
    for key, value in table.items():
        inner = f"{name}.{_key(key)}".lstrip(".")
        if isinstance(value, dict):
            lines += _table(inner, value)
        for each in value if isinstance(value, list) else ():
            lines += _table(inner, each, "[[]]")
    return lines


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _value(value: Any) -> str:
    """A TOML basic string has the escapes of JSON, and refuses one more character."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(round(value, DIGITS) + 0.0) if isinstance(value, float) else str(value)
