"""Scores of pairs, against a forward pass in plain numpy."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.cross_encoder import CrossEncoder, Pair, PairScorer, ScorerSpec, scorer_of, sigmoid
from adapters.embedder import EmbedderUnavailable, Matrix
from adapters.embedding_batches import Limits
from adapters.errors import EmbeddingError
from adapters.model_files import ModelFiles
from adapters.wordpieces import WordPieces
from tests.adapters import tiny_bert
from tests.adapters.lent import lend, withhold

PAIRS = [
    ("turn on", "turn off"),
    ("turn on", "turn on?"),
    ("how do i reset my password", "reset my password"),
    ("on", "off"),
]


def spec(path: Path, **more: Any) -> ScorerSpec:
    return ScorerSpec("someone/tiny", model_dir=str(path), **more)


def written(path: Path, labels: int = 1, **more: Any) -> Path:
    return tiny_bert.written(path, tiny_bert.weights(4, labels=labels), **more)


async def test_scores_are_the_sigmoid_of_the_network_s_logit(tmp_path: Path) -> None:
    scorer = scorer_of(spec(written(tmp_path)))
    pieces = WordPieces(json.dumps(tiny_bert.TOKENIZER).encode(), "", None)
    tensors = tiny_bert.weights(4, labels=1)
    wanted = [1 / (1 + math.exp(-tiny_bert.logits(tensors, *pieces.pair(*pair))[0])) for pair in PAIRS]
    assert await scorer.score(PAIRS) == pytest.approx(wanted, abs=2e-6)
    assert len({round(score, 4) for score in wanted}) == len(PAIRS)
    assert await scorer.score([]) == []
    await scorer.close()
    with pytest.raises(EmbeddingError, match="closed"):
        await scorer.score(PAIRS)


async def test_pairs_that_can_t_be_read_whole(tmp_path: Path) -> None:
    scorer = scorer_of(spec(written(tmp_path, tokenizer_config={"model_max_length": 8})))
    for pair, why in (
        (("turn on", "how do i reset"), "too long"),
        (("on", "🦄"), "unknown"),
        (("on", "\ud800"), "Unicode"),
    ):
        with pytest.raises(EmbeddingError, match=why):
            await scorer.score([("on", "off"), pair])
    assert len(await scorer.score([("on", "off")])) == 1
    await scorer.close()


async def test_pairs_that_come_together_go_together(tmp_path: Path) -> None:
    class Lengths:
        identity = "lengths"
        batches: list[Sequence[Pair]] = []  # noqa: RUF012 - of this one test

        def scores(self, pairs: Sequence[Pair]) -> Matrix:
            self.batches.append(pairs)
            return np.array([len(first) / 10 for first, _ in pairs], np.float32)

    scorer = PairScorer(Lengths(), Limits(timeout=None))
    made = await asyncio.gather(*(scorer.score([("x" * n, "y"), ("x", "y")]) for n in (1, 2, 3)))
    assert made == [pytest.approx([n / 10, 0.1]) for n in (1, 2, 3)]
    assert [len(batch) for batch in Lengths.batches] == [1, 2]
    await scorer.close()


async def test_a_score_that_is_no_number() -> None:
    class Broken:
        identity = "broken"

        def scores(self, pairs: Sequence[Pair]) -> Matrix:
            return np.full(len(pairs), np.nan, np.float32)

    scorer = PairScorer(Broken(), Limits())
    with pytest.raises(EmbeddingError, match="not finite"):
        await scorer.score([("a", "b")])
    await scorer.close()


def test_models_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(EmbedderUnavailable, match="2 labels"):
        scorer_of(spec(written(tmp_path, labels=2)))
    with pytest.raises(EmbedderUnavailable, match=r"model\.safetensors: KeyError"):
        scorer_of(spec(tiny_bert.written(tmp_path)))
    with pytest.raises(EmbedderUnavailable, match="damaged or of another model"):
        scorer_of(spec(written(tmp_path), sha256="0" * 64))
    with pytest.raises(EmbedderUnavailable, match="no such directory"):
        scorer_of(spec(tmp_path / "nowhere"))
    with pytest.raises(EmbedderUnavailable, match="no files of cross-encoder/some-model"):
        scorer_of(ScorerSpec("cross-encoder/some-model"), {"HF_HOME": str(tmp_path)})


def test_the_identity_tells_of_the_weights(tmp_path: Path) -> None:
    one = CrossEncoder(ModelFiles(written(tmp_path)), "m").identity
    again = CrossEncoder(ModelFiles(tiny_bert.written(tmp_path, tiny_bert.weights(5, labels=1))), "m").identity
    assert one != again


async def test_sentence_transformers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text("{}")
    withhold(monkeypatch)
    with pytest.raises(EmbedderUnavailable, match=r"pip install 'warmgate\[sentence-transformers\]'"):
        scorer_of(spec(tmp_path, kind="sentence-transformers"))
    monkeypatch.undo()
    lend(monkeypatch)
    scorer = scorer_of(spec(tmp_path, kind="sentence-transformers"))
    assert await scorer.score([("abcd", "abcd"), ("ab", "xy")]) == pytest.approx(
        [1 / (1 + math.exp(-1)), 1 / (1 + math.e**3)]
    )
    for pair in (("a b c d", "e f g"), ("a", "x" * 100_000)):
        with pytest.raises(EmbeddingError, match="too long"):
            await scorer.score([pair])
    await scorer.close()
    (tmp_path / "config.json").write_text('{"labels": 3}')
    with pytest.raises(EmbedderUnavailable, match="3 labels"):
        scorer_of(spec(tmp_path, kind="sentence-transformers"))


def test_the_sigmoid_has_no_overflow() -> None:
    assert sigmoid(np.array([-1e9, -2.0, 0.0, 2.0, 1e9], np.float32)).tolist() == pytest.approx(
        [0, 0.1192029, 0.5, 0.8807971, 1]
    )
