from collections.abc import Sequence

import numpy as np
import pytest

from adapters.embedder import Embedded
from adapters.errors import EmbeddingError
from proxy.semantic_vectors import BATCH, around, embedded
from tests.proxy.semantics import DIMENSION, Words


async def test_each_text_is_embedded_once() -> None:
    embedder, told = Words(), []
    texts = [f"text {number % 100}" for number in range(300)]
    vectors = await embedded(texts, embedder, lambda *word: told.append(word))
    assert sorted(embedder.asked) == sorted(set(texts))
    assert vectors.rows.shape == (100, DIMENSION)
    assert told == [("embedding", 0, 100), ("embedding", BATCH, 100), ("embedding", 100, 100)]
    for text in texts:
        alone = (await embedder.embed([text])).vectors[0]
        assert vectors.rows[vectors.of[text]] == pytest.approx(alone)


async def test_a_text_that_is_refused_takes_no_other_with_it() -> None:
    vectors = await embedded(["!", "one", "two", "one"], Words())
    assert set(vectors.of) == {"one", "two"}
    assert vectors.refused == 1
    assert vectors.similarity("one", "one") == pytest.approx(1.0)
    assert vectors.similarity("one", "!") is None
    neighbours = around(["!", "two", "one", "two"], vectors)
    assert neighbours.known.tolist() == [False, True, True, True]
    assert [other for other, _ in neighbours.of(3, np.ones(4, np.bool_), 1)] == [1]


async def test_an_embedder_that_refuses_everything_is_an_error() -> None:
    class Down(Words):
        async def embed(self, texts: Sequence[str]) -> Embedded:
            raise EmbeddingError("status 503")

    with pytest.raises(EmbeddingError, match="status 503"):
        await embedded(["one", "two"], Down())


async def test_no_texts_have_no_vectors() -> None:
    vectors = await embedded([], Words())
    assert vectors.rows.shape == (0, DIMENSION)
