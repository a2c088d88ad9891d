"""Vectors, questions and answers for the tests of the semantic store."""

from __future__ import annotations

from typing import Any

import numpy as np

from adapters.embedder import Matrix
from cache.near import Kept
from tests.cache.contract import Clock, entry_of


def unit(rows: Any) -> Matrix:
    array = np.asarray(rows, np.float64)
    scaled: Matrix = (array / np.linalg.norm(array, axis=-1, keepdims=True)).astype(np.float32)
    return scaled


def scattered(count: int, dimension: int, seed: int = 0) -> Matrix:
    """(count, dimension), in no order whatever."""
    return unit(np.random.default_rng(seed).standard_normal((count, dimension)))


def grouped(count: int, dimension: int, seed: int = 0, group: int = 10, spread: float = 0.5) -> Matrix:
    """(count, dimension), in groups as paraphrases are: about 0.8 alike at the default spread."""
    chance = np.random.default_rng(seed)
    centres = unit(chance.standard_normal((max(1, count // group), dimension)))
    noise = chance.standard_normal((count, dimension)) * spread / np.sqrt(dimension)
    return unit(centres[chance.integers(0, len(centres), count)] + noise)


def scope(name: int | str) -> bytes:
    return str(name).encode().rjust(32, b"s")


def kept(name: int | str, clock: Clock, vector: Matrix, *, within: int | str = 0, **other: Any) -> Kept:
    """Question and answer by one name, which is in both."""
    text = other.pop("text", f"What about {name}?")
    return Kept(scope(within), "chat", text, vector, entry_of(name, clock, **other))
