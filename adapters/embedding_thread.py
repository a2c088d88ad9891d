"""A model of our own in a thread of its own: texts that come while it is busy are embedded together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from adapters.embedder import Embedded, Encoder, Matrix
from adapters.embedding_batches import Batches, Limits, Row
from adapters.errors import EmbeddingError


class EmbeddingThread:
    """`adapters.embedder.Embedder` around an encoder. Raises `EmbeddingError`: what the encoder says of a text,
    `timeout`, `busy`, `closed`."""

    def __init__(self, encoder: Encoder, limits: Limits) -> None:
        self.identity, self.dimension = encoder.identity, encoder.dimension
        self._encoder = encoder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="warmgate-embedding")
        self._batches = Batches(self._compute, limits, len)

    async def embed(self, texts: Sequence[str]) -> Embedded:
        check_texts(texts)
        rows, _ = await self._batches.ask(texts)
        return Embedded(stacked(rows, self.dimension))

    async def _compute(self, texts: list[str]) -> Embedded:
        loop = asyncio.get_running_loop()
        return Embedded(await loop.run_in_executor(self._thread, self._encoder.encode, texts))

    async def close(self) -> None:
        ended = await self._batches.close()
        self._thread.shutdown(wait=ended, cancel_futures=True)


def check_texts(texts: Sequence[str]) -> None:
    if not all(isinstance(text, str) for text in texts):
        raise EmbeddingError("not a text")


def stacked(rows: Sequence[Row], dimension: int) -> Matrix:
    """(rows, dimension), nobody else's."""
    return np.array(rows, np.float32) if rows else np.empty((0, dimension), np.float32)
