"""A model in its thread: the event loop goes on, and the thread ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from adapters.embedder import Embedder, Matrix, normalised
from adapters.embedding_batches import Limits
from adapters.embedding_thread import EmbeddingThread
from adapters.errors import EmbeddingError
from tests.fakes import until


class Letters:
    """Counts letters: a real, if simple, embedding. Waits at its gate, and notes who called it."""

    identity, dimension = "letters", 26

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[list[str]] = []
        self.threads: set[str] = set()

    def encode(self, texts: Sequence[str]) -> Matrix:
        self.batches.append(list(texts))
        self.threads.add(threading.current_thread().name)
        self.gate.wait()
        counts = [[text.lower().count(chr(97 + place)) for place in range(26)] for text in texts]
        return normalised(counts, len(texts), 26)


@pytest.fixture(name="letters")
def _letters() -> Letters:
    return Letters()


async def test_vectors_in_their_order(letters: Letters) -> None:
    embedder: Embedder = EmbeddingThread(letters, Limits())
    made = await embedder.embed(["abc", "zzz", "abc"])
    assert (embedder.identity, embedder.dimension) == ("letters", 26)
    assert made.vectors.dtype == np.float32
    assert np.allclose(made.vectors, letters.encode(["abc", "zzz", "abc"]))
    assert (made.usage, made.cost) == (None, 0.0)
    assert (await embedder.embed([])).vectors.shape == (0, 26)
    await embedder.close()


async def test_the_loop_turns_while_one_thread_computes(letters: Letters) -> None:
    letters.gate.clear()
    embedder = EmbeddingThread(letters, Limits(timeout=None))
    tasks = [asyncio.ensure_future(embedder.embed([text])) for text in ("a", "b", "c", "b")]
    await until(lambda: bool(letters.batches))
    letters.gate.set()
    made = await asyncio.gather(*tasks)
    assert letters.batches == [["a"], ["b", "c"]]
    assert np.array_equal(made[1].vectors, made[3].vectors)
    assert len(letters.threads) == 1
    assert threading.current_thread().name not in letters.threads
    await embedder.close()


async def test_a_text_without_a_vector_fails_alone(letters: Letters) -> None:
    letters.gate.clear()
    embedder = EmbeddingThread(letters, Limits(timeout=None))
    tasks = [asyncio.ensure_future(embedder.embed([text])) for text in ("first", "one", "123", "two")]
    await until(lambda: bool(letters.batches))
    letters.gate.set()
    made = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(each, EmbeddingError) for each in made] == [False, False, True, False]
    await embedder.close()


async def test_a_slow_model_is_a_timeout_and_closing_waits_for_it(letters: Letters) -> None:
    letters.gate.clear()
    embedder = EmbeddingThread(letters, Limits(timeout=0.001))
    with pytest.raises(EmbeddingError, match="timeout"):
        await embedder.embed(["slow"])
    letters.gate.set()
    await embedder.close()
    assert not any(thread.name in letters.threads for thread in threading.enumerate())
    with pytest.raises(EmbeddingError, match="closed"):
        await embedder.embed(["late"])


@pytest.mark.parametrize("text", [None, 3, b"bytes", ["list"]], ids=repr)
async def test_what_is_no_text(letters: Letters, text: Any) -> None:
    embedder = EmbeddingThread(letters, Limits())
    with pytest.raises(EmbeddingError, match="not a text"):
        await embedder.embed(["fine", text])
    await embedder.close()


async def test_a_caller_may_change_what_it_got(letters: Letters) -> None:
    embedder = EmbeddingThread(letters, Limits())
    made = await embedder.embed(["abc"])
    made.vectors[:] = 0
    assert (await embedder.embed(["abc"])).vectors.any()
    assert letters.batches == [["abc"]]
    await embedder.close()
