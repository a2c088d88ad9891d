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

from proxy.semantic_calibrate import Calibration
from proxy.semantic_figures import Figures

VERSION = 1
DIGITS = 6
"""Of the numbers behind the point. What the machine adds beyond them is not the same on every machine."""

TOLD = ("n", "hits", "errors", "hit_rate", "error_rate", "error_rate_upper95", "precision")

_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Made(NamedTuple):
    """How a calibration was made, as far as it does not know itself."""

    embedder: str
    date: str
    max_error: float


def toml(found: Calibration, made: Made) -> str:
    """The file; equal arguments, equal bytes. Raises `ValueError` for a calibration without a threshold."""
    if found.threshold is None:
        raise ValueError("a calibration without a threshold is none")
    whole: dict[str, Any] = {
        "version": VERSION,
        "embedder": made.embedder,
        "date": made.date,
        "max_error": made.max_error,
        "threshold": found.threshold,
        "intercept": found.fit.intercept,
        "n": found.out_of_fold[0]["n"],
        "examples": found.examples,
        "weights": weights(found),
        "figures": _at(found.out_of_fold, found.threshold),
    }
    if found.left_out:
        whole["figures"]["left_out"] = _at(found.left_out, found.threshold)
    if found.held_out:
        whole["figures"]["held_out"] = {
            source: {name: each[name] for name in TOLD} for source, each in found.held_out.items()
        }
    return "".join(_table("", whole)).lstrip("\n")


def everything(found: Calibration, made: Made) -> Figures:
    """The same and all that was tried, for `--json`."""
    return {
        "embedder": made.embedder,
        "date": made.date,
        "max_error": made.max_error,
        "threshold": found.threshold,
        "intercept": found.fit.intercept,
        "weights": weights(found),
        "examples": found.examples,
        "out_of_fold": found.out_of_fold,
        "left_out": found.left_out,
        "by_source": found.by_source,
        "held_out": found.held_out,
    }


def weights(found: Calibration) -> dict[str, float]:
    return dict(zip(found.names, found.fit.weights.tolist(), strict=True))


def _at(points: list[Figures], threshold: float) -> Figures:
    point = next(each for each in points if each["threshold"] == threshold)
    return {name: point[name] for name in TOLD}


def _table(name: str, table: Mapping[str, Any]) -> list[str]:
    """Its own members, then the tables in it. TOML has no null: what is unknown is left out."""
    plain = {key: value for key, value in table.items() if not isinstance(value, dict) and value is not None}
    lines = [f"\n[{name}]\n"] if name and (plain or not table) else []
    lines += [f"{_key(key)} = {_value(value)}\n" for key, value in plain.items()]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += _table(f"{name}.{_key(key)}".lstrip("."), value)
    return lines


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _value(value: Any) -> str:
    """A TOML basic string has the escapes of JSON, and refuses one more character."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(round(value, DIGITS) + 0.0) if isinstance(value, float) else str(value)
