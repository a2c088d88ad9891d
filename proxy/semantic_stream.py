"""A stream of questions through an empty semantic cache, as often as one likes: the neighbours of each are looked up
once.

The protocol is that of the vCache paper (arXiv:2502.03771, 2025): in the order of the file, once; a miss is inserted, a
hit is not; a hit is right where the entry is of the same class; on a miss the nearest entry is put to the same test.
What is inserted depends on what was served, so each policy has its own entries. But all choose among the same earlier
questions: those are found for all questions at once, by matrix products, and a run walks down the list.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, TypeAlias

import numpy as np

from adapters.embedder import Matrix
from proxy.semantic_figures import Outcome

DEPTH = 128
"""Earlier questions that are remembered of each, the most similar; where fewer of them than are wanted were inserted,
all entries are looked through."""
BLOCK = 512
"""Questions of one matrix product."""

Places: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
Flags: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"

Candidate = tuple[int, float]
"""The place of an earlier question in the stream, and its similarity (cosine, at most 1)."""


Choose = Callable[[int, Sequence[Candidate]], Awaitable[int | None]]
"""The policy: the place of the question whose answer is served to the one at this place, out of these, the most similar
first."""


class Neighbours:
    """`vectors`: (n, dimension), of length 1; `known`: which of them are vectors at all. A question without one is
    always a miss, and never an entry."""

    def __init__(self, vectors: Matrix, known: Flags | None = None, depth: int = DEPTH) -> None:
        self.vectors = vectors
        self.known: Flags = np.ones(len(vectors), np.bool_) if known is None else known
        self.depth = depth
        self._places, self._similarities = _earlier(vectors, depth)

    def of(self, place: int, entries: Flags, k: int) -> list[Candidate]:
        """The `k` most similar of the earlier questions that are among `entries`; of equal ones the earlier first."""
        if not self.known[place]:
            return []
        listed = self._places[place, : min(place, self.depth)]
        found = np.flatnonzero(entries[listed])[:k]
        if len(found) == k or place <= self.depth:
            pairs = zip(listed[found].tolist(), self._similarities[place, found].tolist(), strict=True)
            return [(other, min(1.0, similarity)) for other, similarity in pairs]
        kept = np.flatnonzero(entries[:place])
        similarities = (self.vectors[:place] @ self.vectors[place])[kept]  # a product, without copying what was kept
        best = np.argsort(-similarities, kind="stable")[:k]
        return [(int(kept[at]), min(1.0, float(similarities[at]))) for at in best]


def _earlier(vectors: Matrix, depth: int) -> tuple[Places, Matrix]:
    """For each row the places of the `depth` most similar rows before it, and how similar they are; (n, depth) each.
    A row with fewer before it is filled up with nonsense of similarity -inf."""
    n = len(vectors)
    places, similarities = np.zeros((n, depth), np.int64), np.full((n, depth), -np.inf, np.float32)
    for start in range(0, n, BLOCK):
        stop = min(n, start + BLOCK)
        product = vectors[start:stop] @ vectors[:stop].T
        product[:, start:][np.triu_indices(stop - start)] = -np.inf
        width = min(depth, stop)
        if stop > width:
            columns = np.argpartition(-product, width - 1, axis=1)[:, :width]
            columns.sort(axis=1)  # so that the stable sort below has the earlier of equal ones first
        else:
            columns = np.broadcast_to(np.arange(stop), product.shape).copy()
        values = np.take_along_axis(product, columns, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        places[start:stop, :width] = np.take_along_axis(columns, order, axis=1)
        similarities[start:stop, :width] = np.take_along_axis(values, order, axis=1)
    return places, similarities


async def run(
    classes: Sequence[Hashable], neighbours: Neighbours, choose: Choose, k: int, sources: Sequence[str] | None = None
) -> list[Outcome]:
    """The outcome of each question, in order. `k`: how many candidates the policy is given."""
    entries: Flags = np.zeros(len(classes), np.bool_)
    outcomes = []
    for place, cls in enumerate(classes):
        near = neighbours.of(place, entries, k)
        served = await choose(place, near) if near else None
        other = served if served is not None else near[0][0] if near else None
        right = other is not None and classes[other] == cls
        outcomes.append(Outcome(served is not None, right, sources[place] if sources is not None else ""))
        entries[place] = served is None and neighbours.known[place]
    return outcomes


def nearest(threshold: float) -> Choose:
    """A static threshold on the similarity of the nearest entry: what most semantic caches do."""

    async def choose(place: int, near: Sequence[Candidate]) -> int | None:
        other, similarity = near[0]
        return other if similarity >= threshold else None

    return choose
