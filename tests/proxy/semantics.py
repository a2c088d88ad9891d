"""A small embedder and a small decision, for the tests of what measures the semantic cache."""

import gzip
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from adapters.embedder import Embedded, normalised
from adapters.errors import EmbeddingError
from cache.near import Near
from cache.verdict import Opinion, Verdict
from cache.veto import Veto
from proxy.semantic_examples import Asked, Reading, Row
from proxy.semantic_policy import Decide

DIMENSION = 64


class Words:
    """The words of a text, counted into buckets: texts are near to each other where they share words. Refuses texts
    without words, as a model refuses those that are too long for it."""

    identity = "words/64"
    dimension = DIMENSION

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.closed = False

    async def embed(self, texts: Sequence[str]) -> Embedded:
        rows = np.zeros((len(texts), DIMENSION), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"\w+", text.casefold()):
                row[crc32(word.encode()) % DIMENSION] += 1
        if not rows.any(axis=1).all():
            raise EmbeddingError("a text without words")
        self.asked += texts
        return Embedded(normalised(rows, len(texts), DIMENSION))

    async def close(self) -> None:
        self.closed = True


def digits(a: str, b: str) -> tuple[Veto, ...]:
    here, there = (tuple(re.findall(r"\d+", text)) for text in (a, b))
    return (Veto("numbers", here, there),) if here != there else ()


def deciding(threshold: float | None) -> Decide:
    """Serves the most similar entry with the same digits."""
    at = 0.9 if threshold is None else threshold

    async def decide(text: str, near: Sequence[Near]) -> Verdict:
        opinions = sorted(
            (Opinion(each, None, digits(text, each.text)) for each in near), key=lambda one: bool(one.vetoes)
        )
        if not near or opinions[0].vetoes or opinions[0].near.similarity < at:
            return Verdict(None, "refused", None, at, tuple(opinions))
        return Verdict(opinions[0].near, "", None, at, tuple(opinions))

    return decide


async def rows(asked: Sequence[Asked]) -> list[Row | None]:
    """Similarity and how many words differ; digits that differ are vetoed."""
    return [None if digits(each.question, each.entry) else (each.similarity, differing(each)) for each in asked]


def differing(asked: Asked) -> float:
    return float(len(set(asked.question.split()) ^ set(asked.entry.split())))


READING = Reading({"similarity": 1, "differing": -1}, rows)


def written(path: Path, rows: Sequence[Any], *, zipped: bool = False) -> Path:
    raw = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(raw) if zipped else raw)
    return path
