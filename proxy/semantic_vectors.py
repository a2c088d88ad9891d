"""The vectors of all texts of a labelled set, each text embedded once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from adapters.embedder import Embedder, Matrix
from adapters.errors import EmbeddingError
from proxy.semantic_stream import Flags, Neighbours

BATCH = 64
"""Texts that are asked for at once."""

Progress = Callable[[str, int, int], None]
"""Is told what is being done, how many are done, and of how many."""


def silent(doing: str, done: int, of: int) -> None:
    """For who wants no progress."""


class Vectors(NamedTuple):
    """`of`: text to row of `rows`. A text that the embedder refused, being too long for it, has no row: in the proxy it
    is never compared with anything."""

    of: dict[str, int]
    rows: Matrix
    """(texts, dimension)."""
    refused: int = 0
    """How many have none."""

    def similarity(self, a: str, b: str) -> float | None:
        first, second = self.of.get(a), self.of.get(b)
        if first is None or second is None:
            return None
        return min(1.0, float(self.rows[first] @ self.rows[second]))


async def embedded(texts: Iterable[str], embedder: Embedder, progress: Progress = silent) -> Vectors:
    """Raises `EmbeddingError` where the embedder refuses all texts of the first batch: then it is not about them."""
    # Alike in length go together: little padding in a batch.
    wanted = sorted(set(texts), key=lambda text: (len(text), text))
    of: dict[str, int] = {}
    parts = [np.zeros((0, embedder.dimension), np.float32)]
    for start in range(0, len(wanted), BATCH):
        progress("embedding", start, len(wanted))
        made, refused = await _embed(wanted[start : start + BATCH], embedder)
        if refused is not None and not of and not made:
            raise refused
        for batch, part in made:
            of.update({text: len(of) + place for place, text in enumerate(batch)})
            parts.append(part)
    progress("embedding", len(wanted), len(wanted))
    return Vectors(of, np.concatenate(parts), len(wanted) - len(of))


async def _embed(batch: list[str], embedder: Embedder) -> tuple[list[tuple[list[str], Matrix]], EmbeddingError | None]:
    """What was embedded, and the last refusal: one text that is refused does not take the others with it."""
    try:
        return [(batch, (await embedder.embed(batch)).vectors)], None
    except EmbeddingError as error:
        if len(batch) == 1:
            return [], error
    made, refused = [], None
    for text in batch:
        one, why = await _embed([text], embedder)
        made += one
        refused = why or refused
    return made, refused


def around(texts: Sequence[str], vectors: Vectors) -> Neighbours:
    """The neighbours of a stream of these texts."""
    known: Flags = np.array([text in vectors.of for text in texts], np.bool_)
    rows = np.zeros((len(texts), vectors.rows.shape[1]), np.float32)
    rows[known] = vectors.rows[[vectors.of[text] for text in texts if text in vectors.of]]
    return Neighbours(rows, known)
