"""What the verifier learns from: labelled pairs, and the neighbours that the questions of a stream meet.

An answer to a question must not be judged by a model that has seen the question: each example knows the classes of the
streams that its texts belong to, and a model for some classes, or for a source, is fitted without any of theirs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple
from zlib import crc32

import numpy as np

from cache.fitting import Fit, Vector, fit
from proxy.semantic_sets import Pair, Prompt
from proxy.semantic_stream import Neighbours
from proxy.semantic_vectors import Progress, Vectors, silent

NEAREST = 8
"""Neighbours of each question of a stream that are examples."""
NEAR = 0.75
"""And how similar they are at least."""
BATCH = 1024

Row = tuple[float, ...]


class Asked(NamedTuple):
    """What the verifier is asked about."""

    question: str
    entry: str
    """The question that the entry answers."""
    similarity: float
    near: tuple[float, ...]
    """Of all candidates, the most similar first; of a pair, of the one there is."""


class Reading(NamedTuple):
    """How the verifier sees a question and an entry."""

    signs: Mapping[str, int]
    """Name of each feature to the sign that its weight may have: +1, -1, or 0 for either."""
    rows: Callable[[Sequence[Asked]], Awaitable[Sequence[Row | None]]]
    """The features in the order of `signs`; None where a guard vetoes the two, so that no verifier is asked."""


Group = tuple[int, str]
"""Number of a stream, and a class of it."""


class Example(NamedTuple):
    asked: Asked
    right: bool
    source: str
    groups: frozenset[Group]
    row: Row = ()


def groups_of(streams: Sequence[Sequence[Prompt]]) -> dict[str, frozenset[Group]]:
    """Text to the classes it belongs to."""
    found: dict[str, set[Group]] = {}
    for number, prompts in enumerate(streams):
        for prompt in prompts:
            found.setdefault(prompt.query, set()).add((number, prompt.cls))
    return {text: frozenset(groups) for text, groups in found.items()}


def of_pairs(pairs: Sequence[Pair], vectors: Vectors, groups: Mapping[str, frozenset[Group]]) -> list[Example]:
    """`b` is asked, `a` is the entry. Without those of which one has no vector."""
    nobody: frozenset[Group] = frozenset()
    return [
        Example(
            Asked(pair.b, pair.a, similarity, (similarity,)),
            pair.right,
            pair.source,
            groups.get(pair.a, nobody) | groups.get(pair.b, nobody),
        )
        for pair in pairs
        if (similarity := vectors.similarity(pair.a, pair.b)) is not None
    ]


def of_stream(number: int, prompts: Sequence[Prompt], neighbours: Neighbours) -> list[Example]:
    """The earlier questions near to each, whether or not they would have been inserted."""
    found = []
    for place, prompt in enumerate(prompts):
        near = neighbours.of(place, neighbours.known, NEAREST)
        similarities = tuple(similarity for _, similarity in near)
        for other, similarity in near:
            if similarity >= NEAR:
                entry = prompts[other]
                groups = frozenset({(number, prompt.cls), (number, entry.cls)})
                asked = Asked(prompt.query, entry.query, similarity, similarities)
                found.append(Example(asked, prompt.cls == entry.cls, prompt.source, groups))
    return found


async def read(examples: Sequence[Example], reading: Reading, progress: Progress = silent) -> list[Example]:
    """With their features, those that no guard vetoes: the verifier never sees the others."""
    found = []
    for start in range(0, len(examples), BATCH):
        progress("features", start, len(examples))
        batch = examples[start : start + BATCH]
        rows = await reading.rows([example.asked for example in batch])
        found += [example._replace(row=row) for example, row in zip(batch, rows, strict=True) if row is not None]
    progress("features", len(examples), len(examples))
    return found


def fitted(examples: Iterable[Example], signs: Mapping[str, int]) -> Fit:
    """Raises `ValueError` where there are not both right and wrong ones."""
    kept = list(examples)
    rows: Vector = np.array([example.row for example in kept], np.float64).reshape(len(kept), len(signs))
    return fit(rows, np.array([example.right for example in kept], np.float64), signs=list(signs.values()))


def fold_of(group: Group, folds: int) -> int:
    """By the name of the class alone, so that it stays where it is when others come and go."""
    return crc32(f"{group[0]} {group[1]}".encode()) % folds


def without_fold(examples: Iterable[Example], fold: int, folds: int) -> list[Example]:
    return [each for each in examples if all(fold_of(group, folds) != fold for group in each.groups)]


def without_source(examples: Iterable[Example], source: str, groups: Collection[Group]) -> list[Example]:
    """Without what is of that source or made from it: `checklist_qqp` and `qqp_synth` are of `qqp`, too. `groups`: the
    classes of the source's questions."""
    return [
        each
        for each in examples
        if each.source != source and source not in each.source.split("_") and each.groups.isdisjoint(groups)
    ]
