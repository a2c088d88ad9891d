"""Weights and threshold of the verifier, for one embedder, from labelled pairs and streams.

The weights are a logistic regression over all examples (`cache.fitting`). The threshold is the lowest at which the
stream protocol keeps wrong answers to the stated share of all requests, by the upper end of the 95% interval, and at
which all higher ones do; each question is scored there by a model that was fitted without the questions of its class
(five folds of classes). How far that carries over to traffic of another kind is told beside it: the same, with models
that were fitted without the source of the question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp
from typing import NamedTuple

import numpy as np

from adapters.embedder import Embedder
from cache.fitting import Fit
from proxy import semantic_examples as examples
from proxy import semantic_figures as figured
from proxy.semantic_examples import Example, Reading, Row
from proxy.semantic_figures import Figures, Outcome
from proxy.semantic_sets import Pair, Prompt, SetError
from proxy.semantic_stream import Candidate, Choice, run
from proxy.semantic_vectors import Progress, Vectors, around, embedded, silent

FOLDS = 5
STEP, FINE = 0.25, 0.0625
ODDS = tuple(STEP * step for step in range(36, -1, -1))
"""Thresholds that are tried, as log odds: from 0.9999 down to 0.5. Above the first that fails, finer steps are."""
NEVER = 2.0
"""A threshold that no score reaches."""
HOPELESS = 4.0
"""Below a threshold at which so many times the wrong answers that are allowed are given, nothing is tried."""


class Wish(NamedTuple):
    max_error: float = 0.005
    """Share of all requests that may be answered wrong."""
    candidates: int = 4
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
    out_of_fold: list[Figures]
    """The trade-off: a point (`semantic_figures.point`) for each threshold tried, the highest first."""
    left_out: list[Figures]
    """The same, each source scored by a model without it; empty where there is only one."""
    by_source: dict[str, Figures]
    """Out of fold, at the threshold."""
    held_out: dict[str, Figures]
    """`figures` of each held-out source as a stream of its own, at the threshold."""


class Stream:
    """One stream with the features of the candidates that its questions meet, each computed once."""

    def __init__(self, number: int, prompts: Sequence[Prompt], vectors: Vectors, reading: Reading) -> None:
        self.number, self.prompts = number, prompts
        self.neighbours = around([each.query for each in prompts], vectors)
        self._reading = reading
        self._rows: dict[tuple[int, int], Row | None] = {}

    async def rows(self, place: int, near: Sequence[Candidate]) -> list[Row | None]:
        new = [(other, similarity) for other, similarity in near if (place, other) not in self._rows]
        if new:
            asked = self.prompts[place].query
            rows = await self._reading.rows([(asked, self.prompts[at].query, similarity) for at, similarity in new])
            self._rows.update({(place, other): row for (other, _), row in zip(new, rows, strict=True)})
        return [self._rows[place, other] for other, _ in near]


class Scored:
    """A stream whose questions are each scored by the model that `model_of` names; at any threshold."""

    def __init__(self, stream: Stream, model_of: Callable[[Prompt], Fit], candidates: int) -> None:
        self._stream, self._model_of, self._candidates = stream, model_of, candidates
        self._scores: dict[tuple[int, int], float | None] = {}

    async def outcomes(self, threshold: float) -> list[Outcome]:
        """What the proxy would do: the best of the candidates that no guard vetoes, if its score is high enough."""

        async def choose(place: int, near: Sequence[Candidate]) -> Choice:
            if any((place, other) not in self._scores for other, _ in near):
                await self._score(place, near)
            best = Choice(None)
            for other, _ in near:
                score = self._scores[place, other]
                if score is not None and (best.score is None or score > best.score):
                    best = Choice(other, score)
            return best if best.score is not None and best.score >= threshold else Choice(None, best.score)

        prompts = self._stream.prompts
        classes, sources = [each.cls for each in prompts], [each.source for each in prompts]
        return await run(classes, self._stream.neighbours, choose, self._candidates, sources)

    async def _score(self, place: int, near: Sequence[Candidate]) -> None:
        model = self._model_of(self._stream.prompts[place])
        for (other, _), row in zip(near, await self._stream.rows(place, near), strict=True):
            self._scores[place, other] = None if row is None else float(model.scores(np.array([row]))[0])


async def calibrate(
    pairs: Sequence[Pair],
    streams: Sequence[Sequence[Prompt]],
    embedder: Embedder,
    reading: Reading,
    wish: Wish,
    progress: Progress = silent,
) -> Calibration:
    """Raises `SetError` where the sets, without what is held out, have no right or no wrong examples, or no stream."""
    texts = [text for pair in pairs for text in pair[:2]] + [each.query for prompts in streams for each in prompts]
    vectors = await embedded(texts, embedder, progress)
    seen = [[each for each in prompts if each.source not in wish.held_out] for prompts in streams]
    ready = [Stream(number, prompts, vectors, reading) for number, prompts in enumerate(seen) if prompts]
    if not ready:
        raise SetError("a threshold needs a stream that is not held out")
    known = _examples([pair for pair in pairs if pair.source not in wish.held_out], seen, ready, vectors)
    known = await examples.read(known, reading, progress)
    try:
        whole = examples.fitted(known, reading.signs)
        folds = [examples.fitted(examples.without_fold(known, fold, FOLDS), reading.signs) for fold in range(FOLDS)]
    except ValueError as error:
        raise SetError(f"too little to learn from: {error}") from None
    scored = [_out_of_fold(stream, folds, wish.candidates) for stream in ready]
    points, threshold = await _lowest(scored, wish.max_error, progress)
    left_out = []
    if strangers := _strangers(known, ready, reading, wish.candidates):
        for place, point in enumerate(points):
            progress("without the source", place, len(points))
            left_out.append(await _point(strangers, point["threshold"]))
    at = NEVER if threshold is None else threshold
    outcomes = [outcome for each in scored for outcome in await each.outcomes(at)]
    held_out = {}
    for source in sorted(wish.held_out):
        hidden = [each for prompts in streams for each in prompts if each.source == source]
        if not hidden:
            raise SetError(f"no stream has a question of the source `{source}`, which is to be held out")
        apart = Scored(Stream(len(streams), hidden, vectors, reading), lambda _: whole, wish.candidates)
        held_out[source] = figured.figures(await apart.outcomes(at))
    by_source = figured.grouped(outcomes, figured.by_source)
    return Calibration(tuple(reading.signs), whole, threshold, len(known), points, left_out, by_source, held_out)


def _examples(
    pairs: Sequence[Pair], seen: Sequence[Sequence[Prompt]], ready: Sequence[Stream], vectors: Vectors
) -> list[Example]:
    found = examples.of_pairs(pairs, vectors, examples.groups_of(seen))
    for stream in ready:
        found += examples.of_stream(stream.number, stream.prompts, stream.neighbours)
    return found


def _out_of_fold(stream: Stream, folds: Sequence[Fit], candidates: int) -> Scored:
    return Scored(stream, lambda each: folds[examples.fold_of((stream.number, each.cls), FOLDS)], candidates)


def _strangers(known: Sequence[Example], streams: Sequence[Stream], reading: Reading, candidates: int) -> list[Scored]:
    """Each question scored by the model that was fitted without its source; nothing where that leaves too little."""
    groups: dict[str, set[examples.Group]] = {}
    for stream in streams:
        for each in stream.prompts:
            groups.setdefault(each.source, set()).add((stream.number, each.cls))
    try:
        models = {
            source: examples.fitted(examples.without_source(known, source, own), reading.signs)
            for source, own in groups.items()
        }
    except ValueError:
        return []
    return [Scored(stream, lambda each: models[each.source], candidates) for stream in streams]


async def _lowest(scored: Sequence[Scored], max_error: float, progress: Progress) -> tuple[list[Figures], float | None]:
    """The trade-off, the highest threshold first, and the lowest of them that keeps the bound with all above it."""
    points: list[Figures] = []
    threshold = None
    holds = True
    for place, odds in enumerate(ODDS):
        progress("thresholds", place, len(ODDS))
        point = await _point(scored, _chance(odds))
        if holds and point["error_rate_upper95"] > max_error:
            holds = False
            for finer in (odds + STEP - FINE * step for step in range(1, round(STEP / FINE))):
                between = await _point(scored, _chance(finer))
                if between["error_rate_upper95"] > max_error:
                    break
                points.append(between)
                threshold = between["threshold"] if between["hits"] else threshold
        elif holds and point["hits"]:
            threshold = point["threshold"]
        points.append(point)
        if point["error_rate"] > HOPELESS * max_error:
            break
    return points, threshold


async def _point(scored: Sequence[Scored], threshold: float) -> Figures:
    """All streams together, each into an empty cache."""
    return figured.point(threshold, [outcome for each in scored for outcome in await each.outcomes(threshold)])


def _chance(odds: float) -> float:
    return round(1.0 / (1.0 + exp(-odds)), 6)
