"""Texts to vectors: what every embedder promises.

A vector says nothing without the embedder it came from: `identity` names everything that vectors depend on, is kept
with each of them, and vectors of different identities are never compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from adapters.errors import EmbeddingError, WarmgateError
from adapters.usage import Usage

Matrix: TypeAlias = "np.ndarray[Any, np.dtype[np.float32]]"
"""float32."""

ROUNDING = 1e-3
"""How far the length of a vector may be from 1 after it was scaled: float32 stays far below it."""


class EmbedderUnavailable(WarmgateError):
    """A model that can't be used: its library or its files are missing, damaged, or not what was asked for. Raised at
    start only; the message says what to do."""


class Embedded(NamedTuple):
    vectors: Matrix
    """(texts, dimension), each of length 1."""
    usage: Usage | None = None
    """What a provider counted; None for an embedder of our own."""
    cost: float | None = 0.0
    """US dollars; None where the price is unknown."""


class Embedder(Protocol):
    """Raises `EmbeddingError` for whatever goes wrong: nobody who asks for vectors has to know what stands behind."""

    identity: str
    """Model, a hash of its weights, pooling, prefix, dimension: all that a vector depends on."""
    dimension: int

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """One vector for each text, in their order. Never computes on the event loop."""

    async def close(self) -> None: ...


class Encoder(Protocol):
    """A model in this process. Called by one thread, never by the event loop's."""

    identity: str
    dimension: int

    def encode(self, texts: Sequence[str]) -> Matrix:
        """(texts, dimension), each of length 1. Raises `EmbeddingError` where one of the texts is at fault: what a
        model can't read whole (too long, unknown words) has no vector, for it would have that of another text."""


def normalised(vectors: Any, count: int, dimension: int) -> Matrix:
    """The vectors, each scaled to length 1; raises `EmbeddingError` where there are not `count` of this dimension, or
    one is zero or not finite: such a vector would be near to anything."""
    try:
        with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite and is refused below
            matrix = np.ascontiguousarray(vectors, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise EmbeddingError("vectors that are no numbers") from error
    if matrix.shape != (count, dimension):
        raise EmbeddingError(f"vectors of shape {matrix.shape}, not {(count, dimension)}")
    # In float64: the square of a large float32 is no longer finite, and that of a small one is zero.
    lengths = np.linalg.norm(matrix.astype(np.float64), axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise EmbeddingError("a vector that is zero or not finite")
    scaled: Matrix = (matrix / lengths).astype(np.float32)
    return scaled
