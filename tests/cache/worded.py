"""An embedder without a model: a text is the sum of its words, each a fixed direction."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from adapters.embedder import Embedded, Matrix, normalised
from adapters.errors import EmbeddingError

DIMENSION = 48


class Worded:
    """`Embedder`; embeds what it is asked at once. With `failing` set it says that instead."""

    identity = "worded"
    dimension = DIMENSION

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.failing = ""
        self.cost: float | None = 0.0

    async def embed(self, texts: Sequence[str]) -> Embedded:
        self.asked.append(list(texts))
        if self.failing:
            raise EmbeddingError(self.failing)
        rows = [np.sum([_direction(word) for word in words_of(text)], axis=0) for text in texts]
        return Embedded(normalised(np.stack(rows), len(texts), DIMENSION), None, self.cost)

    async def close(self) -> None:
        pass


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower()) or ["nothing"]


def _direction(word: str) -> Matrix:
    seed = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "big")
    drawn: Matrix = np.random.default_rng(seed).standard_normal(DIMENSION).astype(np.float32)
    return drawn
