"""Weights and threshold of the verifier, for one embedder, from labelled pairs and streams.

The weights are a logistic regression over all examples (`cache.fitting`). The threshold is the lowest at which the
stream protocol keeps wrong answers to the stated share of all requests, by the upper end of the 95% interval, and at
which all higher ones do. There each question is scored by a model that was fitted without the questions of its class
(five folds of classes), or of its source: the first says what the threshold does to traffic like that of the sets, the
second what it does to traffic of another kind. Both are told, and either can be what the threshold is set on; the
model that is written, fitted to all, has to keep the bound besides.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import NamedTuple

from adapters.embedder import Embedder
from cache.fitting import Fit
from proxy import semantic_examples as examples
from proxy import semantic_figures as figured
from proxy.semantic_examples import Example, Reading
from proxy.semantic_figures import Figures
from proxy.semantic_folds import FOLDS, Folds, Scored, Stream, models
from proxy.semantic_sets import Pair, Prompt, SetError
from proxy.semantic_vectors import Progress, embedded, silent

STEP, FINE = 0.25, 0.0625
ODDS = tuple(STEP * step for step in range(36, -1, -1))
"""Thresholds that are tried, as log odds: from 0.9999 down to 0.5. Above the first that fails, finer steps are."""
HOPELESS = 4.0
"""Below a threshold at which so many times the wrong answers that are allowed are given, nothing is tried."""
WHOLE = "whole"
"""What the model that is written does to the very questions it was fitted to. That alone would be no promise, but it
has to keep the bound there, too."""
NEVER = 2.0
"""A threshold that no score reaches."""


class Wish(NamedTuple):
    max_error: float = 0.005
    """Share of all requests that may be answered wrong."""
    candidates: int = 4
    floor: float = 0.8
    """The least similarity of what is served, as in the configuration."""
    folds: Folds = "class"
    """What the threshold is set on."""
    held_out: frozenset[str] = frozenset()
    """Sources that neither weights nor threshold see; what they come to is told."""


class Calibration(NamedTuple):
    names: tuple[str, ...]
    """Of the features."""
    fit: Fit
    threshold: float | None
    """None: no threshold keeps the bound."""
    examples: int
    """Of pairs and neighbours that no guard vetoed."""
    tradeoffs: dict[str, list[Figures]]
    """By folds: a point (`semantic_figures.point`) for each threshold tried, the highest first. Those by source are
    absent where there is only one."""
    by_source: dict[str, Figures]
    """At the threshold, with the folds it was set on."""
    held_out: dict[str, Figures]
    """`figures` of each held-out source as a stream of its own, at the threshold."""


async def calibrate(
    pairs: Sequence[Pair],
    streams: Sequence[Sequence[Prompt]],
    embedder: Embedder,
    reading: Reading,
    wish: Wish,
    progress: Progress = silent,
) -> Calibration:
    """Raises `SetError` where the sets, without what is held out, are too little to learn from or to set a threshold
    on."""
    texts = [text for pair in pairs for text in pair[:2]] + [each.query for prompts in streams for each in prompts]
    vectors = await embedded(texts, embedder, progress)
    seen = [[each for each in prompts if each.source not in wish.held_out] for prompts in streams]
    ready = [Stream(number, prompts, vectors, reading, wish.floor) for number, prompts in enumerate(seen) if prompts]
    if not ready:
        raise SetError("a threshold needs a stream that is not held out")
    visible = [pair for pair in pairs if pair.source not in wish.held_out]
    known = examples.of_pairs(visible, vectors, examples.groups_of(seen))
    for stream in ready:
        known += examples.of_stream(stream.number, stream.prompts, stream.neighbours)
    known = await examples.read(known, reading, progress)
    try:
        whole = examples.fitted(known, reading.signs)
        scored = _scored(wish.folds, known, ready, reading, wish)
    except ValueError as error:
        raise SetError(f"too little to learn from: {error}") from None
    itself = [Scored(stream, lambda *_: whole, wish.candidates) for stream in ready]
    (points, own), threshold = await _lowest([scored, itself], wish.max_error, progress)
    tradeoffs = {wish.folds: points, WHOLE: own, **await _beside(known, ready, reading, wish, points, progress)}
    at = NEVER if threshold is None else threshold
    served = [outcome for each in scored for outcome in await each.outcomes(at)]
    held_out = {}
    for source in sorted(wish.held_out):
        hidden = [each for prompts in streams for each in prompts if each.source == source]
        if not hidden:
            raise SetError(f"no stream has a question of the source `{source}`, which is to be held out")
        stream = Stream(len(streams), hidden, vectors, reading, wish.floor)
        held_out[source] = figured.figures(await Scored(stream, lambda *_: whole, wish.candidates).outcomes(at))
    by_source = figured.grouped(served, figured.by_source)
    return Calibration(tuple(reading.signs), whole, threshold, len(known), tradeoffs, by_source, held_out)


def _scored(
    folds: Folds, known: Sequence[Example], streams: Sequence[Stream], reading: Reading, wish: Wish
) -> list[Scored]:
    model_of = models(folds, known, streams, reading)
    return [Scored(stream, model_of, wish.candidates) for stream in streams]


async def _beside(
    known: Sequence[Example],
    streams: Sequence[Stream],
    reading: Reading,
    wish: Wish,
    points: Sequence[Figures],
    progress: Progress,
) -> dict[str, list[Figures]]:
    """The trade-off at the same thresholds with the other folds; nothing where those leave too little to learn from."""
    (other,) = [folds for folds in FOLDS if folds != wish.folds]
    try:
        scored = _scored(other, known, streams, reading, wish)
    except ValueError:
        return {}
    found = []
    for place, point in enumerate(points):
        progress(f"folds by {other}", place, len(points))
        found.append(await _point(scored, point["threshold"]))
    return {other: found}


async def _lowest(
    groups: Sequence[Sequence[Scored]], max_error: float, progress: Progress
) -> tuple[list[list[Figures]], float | None]:
    """The trade-off of each group, the highest threshold first, and the lowest of them at which all groups keep the
    bound, as they do at all above it."""
    points: list[list[Figures]] = [[] for _ in groups]

    async def tried(threshold: float) -> list[Figures]:
        return [await _point(scored, threshold) for scored in groups]

    for place, odds in enumerate(ODDS):
        progress("thresholds", place, len(ODDS))
        found = await tried(_chance(odds))
        if not _keeps(found, max_error) and all(_keeps(each, max_error) for each in points):
            for step in range(1, round(STEP / FINE)):
                for each, point in zip(points, await tried(_chance(odds + STEP - FINE * step)), strict=True):
                    each.append(point)
        for each, point in zip(points, found, strict=True):
            each.append(point)
        if found[0]["error_rate"] > HOPELESS * max_error:
            break
    return points, lowest(points, max_error)


def _keeps(points: Sequence[Figures], max_error: float) -> bool:
    return all(point["error_rate_upper95"] <= max_error for point in points)


def lowest(tradeoffs: Sequence[Sequence[Figures]], max_error: float) -> float | None:
    """Of trade-offs at the same thresholds, the highest first: the last at which each keeps the bound, as it does at
    all before, and the first of them serves anything."""
    found = None
    for points in zip(*tradeoffs, strict=True):
        if not _keeps(points, max_error):
            break
        found = points[0]["threshold"] if points[0]["hits"] else found
    return found


async def _point(scored: Sequence[Scored], threshold: float) -> Figures:
    """All streams together, each into an empty cache."""
    return figured.point(threshold, [outcome for each in scored for outcome in await each.outcomes(threshold)])


def _chance(odds: float) -> float:
    return round(1.0 / (1.0 + exp(-odds)), 6)
