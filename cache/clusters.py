"""An approximate index over many vectors, and how it is made a step at a time.

Vectors stand in lists, each around a centre of its own (FAISS `IndexIVFFlat`); a question is compared with those of the
lists whose centres are nearest to it. Similarities are exact. The centres are found by k-means on the sphere over an
even sample, here and not by FAISS, because its training can't be interrupted: 100,000 vectors take about a second, and
whoever asks meanwhile would wait for it. FAISS is imported where it is used: it takes a quarter of a second, and most
proxies run without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import isqrt

import numpy as np

from adapters.embedder import Matrix
from cache.slot import Slot

LISTS = 2
"""Times the square root of how many there are: about as many centres are compared as vectors in the lists looked at."""
LOOKED_AT = 24
"""Lists. Of 5,000 to 40,000 questions by people (MiniLM), asked by others, this finds 95 to 97% of the four nearest and
99.7% or more of those at 0.8 and above; 16 lists find 94 to 95% and 99.4%."""
SAMPLED, ROUNDS = 32, 6
"""Vectors for each centre, and rounds of k-means."""

STEP = 5e7
"""Multiplications in one step: about 2 ms on one core."""
MOST = 1024
"""Vectors in one step."""


class Clusters:
    def __init__(self, centres: Matrix, made_for: int) -> None:
        """`centres`: (lists, dimension), each of length 1; `made_for` so many vectors."""
        import faiss

        self.made_for = made_for
        self.dimension = int(centres.shape[1])
        self._centres = faiss.IndexFlatIP(self.dimension)
        self._centres.add(centres)
        self._index = faiss.IndexIVFFlat(self._centres, self.dimension, len(centres), faiss.METRIC_INNER_PRODUCT)
        # So that an id is removed or fetched without a look at all of them; not named in FAISS's type stubs.
        self._index.set_direct_map_type(faiss.DirectMap.Hashtable)  # type: ignore[attr-defined]
        self._index.nprobe = LOOKED_AT

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, slots: Sequence[Slot], rows: Matrix) -> None:
        self._index.add_with_ids(rows, np.fromiter((slot.id for slot in slots), np.int64, len(slots)))

    def remove(self, id: int) -> None:
        """Nothing happens where there is none of that id."""
        import faiss

        one = np.array([id], np.int64)
        self._index.remove_ids(faiss.IDSelectorArray(1, faiss.swig_ptr(one)))

    def rows(self, slots: Sequence[Slot]) -> Matrix:
        ids = np.fromiter((slot.id for slot in slots), np.int64, len(slots))
        return np.asarray(self._index.reconstruct_batch(ids))

    def search(self, queries: Matrix, k: int) -> list[list[tuple[float, int]]]:
        """Similarity and id; the most similar first."""
        similarities, ids = self._index.search(queries, k)
        return [
            [(similarity, id) for similarity, id in zip(*row, strict=True) if id >= 0]
            for row in zip(similarities.tolist(), ids.tolist(), strict=True)
        ]


class Making:
    """Clusters under way. As soon as `clusters` are there, whatever is added or removed goes to them, too."""

    def __init__(
        self, slots: list[Slot], rows: Callable[[Sequence[Slot]], Matrix], dimension: int, *, rounds: int = ROUNDS
    ) -> None:
        """`slots`: those of the scope, as they change; `rows` fetches the vectors of some."""
        self.clusters: Clusters | None = None
        self._slots, self._rows, self._rounds = slots, rows, rounds
        self._lists = max(1, min(LISTS * isqrt(len(slots)), len(slots) // 2))
        self._block = max(16, min(MOST, int(STEP / (self._lists * dimension))))
        self._steps = self._make()

    def step(self) -> Clusters | None:
        """The clusters, once they hold everything. After a `MemoryError` no further step may be made."""
        for _ in self._steps:
            return None
        return self.clusters

    def _make(self) -> Iterator[None]:
        # Evenly from first to last: no chance, and no part of the scope left out.
        places = np.linspace(0, len(self._slots) - 1, min(len(self._slots), SAMPLED * self._lists)).astype(int)
        sample = self._rows([self._slots[place] for place in places])
        centres = sample[:: max(1, len(sample) // self._lists)].copy()
        yield
        for _ in range(self._rounds):
            sums = np.zeros_like(centres)
            for start in range(0, len(sample), self._block):
                _gather(sums, sample[start : start + self._block], centres)
                yield
            lengths = np.linalg.norm(sums, axis=1, keepdims=True)
            centres = np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), centres).astype(np.float32)
        standing = list(self._slots)
        self.clusters = Clusters(centres, len(standing))
        for start in range(0, len(standing), self._block):
            some = [slot for slot in standing[start : start + self._block] if slot.place >= 0]
            if some:
                self.clusters.add(some, self._rows(some))
            yield


def _gather(sums: Matrix, rows: Matrix, centres: Matrix) -> None:
    """Add each row to the sum of its nearest centre."""
    import faiss

    _, nearest = faiss.knn(rows, centres, 1, metric=faiss.METRIC_INNER_PRODUCT)
    order = np.argsort(nearest[:, 0], kind="stable")
    labels, starts = np.unique(nearest[order, 0], return_index=True)
    sums[labels] += np.add.reduceat(rows[order], starts, axis=0)
