"""Streams whose questions are scored by models that have not seen them, at any threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np

from cache.fitting import Fit
from proxy import semantic_examples as examples
from proxy.semantic_examples import Asked, Example, Group, Reading, Row
from proxy.semantic_figures import Outcome
from proxy.semantic_sets import Prompt
from proxy.semantic_stream import Candidate, run
from proxy.semantic_vectors import Vectors, around

Folds = Literal["class", "source"]
FOLDS: tuple[Folds, ...] = ("class", "source")
CLASSES = 5
"""Folds of classes."""

ModelOf: TypeAlias = Callable[[int, Prompt], Fit]
"""Of a question, by the number of its stream and itself."""


class Stream:
    """One stream with the features of the candidates that its questions meet, each computed once."""

    def __init__(
        self, number: int, prompts: Sequence[Prompt], vectors: Vectors, reading: Reading, floor: float
    ) -> None:
        self.number, self.prompts, self.floor = number, prompts, floor
        self.neighbours = around([each.query for each in prompts], vectors)
        self._reading = reading
        self._rows: dict[tuple[int, ...], list[Row | None]] = {}

    async def rows(self, place: int, near: Sequence[Candidate]) -> list[Row | None]:
        """None for a candidate that a guard vetoes, or that is not similar enough."""
        listed = (place, *[other for other, _ in near])
        if listed not in self._rows:
            question, similarities = self.prompts[place].query, tuple(similarity for _, similarity in near)
            enough = [(other, similarity) for other, similarity in near if similarity >= self.floor]
            asked = [Asked(question, self.prompts[at].query, value, similarities) for at, value in enough]
            found: list[Row | None] = list(await self._reading.rows(asked)) if asked else []
            self._rows[listed] = found + [None] * (len(near) - len(found))  # the most similar stand first
        return self._rows[listed]


class Scored:
    """A stream whose questions are each scored by the model that `model_of` names, out of so many candidates."""

    def __init__(self, stream: Stream, model_of: ModelOf, candidates: int) -> None:
        self._stream, self._model_of, self._candidates = stream, model_of, candidates
        self._best: dict[tuple[int, ...], tuple[float, int] | None] = {}

    async def outcomes(self, threshold: float) -> list[Outcome]:
        """What the proxy would do: the best of the candidates that no guard vetoes, if its score is high enough."""

        async def choose(place: int, near: Sequence[Candidate]) -> int | None:
            listed = (place, *[other for other, _ in near])
            if listed not in self._best:
                self._best[listed] = self._score(place, near, await self._stream.rows(place, near))
            best = self._best[listed]
            return best[1] if best is not None and best[0] >= threshold else None

        prompts = self._stream.prompts
        classes, sources = [each.cls for each in prompts], [each.source for each in prompts]
        return await run(classes, self._stream.neighbours, choose, self._candidates, sources)

    def _score(self, place: int, near: Sequence[Candidate], rows: Sequence[Row | None]) -> tuple[float, int] | None:
        """The best score and whose it is, the more similar of equal ones."""
        said = [(row, other) for (other, _), row in zip(near, rows, strict=True) if row is not None]
        if not said:
            return None
        model = self._model_of(self._stream.number, self._stream.prompts[place])
        scores = model.scores(np.array([row for row, _ in said]))
        best = int(np.argmax(scores))
        return float(scores[best]), said[best][1]


def models(folds: Folds, known: Sequence[Example], streams: Sequence[Stream], reading: Reading) -> ModelOf:
    """Raises `ValueError` where a fold leaves too little to learn from."""
    if folds == "class":
        by_fold = [
            examples.fitted(examples.without_fold(known, fold, CLASSES), reading.signs) for fold in range(CLASSES)
        ]
        return lambda number, prompt: by_fold[examples.fold_of((number, prompt.cls), CLASSES)]
    groups: dict[str, set[Group]] = {}
    for stream in streams:
        for each in stream.prompts:
            groups.setdefault(each.source, set()).add((stream.number, each.cls))
    by_source = {
        source: examples.fitted(examples.without_source(known, source, own), reading.signs)
        for source, own in groups.items()
    }
    return lambda number, prompt: by_source[prompt.source]
