"""The verifier: how likely it is that the answer to one question is right for another, and how likely it has to be.

A logistic regression over the few figures of `cache.features`, fitted by `warmgate semantic calibrate` to labelled
questions, in a file of some lines. It is good for one embedder only: another one's similarities mean something else.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from math import exp, isfinite
from pathlib import Path
from typing import Any, NamedTuple

from adapters.body import mapping
from cache.features import FEATURES

VERSION = 1
NEVER = 2.0
"""A threshold that no score reaches."""
STEEPEST = 60.0
"""Beyond this the score is 0 or 1 in float64, and the exponential overflows before long."""


class UnusableVerifier(Exception):
    """The file is no verifier, or not one for this embedder; says what to do about it."""


class Verifier(NamedTuple):
    embedder: str
    """Whose similarities it was fitted to (`Embedder.identity`)."""
    intercept: float
    weights: tuple[float, ...]
    """In the order of `FEATURES`."""
    tradeoff: tuple[tuple[float, float], ...]
    """Pairs of a bound and the lowest threshold that kept it, the strictest first: with 95% confidence no more than
    this share of all requests was answered wrong, on questions that it had not been fitted to."""

    def score(self, features: Sequence[float]) -> float:
        """From 0 to 1; nan where a feature is."""
        total = self.intercept + sum(weight * value for weight, value in zip(self.weights, features, strict=True))
        return 1.0 / (1.0 + exp(-max(-STEEPEST, min(STEEPEST, total)))) if isfinite(total) else float("nan")

    def threshold(self, max_error: float) -> float:
        """What a score has to reach so that at most this share of requests is answered wrong; `NEVER` where no
        threshold was found to keep that."""
        return min((threshold for bound, threshold in self.tradeoff if bound <= max_error), default=NEVER)


def packaged(embedder: str) -> Verifier | None:
    """The one that comes with this program, if it is for this embedder."""
    text = (files("cache") / "data" / "verifier.toml").read_text(encoding="utf-8")
    verifier = parsed(text, "the packaged verifier")
    return verifier if verifier.embedder == embedder else None


def read(path: Path, embedder: str) -> Verifier:
    """Raises `UnusableVerifier`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableVerifier(f"{path} can't be read ({error}): `warmgate semantic calibrate --out {path}`") from error
    verifier = parsed(text, str(path))
    if verifier.embedder != embedder:
        raise UnusableVerifier(
            f"{path} was fitted to {verifier.embedder}, not to {embedder}: run `warmgate semantic calibrate` for it"
        )
    return verifier


def parsed(text: str, name: str) -> Verifier:
    """Raises `UnusableVerifier`."""
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UnusableVerifier(f"{name} is no TOML ({error})") from error
    weights = mapping(said.get("weights"))
    if said.get("version") != VERSION or set(weights) != set(FEATURES):
        raise UnusableVerifier(f"{name} is of another version of this program: run `warmgate semantic calibrate` again")
    rows = said.get("tradeoff")
    try:
        return Verifier(
            str(said["embedder"]),
            _number(said["intercept"]),
            tuple(_number(weights[feature]) for feature in FEATURES),
            tuple(sorted((_number(row["bound"]), _number(row["threshold"])) for row in rows or ())),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnusableVerifier(f"{name} is damaged ({error})") from error


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)
