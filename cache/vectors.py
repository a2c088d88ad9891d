"""The vectors of one scope, and which of them are most similar to a question. For the thread that owns them only.

Theory of operation. A few vectors stand in one float32 matrix that grows by doubling and is scanned whole; what is
removed changes places with the last row, so removing costs the same however many there are. From `many` on they are
put into clusters in the background (`cache.clusters`), a step of some milliseconds at a time, while the matrix goes on
answering; then the matrix is given up, so that each vector is in memory once. When the clusters hold twice as many
vectors as they were made for they are made anew, the same way; when few are left the matrix comes back.

What an approximate index misses costs a hit and is never wrong: similarities are exact either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from adapters.embedder import ROUNDING, Matrix
from cache.clusters import Clusters, Making
from cache.slot import Slot

MANY = 4096
"""Vectors from which clusters are made. On one core a scan of 4,000 x 384 takes 0.17 ms and one of 10,000 takes 0.6 ms,
and clusters take 0.05 to 0.1 ms at any of these sizes; `faiss.knn` is never slower than a product by numpy."""

Found: TypeAlias = "list[tuple[float, int]]"
"""Similarity and id; the most similar first."""


def sound(vector: object, dimension: int) -> Matrix | None:
    """The vector as (dimension,) float32; None where it has another shape, or is not finite and of length 1."""
    try:
        row: Matrix = np.ascontiguousarray(vector, dtype=np.float32)
    except (TypeError, ValueError):
        return None
    if row.shape != (dimension,) or not abs(float(np.linalg.norm(row.astype(np.float64))) - 1) <= ROUNDING:
        return None
    return row


def all_sound(rows: Matrix) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """For each row whether it is finite and of length 1."""
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return np.asarray(np.abs(lengths - 1) <= ROUNDING)  # what is not a number is not near to 1


def one_thread() -> None:
    """To be called in the thread that searches: OpenMP keeps this number for each thread. With more of them a scan
    waits for cores that others use (measured on a busy machine: 18 ms instead of 1.3)."""
    import faiss

    faiss.omp_set_num_threads(1)


class Vectors:
    __slots__ = ("_clusters", "_dimension", "_making", "_many", "_matrix", "scope", "slots")

    def __init__(self, scope: bytes, dimension: int, many: int = MANY) -> None:
        self.scope = scope
        self.slots: list[Slot] = []
        self._many, self._dimension = many, dimension
        self._matrix: Matrix | None = np.empty((1, dimension), np.float32)
        self._clusters: Clusters | None = None
        self._making: Making | None = None

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def approximate(self) -> bool:
        return self._clusters is not None

    def add(self, slots: Sequence[Slot], rows: Matrix) -> None:
        """(slots, dimension), each of length 1. None of them is in any index."""
        first = len(self.slots)
        for place, slot in enumerate(slots, first):
            slot.place = place
        self.slots += slots
        if self._matrix is not None:
            if len(self.slots) > len(self._matrix):
                self._resize(max(len(self.slots), 2 * len(self._matrix)))
            self._matrix[first : len(self.slots)] = rows
        for clusters in self._both():
            clusters.add(slots, rows)

    def remove(self, slot: Slot) -> None:
        place, last = slot.place, self.slots.pop()
        slot.place = -1
        if last is not slot:
            self.slots[place] = last
            last.place = place
        if self._matrix is not None:
            self._matrix[place] = self._matrix[len(self.slots)]
            if len(self.slots) < len(self._matrix) // 4:
                self._resize(len(self._matrix) // 2)
        for clusters in self._both():
            clusters.remove(slot.id)
        if len(self.slots) < self._many // 2:
            self._unmake()

    def rows(self, slots: Sequence[Slot]) -> Matrix:
        """Their vectors, (slots, dimension)."""
        if self._matrix is not None:
            return np.asarray(self._matrix[[slot.place for slot in slots]])
        assert self._clusters is not None
        return self._clusters.rows(slots)

    def search(self, queries: Matrix, k: int) -> list[Found]:
        """For each query (queries, dimension) the `k` most similar, fewer where there are not so many."""
        k = min(k, len(self.slots))
        if k < 1:
            return [[] for _ in queries]
        if self._matrix is None:
            assert self._clusters is not None
            return self._clusters.search(queries, k)
        import faiss

        similarities, places = faiss.knn(queries, self._matrix[: len(self.slots)], k, metric=faiss.METRIC_INNER_PRODUCT)
        slots = self.slots
        return [
            [(similarity, slots[place].id) for similarity, place in zip(*row, strict=True) if place >= 0]
            for row in zip(similarities.tolist(), places.tolist(), strict=True)
        ]

    @property
    def wants_work(self) -> bool:
        if self._making is not None:
            return True
        if self._clusters is None:
            return len(self.slots) >= self._many
        return not self._clusters.made_for // 4 <= len(self.slots) < 2 * self._clusters.made_for

    def work(self) -> None:
        """A step towards clusters that fit, where there is one to do. After a `MemoryError` all is as before."""
        if not self.wants_work:
            return
        if self._making is None:
            self._making = Making(self.slots, self.rows, self._dimension)
        try:
            clusters = self._making.step()
        except MemoryError:
            self._making = None
            raise
        if clusters is not None:
            self._matrix, self._clusters, self._making = None, clusters, None

    def wrong(self) -> list[str]:
        """What in here does not agree with itself."""
        told = [f"{slot.id} is not where it says" for at, slot in enumerate(self.slots) if slot.place != at]
        if self._clusters is not None and len(self._clusters) != len(self.slots):
            told.append(f"{len(self._clusters)} vectors in clusters of {len(self.slots)}")
        return told

    def _both(self) -> list[Clusters]:
        """The clusters that answer, and those that are being filled."""
        made = None if self._making is None else self._making.clusters
        return [clusters for clusters in (self._clusters, made) if clusters is not None]

    def _resize(self, capacity: int) -> None:
        assert self._matrix is not None
        grown = np.empty((capacity, self._matrix.shape[1]), np.float32)
        kept = min(capacity, len(self._matrix))
        grown[:kept] = self._matrix[:kept]
        self._matrix = grown

    def _unmake(self) -> None:
        """Few are left: back to the matrix."""
        if self._matrix is None:
            self._matrix = self.rows(self.slots)
        self._clusters = self._making = None
